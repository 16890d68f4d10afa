# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan of ``claw_fleet``: what each declared instance takes to reach its state (interface 3). Pure."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from .._errors import MESSAGE_LIMIT, ApiError, ClawHostersError, RefusedError, SettingsError, one_line
from .instance import RESPONSE_LOST, Action, StateReached, decide, label, predict
from .instance_index import InstanceIndex
from .resource import Resource
from .results import Result


class Phase(enum.Enum):
    """Progress of a job."""

    READY = "ready"  # its change can be requested
    SETTLING = "settling"  # waits until the instance has settled, then decides again
    CHANGING = "changing"  # its change was requested, or is under way anyway
    DONE = "done"  # reached or failed


@dataclass(frozen=True)
class Entry:
    """One entry of the option ``instances``."""

    instance_id: int | None
    name: str | None
    wanted: str


@dataclass
class Job:
    """Work to bring one instance to one state."""

    wanted: str
    found: Resource | None = None
    current: Resource | None = None
    """The instance as last seen; None once it is deleted."""
    phase: Phase = Phase.DONE
    action: Action = Action.NONE
    error: str | None = None
    changed: bool = False
    is_outcome_unknown: bool = False
    """True while it is unknown whether a request was executed."""
    requests: int = 0
    rejection: ApiError | None = field(default=None, repr=False)
    cause: ApiError | None = field(default=None, repr=False)
    """The error response that made it fail, if there was one."""
    reached_predicate: StateReached | None = field(default=None, repr=False)

    @property
    def instance(self) -> Resource:
        """The instance as last seen, of a job that is not done."""
        return t.cast("Resource", self.current)

    def fail(self, reason: object, cause: ClawHostersError | None = None) -> None:
        """Ends the job as failed. The message includes an earlier rejection or lost response."""
        self.cause = cause if isinstance(cause, ApiError) else self.rejection
        before = f" An earlier request was rejected: {self.rejection}" if self.rejection else ""
        lost = f" {RESPONSE_LOST}" if self.is_outcome_unknown else ""
        self.error, self.phase = one_line(f"{reason}{before}{lost}", MESSAGE_LIMIT), Phase.DONE

    def finish(self, instance: Resource | None) -> None:
        """Ends the job as reached."""
        self.current, self.phase = instance, Phase.DONE

    def decide(self, instance: Resource) -> None:
        """Sets the next step from the current state of ``instance``."""
        self.current = instance
        decision = decide(instance, self.wanted)
        self.action = decision.action
        if decision.action is Action.REJECT:
            self.fail(f"It has the status {instance.get('status')} and can't be {self.wanted}: {decision.reason}")
        elif decision.action is Action.NONE:
            self.finish(instance)
        else:
            self.phase = Phase.SETTLING if decision.action is Action.WAIT else Phase.READY

    def would_change(self) -> bool:
        """Returns True if a change is expected. A busy instance is expected to become running."""
        if self.phase is Phase.SETTLING:
            return decide({**self.instance, "status": "running"}, self.wanted).action is not Action.NONE
        return self.phase is Phase.READY

    def predict(self) -> Resource | None:
        """Returns the instance as it will be once the request is executed."""
        after = predict(self.instance, self.wanted, self.action)
        return {**self.instance, "status": after["status"]} if after else None

    def status_after(self) -> object:
        """Returns the status for the diff: the predicted one, or the one found if nothing changed or it failed."""
        found = t.cast("Resource", self.found)
        if self.error is not None or not self.changed:
            return found.get("status")
        after = predict(found, self.wanted, self.action)
        return f"{after['status']} (restarted)" if "restarted" in after else after.get("status")


def plan(entries: list[Entry], listing: list[Resource]) -> list[Job]:
    """Returns the job of each entry, in order. Entries that want the same of one instance share a job."""
    index = InstanceIndex(listing)
    jobs: dict[str, Job] = {}
    planned = []
    for entry in entries:
        try:
            found = index.resolve(entry.instance_id, entry.name)
        except (RefusedError, SettingsError) as error:
            planned.append(Job(entry.wanted, error=str(error)))
            continue
        if found is None:
            missing = "There is no such instance: instances are created in the dashboard."
            planned.append(Job(entry.wanted, error=None if entry.wanted == "absent" else missing))
            continue
        job = jobs.get(str(found["id"]))
        if job is None:
            job = jobs[str(found["id"])] = Job(entry.wanted, found)
            job.decide(found)
        elif job.wanted != entry.wanted:
            contradiction = f"It is declared twice, as {job.wanted} and as {entry.wanted}."
            job.fail(contradiction)
            job.action = Action.NONE
            job = Job(entry.wanted, found, found, error=contradiction)
        planned.append(job)
    return planned


def build_result(entries: list[Entry], jobs: list[Job]) -> Result:
    """Returns the result of the task. A shared change counts for the first entry that wants it."""
    counted: set[int] = set()
    results = []
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for entry, job in zip(entries, jobs, strict=True):
        known = job.found or {"id": entry.instance_id, "name": entry.name}
        result = {
            "id": known["id"],
            "name": known.get("name"),
            "state": entry.wanted,
            "before": known.get("status"),
            "after": None if job.current is None else job.current.get("status"),
            "changed": job.changed and id(job) not in counted,
            "failed": job.error is not None,
            "msg": job.error or "",
        }
        counted.add(id(job))
        results.append(result)
        if job.found is not None:
            before[label(job.found)] = result["before"]
            after[label(job.found)] = job.status_after()
    failed = sum(result["failed"] for result in results)
    changed = sum(result["changed"] and not result["failed"] for result in results)
    return {
        "changed": any(job.changed for job in jobs),
        "instances": results,
        "summary": {"ok": len(results) - changed - failed, "changed": changed, "failed": failed},
        "diff": {"before": before, "after": {name: status for name, status in after.items() if status is not None}},
    }
