# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that a task returned, and that a later task applies: what they hold, and whether they still hold. Pure."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from .._errors import SettingsError
from .._text import one_line
from .._times import format_duration, format_iso, parse_time
from .instance import Action, is_busy
from .resource import Resource

_MAX_AHEAD = timedelta(minutes=5)
_NOT_RETURNED = "plan is not what this module has returned as plan"


@dataclass(frozen=True)
class PlannedChange:
    """A change of one instance. ``found`` is its status; None if it is unknown."""

    id: int | str = field(compare=False)
    """Ids are compared as text, by the keys of a plan."""
    name: str | None
    action: str
    found: str | None

    @classmethod
    def of(cls, instance: Resource, action: Action) -> PlannedChange:
        """Returns a change of an instance as it was read."""
        name, status = (value if isinstance(value, str) else None for value in map(instance.get, ("name", "status")))
        return cls(instance["id"], name, action.value, status)

    def describe(self) -> str:
        """Returns what is to be changed, for messages."""
        return f"{one_line(self.name)} (id {self.id})" if self.name else f"id {self.id}"

    def explain(self) -> str:
        """Returns what is to be done."""
        return f"{self.action}, found {one_line('an unknown status' if self.found is None else self.found)}"


@dataclass(frozen=True)
class PlanScope:
    """Where and when a plan was made, or is to be applied."""

    service: str
    account: str | None
    """The id of the account, or else its e-mail address; None if the service does not show it."""
    made_at: datetime


@dataclass(frozen=True)
class SavedPlan:
    """A plan."""

    scope: PlanScope
    changes: dict[str, PlannedChange]
    """By the id as text."""

    def as_result(self) -> dict[str, t.Any]:
        """Returns the plan as a task returns it."""
        entries = [asdict(change) for change in self.changes.values()]
        return {**asdict(self.scope), "made_at": format_iso(self.scope.made_at), "entries": entries}

    def find_differences(self, now: SavedPlan, max_age: timedelta | None) -> list[str]:
        """Returns what is not as in this plan any more, a line each. ``now`` is the plan of the task that applies it.

        Without ``max_age``, it may be of any age.
        """
        lines = []
        if self.scope.service != now.scope.service:
            lines.append(f"the plan is for the service {one_line(self.scope.service)}, not {now.scope.service}")
        if self.scope.account is None:
            if self.changes:  # an empty plan did not ask for it, and lets nothing change in any account
                lines.append("the plan does not say for which account it is, since the service did not show it")
        elif self.scope.account != now.scope.account:
            accounts = (one_line(self.scope.account), one_line(now.scope.account or "unknown"))
            lines.append(f"the plan is for the account {accounts[0]}, and this key is for {accounts[1]}")
        age = now.scope.made_at - self.scope.made_at
        if max_age is not None and age > max_age:
            lines.append(f"the plan is {format_duration(age)} old, more than plan_max_age ({format_duration(max_age)})")
        elif -age > _MAX_AHEAD:
            lines.append(f"the plan is dated {format_duration(-age)} ahead")
        numbers = [*self.changes, *(one for one in now.changes if one not in self.changes)]
        changes = (find_difference(self.changes.get(number), now.changes.get(number)) for number in numbers)
        return lines + [difference for difference in changes if difference]


def find_difference(planned: PlannedChange | None, now: PlannedChange | None) -> str:
    """Returns in which way a change is not as planned; empty if it is."""
    if planned == now:
        return ""
    if planned is None:
        change = t.cast("PlannedChange", now)
        return f"{change.describe()} would change ({change.explain()}), and the plan does not have it"
    if now is None:
        return f"{planned.describe()} would not change, and the plan has: {planned.explain()}"
    renamed = (
        ""
        if planned.name == now.name
        else f", is {f'named {one_line(now.name)}' if now.name else 'shown without a name'}"
    )
    return f"{planned.describe()}{renamed}: the plan has: {planned.explain()}; now: {now.explain()}"


@dataclass(frozen=True)
class Approval:
    """The change of an instance that a plan allows: one, or none."""

    change: PlannedChange | None

    def find_fault(self, instance: Resource, action: Action) -> str:
        """Returns why the instance, as it was read last, must not be changed in this way; empty if it may be."""
        if action is Action.WAIT:
            return ""
        if self.change is None:
            return f"The plan has no change of it, and now it would {action.value}"
        was_busy = is_busy({"status": self.change.found})
        found = self.change.found if was_busy else instance.get("status")
        return find_difference(self.change, PlannedChange.of({**instance, "status": found}, action))


# Reading


def require_object(given: object) -> None:
    """Raises SettingsError for an option that is no plan at all, such as the text of a file that was cut."""
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        found = given
    if found is not None and not isinstance(found, dict):
        raise SettingsError(f"{_NOT_RETURNED}: it is no JSON object. Nothing was sent.")


def parse_plan(given: t.Mapping[str, t.Any]) -> SavedPlan:
    """Returns the plan in a user's option. Raises SettingsError for one that no task has returned as it is."""
    fault = _find_fault(given, {"service": str, "account": (str, int, type(None)), "made_at": str, "entries": list})
    made_at = None if fault else parse_time(given["made_at"])
    if fault or made_at is None:
        raise SettingsError(f"{_NOT_RETURNED}: {fault or 'made_at is no time'}. Nothing was sent.")
    changes: dict[str, PlannedChange] = {}
    for number, entry in enumerate(given["entries"], 1):
        if fault := _find_entry_fault(entry, changes):
            raise SettingsError(f"{_NOT_RETURNED}: entry {number}: {fault}. Nothing was sent.")
        changes[str(entry["id"])] = PlannedChange(**entry)
    account = None if given["account"] is None else str(given["account"])
    return SavedPlan(PlanScope(given["service"], account, made_at), changes)


def _find_entry_fault(entry: object, earlier: t.Collection[str]) -> str:
    text = (str, type(None))
    fault = _find_fault(entry, {"id": (int, str), "name": text, "action": str, "found": text})
    if fault or not isinstance(entry, dict):
        return fault
    if entry["action"] not in ("start", "stop", "restart", "delete"):
        return f"unknown action {one_line(entry['action'])}"
    return f"id {entry['id']} is in it twice" if str(entry["id"]) in earlier else ""


def _find_fault(given: object, types: t.Mapping[str, t.Any]) -> str:
    """Returns why ``given`` is not a dictionary with exactly these keys, of these types; empty if it is."""
    if not isinstance(given, dict):
        return "it is no dictionary"
    for key in given:
        if key not in types:
            return f"unknown key {one_line(key)}"
    for key, wanted in types.items():
        if key not in given:
            return f"{key} is missing"
        if not isinstance(given[key], wanted) or isinstance(given[key], bool):
            return f"{key} has a wrong type"
    return ""
