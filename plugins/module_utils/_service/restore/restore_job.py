# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One restore: its plan, the last look at it, how far ``executor.py`` has brought it, and what came of it. Pure."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from ..._model.instance import get_health, get_status, is_busy
from .reason import Reason, ReasonKind
from .target_plan import RestoreAction, check_condition, continue_earlier

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import ClawHostersError
    from ..._model.batches import BatchSize
    from ..._model.resource import Resource
    from ..._state.journal import OperationState
    from .history import RestoreHistory
    from .options import Rules
    from .target_plan import TargetPlan

NOT_BEGUN, PLANNED, IN_FLIGHT, COMPLETED = "not_begun", "planned", "in_flight", "completed"
UNKNOWN, FAILED, REFUSED = "unknown", "failed", "refused"


class Stage(enum.Enum):
    """How far a restore is, in the normal order. One that was HELD is PLANNED again; FAILED may follow any other."""

    PLANNED = "planned"
    HELD = "held"  # another run works on the instance: waits for it
    SENDING = "sending"  # before the POST that restores it
    ACCEPTED = "accepted"  # accepted, by this run or an earlier one, or the instance became busy: waits for its end
    RESTORED = "restored"
    RUNNING = "running"  # it runs and, if that is waited for, is healthy
    DONE = "done"
    FAILED = "failed"  # ``reason`` says why, ``outcome`` what is known of the restore

    @property
    def is_open(self) -> bool:
        """True if the restore is waited for."""
        return self in (Stage.HELD, Stage.SENDING, Stage.ACCEPTED, Stage.RESTORED)


@dataclass(frozen=True)
class ExecutorOptions:
    """How restores are followed.

    ``timeout``: seconds, for each batch, from its last request until each instance is restored. ``healthy_timeout``:
    from then until it runs and is healthy, for each instance; None to count that within ``timeout``.
    """

    timeout: float
    healthy_timeout: float | None = None
    wait_healthy: bool = True
    waits: bool = True
    """Without it, requests are sent, and nothing is waited for."""
    starts: bool = True
    """True if instances that come back stopped are started."""
    sizes: t.Sequence[BatchSize] = ()
    """Sizes of the batches; all in one without."""
    max_failures: int = 0
    """When more than this have failed or shown no sign, no further batch begins."""


@dataclass(eq=False)
class RestoreJob:
    """A restore of one instance, and its result."""

    plan: TargetPlan
    stage: Stage = Stage.PLANNED
    current: Resource = field(default_factory=dict)
    """The instance as last seen."""
    outcome: str = NOT_BEGUN
    """``not_begun``, ``planned``, ``in_flight``, ``completed``, ``unknown``, ``failed`` (the service accepted it, and
    it failed), or ``refused`` (nothing was sent, or the service did not execute it)."""
    is_sent: bool = False
    """True if this run has sent the restore, and it was accepted."""
    is_started: bool = False
    """True if this run has started the instance after its restore."""
    reason: Reason | None = None
    """Why it failed. It may have failed although the outcome is ``completed``: an instance that does not start."""
    cause: ClawHostersError | None = None
    """The error that ended it."""
    state: OperationState | None = None
    """The last state in the journal."""
    healthy_at: datetime | None = None
    """When its instance was seen running last, and healthy if that is waited for; None if it is so no more."""

    def __post_init__(self) -> None:
        plan = self.plan
        self.current, self.state = self.current or self.instance, self.state or plan.earlier
        if plan.reason and plan.reason.is_final:
            self.fail(plan.reason, REFUSED, plan.cause)
        elif plan.earlier is not None and not plan.sends and self.outcome == NOT_BEGUN:
            # It goes on with what the journal holds.
            self.outcome = IN_FLIGHT if plan.action is RestoreAction.WAIT else plan.earlier.outcome

    @property
    def instance(self) -> Resource:
        """The instance as it was planned; what the target names if there is none."""
        return self.plan.instance or {"id": self.plan.target.instance_id, "name": self.plan.target.name}

    @property
    def changed(self) -> bool:
        return self.is_sent or self.is_started

    @property
    def may_be_sent(self) -> bool:
        """True if this run sends the restore, or has sent it, and the service has not refused it."""
        return self.is_sent or (self.outcome == UNKNOWN and self.plan.reason is None) or self.stage is Stage.SENDING

    def check_again(self, instance: Resource | None, history: RestoreHistory, rules: Rules) -> None:
        """Decides the plan once more under the lock of its instance, from what journal and service say then.

        ``instance`` is as read now, None if it does not exist. What another incident has sent since the task began is
        not overwritten. Age and ``min_interval`` are not checked again: what a user has confirmed stays allowed while
        the restore waits for its turn.
        """
        if instance is None:
            self.plan.stop(ReasonKind.DELETED)
            return
        plan = self.plan
        before = t.cast("Resource", plan.instance)
        is_sent, plan.reason = plan.sends, None
        was_busy = is_busy(before) or is_busy(instance)
        if not continue_earlier(plan, history, rules, [plan.backup] if plan.backup else [], was_busy=was_busy):
            if not is_sent:
                plan.stop(ReasonKind.NOT_SENT)
            elif others := history.find_others(instance["id"], after=plan.known_position):
                plan.stop(ReasonKind.OVERTAKEN, other=others[0].facts)
            else:
                check_condition(plan, instance, history, rules)
            if plan.sends and _find_confirmed_facts(instance, rules) != _find_confirmed_facts(before, rules):
                plan.stop(ReasonKind.CHANGED, planned=_show_facts(before), seen=_show_facts(instance))
                return
        plan.instance = instance

    def proves_nothing(self) -> bool:
        """Returns True if it counts as failed for the next batch: so does one that ended in this run without a sign."""
        return self.reason is not None or (self.is_unseen and self.plan.action is not RestoreAction.NONE)

    def fail(self, reason: Reason, outcome: str, cause: ClawHostersError | None = None) -> None:
        """Ends the restore as failed."""
        self.reason, self.outcome, self.cause, self.stage = reason, outcome, cause, Stage.FAILED

    @property
    def is_unseen(self) -> bool:
        """True if it has completed without a sign."""
        return self.state is not None and self.state.is_unseen

    def summarize(self) -> dict[str, t.Any]:
        """Returns ``restore`` of a result, without the incident."""
        state = self.state
        return {
            **{name: getattr(state, name, None) for name in ("sent_at", "completed_at")},
            "outcome": self.outcome,
            **{name: state and state.facts.get(name) for name in ("seen", "by")},
        }


def check_held(plan: TargetPlan, history: RestoreHistory, rules: Rules) -> None:
    """Decides a plan whose instance another run works on, of a task that no longer waits for it: nothing is sent.

    Only what this incident has sent is under way for it: what keeps the instance busy may be the other run.
    """
    plan.reason = None
    if not continue_earlier(plan, history, rules, [plan.backup] if plan.backup else [], was_busy=False):
        holder = history.find_holder((plan.instance or {})["id"])
        plan.stop(ReasonKind.HELD, holder=holder and holder.facts)


def _show_facts(instance: Resource) -> Resource:
    """Returns what a message about a change shows of an instance."""
    return {name: instance[name] for name in ("name", "status", "health_status") if name in instance}


def _find_confirmed_facts(instance: Resource, rules: Rules) -> tuple[object, ...]:
    """Returns what must not change before a restore is sent: the name, and what was confirmed."""
    condition = (get_status(instance), get_health(instance)) if rules.is_confirmed else ()
    return instance.get("name"), *condition
