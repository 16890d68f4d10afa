# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The at-most-once journal: what spends data or money is written down and synced before it is sent (interface 3).

Lines of JSON in ``state_dir``, appended under a lock. Who works on a subject also holds a lock of the subject's own,
which the system frees when the process dies: an unfinished entry without a holder is one whose outcome is unknown.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import hashlib
import json
import os
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from .errors import (
    ApiError,
    ClawHostersError,
    RedirectedError,
    SettingsError,
    TlsError,
    TransportError,
    one_line,
)
from .statefolder import OthersCanWrite, StateFolder

JOURNAL = "journal.jsonl"
JOURNAL_LOCK = "journal.lock"


class JournalError(ClawHostersError):
    """The journal can't be read or written; nothing was sent because of it."""


class Event(enum.Enum):
    """What happened to a subject. The last one counts."""

    INTENDED = "intended"  # about to be sent: whether it was, nobody knows if nothing follows
    ACCEPTED = "accepted"  # the service said yes
    UNCLEAR = "unclear"  # sent, and the answer was lost
    REFUSED = "refused"  # the service said no, or was not reached: nothing was done
    COMPLETED = "completed"  # seen to be done
    FAILED = "failed"  # accepted, and seen to have gone wrong


@dataclass(frozen=True)
class Subject:
    """What is done at most once: one restore for an incident and an instance, or one purchase for an order.

    ``service`` is its URL. The account is no part of it: with another key, as after a change of keys, it is still the
    same subject.
    """

    kind: str
    service: str
    name: str
    instance_id: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """What identifies it in a line of the journal."""
        service = service_name(self.service)
        return {"kind": self.kind, "service": service, "name": self.name, "instance_id": self.instance_id}

    @property
    def lock_name(self) -> str:
        """The name of its lock file; the subject's own name may be any text."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:24] + ".lock"


@dataclass(frozen=True)
class Record:
    """What the journal holds of a subject: its last event, and what was noted since it was intended last."""

    event: Event
    sent_at: str | None
    completed_at: str | None
    notes: dict[str, t.Any]


class Journal:
    """The journal in ``state_dir``, a folder that only its owner can read."""

    def __init__(self, state_dir: str, now: t.Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = StateFolder(state_dir)
        self._now = now

    def record_of(self, subject: Subject) -> Record | None:
        """What is known of ``subject``, None when nothing is; an attempt that was refused does not count.

        Reads only, so that check mode can. Raises JournalError.
        """
        return _folded([line for line in self._lines() if _is_of(line, subject)])

    def write(self, subject: Subject, event: Event, **notes: t.Any) -> None:
        """Appends a line and syncs it to the disk. Raises JournalError, and then nothing may be sent."""
        at = self._now().isoformat(timespec="milliseconds")
        line = {"at": at, **subject.as_dict(), "event": event.value, **notes}
        data = (json.dumps(line) + "\n").encode()
        try:
            self._folder.make()
            with self._folder.locked(JOURNAL_LOCK), self._folder.opened(JOURNAL, os.O_RDWR | os.O_CREAT) as file:
                _drop_torn_end(file)
                os.lseek(file, 0, os.SEEK_END)
                while data:
                    written = os.write(file, data)
                    data = data[written:]
                os.fsync(file)
            with self._folder.opened(".", os.O_RDONLY | os.O_DIRECTORY) as folder:
                os.fsync(folder)
        except OSError as error:
            raise self._unusable(error) from None

    @contextlib.contextmanager
    def held(self, subject: Subject) -> t.Iterator[bool]:
        """Holds the subject's lock, and tells whether it was free; False means that another process is at it.

        Raises JournalError when there can be no lock.
        """
        with contextlib.ExitStack() as stack:
            try:
                self._folder.make()
                file = stack.enter_context(self._folder.opened(subject.lock_name, os.O_RDWR | os.O_CREAT))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    free = True
                except BlockingIOError:
                    free = False
            except OSError as error:
                raise self._unusable(error) from None
            yield free

    def _lines(self) -> list[dict[str, t.Any]]:
        try:
            with self._folder.opened(JOURNAL, os.O_RDONLY) as file, open(file, "rb", closefd=False) as stream:
                whole, _newline, _torn = stream.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from None
        lines = []
        for number, text in enumerate(whole.split(b"\n") if whole else [], start=1):
            try:
                line = json.loads(text)
                Event(line["event"])
                if datetime.fromisoformat(line["at"]).tzinfo is None:
                    raise ValueError("a moment somewhere on Earth")
            except (ValueError, KeyError, TypeError):
                # To skip it could mean to send something a second time.
                raise JournalError(
                    f"Line {number} of the journal {self._folder.path / JOURNAL} can't be read, so what was sent "
                    "before is not known. Mend that line, or move the file away if nothing is under way."
                ) from None
            lines.append(line)
        return lines

    def _unusable(self, error: OSError) -> JournalError:
        if isinstance(error, OthersCanWrite):
            return JournalError(
                f"Others can write to {one_line(self._folder.path)}, so no journal is kept there, and nothing was "
                "sent. Set state_dir to a folder of your own."
            )
        return JournalError(
            f"The journal in {one_line(self._folder.path)} can't be used ({error.strerror or error}), and without it "
            "nothing is sent that must not be sent twice. Set state_dir to a folder of your own."
        )


@dataclass
class AtMostOnce:
    """Writes down a subject's request when it goes out: what waits for its turn is not sent, and may be tried again."""

    journal: Journal
    subject: Subject
    notes: dict[str, t.Any]

    def sending(self) -> None:
        """Raises JournalError, and then nothing may be sent."""
        self.journal.write(self.subject, Event.INTENDED, **self.notes)

    def refused(self) -> None:
        """The service said 429. Where that can't be written down the request counts as sent, which is safe."""
        with contextlib.suppress(JournalError):
            self.journal.write(self.subject, Event.REFUSED, reason="rate limit")


