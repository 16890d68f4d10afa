# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An update of an add-on: which attributes to send, and what shows of it. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible.module_utils.common.dict_transformations import dict_merge

from .._secret_fields import find_secrets, redact
from .._text import MASK, map_texts, replace_controls
from .addon import Config, convert_like, find_differences, is_same, require_shown
from .resource import Options, Redacted, Resource, ResourceChange

_CHANGED_SECRET = f"{MASK} (sent)"


@dataclass
class AddonUpdate:
    """The attributes to set of an add-on.

    Raises RefusedError for an attribute that the add-on does not show, since it could not be compared.
    """

    addon: Resource
    """The add-on as it was read first."""
    given: Config
    write_only: t.Collection[str]

    def __post_init__(self) -> None:
        require_shown(self.addon, self.given, self.write_only)
        self.config = convert_like(self.given, self.addon)
        """The wanted attributes, in the types that the service shows."""
        self.changes = find_differences(self.addon, self.config, self.write_only)
        """The attributes to send."""
        self.hidden = [name for name in self.changes if name in self.write_only]
        """Those of them that the service never shows."""

    def is_seen_in(self, now: Resource) -> bool:
        """Returns True if the add-on, as it was read again, shows a change of an attribute that was sent."""
        shown = [name for name in self.changes if name not in self.write_only]
        return any(not is_same(now.get(name), self.addon.get(name)) for name in shown)

    def predict(self) -> ResourceChange:
        """Returns the change as it is expected. Its resource is the add-on as it was read first."""
        expected = dict_merge(self.addon, map_texts(self.config, replace_controls))
        return self._build_change(self.addon, expected, changed=True)

    def compare(self, now: Resource, *, changed: bool) -> ResourceChange:
        """Returns the change that the add-on shows, as it was read again."""
        return self._build_change(now, now, changed=changed)

    def _build_change(self, latest: Resource, after: Resource, *, changed: bool) -> ResourceChange:
        """Returns the change. Its diff has the attributes in ``config`` that the service shows.

        Secrets are hidden; one that changes is marked, since neither value is shown.
        """
        shown = [name for name in self.config if name in self.addon and name not in self.write_only]
        old, new = ({name: one[name] for name in shown if name in one} for one in (self.addon, after))
        hidden_old, hidden_new = redact(old), redact(new)
        for name in self.changes if changed else ():
            is_hidden = name in self.hidden or old.get(name) != new.get(name)
            if is_hidden and hidden_old.get(name) == hidden_new.get(name):
                hidden_new[name] = _CHANGED_SECRET
        named = {name: self.addon[name] for name in ("id", "addon_type") if name in self.addon}
        return ResourceChange(changed, redact(latest, self.write_only), named | hidden_old, named | hidden_new)


def redact_addon_options(params: Options) -> Redacted:
    """Redacts the secrets in ``config``. Takes unvalidated options too: it may be misspelt."""
    names = params.get("write_only")
    write_only = [str(name) for name in names] if isinstance(names, list) else []
    objects = {name: value for name, value in params.items() if isinstance(value, dict)}
    secrets = {secret for value in objects.values() for secret in find_secrets(value, write_only)}
    return Redacted(params | {name: redact(value, write_only) for name, value in objects.items()}, secrets)
