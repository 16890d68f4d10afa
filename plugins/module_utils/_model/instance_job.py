# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job brings one instance to one state: how far it is, its next action, and what forbids a change.

Pure, but for what :class:`Protection` reads.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from .._names import normalize_name
from .._text import MESSAGE_LIMIT, format_list, one_line, replace_controls
from .instance import (
    FAILURE_STATUSES,
    RESPONSE_LOST,
    Action,
    decide,
    describe_status,
    find_name_fault,
    find_state,
    get_health,
    get_status,
    is_health_final,
    label,
    predict,
    short_name,
)
from .instance_fields import NOT_KNOWN, STATUSES, is_gone
from .resource import Resource

if t.TYPE_CHECKING:
    from datetime import datetime

    from .._errors import ApiError, ClawHostersError
    from .instance import Decision
    from .restore_in_flight import RestoreInFlight
    from .saved_plan import Approval


class Protection(t.NamedTuple):
    """Holds changes back: the names and ids that are never deleted, with the option or variable that lists each, and
    ``find_restore``, which reads the journal."""

    sources: t.Mapping[str, str]
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


UNPROTECTED = Protection({})


class Consent(t.NamedTuple):
    """The conditions on an instance as it was read last, whenever a change of it is about to be sent.

    ``name``: the name by which it was given, None for an id alone. It may be renamed at any time.
    """

    name: str | None = None
    protection: Protection = UNPROTECTED
    approval: Approval | None = None
    """The change that the plan of the task allows; None without a plan."""

    def decide(self, instance: Resource, wanted: str) -> Decision:
        """Returns the next action: none once the end that a plan has for the instance is reached."""
        return self.approval.decide(instance, wanted) if self.approval else decide(instance, wanted)

    def find_fault(self, instance: Resource, wanted: str, action: Action) -> str:
        """Returns why nothing may be sent; empty if it may."""
        fault = find_name_fault(instance, self.name) or self.protection.find_fault(instance, wanted)
        return fault or (self.approval.find_fault(instance, action) if self.approval else "")


ANY_CHANGE = Consent()


def _normalize(name: object) -> str:
    # The service's own names have their control characters replaced.
    return normalize_name(replace_controls(str("" if name is None else name)))


class Phase(enum.Enum):
    """Progress of a job."""

    READY = "ready"  # its change can be requested
    SETTLING = "settling"  # waits until the instance has settled, then decides again
    CHANGING = "changing"  # its change was requested, or is under way anyway
    DONE = "done"  # reached or failed


