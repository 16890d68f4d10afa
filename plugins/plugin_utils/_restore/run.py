# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data of the role ``restore``. Dictionaries travel between its tasks, and into the record."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from ...module_utils._errors import RefusedError
from ...module_utils._model.backup import is_in_future, taken_at
from ...module_utils._model.resource import Resource
from ...module_utils._service.restore.plan import Obstacle, ObstacleKind, RestoreAction, RestorePlan, Target
from ...module_utils._service.restore.restore import IN_FLIGHT, PLANNED
from ...module_utils._state.journal import OperationEvent, OperationState
from ...module_utils._times import format_iso, parse_time
from .._formatting import format_label, slugify

if t.TYPE_CHECKING:
    from ...module_utils._service.restore.notes import Note

Data = dict[str, t.Any]


VERSION = 1
"""Of the plans that travel between the tasks. A plan of another version of the collection is not carried out."""


@dataclass
class RolePlan(RestorePlan):
    """A plan as the role shows it, lets the user confirm it, and hands it to the next task."""

    planned_at: datetime = field(kw_only=True)
    message: str = ""
    """The obstacle in the words of the role; empty without one."""
    advice: str = ""
    """What to do about it."""
    names_status: bool = False
    """True if the message has the status of the instance."""
    notes: list[Note] = field(default_factory=list)
    """Facts to know before confirming, such as a restore for another incident. Not for the next task."""
    answer: str = ""
    """The text that confirms this restore."""
    id_reason: str = ""
    """Why that is the id; empty if it is the name."""
    asks: bool = True
    """False if it was confirmed in advance. Not for the next task."""
    batch: int | None = None
    """Number of the batch, from 1, once it has begun; None if there is one batch."""
    is_history_known: bool = True
    """False if the journal could not be read."""

    @classmethod
    def from_dict(cls, data: Data) -> RolePlan:
        """Returns the plan that ``to_dict`` made a dictionary of. Raises RefusedError for one of another version."""
        facts = dict(data)
        if facts.pop("version") != VERSION:
            text = "The plan was made by another version of the collection. Run the same command again."
            raise RefusedError(text, is_unsent=True)
        facts |= {"target": Target(*facts["target"]), "action": RestoreAction(facts["action"])}
        facts["planned_at"] = datetime.fromisoformat(facts["planned_at"])
        if facts["obstacle"]:
            kind, ids, similar = facts["obstacle"]
            facts["obstacle"] = Obstacle(ObstacleKind(kind), tuple(ids), similar)
        if facts["earlier"]:
            event, sent_at, at, by = facts["earlier"]
            facts["earlier"] = OperationState(OperationEvent(event), sent_at, at, {"by": by})
        return cls(**facts)

    def to_dict(self) -> Data:
        """Returns the plan as data for the next task: what is needed to send it, and to say what came of it."""
        obstacle, earlier = self.obstacle, self.earlier
        return {
            "version": VERSION,
            **{name: getattr(self, name) for name in _CARRIED},
            "target": list(vars(self.target).values()),
            "instance": {name: self.instance.get(name) for name in _SHOWN} if self.instance else None,
            "backup": _pick(self.backup),
            "older": _pick(self.older),
            "action": self.action.value,
            "obstacle": [obstacle.kind.value, list(obstacle.ids), obstacle.similar] if obstacle else None,
            "earlier": [earlier.event.value, earlier.sent_at, earlier.at, earlier.facts.get("by")] if earlier else None,
            "planned_at": format_iso(self.planned_at),
        }

    @property
    def name(self) -> str:
        """The name that the user gave, or that the instance has; without either the id."""
        return str(self.given_id if self._name is None else self._name)

    @property
    def _name(self) -> object:
        return (self.instance or {}).get("name") if self.target.name is None else self.target.name

    @property
    def label(self) -> str:
        return format_label(self._name, self.instance["id"] if self.instance else self.given_id)

    @property
    def given_id(self) -> int | None:
        """The id that the user gave; None if the user gave the name."""
        return self.target.instance_id

    @property
    def taken_at(self) -> datetime | None:
        """The time of the backup; None without a backup or a valid time."""
        return taken_at(self.backup or {})

    @property
    def age(self) -> timedelta | None:
        """How old the backup was at the time of the plan. As in the modules, one of the future has no known age."""
        taken = self.taken_at
        if taken is None or is_in_future(taken, self.planned_at):
            return None
        return max(self.planned_at - taken, timedelta(0))

    @property
    def kind(self) -> str:
        """The kind of the obstacle; empty without one."""
        return self.obstacle.kind.value if self.obstacle else ""

    @property
    def ready(self) -> bool:
        """True without an obstacle. A restore that is in progress or completed is ready, too."""
        return self.obstacle is None

    @property
    def outcome(self) -> str | None:
        """``planned``, or the outcome of the earlier restore of this incident by the journal."""
        if self.sends:
            return PLANNED
        if self.action is RestoreAction.WAIT:
            return IN_FLIGHT
        is_earlier = self.action is RestoreAction.NONE or (self.obstacle is not None and not self.obstacle.is_final)
        return self.earlier.outcome if self.earlier and is_earlier else None

    @property
    def sent_at(self) -> str | None:
        return self.earlier.sent_at if self.earlier else None

    @property
    def sent_by(self) -> str:
        """Who sent the earlier restore of this incident; empty if that is not known."""
        return self.earlier.by if self.earlier else ""

    @property
    def completed_at(self) -> str | None:
        return self.earlier.completed_at if self.earlier else None


