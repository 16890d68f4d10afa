# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries, jobs, plan and results of ``claw_fleet_addon``, of which ``claw_addon`` has one job. Pure."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.dict_transformations import dict_merge

from .._errors import ApiError, ClawHostersError, RefusedError, SettingsError
from .._secret_fields import find_secrets, redact
from .._text import MASK, map_texts, replace_controls
from .addon import (
    AddonIndex,
    AddonQuery,
    Config,
    convert_like,
    find_differences,
    format_unchanged,
    is_same,
    label,
    require_one,
    require_same_owner,
    require_shown,
)
from .fleet_entries import (
    ADDONS,
    BEYOND_FAILURES,
    BEYOND_LIMITS,
    FaultyListError,
    NumberedEntry,
    Outcome,
    find_duplicates,
    format_entry,
)
from .ownership import parse_owner
from .resource import Options, Redacted, Resource, parse_id
from .saved_plan import PlannedUpdate

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


@dataclass(frozen=True)
class AddonEntry(NumberedEntry):
    """One entry of the option ``addons``."""

    query: AddonQuery
    config: Config

    @property
    def label(self) -> str:
        """``entry 3, support-bot``, for messages."""
        return format_entry(self.number, self.query.id, self.query.instance_name)

    def name_with(self, found: Resource) -> str:
        """Returns the label, with the add-on that was found if the entry was given without the name of its instance."""
        return self.label if self.query.instance_name else f"entry {self.number}, {label(found)}"


def require_valid_addons(options: Options) -> None:
    """Raises FaultyListError for unknown keys, wrong ids, and entries without an add-on or ``config``."""
    has_config = options.get("config") is not None
    lacking = ["it has no config, and the task has none"]
    ADDONS.require_valid(options, lambda entry: lacking if entry.get("config") is None and not has_config else [])


def parse_entries(options: Options) -> list[AddonEntry]:
    """Returns the entries of the task. Raises FaultyListError."""
    require_valid_addons(options)
    entries, faults = [], []
    for number, item in enumerate(ADDONS.gather(options), 1):
        try:
            query = AddonQuery(item["id"], item["addon_type"], item["instance_id"], item["instance_name"])
        except SettingsError as error:
            faults.append(f"entry {number}: {error}")
        else:
            config = options["config"] if item["config"] is None else item["config"]
            entries.append(AddonEntry(number, query, config))
    if faults:
        raise FaultyListError(faults, ADDONS.noun)
    return entries


class Match(t.NamedTuple):
    """The add-on of an entry: as it was listed, and with type and instance as far as the service shows them."""

    listed: Resource
    known: Resource


def match_entries(entries: list[AddonEntry], found: list[list[Resource]], addons: list[Resource]) -> list[Match]:
    """Returns the add-on of each entry. ``found`` are the matches of each.

    Raises FaultyListError for no match and for several, and if two entries mean the same add-on.
    """
    matches: list[Resource | None] = []
    faults: list[tuple[int, object]] = []
    index = AddonIndex(addons)
    for position, (entry, candidates) in enumerate(zip(entries, found, strict=True)):
        try:
            matches.append(require_one(candidates, index, entry.query))
        except RefusedError as error:
            matches.append(None)
            faults.append((position, error))
    faults += [(position, f"the {fault}") for position, fault in find_duplicates(entries, matches, label)]
    ADDONS.raise_faults(entries, faults)
    by_id = {str(addon["id"]): addon for addon in addons}
    return [Match(by_id[str(known["id"])], known) for known in matches if known is not None]


def plan_update(job: AddonJob) -> PlannedUpdate | None:
    """Returns the change of an add-on, with its secrets hidden; None if it does not change."""
    if job.error is not None or not job.changes:
        return None
    wanted = map_texts(redact(job.changes, job.write_only), replace_controls)
    name = parse_owner(job.known).name
    return PlannedUpdate(job.addon["id"], name, "update", job.attributes()[0], wanted)


def build_outcomes(entries: list[AddonEntry], jobs: list[AddonJob], *, refused: bool = False) -> list[Outcome]:
    """Returns what became of each entry. ``refused``: nothing was begun because of the limits."""
    outcomes = []
    for entry, job in zip(entries, jobs, strict=True):
        owner = parse_owner(job.known)
        facts = {
            "id": job.addon["id"],
            "addon_type": job.known.get("addon_type"),
            "instance_id": parse_id(owner.id),
            "instance_name": owner.name,
        }
        if job.batch is not None:
            facts["batch"] = job.batch
        error = job.error or (BEYOND_LIMITS if refused and job.changes else None)
        message, is_begun = None if error is None else str(error), job.is_begun or not job.changes
        note = "" if is_begun else BEYOND_FAILURES
        named = entry.name_with(job.known)
        outcomes.append(Outcome(named, job.label, facts, *job.attributes(), job.changed, message, is_begun, note))
    return outcomes


def build_diff(outcomes: list[Outcome]) -> dict[str, t.Any]:
    """Returns the diff of the task."""
    return {"before": {one.name: one.before for one in outcomes}, "after": {one.name: one.after for one in outcomes}}


def redact_addon_options(params: Options) -> Redacted:
    """Redacts the secrets in ``config`` and in entries. Takes unvalidated options too.

    An attribute may stand in an entry by mistake, instead of in its ``config``.
    """
    names, entries = params.get("write_only"), params.get("addons")
    write_only = [str(name) for name in names] if isinstance(names, list) else []
    secrets: set[str] = set()

    def redact_objects(options: Options) -> Options:
        objects = {name: value for name, value in options.items() if isinstance(value, dict)}
        secrets.update(*(find_secrets(value, write_only) for value in objects.values()))
        return options | {name: redact(value, write_only) for name, value in objects.items()}

    redacted = redact_objects(params)
    if isinstance(entries, list):
        redacted["addons"] = [redact_objects(_mask_strays(one)) if isinstance(one, dict) else one for one in entries]
    return Redacted(redacted, secrets)


def _mask_strays(entry: Options) -> Options:
    """Returns an entry without the texts under names that are no option of entries: each may be a secret."""
    return {name: MASK if name not in ADDONS.keys and isinstance(one, str) else one for name, one in entry.items()}
