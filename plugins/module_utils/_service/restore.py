# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a backup at most once for an incident (interface 3, ``claw_backup_restore``; contract 7).

A restore overwrites data, and as far as is known no copy is taken first. So the journal records it before it is sent,
it is sent once, and its outcome is read from the service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from .._errors import (
    ClawHostersError,
    PartialError,
    RefusedError,
    SettingsError,
    UnauthorizedError,
    WaitTimeoutError,
    one_line,
)
from .._http.client import Client
from .._model.backup import taken_at
from .._model.instance import NAME_LIMIT, FailureStatusError, describe_instance, is_busy, is_healthy, label
from .._model.resource import Resource
from .._model.restore import SHORTEST_RESTORE, RestoreQuery, require_restorable, require_same_name, restore_finished
from .._model.results import Result
from .._progress import InterruptNote
from .._state.journal import JournalError, OperationEvent, OperationState
from .._state.store import Holder
from .._times import format_iso, format_time_of_day
from .._waiter import Waiter
from .at_most_once import OperationGuard, OutcomeUnknownError, explain_recorded, explain_unknown, format_at, parse_at
from .backups import backup_path
from .instances import fetch_instance, refetch_instance
from .restore_history import OUTCOMES
from .restore_target import RestoreFinder, RestoreTarget

_RUN_AGAIN = "Run the same task again: it continues waiting, and sends nothing."
_RUN_WITH_VALID_KEY = "With a valid key, run the same task again: it continues waiting, and sends nothing."