_CARRIED = ("known_position", "message", "advice", "names_status", "answer", "id_reason", "batch")
_SHOWN = ("id", "name", "status", "health_status")


def _pick(backup: Resource | None) -> Data | None:
    """Returns what the role needs of a backup."""
    if backup is None:
        return None
    taken = taken_at(backup)
    return {"id": backup["id"], "status": backup.get("status"), "created_at": taken.isoformat() if taken else None}


def build_target(target: Data, variables: Data) -> Target:
    """Returns what the planner needs of a target of a run."""
    backup = variables["restore_backup"]
    return Target(target["id"], target["name"], None if backup == "latest" else int(backup))


@dataclass(frozen=True)
class Step:
    """One step of a run, as the record holds it. ``instance`` is a label; None for a step of the whole run."""

    step: str
    title: str
    instance: str | None
    began_at: str
    ended_at: str
    seconds: float
    ok: bool
    message: str
    is_unsent: bool = False
    """True if it failed, and its error says that nothing was sent."""
    requests: int = 0
    request_id: str | None = None
    status: int | None = None
    """HTTP status of the response that failed the step."""
    changed: bool = False
    sent_at: str | None = None
    accepted_at: str | None = None
    """When the service confirmed it. As the times beside it, by the journal."""
    restored_at: str | None = None
    """When the restore ended, if the service shows that, by its clock."""
    completed_at: str | None = None
    """When a run saw that."""
    outcome: str | None = None
    found: str | None = None
    """Status of the instance after the step."""
    kind: str = ""
    """Kind of the failure. Not part of the record, as the next ones."""
    sent_by: str = ""
    """Who sent the restore; empty if that is not known."""
    names_status: bool = False
    """True if the message has the status of the instance."""
    advice: str = ""
    """What to do, if the message has it."""


@dataclass
class Run:
    """One run of the role so far. ``targets`` are what the user asked for: ``{name, id}``, one of the two set.

    A playbook that has chosen an instance by its name sets both.
    """

    id: str
    began_at: str
    variables: Data
    targets: list[Data]
    check: bool
    steps: list[Step] = field(default_factory=list)
    plans: list[RolePlan] = field(default_factory=list)
    list_pages: int | None = None
    """Requests that the list of all instances takes, if known."""
    by: Data = field(default_factory=dict)
    """Who runs it: ``user`` and ``host``."""
    service: str = ""
    """Host and port of the service; empty before the first request."""
    account: str = ""
    """The account of the key; empty before it was read."""
    failures: int = 0
    """How many restores had failed when no further batch began; 0 if all began, or none ended yet."""
    revision: int = 0
    """How often it was recorded. Of two versions of its record, the one with the higher number knows more."""
    interrupted_at: str | None = None
    """When the run has ended by Ctrl-C: what it has not begun, nobody begins."""
    clock_lead: float = 0.0
    """Seconds by which this machine's clock is ahead of the service's, by which the times of a run are; 0 for clocks
    that agree."""
    journal_lead: float = 0.0
    """The same for the clock of the journal."""

    def __post_init__(self) -> None:
        # No field: it follows from the steps.
        self._last = {step.instance: number for number, step in enumerate(self.steps)}

    @classmethod
    def from_dict(cls, data: Data) -> Run:
        """Returns the run that ``to_dict`` made a dictionary of."""
        steps = [Step(**step) for step in data["steps"]]
        return cls(**{**data, "steps": steps, "plans": [RolePlan.from_dict(plan) for plan in data["plans"]]})

    def to_dict(self) -> Data:
        """Returns the run as data for the next task."""
        return {**asdict(replace(self, plans=[])), "plans": [plan.to_dict() for plan in self.plans]}

    @property
    def incident(self) -> str:
        return str(self.variables["restore_incident"])

    @property
    def report_path(self) -> str:
        """The absolute path of the page."""
        return str(Path(self.variables["restore_report_dir"]).absolute() / f"{slugify(self.incident)}.html")

    def add_step(self, step: str, title: str, now: datetime, *, instance: str | None = None, **fields: t.Any) -> Step:
        """Adds a step that ends now. It began when the previous one ended: of the instance, or of the whole run."""
        last = len(self.steps) - 1
        if instance is not None:
            last = max(self._last.get(one, -1) for one in (None, instance))
        began = self.steps[last].ended_at if last >= 0 else self.began_at
        seconds = max((now - (parse_time(began) or now)).total_seconds(), 0.0)
        added = Step(step, title, instance, began, format_iso(now), round(seconds, 1), **fields)
        self._last[instance] = len(self.steps)
        self.steps.append(added)
        return added
