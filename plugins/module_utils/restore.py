# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a backup at most once for an incident (interface 3, ``claw_backup_restore``; contract 7).

A restore overwrites data and takes no safety copy, as far as is known. So it is written down before it is sent, sent
once, and whatever comes of that is read back, not guessed.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .backups import fetch, is_before, is_usable, left_out_text, newest_first, path_of, taken_at
from .client import Client
from .errors import (
    ApiError,
    ClawHostersError,
    NotFoundError,
    PartialError,
    RefusedError,
    SettingsError,
    WaitTimeoutError,
    one_line,
)
from .instances import fetch_or_none, find, is_busy, is_healthy, label, status_of
from .journal import AtMostOnce, Event, Journal, JournalError, Record, Subject, was_surely_not_done
from .owners import belonging, instance_of, owner_label, shows_instance
from .pages import Item
from .power import describe
from .waiter import Waiter

Result = dict[str, t.Any]

RESTORABLE = ("running", "stopped")
ARRIVED = ("running", "stopped", "pending_configuration")
FAILED = ("error", "deploy_failed", "paused", "deleting")
"""Statuses that no waiting leads out of."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far in the future a backup may be dated: clocks are never quite the same."""
SHORTEST_RESTORE = 10.0
"""Seconds before an instance that never looked busy counts as restored (contract 7)."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration_of(option: str, text: str | None) -> timedelta | None:
    """A duration such as ``36h`` or ``7d``, None when none was given. Raises SettingsError for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,6})\s*([smhdw])\s*", text)
    if match is None:
        raise SettingsError(
            f"{option} is '{one_line(text)}', but must be a number and a unit: s, m, h, d or w, such as 36h or 7d."
        )
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


