# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs: which attributes of an add-on are to change, and what became of that. Pure."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.dict_transformations import dict_merge

from .._errors import ApiError, ClawHostersError, RefusedError
from .._secret_fields import redact
from .._text import MASK, map_texts, replace_controls
from .addon import AddonQuery, label, require_same_owner, require_shown
from .compare import Config, convert_like, find_differences, format_unchanged, is_same
from .resource import Resource

_CHANGED_SECRET = f"{MASK} (sent)"


@dataclass
class AddonJob:
    """Work to set attributes of one add-on.

    Raises RefusedError for an attribute that the add-on does not show, since it could not be compared.
    """

    addon: Resource
    """The add-on as it was read first."""
    given: Config
    write_only: t.Collection[str]
    known: Resource
    """The add-on with type and instance as far as the service shows them, to name it by."""
    reads_detail: bool = False
    """True if the list does not show all of its attributes."""
    query: AddonQuery | None = None
    """By what it was found."""
    now: Resource | None = None
    """The add-on as read again; in check mode, as it is expected to be."""
    batch: int | None = None
    """The number of its batch; None if the task has no batches."""
    is_begun: bool = True
    changed: bool = False
    is_accepted: bool = False
    error: ClawHostersError | None = None
    lost: ClawHostersError | None = field(default=None, repr=False)
    """The error that does not show whether the add-on was changed."""
    rejection: ApiError | None = field(default=None, repr=False)
    """The rejection of the first request, if a second one was accepted."""

    def __post_init__(self) -> None:
        require_shown(self.addon, self.given, self.write_only)

    @property
    def label(self) -> str:
        """Names the add-on in messages."""
        return label(self.known)

    @property
    def name(self) -> str:
        """Names the add-on in a progress line."""
        return self.label

    def has_failed(self) -> bool:
        """Returns True if the job counts as failed."""
        return self.error is not None

    def look_again(self, addon: Resource) -> None:
        """Compares anew, with the add-on as it was read last, in a job that was planned and not begun.

        Raises RefusedError if it is not what was asked for any more: its instance may have been renamed.
        """
        if self.query:
            require_same_owner(addon, self.known, self.query)
        require_shown(addon, self.given, self.write_only)
        self.addon = addon
        self.__dict__.pop("config", None)
        self.__dict__.pop("changes", None)

    @property
    def id(self) -> str:
        return str(self.addon["id"])

    @functools.cached_property
    def config(self) -> Config:
        """The wanted attributes, in the types that the service shows."""
        return convert_like(self.given, self.addon)

    @functools.cached_property
    def changes(self) -> Config:
        """The attributes to send."""
        return find_differences(self.addon, self.config, self.write_only)

    def predict(self) -> None:
        """Ends the job as in check mode."""
        if self.changes:
            self.now, self.changed = self._expect(), True

    def _expect(self) -> Resource:
        return dict_merge(self.addon, map_texts(self.config, replace_controls))

    def see(self, seen: Resource | ClawHostersError) -> None:
        """Ends the job with the add-on as it was read again, or with the error of that."""
        if isinstance(seen, ClawHostersError):
            self._fail_unread(seen)
            return
        self.now = seen
        unchanged = format_unchanged(seen, self.changes, self.write_only)
        hidden = [name for name in self.changes if name in self.write_only]
        self.changed = any(
            not is_same(seen.get(name), self.addon.get(name)) for name in self.changes if name not in hidden
        ) or bool(hidden and self.is_accepted)
        if self.lost is not None:
            self._explain_lost(self.lost, unchanged, hidden)
        elif unchanged:
            self.error = self.rejection or RefusedError(
                f"The service accepted the update of {self.label}, but {unchanged}. Perhaps it can't be changed, or "
                "the change takes a while, or GET shows another form of the value (then name it in write_only)."
            )

    def _fail_unread(self, reason: ClawHostersError) -> None:
        if self.lost is None:
            self.changed = True
            self.error = RefusedError(
                f"The service accepted the update of {self.label}, but the add-on can't be read. {reason}", reason
            )
        else:
            self.lost.add(
                f"It is unknown whether the {self.label} was changed, since it can't be read now. "
                "Check it before you run this again."
            )
            self.error = self.lost

    def _explain_lost(self, lost: ClawHostersError, unchanged: str, hidden: list[str]) -> None:
        """Fails unless the add-on shows the change whose response was lost."""
        if unchanged:
            lost.add(f"The {self.label} was read again: {unchanged}. Nothing was sent again; run the task again.")
        elif hidden:
            lost.add(
                f"It is unknown whether {', '.join(hidden)} of the {self.label} was set. Nothing was sent again; run "
                "the task again to set it once more."
            )
        else:
            self.changed = True
            return
        self.error = lost

    @property
    def latest(self) -> Resource:
        """The add-on as last read, with its secrets hidden."""
        is_predicted = self.now is not None and not self.is_accepted and self.lost is None
        return redact(self.addon if self.now is None or is_predicted else self.now, self.write_only)

    def attributes(self) -> tuple[Resource, Resource]:
        """Returns the attributes in ``config`` before and after, without write-only ones, and with secrets hidden.

        A changed secret is marked, since neither value is shown.
        """
        after = self.now or (self._expect() if self.is_accepted else self.addon)
        shown = [name for name in self.config if name in self.addon and name not in self.write_only]
        before, after = ({name: one[name] for name in shown if name in one} for one in (self.addon, after))
        hidden_before, hidden_after = redact(before), redact(after)
        for name in self.changes if self.changed else ():
            is_hidden = name in self.write_only or before.get(name) != after.get(name)
            if is_hidden and hidden_before.get(name) == hidden_after.get(name):
                hidden_after[name] = _CHANGED_SECRET
        return hidden_before, hidden_after
