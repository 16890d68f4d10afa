# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data of the role ``restore``. Dictionaries with the same keys travel between its tasks, and into the record."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field
from datetime import datetime

from ...module_utils._service.restore.restore import PLANNED
from ...module_utils._times import format_iso, parse_time
from .._formatting import format_value

Data = dict[str, t.Any]


@dataclass
class RestorePlan:
    """The plan for one target. ``kind`` and ``message`` say why it can't be restored; both are empty if it can."""

    name: str
    given_id: int | None
    """The id that the user gave; None if the user gave the name."""
    label: str
    instance: Data | None
    """``id``, ``name``, ``status`` and ``health_status``."""
    backup: Data | None = None
    """``id`` and ``taken_at``."""
    unusable: str = ""
    """Why the backup was not usable when the plan was made, as one that the user names may be; empty if it was."""
    age: str | None = None
    age_seconds: float | None = None
    outcome: str | None = None
    """``planned``, or what the journal holds of this incident: ``in_flight``, ``completed``, ``unknown`` or ``failed``.
    """
    sent_at: str | None = None
    completed_at: str | None = None
    known_step: int = 0
    """The last step of the instance that the journal had when the plan was made."""
    kind: str = ""
    message: str = ""
    ids: list[t.Any] = field(default_factory=list)
    similar: str | None = None
    """The name that was probably meant."""
    older_backup: Data | None = None
    """``id`` and ``taken_at`` of the next older backup, the one to try if this one fails."""
    notes: list[str] = field(default_factory=list)
    """Sentences that the user must know before confirming, such as a restore for another incident."""
    answer: str = ""
    """The text that confirms this restore."""
    id_reason: str = ""
    """Why that is the id; empty if it is the name."""
    batch: int | None = None
    """Number of the batch, from 1, once it has begun; None if there is one batch."""

    @property
    def ready(self) -> bool:
        return not self.kind

    @property
    def taken_at(self) -> datetime | None:
        """The time of the backup; None without a backup or a valid time."""
        return parse_time((self.backup or {}).get("taken_at"))

    @property
    def sends(self) -> bool:
        """True if a restore will be sent. A restore that is in progress or completed is ready, too."""
        return self.ready and self.outcome == PLANNED


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
    requests: int = 0
    request_id: str | None = None
    status: int | None = None
    """HTTP status of the response that failed the step."""
    changed: bool = False
    sent_at: str | None = None
    completed_at: str | None = None
    outcome: str | None = None
    found: str | None = None
    """Status of the instance after the step."""
    kind: str = ""
    """Kind of the failure. Not part of the record."""


@dataclass
class Verdict:
    """The result of a run for the instance of ``plan``.

    ``step`` and ``kind`` name the failure; ``advice`` and ``command`` say what to do next. They are empty on success.
    """

    plan: RestorePlan
    step: str | None
    kind: str
    outcome: str
    """``ok``, ``failed`` or ``unfinished``."""
    tag: str
    state: str
    advice: str = ""
    command: str = ""
    sent_at: str | None = None
    """When the restore was sent, by this run or an earlier one, as the journal has it."""
    completed_at: str | None = None
    timeline: list[Data] = field(default_factory=list)
    """The events of the instance: ``title``, ``at`` and ``ok`` of each."""

    def to_dict(self) -> Data:
        """Returns the result as the record holds it."""
        plan, result = self.plan, {name: value for name, value in vars(self).items() if name != "plan"}
        result |= {"label": plan.label, "name": format_value(plan.name), "id": (plan.instance or {}).get("id")}
        return result | {"backup": plan.backup, "age": plan.age, "batch": plan.batch}


@dataclass
class Run:
    """One run of the role so far. ``targets`` are what the user asked for: ``{name, id}``, one of the two set.

    A playbook that has chosen an instance by its name sets both.
    """

    id: str
    began_at: str
    settings: Data
    targets: list[Data]
    check: bool
    steps: list[Step] = field(default_factory=list)
    plans: list[RestorePlan] = field(default_factory=list)
    list_pages: int | None = None
    """Requests that the list of all instances takes, if known."""
    by: Data = field(default_factory=dict)
    """Who runs it: ``user`` and ``host``."""
    service: str = ""
    """Host and port of the service; empty before the first request."""
    account: str = ""
    """The account of the key; empty before it was read."""
    stopped: str = ""
    """Why not all batches began; empty if they did, or none ended yet."""
    revision: int = 0
    """How often it was recorded. Of two versions of its record, the one with the higher number knows more."""
    is_interrupted: bool = False
    """True if the run has ended by Ctrl-C: what it has not begun, nobody begins."""

    def __post_init__(self) -> None:
        # No field: it follows from the steps.
        self._last = {step.instance: number for number, step in enumerate(self.steps)}

    @classmethod
    def from_dict(cls, data: Data) -> Run:
        """Returns the run that ``to_dict`` made a dictionary of."""
        steps = [Step(**step) for step in data["steps"]]
        return cls(**{**data, "steps": steps, "plans": [RestorePlan(**plan) for plan in data["plans"]]})

    def to_dict(self) -> Data:
        """Returns the run as data for the next task."""
        return asdict(self)

    @property
    def incident(self) -> str:
        return str(self.settings["restore_incident"])

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
