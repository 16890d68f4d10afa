# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings one instance to a state: decide, act, read back, wait (interface 3, ``claw_instance``)."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from .._errors import ApiError, ClawHostersError, PartialError, RefusedError, WaitTimeoutError, one_line
from .._http.client import Client
from .._http.pagination import Resource
from .._waiter import Waiter
from .changes import LOST_BEFORE, Change, Effect, request_change
from .instances import (
    END_STATUS,
    FAILURE_STATUSES,
    NAME_LIMIT,
    Action,
    InstanceIndex,
    decide,
    fetch_again,
    fetch_or_none,
    is_busy,
    is_healthy,
    label,
    predicted,
    status_of,
    summary,
)

PAUSED = "{} is paused, not stopped: its balance ran out. It is left as it is."
"""What is warned of where an instance was to be stopped."""


@dataclass(frozen=True)
class Outcome:
    """What came of it. ``instance`` is the last one seen, None when there was none."""

    changed: bool
    instance: Resource | None
    before: dict[str, t.Any]
    after: dict[str, t.Any]

    def as_result(self) -> dict[str, t.Any]:
        """What the task returns of it."""
        diff = {"before": self.before, "after": self.after}
        return {"changed": self.changed, "instance": self.instance, "diff": diff}


@dataclass
class InstanceManager:
    """Changes one instance. Without a ``waiter`` nothing is waited for."""

    client: Client
    waiter: Waiter | None
    wait_healthy: bool
    warn: t.Callable[[str], None]

    def ensure_state(self, found: Resource | None, wanted: str, sought: str = "that was asked for") -> Outcome:
        """Brings ``found`` to the state ``wanted``; in check mode says what would become of it.

        ``sought`` is how the user named the instance. Raises RefusedError where the state table says no,
        WaitTimeoutError when the time is over, what the client raises, and PartialError when one of these comes after
        a change was accepted. At most two requests for a change are sent, the second only where interface 3 or the
        end of contract 11 allows one.
        """
        if found is None:
            if wanted == "absent":
                return Outcome(False, None, {}, {})
            raise RefusedError(
                f"There is no instance {sought}, so it can't be {wanted}: instances are created in the dashboard."
            )
        current = self._settled(found, wanted)
        before, action = current, decide(current, wanted).action
        after = predicted(before, wanted, action)
        if action is Action.DELETE:
            self.warn(f"Deleting {label(current)} may delete its backups too.")
        first: Change | None = None
        while True:
            may_have_changed = first is not None and first.is_lost
            with _telling_of(first):
                if first is not None:
                    seen = t.cast("Resource", first.instance)
                    current = self._waited_until(lambda seen: not is_busy(seen), seen, "settled")
                decision = decide(current, wanted)
                if decision.action is Action.REJECT:
                    raise RefusedError(
                        f"{label(current)} has the status {current.get('status')} and can't be {wanted}: "
                        f"{decision.reason}"
                    )
                if decision.action is Action.NONE:
                    kept = self._kept(current, wanted)
                    reached = after if may_have_changed else summary(before)
                    return Outcome(may_have_changed, kept, summary(before), reached)
                if self.client.check_mode:
                    return Outcome(True, current, summary(before), after)
                change = request_change(
                    self.client,
                    current,
                    wanted,
                    decision.action,
                    may_repeat=first is None,
                )
            if change.effect in (Effect.DONE, Effect.ALREADY):
                changed = may_have_changed or change.effect is Effect.DONE
                outcome = Outcome(changed, change.instance, summary(before), after if changed else summary(before))
                with _telling_of(change):
                    return self._arrived(outcome, wanted, current, decision.action)
            first = change

    def _arrived(self, outcome: Outcome, wanted: str, before: Resource, action: Action) -> Outcome:
        """``outcome`` with the instance as it has arrived. What was accepted is not forgotten when waiting fails."""
        try:
            return replace(outcome, instance=self._reached(wanted, before, outcome.instance))
        except ClawHostersError as error:
            if not outcome.changed:
                raise
            seen = getattr(error, "last", None) or outcome.instance
            more = " Run this again to go on waiting." if isinstance(error, WaitTimeoutError) else ""
            message = f"The {action.value} of {label(before)} was accepted. {error}{more}"
            raise PartialError(message, replace(outcome, instance=seen).as_result(), error) from None

    def _settled(self, current: Resource, wanted: str) -> Resource:
        """``current``, or what it is once the state table can decide."""
        return self._waited_until(lambda seen: decide(seen, wanted).action is not Action.WAIT, current, "settled")

    def _waited_until(self, is_done: t.Callable[[Resource], bool], current: Resource, goal: str) -> Resource:
        if is_done(current):
            return current
        if self.waiter is None:
            raise RefusedError(
                f"{label(current)} is {current.get('status')}, and what to do depends on what comes of that: "
                "run this again later, or with wait: true."
            )
        return self.waiter.until(lambda seconds: fetch_again(self.client, current, seconds), is_done, describe, goal)

    def _kept(self, current: Resource, wanted: str) -> Resource | None:
        """An instance that is as wanted, after the waiting that is due even so."""
        if wanted == "stopped" and status_of(current) == "paused":
            self.warn(PAUSED.format(label(current)))
        unhealthy = wanted == "started" and self.wait_healthy and not is_healthy(current)
        if self.client.check_mode or not (wanted == "absent" or unhealthy):
            return current
        return self._reached(wanted, current, current)

    def _reached(self, wanted: str, before: Resource, seen: Resource | None) -> Resource | None:
        """The instance once it is as wanted; ``seen`` at once where nothing is to be waited for."""
        if self.waiter is None or (wanted == "absent" and seen is None):
            return seen or before
        if wanted == "absent":
            return self._gone(t.cast("Resource", seen))
        return self.waiter.until(
            lambda seconds: fetch_again(self.client, before, seconds),
            StateReached(wanted, status_of(before), self.wait_healthy),
            describe,
            "healthy" if self.wait_healthy else END_STATUS[wanted],
        )

    def _gone(self, last: Resource) -> Resource:
        """The last one seen of an instance that is gone now."""
        seen = [last]

        def read(seconds: float) -> Resource | None:
            now = fetch_or_none(self.client, last["id"], retry_timeout=seconds)
            seen.append(now or seen[-1])
            return now

        try:
            t.cast("Waiter", self.waiter).until(
                read, lambda now: now is None, lambda now: describe(now or seen[-1]), "gone"
            )
        except WaitTimeoutError:
            # A deleted record may stay readable and yet have left the account (contract 4.7).
            if str(last["id"]) in InstanceIndex(self.client.fetch_all("/instances", retry_timeout=0.0)).id_sort_key:
                raise
        return seen[-1]


