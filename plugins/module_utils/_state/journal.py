# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The at-most-once journal: restores and purchases are recorded and synced before they are sent (interface 3).

It holds lines of JSON in ``state_dir``. Each append writes a new file, under a lock, and renames it over the old one.
So a crash or a full disk never leaves half a line: a line that can't be parsed was damaged from outside. The lock file
holds the number of lines written, which reveals a journal that was cut between two lines.

A run also locks the operation that it works on. The lock ends with its process, so an unfinished entry without a lock
has an unknown outcome.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import json
import os
import typing as t
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from .._errors import MESSAGE_LIMIT, ClawHostersError, one_line
from .._times import format_iso
from .files import LockHeldError, UntrustedError, lock_file
from .folder import StateFolder

JournalEntry = t.Mapping[str, t.Any]
"""One parsed line."""

JOURNAL = "journal.jsonl"
JOURNAL_LOCK = "journal.lock"
COUNT_LIMIT = 20
"""Bytes of the lock file that are read for the number of lines."""


class JournalError(ClawHostersError):
    """The journal can't be read or written."""


class OperationEvent(enum.Enum):
    """A step of an operation. The last one is its state."""

    INTENDED = "intended"  # about to be sent; the outcome is unknown if nothing follows
    ACCEPTED = "accepted"  # the service answered with success
    UNCLEAR = "unclear"  # sent, but the response was lost
    REFUSED = "refused"  # rejected, or the service was not reached: nothing was done
    COMPLETED = "completed"  # confirmed by a later read
    FAILED = "failed"  # accepted, but a later read showed a failure


@dataclass(frozen=True)
class OperationKey:
    """Identifies what is done at most once: a restore of an instance for an incident, or a purchase for an order.

    ``service`` is its URL. The account is not part of the key: a replaced API key must not permit a second request.
    """

    kind: str
    service: str
    name: str
    instance_id: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Returns the fields that identify the operation in a line of the journal."""
        return vars(_normalize(self))

    @property
    def lock_name(self) -> str:
        """Name of its lock file: a hash, since ``name`` may be any text."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:24] + ".lock"


_KEY_FIELDS = tuple(field.name for field in fields(OperationKey))


@dataclass(frozen=True)
class OperationState:
    """The last event of an operation, and the notes of all events since it was last intended."""

    event: OperationEvent
    sent_at: str
    at: str
    """Time of the last event."""
    notes: dict[str, t.Any]

    @property
    def completed_at(self) -> str | None:
        return self.at if self.event is OperationEvent.COMPLETED else None


