# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a backup at most once for an incident (interface 3, ``claw_backup_restore``; contract 7).

A restore overwrites data and takes no safety copy, as far as is known. So it is written down before it is sent, sent
once, and whatever comes of that is read back, not guessed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .._errors import ClawHostersError, NotFoundError, PartialError, RefusedError, WaitTimeoutError, one_line
from .._http.client import Client
from .._http.pagination import Resource
from .._state.journal import Journal, OperationEvent, OperationKey, OperationState, normalize_url
from .._times import format_duration
from .._waiter import Waiter
from .at_most_once import AtMostOnce, OutcomeUnknownError
from .backups import fetch, is_before, is_usable, left_out_text, newest_first, path_of, taken_at
from .instances import FAILURE_STATUSES, fetch_again, fetch_or_none, find, is_busy, is_healthy, label, status_of
from .ownership import belonging, instance_of, owner_label, shows_instance
from .power import describe

Result = dict[str, t.Any]

RESTORABLE = ("running", "stopped")
ARRIVED = ("running", "stopped", "pending_configuration")
FAILED = FAILURE_STATUSES - set(ARRIVED)
"""Statuses that no waiting leads out of."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far in the future a backup may be dated: clocks are never quite the same."""
SHORTEST_RESTORE = 10.0
"""Seconds before an instance that never looked busy counts as restored (contract 7)."""


@dataclass(frozen=True)
class Choice:
    """Which backup of which instance the user asked for."""

    instance_id: int | None
    instance_name: str | None
    backup_id: int | None
    before: datetime | None
    max_age: timedelta | None
    expected_sent_at: str | None = None
    """When the journal said that it was sent, as the user saw it; empty for not at all, None for any."""

    @property
    def names_instance(self) -> bool:
        return self.instance_id is not None or self.instance_name is not None