@dataclass(frozen=True)
class Choice:
    """Which backup of which instance the user asked for."""

    instance_id: int | None
    instance_name: str | None
    backup_id: int | None
    before: datetime | None
    max_age: timedelta | None


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
        instance, backup = self._named(choice)
        subject = self._subject(instance)
        if self.client.check_mode:
            return self._run(choice, instance, backup, subject)
        while True:
            with self.journal.held(subject) as is_free:
                if is_free:
                    return self._run(choice, instance, backup, subject)
            if self.waiter is None:
                return self._result("in_flight", self.journal.record_of(subject), instance, backup)
            self.waiter.until(
                lambda _seconds: self._is_free(subject),
                lambda is_free: is_free,
                lambda _is_free: f"{instance.get('name')}: another run is restoring it",
                "free",
            )

    def _subject(self, instance: Item) -> Subject:
        return Subject("restore", self.client.settings.api_url, self.incident, str(instance["id"]))

    def _is_free(self, subject: Subject) -> bool:
        with self.journal.held(subject) as is_free:
            return is_free

    def _run(self, choice: Choice, instance: Item, backup: Item | None, subject: Subject) -> Result:
        """Goes on with what the journal holds, or begins. No other process is at the same subject meanwhile."""
        record = self.journal.record_of(subject)
        if record is not None and not self.force:
            return self._go_on(record, instance, backup, subject)
        chosen = backup or self._newest(choice, instance)
        self._preflight(choice, instance, chosen)
        if self.client.check_mode:
            return self._result("planned", None, instance, chosen, changed=True)
        return self._begin(instance, chosen, subject)

    # What is to be restored, and may it be?

    def _named(self, choice: Choice) -> tuple[Item, Item | None]:
        """The instance, and the backup where it was named by its id."""
        instance_id, name = choice.instance_id, choice.instance_name
        backup = None
        if choice.backup_id is not None:
            try:
                backup = fetch(self.client, choice.backup_id)
            except NotFoundError:
                # A backup may have expired since this incident restored it.
                instance = None if instance_id is None and name is None else find(self.client, instance_id, name)
                if instance is None or self.force or self.journal.record_of(self._subject(instance)) is None:
                    raise
                return instance, None
        if backup is not None and instance_id is None and name is None:
            shown_id, name = instance_of(backup)
            if not shows_instance(backup):
                raise RefusedError(
                    f"Backup {choice.backup_id} does not say whose it is: name the instance with instance_id too."
                )
            instance = fetch_or_none(self.client, shown_id) if shown_id else find(self.client, None, name)
        else:
            instance = find(self.client, instance_id, name)
        if instance is None:
            whose = owner_label(backup) if backup is not None and name is None and instance_id is None else name
            raise RefusedError(
                f"There is no instance {whose or instance_id} (any more): a backup can only be restored to its own."
            )
        if backup is not None and not shows_instance(backup):
            self.warn(
                f"Backup {backup['id']} does not say whose it is; that it is {label(instance)}'s can't be checked."
            )
        elif backup is not None and not belonging(self.client, [backup], instance["id"], None, "backup"):
            raise RefusedError(
                f"Backup {backup['id']} is of {owner_label(backup)}, not of {label(instance)}: nothing was sent."
            )
        return instance, backup

    def _newest(self, choice: Choice, instance: Item) -> Item:
        """The newest backup of the instance that is fit for a restore, taken before the moment asked for."""
        backups = belonging(self.client, self.client.fetch_all("/backups"), instance["id"], None, "backup")
        in_time = [backup for backup in newest_first(backups) if is_before(backup, choice.before)]
        usable = [backup for backup in in_time if is_usable(backup)]
        unusable = [backup for backup in in_time if not is_usable(backup)]
        if not usable:
            when = f" from before {choice.before.isoformat()}" if choice.before else ""
            raise RefusedError(
                f"{label(instance)} has no usable backup{when}: {len(backups)} in all. {left_out_text(unusable)} "
                "Nothing was sent.".replace("  ", " ")
            )
        newer = in_time[: in_time.index(usable[0])]
        if newer:
            self.warn(
                f"{label(instance)}: {left_out_text(newer)} Backup {usable[0]['id']} is the newest that is usable."
            )
        return usable[0]

    def _preflight(self, choice: Choice, instance: Item, backup: Item) -> None:
        if status_of(instance) not in RESTORABLE and not self.force:
            raise RefusedError(
                f"{label(instance)} is {instance.get('status')}, and a restore begins from running or stopped: nothing "
                "was sent. Wait until it has settled, or use force: true."
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
                f"{_text_of(-age)} from now: how old it is can't be told, and max_age is set, so nothing was sent. "
                "Set the clock right, or leave out max_age."
            )
        if age > choice.max_age:
            raise RefusedError(
                f"Backup {backup['id']} of {label(instance)} was taken at {taken.isoformat()}, {_text_of(age)} ago, "
                f"which is more than max_age ({_text_of(choice.max_age)}): nothing was sent."
            )

    # Sending

    def _begin(self, instance: Item, backup: Item, subject: Subject) -> Result:
        """Writes down what is about to be sent, sends it once, and writes down what came of it."""
        taken = taken_at(backup)
        notes = {
            "backup_id": backup["id"],
            "taken_at": taken.isoformat() if taken else None,
            "instance_name": instance.get("name"),
        }
        sent_before = self.client.usage.requests
        try:
            witness = AtMostOnce(self.journal, subject, notes)
            self.client.act("POST", f"{path_of(backup['id'])}/restore", witness=witness)
        except JournalError:
            raise
        except ClawHostersError as error:
            if was_surely_not_done(error, sent=self.client.usage.requests > sent_before):
                self._note(subject, Event.REFUSED, reason=str(error))
                error.add("Nothing was restored, and the incident is free to be tried again.")
                raise
            self._note(subject, Event.UNCLEAR, reason=str(error))
            return self._read_back(error, instance, backup, subject)
        self._note(subject, Event.ACCEPTED)
        return self._wait(subject, instance, backup, changed=True)

    def _note(self, subject: Subject, event: Event, **notes: object) -> None:
        """Writes down what came of a restore that was sent; what is known now is not lost when that fails."""
        try:
            self.journal.write(subject, event, **notes)
        except JournalError as error:
            self.warn(f"The restore was sent and is {event.value}, which could not be written down: {error}")

    def _read_back(self, error: ClawHostersError, instance: Item, backup: Item, subject: Subject) -> Result:
        """The answer was lost. An instance that is busy right after being settled is being restored."""
        try:
            now = fetch_or_none(self.client, instance["id"])
        except ClawHostersError:
            now = None
        if now is not None and is_busy(now) and not is_busy(instance):
            self.warn(f"{error} {label(now)} is {now.get('status')} now, so the restore has begun.")
            self._note(subject, Event.ACCEPTED)
            return self._wait(subject, now, backup, changed=True)
        unknown = self._unknown(str(error), subject, now or instance, backup)
        if isinstance(error, ApiError):
            unknown.result["error"] = error.as_dict()
        raise unknown

    def _go_on(self, record: Record, instance: Item, backup: Item | None, subject: Subject) -> Result:
        """What an earlier run for the incident has begun or done: nothing is sent again."""
        asked_for, backup = backup, self._backup_of(record, backup)
        if asked_for is not None and asked_for is not backup:
            self.warn(
                f"Incident {self.incident} is about backup {backup['id']}; backup {asked_for['id']}, which is asked "
                "for now, is not restored. Take another incident for it."
            )
        if record.event is Event.COMPLETED:
            return self._result("completed", record, instance, backup)
        if record.event is Event.FAILED:
            raise PartialError(
                f"Incident {self.incident}: the restore of {label(instance)} that was sent at {record.sent_at} went "
                f"wrong, and the instance is {instance.get('status')} now. Nothing was sent again; force: true would.",
                self._result("failed", record, instance, backup),
            )
        if record.event is Event.ACCEPTED or is_busy(instance):
            if self.client.check_mode:
                return self._result("in_flight", record, instance, backup)
            return self._wait(subject, instance, backup, changed=False)
        raise self._unknown(f"Incident {self.incident}: {_what_is_known(record)}", subject, instance, backup)

    def _unknown(self, what: str, subject: Subject, instance: Item, backup: Item) -> PartialError:
        return PartialError(
            f"{what} Whether the restore of {label(instance)} was carried out is not known: the instance is "
            f"{instance.get('status')} now. Look at it; nothing is sent again for this incident without force: true.",
            self._result("unknown", self.journal.record_of(subject), instance, backup),
        )

    # Waiting

    def _wait(self, subject: Subject, instance: Item, backup: Item, *, changed: bool) -> Result:
        """Waits for an accepted restore where that is wanted, and writes down how it ended."""
        record = self.journal.record_of(subject)
        if self.waiter is None:
            return self._result("in_flight", record, instance, backup, changed=changed)
        arrival = _Arrival(instance, self.client.progress.clock, _seconds_since(record), self.wait_healthy)
        try:
            now = self.waiter.until(
                lambda seconds: _present(self.client, instance, seconds), arrival, describe, "restored"
            )
        except WaitTimeoutError as timeout:
            raise PartialError(
                f"{timeout} Run the same again: it goes on waiting, and sends nothing.",
                self._result("in_flight", record, timeout.last or instance, backup, changed=changed),
            ) from None
        except _WentWrongError as wrong:
            self._note(subject, Event.FAILED, status=wrong.instance.get("status"))
            raise PartialError(
                f"The restore of backup {backup['id']} was accepted, but {label(wrong.instance)} is "
                f"{wrong.instance.get('status')} now. See what the dashboard says of it; another backup can be "
                "restored with backup_id and another incident.",
                self._result("failed", self.journal.record_of(subject), wrong.instance, backup, changed=changed),
            ) from None
        except ClawHostersError as error:
            result = self._result("in_flight", record, instance, backup, changed=changed)
            if isinstance(error, ApiError):
                result["error"] = error.as_dict()
            raise PartialError(
                f"{error} The restore was accepted, and what became of it can't be read now. Run the same again: it "
                "goes on waiting, and sends nothing.",
                result,
            ) from None
        self._note(subject, Event.COMPLETED, status=now.get("status"))
        return self._result("completed", self.journal.record_of(subject), now, backup, changed=changed)

    # Results

    def _backup_of(self, record: Record, backup: Item | None) -> Item:
        """The backup that the journal names; it may be gone by now."""
        backup_id = record.notes.get("backup_id")
        if backup is not None and str(backup["id"]) == str(backup_id):
            return backup
        try:
            return fetch(self.client, backup_id)
        except NotFoundError:
            return {"id": backup_id}

    def _result(
        self, outcome: str, record: Record | None, instance: Item, backup: Item | None, *, changed: bool = False
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

    def __init__(self, instance: Item) -> None:
        super().__init__(f"{label(instance)} is {instance.get('status')}")
        self.instance = instance


class _Arrival:
    """Whether a restored instance has come back: settled twice in a row, and either busy before or some time after.

    How a restore shows is unknown (contract 7); it may not show at all.
    """

    def __init__(self, before: Item, clock: t.Callable[[], float], seconds_since: float, healthy: bool) -> None:
        self._status_before = status_of(before)
        self._clock = clock
        self._earliest = clock() + SHORTEST_RESTORE - seconds_since
        self._healthy = healthy
        self._was_busy = False
        self._settled = 0

    def __call__(self, instance: Item) -> bool:
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


def _what_is_known(record: Record) -> str:
    if record.event is Event.UNCLEAR:
        return f"a restore was sent at {record.sent_at} and its answer was lost."
    return f"a restore was about to be sent at {record.sent_at}, and the run ended there."


def _seconds_since(record: Record | None) -> float:
    """How long ago the restore was sent, between 0 and SHORTEST_RESTORE whatever the clock did meanwhile."""
    sent = datetime.fromisoformat(record.sent_at) if record and record.sent_at else datetime.now(UTC)
    return min(max((datetime.now(UTC) - sent).total_seconds(), 0.0), SHORTEST_RESTORE)


def _present(client: Client, instance: Item, seconds: float) -> Item:
    now = fetch_or_none(client, instance["id"], within=seconds)
    if now is None:
        raise RefusedError(f"{label(instance)} does not exist any more.")
    return now


def _text_of(duration: timedelta) -> str:
    """A duration for people: ``3 d 4 h``, ``5 h 20 min``, ``12 min``."""
    minutes = int(duration.total_seconds() // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{duration.total_seconds():.0f} s"
