# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The at-most-once journal: what spends data or money is written down and synced before it is sent (interface 3).

Lines of JSON in ``state_dir``. A line is added under a lock, by a new file that takes the place of the old one, so that
no crash and no full disk leaves a part of a line: whatever can't be read is damage from outside. The file of the lock
holds how many lines were written, by which a journal is noticed that was cut between two lines.

Who works on a subject also holds a lock of the subject's own, which the system frees when the process dies: an
unfinished entry without a holder is one whose outcome is unknown.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import hashlib
import json
import os
import typing as t
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from .._errors import MESSAGE_LIMIT, ClawHostersError, one_line
from .._times import format_iso
from .folder import StateFolder, UntrustedError

Line = t.Mapping[str, t.Any]

JOURNAL = "journal.jsonl"
JOURNAL_LOCK = "journal.lock"
COUNT_LIMIT = 20
"""Bytes of the lock's file that are read for the number of lines."""


class JournalError(ClawHostersError):
    """The journal can't be read or written."""


class Event(enum.Enum):
    """What happened to a subject. The last one counts."""

    INTENDED = "intended"  # about to be sent: whether it was, nobody knows if nothing follows
    ACCEPTED = "accepted"  # the service said yes
    UNCLEAR = "unclear"  # sent, and the answer was lost
    REFUSED = "refused"  # the service said no, or was not reached: nothing was done
    COMPLETED = "completed"  # seen to be done
    FAILED = "failed"  # accepted, and seen to have gone wrong