@dataclass
class Restore:
    """One restore, from the choice of the backup to an instance that has come back."""

    client: Client
    journal: Journal
    incident: str
    waiter: Waiter | None
    wait_healthy: bool
    force: bool
    warn: t.Callable[[str], None]

    def run(self, choice: Choice) -> Result:
        """The result of the task.

        Raises RefusedError where nothing was sent, and PartialError, whose result says what is known, where something
        was or may have been.
        """
        while True:
            # Read again after each wait: the other run may have changed anything.
            instance, backup = self._named(choice)
            once = self._once(instance)
            if self.client.check_mode:
                return self._run(choice, instance, backup, once)
            with once.lock() as is_free:
                if is_free:
                    return self._run(choice, instance, backup, once)
            if self.waiter is None:
                return self._result("in_flight", once.record(), instance, backup)
            self._wait_for_other_run(self.waiter, once, instance, backup)

    def _wait_for_other_run(
        self, waiter: Waiter, once: AtMostOnce, instance: Resource, backup: Resource | None
    ) -> None:
        """Returns when no other run works on this restore any more. Raises PartialError when that takes too long."""
        try:
            waiter.until(
                lambda _seconds: _is_free(once),
                lambda is_free: is_free,
                lambda _is_free: f"{instance.get('name')}: another run is restoring it",
                "free",
            )
        except WaitTimeoutError as timeout:
            raise PartialError(
                f"{timeout} This run sent nothing. Run the same again: it goes on waiting.",
                self._result("in_flight", once.record(), instance, backup),
            ) from None

    def _once(self, instance: Resource) -> AtMostOnce:
        service = normalize_url(self.client.settings.api_url)
        operation = OperationKey("restore", service, self.incident, str(instance["id"]))
        return AtMostOnce(self.journal, operation, self.warn)

    def _run(self, choice: Choice, instance: Resource, backup: Resource | None, once: AtMostOnce) -> Result:
        """Goes on with what the journal holds, or begins. No other process is at the same subject meanwhile."""
        record = once.record()
        is_expected = choice.expected_sent_at in (None, record.sent_at if record else "")
        if record is not None:
            # Another run may have been at it since the instance was read.
            seen, instance = instance, fetch_again(self.client, instance)
            if not (self.force and is_expected):
                return self._go_on(record, instance, backup, once, is_under_way=is_busy(seen) or is_busy(instance))
            _require_same_name(seen, instance)
        elif not is_expected:
            raise RefusedError(
                f"Incident {self.incident}: the restore of {label(instance)} that another run was to send at "
                f"{choice.expected_sent_at} was not carried out, and this run only waited for it. Nothing was sent. "
                "Look at the plan again."
            )
        chosen = backup or self._newest(choice, instance)
        self._preflight(choice, instance, chosen)
        if self.client.check_mode:
            return self._result("planned", record, instance, chosen, changed=True)
        return self._begin(instance, chosen, once)

    # What is to be restored, and may it be?

    def _named(self, choice: Choice) -> tuple[Resource, Resource | None]:
        """The instance, and the backup where it was named by its id."""
        try:
            backup = None if choice.backup_id is None else fetch(self.client, choice.backup_id)
        except NotFoundError:
            if instance := self._restored_before(choice):
                return instance, None
            raise
        if backup is not None and not choice.names_instance:
            return self._owner(backup), backup
        instance = find(self.client, choice.instance_id, choice.instance_name)
        if instance is None:
            sought = choice.instance_name if choice.instance_id is None else f"with id {choice.instance_id}"
            raise RefusedError(f"There is no instance {sought}: nothing was sent.")
        if backup is not None:
            self._require_own(backup, instance)
        return instance, backup

    def _restored_before(self, choice: Choice) -> Resource | None:
        """The instance, where this incident has restored it before: a backup may have expired since."""
        if self.force:
            return None
        if choice.names_instance:
            instance = find(self.client, choice.instance_id, choice.instance_name)
            return None if instance is None or self._once(instance).record() is None else instance
        for operation, record in self.journal.read_states().items():
            is_of_incident = operation == self._once({"id": operation.instance_id}).operation
            if is_of_incident and str(record.notes.get("backup_id")) == str(choice.backup_id):
                return fetch_or_none(self.client, operation.instance_id)
        return None

    def _owner(self, backup: Resource) -> Resource:
        """The instance that a backup shows as its own."""
        if not shows_instance(backup):
            raise RefusedError(
                f"Backup {backup['id']} does not say whose it is: name the instance with instance_id too."
            )
        shown_id, name = instance_of(backup)
        instance = fetch_or_none(self.client, shown_id) if shown_id else find(self.client, None, name)
        if instance is None:
            raise RefusedError(
                f"Backup {backup['id']} is of {owner_label(backup)}, which does not exist any more: a backup can only "
                "be restored to the instance it was taken from. Nothing was sent."
            )
        self._require_own(backup, instance)
        return instance

    def _require_own(self, backup: Resource, instance: Resource) -> None:
        """Raises RefusedError when the backup shows another instance."""
        if not shows_instance(backup):
            self.warn(
                f"Backup {backup['id']} does not say whose it is; that it is {label(instance)}'s can't be checked."
            )
        elif not belonging(self.client, [backup], instance["id"], None, "backup"):
            raise RefusedError(
                f"Backup {backup['id']} is of {owner_label(backup)}, not of {label(instance)}: nothing was sent."
            )

    def _newest(self, choice: Choice, instance: Resource) -> Resource:
        """The newest backup of the instance that is fit for a restore, taken before the moment asked for."""
        backups = belonging(self.client, self.client.fetch_all("/backups"), instance["id"], None, "backup")
        in_time = [backup for backup in newest_first(backups) if is_before(backup, choice.before)]
        usable = [backup for backup in in_time if is_usable(backup)]
        unusable = [backup for backup in in_time if not is_usable(backup)]
        if not usable:
            when = f" from before {choice.before.isoformat()}" if choice.before else ""
            why = (f"{label(instance)} has no usable backup{when}: {len(backups)} in all.", left_out_text(unusable))
            raise RefusedError(" ".join([*filter(None, why), "Nothing was sent."]))
        newer = in_time[: in_time.index(usable[0])]
        if newer:
            self.warn(
                f"{label(instance)}: {left_out_text(newer)} Backup {usable[0]['id']} is the newest that is usable."
            )
        return usable[0]

    def _preflight(self, choice: Choice, instance: Resource, backup: Resource) -> None:
        if status_of(instance) not in RESTORABLE and not self.force:
            raise RefusedError(
                f"The status of {label(instance)} is {instance.get('status')}, and a restore begins from running or "
                "stopped: nothing was sent. Wait until it has settled, or use force: true."
            )
        if choice.max_age is None:
            return
        taken = taken_at(backup)
        if taken is None:
            raise RefusedError(f"How old backup {backup['id']} is can't be told, and max_age is set: nothing was sent.")
        age = datetime.now(UTC) - taken
        if age < -CLOCK_TOLERANCE:
            raise RefusedError(
                f"Backup {backup['id']} of {label(instance)} is dated {taken.isoformat()}, which by the clock here is "
                f"{format_duration(-age)} from now: how old it is can't be told, and max_age is set, so nothing was "
                "sent. Set the clock right, or leave out max_age."
            )
        if age > choice.max_age:
            raise RefusedError(
                f"Backup {backup['id']} of {label(instance)} was taken at {taken.isoformat()}, {format_duration(age)} "
                f"ago, which is more than max_age ({format_duration(choice.max_age)}): nothing was sent."
            )

    # Sending

    def _begin(self, instance: Resource, backup: Resource, once: AtMostOnce) -> Result:
        """Sends it, and waits for what comes of it."""
        taken = taken_at(backup)
        notes = {
            "backup_id": backup["id"],
            "taken_at": taken.isoformat() if taken else None,
            "instance_name": instance.get("name"),
        }
        try:
            once.send(
                self.client,
                lambda hooks: self.client.request("POST", f"{path_of(backup['id'])}/restore", hooks=hooks),
                notes,
                "Nothing was restored, and the incident is free to be tried again.",
            )
        except OutcomeUnknownError as unclear:
            return self._read_back(unclear.cause, instance, backup, once)
        once.record_event(OperationEvent.ACCEPTED)
        return self._wait(once, instance, backup, changed=True)

    def _read_back(self, error: ClawHostersError, instance: Resource, backup: Resource, once: AtMostOnce) -> Result:
        """The answer was lost. An instance that is busy right after being settled is being restored."""
        try:
            now = fetch_or_none(self.client, instance["id"])
        except ClawHostersError:
            now = None
        if now is not None and is_busy(now) and not is_busy(instance):
            self.warn(f"{error} {label(now)} is {now.get('status')} now, so the restore has begun.")
            once.record_event(OperationEvent.ACCEPTED)
            return self._wait(once, now, backup, changed=True)
        raise self._unknown(str(error), once, now or instance, backup, error)

    def _go_on(
        self,
        record: OperationState,
        instance: Resource,
        backup: Resource | None,
        once: AtMostOnce,
        *,
        is_under_way: bool,
    ) -> Result:
        """What an earlier run for the incident has begun or done: nothing is sent again."""
        asked_for, backup = backup, self._backup_of(record, backup)
        if asked_for is not None and asked_for is not backup:
            self.warn(
                f"Incident {self.incident} is about backup {backup['id']}; backup {asked_for['id']}, which is asked "
                "for now, is not restored. Take another incident for it."
            )
        if record.event is OperationEvent.COMPLETED:
            return self._result("completed", record, instance, backup)
        if record.event is OperationEvent.FAILED:
            raise PartialError(
                f"Incident {self.incident}: the restore of {label(instance)} that was sent at {record.sent_at} went "
                f"wrong, and the instance is {instance.get('status')} now. Nothing was sent again; force: true would.",
                self._result("failed", record, instance, backup),
            )
        if record.event is OperationEvent.ACCEPTED or is_under_way:
            if self.client.check_mode:
                return self._result("in_flight", record, instance, backup)
            return self._wait(once, instance, backup, changed=False)
        raise self._unknown(f"Incident {self.incident}: {_what_is_known(record)}", once, instance, backup)

    def _unknown(
        self, what: str, once: AtMostOnce, instance: Resource, backup: Resource, cause: ClawHostersError | None = None
    ) -> PartialError:
        return PartialError(
            f"{what} Whether the restore of {label(instance)} was carried out is not known: the instance is "
            f"{instance.get('status')} now. Look at it; nothing is sent again for this incident without force: true.",
            self._result("unknown", once.record(), instance, backup),
            cause,
        )

    # Waiting

    def _wait(self, once: AtMostOnce, instance: Resource, backup: Resource, *, changed: bool) -> Result:
        """Waits for an accepted restore where that is wanted, and writes down how it ended."""
        record = once.record()
        if self.waiter is None:
            return self._result("in_flight", record, instance, backup, changed=changed)
        arrival = _RestoreFinished(instance, self.client.progress.clock, _seconds_since(record), self.wait_healthy)
        try:
            now = self.waiter.until(
                lambda seconds: fetch_again(self.client, instance, seconds), arrival, describe, "restored"
            )
        except WaitTimeoutError as timeout:
            raise PartialError(
                f"{timeout} Run the same again: it goes on waiting, and sends nothing.",
                self._result("in_flight", record, timeout.last or instance, backup, changed=changed),
            ) from None
        except _WentWrongError as wrong:
            once.record_event(OperationEvent.FAILED, status=wrong.instance.get("status"))
            raise PartialError(
                f"The restore of backup {backup['id']} was accepted, but {label(wrong.instance)} is "
                f"{wrong.instance.get('status')} now. See what the dashboard says of it; another backup can be "
                "restored with backup_id and another incident.",
                self._result("failed", once.record(), wrong.instance, backup, changed=changed),
            ) from None
        except ClawHostersError as error:
            raise PartialError(
                f"{error} The restore was accepted, and what became of it can't be read now. Run the same again: it "
                "goes on waiting, and sends nothing.",
                self._result("in_flight", record, instance, backup, changed=changed),
                error,
            ) from None
        once.record_event(OperationEvent.COMPLETED, status=now.get("status"))
        return self._result("completed", once.record(), now, backup, changed=changed)

    # Results

    def _backup_of(self, record: OperationState, backup: Resource | None) -> Resource:
        """The backup that the journal names; it may be gone by now."""
        backup_id = record.notes.get("backup_id")
        if backup is not None and str(backup["id"]) == str(backup_id):
            return backup
        try:
            return fetch(self.client, backup_id)
        except NotFoundError:
            return {"id": backup_id}

    def _result(
        self,
        outcome: str,
        record: OperationState | None,
        instance: Resource,
        backup: Resource | None,
        *,
        changed: bool = False,
    ) -> Result:
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
                "sent_at": record.sent_at if record else None,
                "completed_at": record.completed_at if record else None,
                "outcome": outcome,
            },
            "diff": {"before": before, "after": {**before, "restored_from": restored_from} if changed else before},
        }


