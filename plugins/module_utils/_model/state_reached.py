# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an instance has reached the state that a change leads to, and whether it is still in it. Pure."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._errors import ClawHostersError
from .._times import format_time_of_day
from .instance import (
    END_STATUS,
    FAILURE_STATUSES,
    Action,
    decide,
    describe_instance,
    describe_status,
    get_status,
    is_healthy,
)
from .resource import Resource

if t.TYPE_CHECKING:
    from datetime import datetime


class FailureStatusError(ClawHostersError):
    """The instance has failed on its way to the wanted state."""

    def __init__(self, instance: Resource, wanted: str) -> None:
        super().__init__(
            f"It should be {wanted}, but its status is {describe_status(instance)} now. See the dashboard."
        )
        self.instance = instance


@dataclass
class StateReached:
    """Predicate: True once the instance has settled in one of ``end_statuses``. Raises FailureStatusError.

    A change may never show as a transition. Without one, two polls in a row must show the end status,
    not before ``earliest`` (of ``clock``) if that is given; with ``earliest``, two polls are needed in any case.
    """

    wanted: str
    status_before: str
    end_statuses: t.Collection[str]
    wait_healthy: bool
    is_transition_seen: bool = False
    """Also True where no transition is needed."""
    earliest: float | None = None
    clock: t.Callable[[], float] = time.monotonic
    _consecutive_polls: int = 0
    """How many of the last polls showed one of the end statuses."""

    def __call__(self, instance: Resource) -> bool:
        status = get_status(instance)
        has_failed = status in FAILURE_STATUSES and status not in self.end_statuses
        is_due = self.is_transition_seen or (self.earliest is not None and self.clock() >= self.earliest)
        if has_failed and (status != self.status_before or (self.earliest is not None and is_due)):
            raise FailureStatusError(instance, self.wanted)
        if status not in self.end_statuses:
            self.is_transition_seen = self.is_transition_seen or not has_failed
            self._consecutive_polls = 0
            return False
        self._consecutive_polls += 1
        conditions = (is_due, self._consecutive_polls > 1)
        is_settled = any(conditions) if self.earliest is None else all(conditions)
        return is_settled and (not self.wait_healthy or is_healthy(instance))


def state_reached(wanted: str, status_before: str, *, wait_healthy: bool) -> StateReached:
    """Returns the predicate for an instance that was started, stopped or restarted.

    Only a restart of a running instance can be mistaken for done before it begins.
    """
    is_restart = wanted == "restarted" and status_before == "running"
    # The balance may run out in the meantime.
    end_statuses = ("stopped", "paused") if wanted == "stopped" else (END_STATUS[wanted],)
    return StateReached(wanted, status_before, end_statuses, wait_healthy and wanted != "stopped", not is_restart)


def keeps_state(instance: Resource | None, wanted: str, *, wait_healthy: bool) -> bool:
    """Returns True if an instance that was brought to a state is still in it; None for one that does not exist."""
    if instance is None:
        return wanted == "absent"
    lasting = "started" if wanted == "restarted" else wanted
    needs_health = wait_healthy and lasting == "started"
    return decide(instance, lasting).action is Action.NONE and (not needs_health or is_healthy(instance))


def explain_lapse(was: Resource | None, healthy_at: datetime | None, now: Resource | None, at: datetime) -> str:
    """Returns how an instance, as it was read ``at`` a time, differs from what it was when its change was done.

    ``healthy_at``: when it was seen healthy last. None for ``was`` or ``now``: it did not or does not exist.
    """
    before = f"healthy at {format_time_of_day(healthy_at)}" if healthy_at else "deleted"
    if was and not healthy_at:
        before = describe_instance(was)[1]
    after = f"is {describe_instance(now, with_health=healthy_at is not None)[1]}" if now else "does not exist any more"
    return f"It was {before}, and {after} at {format_time_of_day(at)}."