@dataclass(frozen=True)
class OperationKey:
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
        return vars(_normal(self))

    @property
    def lock_name(self) -> str:
        """The name of its lock file; the subject's own name may be any text."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:24] + ".lock"


_SUBJECT = tuple(field.name for field in fields(OperationKey))


@dataclass(frozen=True)
class OperationState:
    """What the journal holds of a subject: its last event, and what was noted since it was intended last."""

    event: Event
    sent_at: str
    at: str
    """When the last event was."""
    notes: dict[str, t.Any]

    @property
    def completed_at(self) -> str | None:
        return self.at if self.event is Event.COMPLETED else None


class Journal:
    """The journal in ``state_dir``, a folder that only its owner can read.

    Until it has written that something is about to be sent, the errors of its readers end with "Nothing was sent."
    """

    def __init__(self, state_dir: str, now: t.Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = StateFolder(state_dir)
        self._now = now
        self._has_intent = False

    def read_state(self, subject: OperationKey) -> OperationState | None:
        """What is known of ``subject``, None when nothing is; an attempt that was refused does not count.

        Reads only, so that check mode can. Raises JournalError.
        """
        return self.records().get(_normal(subject))

    def records(self) -> dict[OperationKey, OperationState]:
        """What is known of each subject. Raises JournalError."""
        with self._before_sending():
            return records(self.lines())

    def lines(self) -> list[Line]:
        """Every line, oldest first; none where there is no journal. Raises JournalError for one that is damaged."""
        # The count first: the journal may grow before it is read, and never becomes shorter.
        count = self._count()
        return self._parsed(self._content(), count)

    def text(self) -> str:
        """Returns the content of the journal, damaged or not; empty where there is no journal. Raises JournalError."""
        return (self._content() or b"").decode(errors="replace")

    def write(self, subject: OperationKey, event: Event, **notes: t.Any) -> None:
        """Adds a line and syncs it to the disk. Raises JournalError, and then no line was added."""
        line = {"at": format_iso(self._now()), **subject.as_dict(), "event": event.value, **notes}
        data = (json.dumps(line) + "\n").encode()
        try:
            self._folder.make()
            with self._folder.locked(JOURNAL_LOCK) as lock:
                content = self._content()
                count = len(self._parsed(content, _count_in(lock)))
                if content is None:
                    # What a journal held that was moved away is no measure for a new one.
                    os.ftruncate(lock, 0)
                    os.fsync(lock)
                elif not content.endswith(b"\n"):
                    content += b"\n"
                self._folder.replace(JOURNAL, (content or b"") + data)
                with contextlib.suppress(OSError):
                    # After the line, so that a crash in between leaves too low a number, which is no damage.
                    os.pwrite(lock, b"%d\n" % (count + 1), 0)
        except OSError as error:
            raise self._unusable(error) from None
        self._has_intent = self._has_intent or event is Event.INTENDED

    @contextlib.contextmanager
    def lock(self, subject: OperationKey) -> t.Iterator[bool]:
        """Holds the subject's lock, and tells whether it was free; False means that another process is at it.

        Raises JournalError when there can be no lock.
        """
        with contextlib.ExitStack() as stack:
            with self._before_sending():
                is_free = self._hold(subject, stack)
            yield is_free

    def _hold(self, subject: OperationKey, stack: contextlib.ExitStack) -> bool:
        try:
            self._folder.make()
            file = stack.enter_context(self._folder.opened(subject.lock_name, os.O_RDWR | os.O_CREAT))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unusable(error) from None
        return True

    @contextlib.contextmanager
    def _before_sending(self) -> t.Iterator[None]:
        try:
            yield
        except JournalError as error:
            if not self._has_intent:
                error.add("Nothing was sent.")
            raise

    def _content(self) -> bytes | None:
        """The bytes of the journal, None where there is no journal."""
        try:
            with self._folder.opened(JOURNAL, os.O_RDONLY) as file, open(file, "rb", closefd=False) as stream:
                return stream.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from None

    def _count(self) -> int:
        """The number of lines that the journal holds at least."""
        try:
            with self._folder.opened(JOURNAL_LOCK, os.O_RDONLY) as file:
                return _count_in(file)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unusable(error) from None

    def _parsed(self, content: bytes | None, count: int) -> list[Line]:
        """The lines in ``content``, of which there must be ``count`` at least. Raises JournalError."""
        if content is None:
            return []
        path = one_line(self._folder.path / JOURNAL)
        if not content:
            # A journal is never made without its first line.
            raise JournalError(
                f"The journal {path} is empty, so what was sent before is not known. Put it back from a copy, or "
                "remove the file if nothing is under way."
            )
        lines: list[Line] = []
        for number, text in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
            try:
                lines.append(line_of(text))
            except (ValueError, KeyError, TypeError):
                # To skip it could mean to send something a second time.
                raise JournalError(
                    f"Line {number} of the journal {path} can't be read, so what was sent before is not known. Mend "
                    "that line, or move the file away if nothing is under way."
                ) from None
        if len(lines) < count:
            raise JournalError(
                f"The journal {path} holds {len(lines)} lines, but {count} were written, so what was sent before is "
                "not known. Put it back from a copy, or, to go on with these lines if nothing is under way, remove "
                f"{JOURNAL_LOCK} beside it."
            )
        return lines

    def _unusable(self, error: OSError) -> JournalError:
        if isinstance(error, UntrustedError):
            return JournalError(
                f"{one_line(error, MESSAGE_LIMIT)}, so no journal is kept there. Set state_dir to a folder of your "
                "own: what must not be sent twice is never sent without a journal."
            )
        return JournalError(
            f"The journal in {one_line(self._folder.path)} can't be used ({error.strerror or error}). Set state_dir to "
            "a folder of your own: what must not be sent twice is never sent without a journal."
        )


def service_name(url: str) -> str:
    """One name for all spellings of a service's URL: case of the host, default port and slash at the end don't count.

    Two host names of one machine count as two services, since the URL does not tell.
    """
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme.lower(), ""))
    return f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"


def line_of(text: str | bytes) -> Line:
    """A line of a journal. Raises ValueError, KeyError or TypeError for what is none."""
    try:
        line = json.loads(text)
    except RecursionError:
        raise ValueError("too deep") from None
    Event(line["event"])
    service_name(str(line["service"]))
    if datetime.fromisoformat(line["at"]).tzinfo is None:
        raise ValueError("no offset")
    if not all(isinstance(line[name], (str, type(None))) for name in _SUBJECT):
        raise TypeError("not the name of a subject")
    return line


def records(lines: t.Iterable[Line]) -> dict[OperationKey, OperationState]:
    """What the lines of a journal, oldest first, come to for each subject. A subject's ``service`` is its one name."""
    found: dict[OperationKey, OperationState] = {}
    before_intent: dict[OperationKey, OperationState | None] = {}
    for line in lines:
        subject = _normal(OperationKey(**{name: line[name] for name in _SUBJECT}))
        event, at = Event(line["event"]), line["at"]
        notes = {name: value for name, value in line.items() if name not in (*_SUBJECT, "event", "at")}
        record = found.get(subject)
        if event is Event.INTENDED:
            before_intent[subject] = record
            found[subject] = OperationState(event, at, at, notes)
        elif event is Event.REFUSED:
            # As if it had not been tried; an earlier attempt still counts.
            found.pop(subject, None)
            if earlier := before_intent.get(subject):
                found[subject] = earlier
        elif record is not None:
            found[subject] = OperationState(event, record.sent_at, at, {**record.notes, **notes})
    return found


def _normal(subject: OperationKey) -> OperationKey:
    return replace(subject, service=service_name(str(subject.service)))


def _count_in(lock: int) -> int:
    """The number of lines that the lock's file holds; 0 where it holds none, as earlier versions left it."""
    try:
        return int(os.pread(lock, COUNT_LIMIT, 0).partition(b"\n")[0])
    except ValueError:
        return 0