@dataclass(eq=False, repr=False)
class InstanceJob:
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
    note: str = ""
    """That its planned end was reached before this task."""
    changed: bool = False
    batch: int | None = None
    """The number of its batch; None if the task has no batches."""
    is_begun: bool = True
    is_outcome_unknown: bool = False
    """True while it is unknown whether a request was executed."""
    is_sending: bool = False
    """True from its request on, unless a 429 has rejected that; while it is ready, its effect is not known."""
    requests: int = 0
    healthy_at: datetime | None = None
    """When its instance was seen healthy last, if that is waited for."""
    is_health_unseen: bool = False
    """True if it runs, and the service shows no health to wait for."""
    rejection: ApiError | None = None
    cause: ApiError | None = None
    """The error response that made it fail, if there was one."""
    reached_predicate: t.Callable[[Resource], bool] | None = None

    def see(self, instance: Resource) -> None:
        """Keeps the instance as it was just read."""
        self.instance = self.current = instance

    @property
    def name(self) -> str:
        """Names the instance in a progress line."""
        return short_name(self.found) if self.found else "no instance"

    @property
    def is_of_earlier_run(self) -> bool:
        """True if an earlier run of the plan may have sent its restart, and this run sends none."""
        approval = self.consent.approval
        return self.action is Action.RESTART and not self.requests and bool(approval and approval.restarted_at)

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
        decision = self.consent.decide(instance, self.wanted)
        self.action, self.restore = decision.action, None
        if decision.action is Action.REJECT:
            status = f"the status {describe_status(instance)}" if get_status(instance) else "no status that is shown"
            self.fail(f"It has {status} and can't be {self.wanted}: {decision.reason}")
        elif decision.action is Action.NONE:
            self.finish(None if is_gone(instance) else instance)
        elif fault := self.consent.find_fault(instance, self.wanted, self.action):
            self.fail(f"{fault}. Nothing {'more ' if self.requests else ''}was sent.")
        else:
            self.phase = Phase.SETTLING if decision.action is Action.WAIT else Phase.READY
            self.heed_restore()

    def heed_restore(self) -> None:
        """Looks for a restore in flight, which the change must not disturb: a start waits for it, any other fails."""
        self.restore = self.consent.protection.find_restore(self.instance)
        if self.restore and self.wanted != "started":
            self.fail(self.restore.explain(self.wanted, self.requests))
        elif self.restore:
            self.phase = Phase.SETTLING

    def change(self) -> Action:
        """Returns the change that was made, or is expected. A busy instance is expected to become running."""
        if self.changed or self.phase is Phase.READY:
            return self.action
        if self.phase is Phase.SETTLING:
            return self.consent.decide({**self.instance, "status": "running"}, self.wanted).action
        return Action.NONE

    def is_unreached(self, *, wait_healthy: bool) -> bool:
        """Returns True for a job without a change whose instance is not healthy yet, or not yet gone."""
        if self.phase is not Phase.DONE or self.error is not None or self.changed or self.current is None:
            return False
        is_running = self.wanted in ("started", "restarted")
        return self.wanted == "absent" or (wait_healthy and is_running and not is_health_final(self.current))

    def find_paused_warning(self) -> str | None:
        """Returns the warning of an instance that was to be stopped, and is as good as stopped because it is paused."""
        is_reached = self.wanted == "stopped" and self.phase is Phase.DONE and self.error is None
        if not is_reached or get_status(self.instance) != "paused":
            return None
        reason = f"{label(self.instance)} is paused, not stopped: the account's balance ran out."
        return reason if self.changed else f"{reason} Nothing was changed."

    def explain_unclear(self) -> str:
        """Returns that nothing tells how a busy instance goes on; empty if its status is documented."""
        if find_state(self.instance) in (NOT_KNOWN, *STATUSES):
            return ""
        sent = f"Nothing {'more ' if self.requests else ''}was sent."
        return f"See the dashboard: the service documents no such status, and no flag (can_…) decides. {sent}"

    def predict(self) -> Resource | None:
        """Returns the instance as it will be once the request is executed."""
        after = predict(self.instance, self.wanted, self.action)
        return {**self.instance, "status": after["status"]} if after else None

    def summarize_after(self) -> dict[str, t.Any]:
        """Returns the ``after`` of the diff of a change: where it leads, or has visibly led instead."""
        is_done = self.phase is Phase.DONE
        is_elsewhere = is_done and self.current is not None and get_status(self.current) in FAILURE_STATUSES
        return predict(self.instance, self.wanted, Action.NONE if is_elsewhere else self.action)


def warn_of_ends(jobs: t.Iterable[InstanceJob], warn: t.Callable[[str], None], *, waits_healthy: bool) -> None:
    """Warns of ends that differ from what was wanted, or that the service shows in another way than documented."""
    ended = [job for job in jobs if job.error is None and job.wanted != "absent" and job.current]
    for warning in filter(None, map(InstanceJob.find_paused_warning, ended)):
        warn(warning)
    for job in ended:
        job.is_health_unseen = waits_healthy and job.wanted != "stopped" and get_health(job.instance) == NOT_KNOWN
    if unseen := [label(job.instance) for job in ended if job.is_health_unseen]:
        warn(f"Health not shown (health_status), so running is as far as can be seen: {format_list(unseen, 10)}.")
    if told := [label(job.instance) for job in ended if find_state(job.instance) != get_status(job.instance)]:
        warn(f"No documented status is shown, so can_start and can_stop decided: {format_list(told, 10)}.")