def checked_name(option: str, name: str) -> str:
    """The name of an incident or an order, without white space around it. Raises SettingsError when nothing is left."""
    name = name.strip()
    if not name:
        raise SettingsError(f"{option} is empty. It tells one time from the next: give it a name.")
    return name


def was_surely_not_done(error: ClawHostersError, *, sent: bool) -> bool:
    """Whether the service refused it or never saw it, so that it may be tried again.

    ``sent``: a request was counted, so that whatever the error is, something went out.
    """
    if not sent:
        return True
    if isinstance(error, ApiError):
        return 400 <= error.status < 500 and error.status != 408
    if isinstance(error, RedirectedError):
        # The others are also how a service answers what it has done.
        return error.status in (307, 308)
    if isinstance(error, TransportError):
        return not error.sent
    return isinstance(error, TlsError)


def service_name(url: str) -> str:
    """One name for all spellings of a service's URL: case of the host, default port and slash at the end don't count.

    Names that lead to the same machine do: that is nothing to be told from the URL.
    """
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme.lower(), ""))
    return f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"


def _is_of(line: dict[str, t.Any], subject: Subject) -> bool:
    line = {**line, "service": service_name(str(line.get("service")))}
    return all(line.get(name) == value for name, value in subject.as_dict().items())


def _folded(lines: list[dict[str, t.Any]]) -> Record | None:
    """The lines of one subject, oldest first, as what they come to."""
    record = before_intent = None
    for line in lines:
        event = Event(line["event"])
        notes = {name: value for name, value in line.items() if name not in _OWN_FIELDS}
        if event is Event.INTENDED:
            before_intent, record = record, Record(event, line["at"], None, notes)
        elif event is Event.REFUSED:
            # As if it had not been tried; an earlier attempt still counts.
            record = before_intent
        elif record is not None:
            completed_at = line["at"] if event is Event.COMPLETED else None
            record = Record(event, record.sent_at, completed_at, {**record.notes, **notes})
    return record


_OWN_FIELDS = frozenset(("at", "event", "kind", "service", "name", "instance_id"))


def _drop_torn_end(file: int) -> None:
    """Cuts off a line that a crash left unfinished: what it was to announce was never sent."""
    size = os.lseek(file, 0, os.SEEK_END)
    content = os.pread(file, size, 0)
    end = content.rfind(b"\n") + 1
    if end != size:
        os.ftruncate(file, end)
