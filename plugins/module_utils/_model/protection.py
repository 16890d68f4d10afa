# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which changes of an instance are refused, whatever its status: by its name, if it is protected or restored. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._names import normalize_name
from .._text import replace_controls
from .instance import find_name_fault, label
from .resource import Resource

if t.TYPE_CHECKING:
    from .instance import Action
    from .restore_in_flight import RestoreInFlight
    from .saved_plan import Approval


@dataclass(frozen=True)
class Protection:
    """Names and ids of instances, and by each the option or the variable that names it."""

    sources: t.Mapping[str, str] = field(default_factory=dict)
    find_restore: t.Callable[[Resource], RestoreInFlight | None] = lambda _instance: None
    """Returns the restore of an instance that is in flight."""

    @classmethod
    def parse(cls, listed: t.Mapping[str, t.Iterable[object]]) -> Protection:
        """Returns the protection of the names and ids that are listed, by the option or variable that lists them.

        What several list is protected by the last one.
        """
        sources = {_normalize(name): source for source, names in listed.items() for name in names}
        return cls({name: source for name, source in sources.items() if name})

    def find_fault(self, instance: Resource, wanted: str) -> str:
        """Returns why the instance must not be deleted; empty if it may be, or is wanted in another state.

        Its id and its name count, whichever the user has given.
        """
        if wanted == "absent":
            for name in (instance.get("name"), instance["id"]):
                if source := self.sources.get(_normalize(name)):
                    return f"{label(instance)} is listed in {source} and must not be deleted"
        return ""


UNPROTECTED = Protection()


@dataclass(frozen=True)
class Consent:
    """The conditions on an instance as it was read last, whenever a change of it is about to be sent.

    ``name``: the name by which it was given, None for an id alone. It may be renamed at any time.
    """

    name: str | None = None
    protection: Protection = UNPROTECTED
    approval: Approval | None = None
    """The change that the plan of the task allows; None without a plan."""

    def find_fault(self, instance: Resource, wanted: str, action: Action) -> str:
        """Returns why nothing may be sent; empty if it may."""
        fault = find_name_fault(instance, self.name) or self.protection.find_fault(instance, wanted)
        return fault or (self.approval.find_fault(instance, action) if self.approval else "")


ANY_CHANGE = Consent()


def _normalize(name: object) -> str:
    # The service's own names have their control characters replaced.
    return normalize_name(replace_controls(str("" if name is None else name)))