class StateReached:
    """Whether a started, stopped or restarted instance has arrived; raises when it never will."""

    def __init__(self, wanted: str, status_before: str, healthy: bool) -> None:
        self._wanted = wanted
        self._before = status_before
        self._healthy = healthy and wanted != "stopped"
        self._end_seen = 0
        self._left = wanted != "restarted" or status_before != "running"

    def __call__(self, instance: Resource) -> bool:
        status = status_of(instance)
        if status in FAILURE_STATUSES and status != self._before:
            raise RefusedError(
                f"{label(instance)} was to be {self._wanted}, but is {instance.get('status')} now. See the dashboard."
            )
        if status != END_STATUS[self._wanted]:
            self._left = True
            self._end_seen = 0
            return False
        self._end_seen += 1
        # A restart may show as `deploying` or not at all (contract 10): unless it was seen, look twice.
        return (self._left or self._end_seen > 1) and (not self._healthy or is_healthy(instance))


@contextlib.contextmanager
def _telling_of(first: Change | None) -> t.Iterator[None]:
    """What came of a request is told with what goes wrong after it."""
    try:
        yield
    except ClawHostersError as error:
        if first is None or isinstance(error, PartialError) or not (first.refusal or first.is_lost):
            raise
        before = f"It was asked for before, and refused: {first.refusal}" if first.refusal else LOST_BEFORE
        cause = error if isinstance(error, ApiError) else first.refusal
        raise PartialError(f"{error} {before}", {"changed": False}, cause) from None


def describe(instance: Resource) -> str:
    return one_line(f"{one_line(instance.get('name'), NAME_LIMIT)}: {one_line(instance.get('status'), NAME_LIMIT)}")