class _WentWrongError(ClawHostersError):
    """A restore that was accepted ended badly."""

    def __init__(self, instance: Resource) -> None:
        super().__init__(f"{label(instance)} is {instance.get('status')}")
        self.instance = instance


class _RestoreFinished:
    """Whether a restored instance has come back: settled twice in a row, and either busy before or some time after.

    How a restore shows is unknown (contract 7); it may not show at all.
    """

    def __init__(self, before: Resource, clock: t.Callable[[], float], seconds_since: float, healthy: bool) -> None:
        self._status_before = status_of(before)
        self._clock = clock
        self._earliest = clock() + SHORTEST_RESTORE - seconds_since
        self._healthy = healthy
        self._was_busy = False
        self._settled = 0

    def __call__(self, instance: Resource) -> bool:
        status = status_of(instance)
        is_over = self._was_busy or self._clock() >= self._earliest
        if status in FAILED and (is_over or status != self._status_before):
            raise _WentWrongError(instance)
        if status not in ARRIVED:
            self._was_busy = self._was_busy or status not in FAILED
            self._settled = 0
            return False
        self._settled += 1
        return self._settled > 1 and is_over and (not self._healthy or is_healthy(instance))


def _require_same_name(before: Resource, now: Resource) -> None:
    """Raises RefusedError where an id names another instance than it did a moment ago."""
    if now.get("name") != before.get("name"):
        raise RefusedError(f"{label(before)} is named {one_line(now.get('name'))} now: nothing was sent.")


def _what_is_known(record: OperationState) -> str:
    if record.event is OperationEvent.UNCLEAR:
        return f"a restore was sent at {record.sent_at} and its answer was lost."
    return f"a restore was about to be sent at {record.sent_at}, and the run ended there."


def _seconds_since(record: OperationState | None) -> float:
    """How long ago the restore was sent, between 0 and SHORTEST_RESTORE whatever the clock did meanwhile."""
    sent = datetime.fromisoformat(record.sent_at) if record and record.sent_at else datetime.now(UTC)
    return min(max((datetime.now(UTC) - sent).total_seconds(), 0.0), SHORTEST_RESTORE)


def _is_free(once: AtMostOnce) -> bool:
    with once.lock() as is_free:
        return is_free
