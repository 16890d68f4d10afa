# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that a task returned, and that a later task applies: what they hold, and what they allow. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import SettingsError
from .._service_url import normalize_url
from .._text import one_line
from .._times import format_iso, parse_time
from .instance import Action, Decision, decide, describe_status, find_name_fault, get_status, is_busy
from .plan_scope import FIELDS, PlanScope, digest, find_fault
from .resource import Resource

_ENTRY_FIELDS = {"id": (int, str), "name": (str, type(None)), "action": str, "found": (str, type(None))}
_ENDS = {Action.START: "started", Action.STOP: "stopped", Action.RESTART: "started", Action.DELETE: "absent"}
"""The state that each change ends in."""


class PlannedChange(t.NamedTuple):
    """A change of one instance. ``found`` is its status; None if it is unknown."""

    id: int | str
    name: str | None
    action: str
    found: str | None

    @classmethod
    def of(cls, instance: Resource, action: Action) -> PlannedChange:
        """Returns a change of an instance as it was read."""
        name, status = (value if isinstance(value, str) else None for value in map(instance.get, ("name", "status")))
        return cls(instance["id"], name, action.value, status)

    def describe(self) -> str:
        """Returns which instance is to be changed, for messages."""
        return f"{one_line(self.name)} (id {self.id})" if self.name else f"id {self.id}"


@dataclass(frozen=True)
class SavedPlan(PlanScope):
    """A plan, and its changes by the id of the instance as text."""

    changes: dict[str, PlannedChange]

    @classmethod
    def build(cls, service: str, account: str | None, made_at: datetime, changes: list[PlannedChange]) -> SavedPlan:
        """Returns the plan of these changes, with its digest."""
        plan = cls(normalize_url(service), account, made_at, "", {str(change.id): change for change in changes})
        content = plan.as_result()
        del content["digest"]
        return cls(plan.service, account, made_at, digest(content), plan.changes)

    def as_result(self) -> dict[str, t.Any]:
        """Returns the plan as a task returns it."""
        scope = {"service": self.service, "account": self.account, "made_at": format_iso(self.made_at)}
        return {**scope, "digest": self.digest, "entries": [change._asdict() for change in self.changes.values()]}


class Approval(t.NamedTuple):
    """The change of an instance that a plan allows: one, or none."""

    change: PlannedChange | None
    restarted_at: str = ""
    """When an earlier run of the plan has sent its restart, for people; empty if none has."""
    is_accepted: bool = False
    """True if that restart was accepted; else it is unknown whether it was."""
    send_once: t.Callable[..., Resource | None] | None = None
    """Sends a restart, at most once for the plan: see :class:`PlannedRestarts`."""

    def decide(self, instance: Resource, wanted: str) -> Decision:
        """Returns the next action towards a state: none if the planned end is reached, whoever has brought it there."""
        decision = decide(instance, wanted)
        is_reached = self.change is not None and decision.action is not Action.WAIT and self._is_reached(instance)
        return Decision(Action.NONE) if is_reached else decision

    def _is_reached(self, instance: Resource) -> bool:
        action = Action(t.cast("PlannedChange", self.change).action)
        if action is Action.RESTART and not self.is_accepted:
            return False
        return decide(instance, _ENDS[action]).action is Action.NONE

    def find_fault(self, instance: Resource, action: Action) -> str:
        """Returns why the instance, as it was read last, must not be changed in this way; empty if it may be."""
        change = self.change
        if action is Action.WAIT:
            return ""
        if change is None:
            return f"The plan does not change it, but this task would {action.value} it"
        if fault := find_name_fault(instance, change.name):
            return fault
        if action is Action.NONE and self._is_reached(instance):
            return ""
        is_known = change.found is not None and get_status(instance)
        if is_known and instance["status"] != change.found and not is_busy({"status": change.found}):
            was = one_line(change.found)
            return f"Its status is {describe_status(instance)} now, and was {was}: it was changed since the plan"
        if action.value != change.action and action is not Action.REJECT:
            now = "needs no change of it" if action is Action.NONE else f"says {action.value}"
            return f"The plan says {change.action}, but the list of this task {now}"
        if self.restarted_at:
            return (
                f"It may have been restarted at {self.restarted_at} by a run of this plan, and is not restarted again. "
                "Look in the dashboard whether it was; if not, restart it by itself. Then go on with a new plan in "
                "which its state is started, since restarted would restart it again"
            )
        return ""


def parse_plan(given: t.Any, option: str = "plan") -> SavedPlan:
    """Returns the plan in a user's option. Raises SettingsError for one that no task has returned as it is."""
    fault = find_fault(given, FIELDS, _ENTRY_FIELDS)
    changes = [] if fault else [PlannedChange(**entry) for entry in given["entries"]]
    if any(change.action not in (action.value for action in _ENDS) for change in changes):
        fault = "it has an unknown action."
    if fault:
        raise SettingsError(
            f"{option} is not what a run in check mode has made: {fault} Make a new plan. Nothing was sent."
        )
    made_at = t.cast("datetime", parse_time(given["made_at"]))
    by_id = {str(change.id): change for change in changes}
    return SavedPlan(normalize_url(given["service"]), given["account"], made_at, given["digest"], by_id)