class Journal:
    """The journal in ``state_dir``.

    Until it has recorded an intent, errors of its reading methods end with "Nothing was sent."
    """

    def __init__(self, state_dir: str, now: t.Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = StateFolder(state_dir)
        self._now = now
        self._has_intent = False

    def read_state(self, operation: OperationKey) -> OperationState | None:
        """Returns the state of ``operation``, None without an entry. Refused attempts don't count.

        Writes nothing, so check mode may call it. Raises JournalError.
        """
        return self.read_states().get(_normalize(operation))

    def read_states(self) -> dict[OperationKey, OperationState]:
        """Returns the state of each operation. Raises JournalError."""
        with self._before_sending():
            return replay(self.read_entries())

    def read_entries(self) -> list[JournalEntry]:
        """Returns all entries, oldest first; none if there is no journal. Raises JournalError if it is damaged."""
        # Read the count first: another process may append in between, but the journal never gets shorter.
        count = _parse_count(self._read(JOURNAL_LOCK, COUNT_LIMIT) or b"")
        return self._parse(self._read(JOURNAL), count)

    def read_text(self) -> str:
        """Returns the content, damaged or not; empty if there is no journal. Raises JournalError."""
        return (self._read(JOURNAL) or b"").decode(errors="replace")

    def append(self, operation: OperationKey, event: OperationEvent, **notes: t.Any) -> None:
        """Appends an entry and syncs it to the disk. On a JournalError the journal is unchanged."""
        entry = {"at": format_iso(self._now()), **operation.as_dict(), "event": event.value, **notes}
        data = (json.dumps(entry) + "\n").encode()
        try:
            self._folder.create()
            with self._folder.locked(JOURNAL_LOCK) as lock:
                content = self._read(JOURNAL)
                count = len(self._parse(content, _parse_count(os.pread(lock, COUNT_LIMIT, 0))))
                if content is None:
                    # The count of a journal that was moved away does not apply to a new one.
                    os.ftruncate(lock, 0)
                    os.fsync(lock)
                elif not content.endswith(b"\n"):
                    content += b"\n"
                self._folder.replace(JOURNAL, (content or b"") + data)
                with contextlib.suppress(OSError):
                    # After the entry: a crash in between leaves too low a count, which is no damage.
                    os.pwrite(lock, b"%d\n" % (count + 1), 0)
        except OSError as error:
            raise self._build_error(error) from None
        self._has_intent = self._has_intent or event is OperationEvent.INTENDED

    @contextlib.contextmanager
    def lock(self, operation: OperationKey) -> t.Iterator[bool]:
        """Locks ``operation`` and yields True, or yields False if another process has locked it.

        Raises JournalError if no lock can be created.
        """
        with contextlib.ExitStack() as stack:
            with self._before_sending():
                is_free = self._try_lock(operation, stack)
            yield is_free

    def _try_lock(self, operation: OperationKey, stack: contextlib.ExitStack) -> bool:
        try:
            self._folder.create()
            lock_file(stack.enter_context(self._folder.open(operation.lock_name, os.O_RDWR | os.O_CREAT)), timeout=0)
        except LockHeldError:
            return False
        except OSError as error:
            raise self._build_error(error) from None
        return True

    @contextlib.contextmanager
    def _before_sending(self) -> t.Iterator[None]:
        try:
            yield
        except JournalError as error:
            if not self._has_intent:
                error.add("Nothing was sent.")
            raise

    def _read(self, name: str, limit: int = -1) -> bytes | None:
        """Returns the content of a file, up to ``limit`` bytes; None if it is missing."""
        try:
            with self._folder.open(name, os.O_RDONLY) as file, open(file, "rb", closefd=False) as stream:
                return stream.read(limit)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._build_error(error) from None

    def _parse(self, content: bytes | None, count: int) -> list[JournalEntry]:
        """Returns the entries in ``content``. Raises JournalError if it is damaged or has fewer than ``count``."""
        if content is None:
            return []
        path = one_line(self._folder.path / JOURNAL)
        if not content:
            # A journal is created with its first line.
            raise JournalError(
                f"The journal {path} is empty, so earlier requests are unknown. Restore it from a copy, or delete "
                "the file if no restore or purchase is in progress."
            )
        entries: list[JournalEntry] = []
        for number, text in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
            try:
                entries.append(parse_entry(text))
            except (ValueError, KeyError, TypeError):
                # Skipping it could send a request a second time.
                raise JournalError(
                    f"Line {number} of the journal {path} can't be read, so earlier requests are unknown. Repair that "
                    "line, or move the file away if no restore or purchase is in progress."
                ) from None
        if len(entries) < count:
            raise JournalError(
                f"The journal {path} has {len(entries)} lines, but {count} were written, so earlier requests are "
                "unknown. Restore it from a copy. To continue with these lines, if no restore or purchase is in "
                f"progress, delete {JOURNAL_LOCK} beside it."
            )
        return entries

    def _build_error(self, error: OSError) -> JournalError:
        if isinstance(error, UntrustedError):
            return JournalError(
                f"{one_line(error, MESSAGE_LIMIT)}, so the journal is not used. Set state_dir to a folder of your own: "
                "restores and purchases are never sent without a journal."
            )
        return JournalError(
            f"The journal in {one_line(self._folder.path)} can't be used ({error.strerror or error}). Set state_dir to "
            "a folder of your own: restores and purchases are never sent without a journal."
        )


def normalize_url(url: str) -> str:
    """Returns one spelling of a service's URL: lower-case host, without default port and trailing slash.

    Two host names of one machine stay two services.
    """
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme.lower(), ""))
    return f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"


def parse_entry(text: str | bytes) -> JournalEntry:
    """Parses a line of a journal. Raises ValueError, KeyError or TypeError if it is not a valid entry."""
    try:
        entry = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    OperationEvent(entry["event"])
    normalize_url(str(entry["service"]))
    if datetime.fromisoformat(entry["at"]).tzinfo is None:
        raise ValueError("no UTC offset")
    if not all(isinstance(entry[name], (str, type(None))) for name in _KEY_FIELDS):
        raise TypeError("not an operation key")
    return entry


def replay(entries: t.Iterable[JournalEntry]) -> dict[OperationKey, OperationState]:
    """Returns the state of each operation after ``entries``, oldest first. The keys hold normalized URLs."""
    states: dict[OperationKey, OperationState] = {}
    before_intent: dict[OperationKey, OperationState | None] = {}
    for entry in entries:
        operation = _normalize(OperationKey(**{name: entry[name] for name in _KEY_FIELDS}))
        event, at = OperationEvent(entry["event"]), entry["at"]
        notes = {name: value for name, value in entry.items() if name not in (*_KEY_FIELDS, "event", "at")}
        state = states.get(operation)
        if event is OperationEvent.INTENDED:
            before_intent[operation] = state
            states[operation] = OperationState(event, at, at, notes)
        elif event is OperationEvent.REFUSED:
            # Undoes the attempt; an earlier one still counts.
            states.pop(operation, None)
            if earlier := before_intent.get(operation):
                states[operation] = earlier
        elif state is not None:
            states[operation] = OperationState(event, state.sent_at, at, {**state.notes, **notes})
    return states


def _normalize(operation: OperationKey) -> OperationKey:
    return replace(operation, service=normalize_url(str(operation.service)))


def _parse_count(data: bytes) -> int:
    """Returns the number in the lock file; 0 if it holds none, as earlier versions left it."""
    try:
        return int(data.partition(b"\n")[0])
    except ValueError:
        return 0