@dataclass
class Restore:
    """One restore, from the choice of the backup to the end of the wait."""

    finder: RestoreFinder
    waiter: Waiter | None
    wait_healthy: bool

    @property
    def client(self) -> Client:
        return self.finder.client

    @property
    def incident(self) -> str:
        return self.finder.incident

    def run(self, query: RestoreQuery) -> Result:
        """Restores, or continues an earlier run, and returns the result of the task.

        Raises RefusedError if nothing was sent, and PartialError, whose result holds what is known, if something was or
        may have been sent, by this run or an earlier one.
        """
        with self.client.progress.if_interrupted(f"Nothing was sent for incident {self.incident}.") as note:
            try:
                return self._run_alone(query, note)
            except (PartialError, RefusedError, SettingsError, JournalError):
                raise
            except ClawHostersError as error:
                raise self._with_earlier_run(error, query) from None

    def _run_alone(self, query: RestoreQuery, note: InterruptNote) -> Result:
        """Runs while no other process works on this operation, after a wait if one does."""
        while True:
            # Found again after each wait: the other run may have changed anything.
            instance, backup = self.finder.find_target(query)
            guard = self.finder.guard(instance, note)
            if self.client.check_mode:
                return self._run(query, instance, backup, guard)
            with guard.lock() as is_free:
                if is_free:
                    return self._run(query, instance, backup, guard)
            if self.waiter is None:
                return self._build_result("in_flight", guard.state(), instance, backup)
            self._wait_for_other_run(self.waiter, guard, instance, backup)

    def _wait_for_other_run(
        self, waiter: Waiter, guard: OperationGuard, instance: Resource, backup: Resource | None
    ) -> None:
        """Returns when no other run works on this restore. Raises PartialError on timeout."""
        try:
            waiter.until(
                None,
                lambda _seconds: guard.find_holder(),
                lambda holder: holder is None,
                lambda holder: (
                    one_line(instance.get("name"), NAME_LIMIT),
                    _describe_holder(holder, guard.journal.now()),
                ),
                "free",
            )
        except WaitTimeoutError as timeout:
            raise PartialError(
                f"{timeout} This run sent nothing. Run the same task again: it continues waiting.",
                self._build_result("in_flight", guard.state(), instance, backup, error=timeout),
            ) from None

    def _with_earlier_run(self, error: ClawHostersError, query: RestoreQuery) -> ClawHostersError:
        """Returns ``error``, which kept this run from reading the service, with what the journal knows."""
        try:
            recorded = None if self.finder.force else self.finder.find_in_journal(query)
        except JournalError:
            return error
        if recorded is None:
            return error
        instance, state = recorded
        known = explain_recorded(f"the restore of {one_line(instance.get('name'), NAME_LIMIT)}", state)
        is_key = isinstance(error, UnauthorizedError)
        again = "" if state.event is OperationEvent.COMPLETED else (_RUN_WITH_VALID_KEY if is_key else _RUN_AGAIN)
        result = self._build_result(
            OUTCOMES[state.event], state, instance, {"id": state.notes.get("backup_id")}, error=error
        )
        return PartialError(f"{error} {known} {again}", result, error)

    def _run(self, query: RestoreQuery, instance: Resource, backup: Resource | None, guard: OperationGuard) -> Result:
        """Continues what the journal holds, or begins. No other process works on this operation."""
        state = guard.state()
        is_expected = query.expected_sent_at in (None, state.sent_at if state else "")
        if state is not None:
            # Another run may have restored it since the instance was read.
            earlier, instance = instance, refetch_instance(self.client, instance)
            if not (self.finder.force and is_expected):
                was_busy = is_busy(earlier) or is_busy(instance)
                return self._continue(state, instance, backup, guard, is_under_way=was_busy)
            require_same_name(earlier, instance)
        elif not is_expected:
            raise RefusedError(
                f"Incident {self.incident}: another run was to send the restore of {label(instance)} at "
                f"{query.expected_sent_at}, but it was not executed, and this run only waited for it. "
                "Nothing was sent. Check the plan again."
            )
        target = RestoreTarget(guard, instance, backup or self.finder.find_newest(query, instance))
        if not self.finder.force:
            require_restorable(instance)
        query.require_max_age(target.backup, instance)
        if self.client.check_mode:
            return self._build_result("planned", state, instance, target.backup, changed=True)
        return self._send(target)

    def _continue(
        self,
        state: OperationState,
        instance: Resource,
        backup: Resource | None,
        guard: OperationGuard,
        *,
        is_under_way: bool,
    ) -> Result:
        """Returns the result of an earlier run for the incident. Waits if necessary, and sends nothing."""
        target = RestoreTarget(guard, instance, self.finder.find_recorded(state, backup))
        if backup is not None and backup is not target.backup:
            self.finder.warn(
                f"Incident {self.incident} has already used backup {target.backup['id']}, so backup {backup['id']} is "
                "not restored. Use another incident for it."
            )
        if state.event is OperationEvent.COMPLETED:
            return self._build_result("completed", state, instance, target.backup)
        if state.event is OperationEvent.FAILED:
            raise PartialError(
                f"Incident {self.incident}: the restore of {label(instance)}, sent at {state.sent_at}, failed. The "
                f"instance is {instance.get('status')} now. Nothing was sent again; force: true would send it.",
                self._build_result("failed", state, instance, target.backup),
            )
        if state.event is OperationEvent.ACCEPTED or is_under_way:
            if self.client.check_mode:
                return self._build_result("in_flight", state, instance, target.backup)
            return self._wait(target, changed=False)
        raise self._unknown_error(f"Incident {self.incident}: {explain_unknown('a restore', state)}", target)

    # Sending

    def _send(self, target: RestoreTarget) -> Result:
        """Sends the restore, and waits for its end."""
        backup, guard = target.backup, target.guard
        taken = taken_at(backup)
        notes = {
            "backup_id": backup["id"],
            "taken_at": taken.isoformat() if taken else None,
            "instance_name": target.instance.get("name"),
        }
        try:
            guard.send(
                self.client,
                lambda hooks: self.client.request("POST", f"{backup_path(backup['id'])}/restore", hooks=hooks),
                notes,
                "Nothing was restored; you can run the same incident again.",
            )
        except OutcomeUnknownError as unclear:
            return self._read_outcome(unclear.cause, target)
        guard.record_event(OperationEvent.ACCEPTED)
        return self._wait(target, changed=True)

    def _read_outcome(self, error: ClawHostersError, target: RestoreTarget) -> Result:
        """Reads the instance after a lost response: if it has become busy, the restore has begun."""
        try:
            now = fetch_instance(self.client, target.instance["id"])
        except ClawHostersError:
            now = None
        if now is not None and is_busy(now) and not is_busy(target.instance):
            self.finder.warn(f"{error} {label(now)} is {now.get('status')} now, so the restore has begun.")
            target.guard.record_event(OperationEvent.ACCEPTED)
            return self._wait(replace(target, instance=now), changed=True)
        raise self._unknown_error(str(error), replace(target, instance=now or target.instance), error)

    def _unknown_error(self, reason: str, target: RestoreTarget, cause: ClawHostersError | None = None) -> PartialError:
        instance = target.instance
        return PartialError(
            f"{reason} It is unknown whether the restore of {label(instance)} was executed: the instance is "
            f"{instance.get('status')} now. Check it; nothing is sent again for this incident without force: true.",
            self._build_result("unknown", target.guard.state(), instance, target.backup),
            cause,
        )

    # Waiting

    def _wait(self, target: RestoreTarget, *, changed: bool) -> Result:
        """Waits for an accepted restore, if there is a waiter, and records how it ended."""
        instance, backup, guard = target.instance, target.backup, target.guard
        state = guard.state()
        if self.waiter is None:
            return self._build_result("in_flight", state, instance, backup, changed=changed)
        try:
            now = self._wait_until_finished(self.waiter, instance, _seconds_since(state, guard.journal.now()))
        except FailureStatusError as failure:
            guard.record_event(OperationEvent.FAILED, status=failure.instance.get("status"))
            raise PartialError(
                f"The restore of backup {backup['id']} was accepted, but {label(failure.instance)} is "
                f"{failure.instance.get('status')} now. See the dashboard. To restore another backup, use backup_id "
                "and another incident.",
                self._build_result("failed", guard.state(), failure.instance, backup, changed=changed),
            ) from None
        except ClawHostersError as error:
            last = error.last_seen.resource if error.last_seen else instance
            raise PartialError(
                _explain_unfinished(error, instance, state),
                self._build_result("in_flight", state, last, backup, changed=changed, error=error),
                error,
            ) from None
        guard.record_event(OperationEvent.COMPLETED, status=now.get("status"))
        return self._build_result("completed", guard.state(), now, backup, changed=changed)

    def _wait_until_finished(self, waiter: Waiter, instance: Resource, seconds_since: float) -> Resource:
        is_finished = restore_finished(
            instance, self.client.progress.clock, seconds_since, wait_healthy=self.wait_healthy
        )
        return waiter.until(
            instance,
            lambda seconds: refetch_instance(self.client, instance, seconds),
            is_finished,
            self._describe,
            "restored and healthy" if self.wait_healthy else "restored",
        )

    def _describe(self, now: Resource) -> tuple[str, str]:
        """Returns name and condition for progress lines, where ``running`` alone would read as done."""
        name, condition = describe_instance(now, with_health=self.wait_healthy)
        is_pending = is_busy(now) or (self.wait_healthy and not is_healthy(now))
        return name, condition if is_pending else f"{condition} (restore not yet verified)"

    def _build_result(
        self,
        outcome: str,
        state: OperationState | None,
        instance: Resource,
        backup: Resource | None,
        *,
        changed: bool = False,
        error: ClawHostersError | None = None,
    ) -> Result:
        """Returns the result of the task. ``error``: why the outcome can't be read now."""
        before = {"id": instance["id"], "name": instance.get("name"), "restored_from": None}
        taken = taken_at(backup) if backup else None
        restored_from = (
            {"backup_id": backup["id"], "taken_at": taken.isoformat() if taken else None} if backup else None
        )
        return {
            "changed": changed,
            "backup": backup,
            "instance": instance,
            "restore": {
                "incident": self.incident,
                "sent_at": state.sent_at if state else None,
                "completed_at": state.completed_at if state else None,
                "outcome": outcome,
                "failure": error.kind if error else None,
                "last_seen": _summarize_last_seen(error),
            },
            "diff": {"before": before, "after": {**before, "restored_from": restored_from} if changed else before},
        }


