# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs: what instances take to reach their states. Pure."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from .._text import MESSAGE_LIMIT, one_line
from .instance import FAILURE_STATUSES, RESPONSE_LOST, Action, decide, get_status, predict, short_name
from .protection import ANY_CHANGE

if t.TYPE_CHECKING:
    from .._errors import ApiError, ClawHostersError
    from .instance import StateReached
    from .protection import Consent
    from .resource import Resource
    from .restore_in_flight import RestoreInFlight


class Phase(enum.Enum):
    """Progress of a job."""

    READY = "ready"  # its change can be requested
    SETTLING = "settling"  # waits until the instance has settled, then decides again
    CHANGING = "changing"  # its change was requested, or is under way anyway
    DONE = "done"  # reached or failed


@dataclass
class Job:
    """Work to bring one instance to one state."""

    wanted: str
    found: Resource | None = None
    consent: Consent = ANY_CHANGE
    before: Resource = field(default_factory=dict)
    """The instance when its change was decided: a busy one had settled by then."""
    instance: Resource = field(default_factory=dict)
    """The instance as last seen."""
    current: Resource | None = None
    """The same, or as it is expected to be if nobody waits for it; None once it is deleted."""
    phase: Phase = Phase.DONE
    action: Action = Action.NONE
    restore: RestoreInFlight | None = None
    """The restore that its change, decided last, must not disturb."""
    error: str | None = None
    warning: str = ""
    changed: bool = False
    batch: int | None = None
    """The number of its batch; None if the task has no batches."""
    is_begun: bool = True
    is_outcome_unknown: bool = False
    """True while it is unknown whether a request was executed."""
    requests: int = 0
    rejection: ApiError | None = field(default=None, repr=False)
    cause: ApiError | None = field(default=None, repr=False)
    """The error response that made it fail, if there was one."""
    reached_predicate: StateReached | None = field(default=None, repr=False)

    def see(self, instance: Resource) -> None:
        """Keeps the instance as it was just read."""
        self.instance = self.current = instance

    @property
    def name(self) -> str:
        """Names the instance in a progress line."""
        return short_name(self.found) if self.found else "no instance"

    def has_failed(self) -> bool:
        """Returns True if the job counts as failed."""
        return self.error is not None

    def look_again(self, now: Resource | None) -> None:
        """Decides anew, from the instance as it was read last, in a job that was planned and not begun."""
        if self.found is None or self.error is not None:
            return
        if now is not None:
            self.found = now
            self.phase = Phase.DONE
            self.decide(now)
        elif self.wanted == "absent":
            self.finish(None)
        else:
            self.fail("It was deleted during this task and does not exist any more.")

    def fail(self, reason: object, cause: ClawHostersError | None = None) -> None:
        """Ends the job as failed. The message includes an earlier rejection or lost response."""
        self.cause = (cause.response if cause else None) or self.rejection
        before = f" An earlier request was rejected: {self.rejection}" if self.rejection else ""
        lost = f" {RESPONSE_LOST}" if self.is_outcome_unknown else ""
        self.error, self.phase = one_line(f"{reason}{before}{lost}", MESSAGE_LIMIT), Phase.DONE

    def finish(self, instance: Resource | None) -> None:
        """Ends the job as reached."""
        self.current, self.phase = instance, Phase.DONE

    def decide(self, instance: Resource) -> None:
        """Sets the next action from the state of ``instance``, which was just read. Each request follows a decision."""
        self.see(instance)
        if self.requests == 0:
            self.before = instance
        decision = decide(instance, self.wanted)
        self.action, self.restore = decision.action, None
        if decision.action is Action.REJECT:
            self.fail(f"It has the status {instance.get('status')} and can't be {self.wanted}: {decision.reason}")
        elif decision.action is Action.NONE:
            self.finish(instance)
        elif fault := self.consent.find_fault(instance, self.wanted, self.action):
            self.fail(f"{fault}. Nothing {'more ' if self.requests else ''}was sent.")
        else:
            self.restore = None if decision.action is Action.WAIT else self.consent.protection.find_restore(instance)
            if self.restore and self.wanted != "started":
                self.fail(self.restore.explain(self.wanted, self.requests))
            else:
                self.phase = Phase.SETTLING if self.restore or decision.action is Action.WAIT else Phase.READY

    def change(self) -> Action:
        """Returns the change that was made, or is expected. A busy instance is expected to become running."""
        if self.changed or self.phase is Phase.READY:
            return self.action
        if self.phase is Phase.SETTLING:
            return decide({**self.instance, "status": "running"}, self.wanted).action
        return Action.NONE

    def predict(self) -> Resource | None:
        """Returns the instance as it will be once the request is executed."""
        after = predict(self.instance, self.wanted, self.action)
        return {**self.instance, "status": after["status"]} if after else None

    def summarize_after(self) -> dict[str, t.Any]:
        """Returns the ``after`` of the diff of a change: where it leads, or has visibly led instead."""
        is_done = self.phase is Phase.DONE
        is_elsewhere = is_done and self.current is not None and get_status(self.current) in FAILURE_STATUSES
        return predict(self.instance, self.wanted, Action.NONE if is_elsewhere else self.action)

    def status_after(self) -> object:
        """Returns the status for the diff: the one that an accepted change leads to, or the one found."""
        if not self.changed:
            return t.cast("Resource", self.found).get("status")
        after = self.summarize_after()
        return f"{after['status']} (restarted)" if "restarted" in after else after.get("status")