def _seconds_since(state: OperationState | None, now: datetime) -> float:
    """Returns the age of the restore, between 0 and SHORTEST_RESTORE even if the clock was changed since."""
    age = (now - parse_at(state.sent_at)).total_seconds() if state else 0.0
    return min(max(age, 0.0), SHORTEST_RESTORE)


def _explain_unfinished(error: ClawHostersError, instance: Resource, state: OperationState | None) -> str:
    """Returns the message of a wait for an accepted restore that ended with ``error``."""
    if state is None or state.event is OperationEvent.ACCEPTED:
        accepted = f"The restore was accepted at {format_at(state.at if state else None)}"
    else:
        # After a lost response nothing but the time of the request is known.
        accepted = f"The restore was sent at {format_at(state.sent_at)}"
    if isinstance(error, WaitTimeoutError):
        return f"{error} {accepted}. {_RUN_AGAIN}"
    name, seen = one_line(instance.get("name"), NAME_LIMIT), ""
    if error.last_seen:
        seen = f"; {name} was last seen {error.last_seen.condition} at {format_time_of_day(error.last_seen.at)}"
    if isinstance(error, UnauthorizedError):
        return f"The API key is no longer accepted: {error} {accepted} and goes on{seen}. {_RUN_WITH_VALID_KEY}"
    return f"{error} {accepted}, but its outcome can't be read now{seen}. {_RUN_AGAIN}"


def _summarize_last_seen(error: ClawHostersError | None) -> dict[str, object] | None:
    """Returns the ``last_seen`` of a result: what a wait saw last of the instance."""
    if error is None or error.last_seen is None or not isinstance(error.last_seen.resource, dict):
        return None
    instance = error.last_seen.resource
    return {
        "status": instance.get("status"),
        "health_status": instance.get("health_status"),
        "at": format_iso(error.last_seen.at),
    }


def _describe_holder(holder: Holder | None, now: datetime) -> str:
    return f"held by {holder.format(now.timestamp())}" if holder else "another run is restoring it"
