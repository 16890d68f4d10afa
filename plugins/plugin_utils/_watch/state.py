# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transitions of the fleet between two polls, and the state of the event source, with which it continues after a
restart: a file, or a database row."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import logging
import math
import os
import stat
import time
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...module_utils._errors import ClawHostersError
from ...module_utils._http.settings import Settings
from ...module_utils._model.resource import Resource, id_sort_key, normalize
from ...module_utils._state.file_content import atomic_replace
from ...module_utils._state.files import (
    PROBE_TIMEOUT,
    LockHeldError,
    UntrustedError,
    lock_file,
    open_folder,
    open_owned,
    require_not_replaceable,
)
from ...module_utils._state.journal_store import ConflictError
from ...module_utils._state.store import StoreError, key_digest
from ...module_utils._text import MESSAGE_LIMIT, one_line

if t.TYPE_CHECKING:
    from ...module_utils._state.postgres_store import PostgresStore

Transition = dict[str, t.Any]
"""An event for the rulebook."""

WATCHED_FIELDS = ("status", "health_status")

# The JSON keys below, such as ``untold``, ``item`` and ``waiting``, are the file format.
FORMAT_VERSION = 1
SYNC_INTERVAL = 1.0
"""Seconds after which the next delivery is synced to the disk, like the last one: to sync each would stop the polls."""
MOVE_AWAY_HINT = "to start from the current fleet. Changes since the last run are not reported then."


@dataclass(frozen=True)
class PendingHealth:
    """A change of health that is not reported yet, since it has not lasted long enough. Times are Unix seconds."""

    reported: Resource
    """The instance when it last had the health that was reported."""
    since: float
    """When the new health was seen first."""
    last_seen: float


@dataclass(frozen=True)
class WatchedInstance:
    """An instance as of the last poll."""

    resource: Resource
    pending: PendingHealth | None = None


Snapshot = dict[str, WatchedInstance]
"""The fleet as of the last poll, by id as text."""


def take_snapshot(instances: list[Resource]) -> Snapshot:
    """Returns the snapshot of the first poll, which emits no transitions."""
    return {str(instance["id"]): WatchedInstance(instance) for instance in instances}


def find_transitions(
    snapshot: Snapshot,
    instances: list[Resource],
    now: float,
    *,
    health_stays_for: float = 0.0,
    max_gap: float = math.inf,
) -> tuple[list[Transition], Snapshot]:
    """Returns the transitions from ``snapshot`` to ``instances``, in order of ids, and the new snapshot.

    A change of health is reported once it has lasted ``health_stays_for`` seconds, in polls at most ``max_gap``
    seconds apart.
    """
    current = {str(instance["id"]): instance for instance in instances}
    transitions: list[Transition] = []
    after: Snapshot = {}
    for key in sorted({*snapshot, *current}, key=lambda key: id_sort_key({"id": key})):
        before = snapshot.get(key)
        if before is None:
            transitions.append(_build_transition("appeared", current[key], None, now))
            after[key] = WatchedInstance(current[key])
        elif key not in current:
            transitions.append(_build_transition("disappeared", before.resource, before.resource, now))
        else:
            instance = _fill_missing(current[key], before.resource)
            if _has_changed(before.resource, instance, "status"):
                transitions.append(_build_transition("status_changed", instance, before.resource, now))
            after[key], change = _debounce_health(before, instance, now, health_stays_for, max_gap)
            transitions += change
    return transitions, after


def _debounce_health(
    before: WatchedInstance, instance: Resource, now: float, stays_for: float, max_gap: float
) -> tuple[WatchedInstance, list[Transition]]:
    reported = before.pending.reported if before.pending else before.resource
    if not _has_changed(reported, instance, "health_status"):
        return WatchedInstance(instance), []
    since = now
    if before.pending and not _has_changed(before.resource, instance, "health_status"):
        # A clock that was set back, or far ahead, counts as a gap.
        is_continuous = 0 <= now - before.pending.last_seen <= max_gap
        since = before.pending.since if is_continuous else now
    if now - since < stays_for:
        return WatchedInstance(instance, PendingHealth(reported, since, now)), []
    return WatchedInstance(instance), [_build_transition("health_changed", instance, reported, since)]


def _fill_missing(instance: Resource, before: Resource) -> Resource:
    """Returns ``instance`` with its missing watched fields taken from ``before``: missing is not a change."""
    missing = {field: before[field] for field in WATCHED_FIELDS if instance.get(field) is None and field in before}
    return {**instance, **missing}


def _has_changed(before: Resource, after: Resource, field: str) -> bool:
    return normalize(before.get(field)) != normalize(after.get(field))


def _build_transition(kind: str, instance: Resource, previous: Resource | None, at: float) -> Transition:
    return {"clawhosters": {"event": kind, "instance": instance, "previous": previous, "at": format_timestamp(at)}}


def format_timestamp(seconds: float) -> str:
    """Formats Unix seconds in ISO 8601: UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class StateError(ClawHostersError):
    """The state file can't be used."""


@dataclass(frozen=True)
class WatchState:
    """The last snapshot, None before the first poll, and the transitions that are not delivered yet."""

    snapshot: Snapshot | None = None
    undelivered: list[Transition] = field(default_factory=list)


class StateUnavailableError(StateError):
    """The database can't be used now."""


class TurnLostError(StateError):
    """Another source of the same name has taken over."""


@dataclass
class _Recorded:
    """How many transitions of the state written last, of ``total``, are recorded as delivered."""

    total: int
    count: int = 0
    synced_at: float = field(default_factory=time.monotonic)

    def must_sync(self, count: int) -> bool:
        """Returns True if the record of ``count`` must be durable before the next one."""
        return count == self.total or time.monotonic() - self.synced_at >= SYNC_INTERVAL

    def advance(self, count: int, *, is_synced: bool) -> None:
        self.count = count
        if is_synced:
            self.synced_at = time.monotonic()


class StateFile:
    """The state file at ``path``: the state, and after it a line with its number for each delivered transition.

    Only its owner can read it. The state is replaced atomically, with all lines. Links are refused, and so are files
    and folders that another user owns or could replace: their content can't be trusted.
    """

    def __init__(self, path: str, settings: Settings) -> None:
        self._path = Path(os.path.abspath(path))
        self._owner = _find_owner(settings)
        self._recorded = _Recorded(0)
        self._end = 0
        """Where the next line begins, in bytes."""
        self._lines: int | None = None
        """The descriptor by which lines are written, once there is one."""

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[bool]:
        """Locks the file against other sources. Raises StateError if another source has locked it."""
        with contextlib.ExitStack() as stack:
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with self._open_folder() as folder:
                    lock = self._open(folder, f"{self._path.name}.lock", os.O_RDWR | os.O_CREAT)
                stack.callback(os.close, lock)
                stack.callback(self._close)
                lock_file(lock, PROBE_TIMEOUT)
            except LockHeldError:
                raise StateError(
                    f"{self._label} is in use by another event source. Give each a state_file of its own."
                ) from None
            except OSError as error:
                raise self._build_error(error) from None
            yield True

    def read(self) -> WatchState:
        """Returns the last state written, an empty one if there is no file. Raises StateError."""
        try:
            with self._open_folder() as folder:
                file = self._open(folder, self._path.name, os.O_RDONLY)
            with open(file, "rb") as stream:
                content = stream.read()
        except FileNotFoundError:
            return WatchState()
        except OSError as error:
            raise self._build_error(error) from None
        return parse_state(
            content, self._owner, self._label, "file", "move it away", lambda _data, rest: _count_lines(rest)
        )

    def write(self, state: WatchState) -> None:
        """Replaces the state atomically, and syncs it to the disk. The caller holds the lock. Raises StateError."""
        content = format_state(state, self._owner).encode()
        try:
            with self._open_folder() as folder:
                atomic_replace(folder, self._path.name, content)
        except OSError as error:
            raise self._build_error(error) from None
        self._close()
        self._recorded, self._end = _Recorded(len(state.undelivered)), len(content)

    def record_delivery(self, count: int) -> None:
        """Appends the lines of the transitions that were delivered since the last call. Raises StateError.

        That costs the same for each of them, however large the state is. It outlives the process. If the machine
        crashes, the records of its last second may be lost, but not that of the last transition.
        """
        if count <= self._recorded.count:
            return
        lines = "".join(f"\n{number}" for number in range(self._recorded.count + 1, count + 1)).encode()
        is_synced = self._recorded.must_sync(count)
        try:
            if self._lines is None:
                with self._open_folder() as folder:
                    self._lines = self._open(folder, self._path.name, os.O_WRONLY)
            # At a place, not at the end: an attempt that failed may have written a part.
            if os.pwrite(self._lines, lines, self._end) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if is_synced:
                os.fsync(self._lines)
        except OSError as error:
            raise self._build_error(error) from None
        self._end += len(lines)
        self._recorded.advance(count, is_synced=is_synced)

    def _close(self) -> None:
        if self._lines is not None:
            os.close(self._lines)
        self._lines = None

    def _open(self, folder: int, name: str, flags: int) -> int:
        status = os.fstat(folder)
        # Some container platforms make all files of a volume writable for its group.
        group = status.st_gid if status.st_mode & stat.S_IWGRP else None
        return open_owned(folder, name, flags, self._path.parent, group=group)

    @contextlib.contextmanager
    def _open_folder(self) -> t.Iterator[int]:
        """Yields the file's folder. Others may write to it, as in ``/tmp`` or a volume, but not replace the file."""
        resolved = Path(os.path.realpath(self._path.parent)) / self._path.name
        require_not_replaceable(self._path)
        require_not_replaceable(resolved)
        with open_folder(resolved.parent) as folder:
            yield folder

    @property
    def _label(self) -> str:
        return f"state_file {one_line(self._path)}"

    def _build_error(self, error: OSError) -> StateError:
        if isinstance(error, UntrustedError):
            return StateError(f"state_file: {one_line(error, MESSAGE_LIMIT)}. Use a file in a folder of your own.")
        return StateError(
            f"{self._label} can't be used ({error.strerror or error}). Use a file in a folder of your own."
        )


class DatabaseCursor:
    """The state in the database, under ``name``. A revision keeps a source that lost its turn from writing.

    Each delivered transition adds one to it, so that the content, which has its first revision, stays as it is.
    """

    def __init__(self, name: str, settings: Settings, store: PostgresStore, log: logging.Logger) -> None:
        self._name = name
        self._owner = _find_owner(settings)
        self._store = store
        self._log = log
        self._revision = 0
        self._recorded = _Recorded(0)

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[bool]:
        """Takes the turn of the name. Raises StateUnavailableError."""
        digest = hashlib.sha256(f"cursor {self._name}".encode()).hexdigest()
        with contextlib.ExitStack() as stack:
            try:
                holder = stack.enter_context(self._store.hold(digest, self._name))
            except StoreError as error:
                raise self._build_error(error) from None
            if holder:
                by = holder.format(self._store.now())
                self._log.info("%s is held by %s. This source waits for its turn.", self._label, by)
            yield holder is None

    def read(self) -> WatchState:
        """Returns the last state written, an empty one at first. Raises StateError."""
        try:
            self._revision, content = self._store.read_cursor(self._name)
        except StoreError as error:
            raise self._build_error(error) from None
        if not self._revision:
            return WatchState()
        return parse_state(
            content,
            self._owner,
            self._label,
            "name",
            "use another name",
            lambda data, _rest: _count_revisions(data, self._revision),
        )

    def write(self, state: WatchState) -> None:
        """Replaces the state. Raises StateError, or TurnLostError if another source has written it."""
        content = format_state(state, self._owner, self._revision + 1)
        with self._converted_errors():
            self._store.write_cursor(self._name, self._revision, content)
        self._revision += 1
        self._recorded = _Recorded(len(state.undelivered))

    def record_delivery(self, count: int) -> None:
        """Adds to the revision, and loses as much as a file in a crash of the database. Raises StateError, or
        TurnLostError if another source has written the state."""
        if count <= self._recorded.count:
            return
        revision = self._revision + count - self._recorded.count
        is_synced = self._recorded.must_sync(count)
        with self._converted_errors():
            self._store.advance_cursor(self._name, self._revision, revision, is_durable=is_synced)
        self._revision = revision
        self._recorded.advance(count, is_synced=is_synced)

    @contextlib.contextmanager
    def _converted_errors(self) -> t.Iterator[None]:
        try:
            yield
        except ConflictError:
            raise TurnLostError(f"{self._label} was written by another source of this name.") from None
        except StoreError as error:
            raise self._build_error(error) from None

    @property
    def _label(self) -> str:
        return f"The state of name {one_line(self._name)}"

    def _build_error(self, error: StoreError) -> StateError:
        return StateUnavailableError(f"{self._label} can't be used: {error}. {error.advice}.")


Cursor: t.TypeAlias = "StateFile | DatabaseCursor"
"""Where the state is. It belongs to one source, one service and one API key."""


def _find_owner(settings: Settings) -> str:
    """Returns what the state knows of service and API key."""
    return key_digest(settings.api_url, str(settings.api_key))


def format_state(state: WatchState, owner: str, revision: int | None = None) -> str:
    """Returns the state as JSON on one line. In a database it has the ``revision`` with which it is written."""
    data = {
        "format": FORMAT_VERSION,
        "owner": owner,
        "instances": [_dump_instance(instance) for instance in (state.snapshot or {}).values()],
        "untold": state.undelivered,
    }
    return json.dumps(data if revision is None else {**data, "revision": revision}, ensure_ascii=True)


def parse_state(
    content: str | bytes,
    owner: str,
    label: str,
    kind: str,
    start_over: str,
    count_delivered: t.Callable[[dict[str, t.Any], str], int],
) -> WatchState:
    """Parses the result of ``format_state``. Raises StateError; ``start_over`` says how to begin with a new state.

    ``count_delivered`` returns how many of its transitions are delivered by now: from its data, and from the text
    after them.
    """
    try:
        text = content if isinstance(content, str) else content.decode()
        data, end = json.JSONDecoder().raw_decode(text)
        if data["format"] != FORMAT_VERSION:
            raise ValueError(f"format {data['format']}")
        found = data["owner"]
        state = WatchState(
            {str(entry["item"]["id"]): _parse_instance(entry) for entry in data["instances"]},
            [dict(transition) for transition in data["untold"]][count_delivered(data, text[end:]) :],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Starting over silently could lose a transition, or send one twice.
        raise StateError(
            f"{label} is damaged or not a state file, so it is unknown which events were sent. "
            f"{start_over.capitalize()} {MOVE_AWAY_HINT}"
        ) from None
    if found != owner:
        raise StateError(
            f"{label} belongs to another api_url or API key. Use another {kind}. If the key of the same account was "
            f"replaced, {start_over} {MOVE_AWAY_HINT}"
        )
    return state


def _count_lines(text: str) -> int:
    """Returns the number of lines ``1``, ``2``, and so on. A crash of the machine may leave anything after them."""
    numbers = zip(text.split("\n")[1:], itertools.count(1), strict=False)
    return sum(1 for _line in itertools.takewhile(lambda pair: pair[0] == str(pair[1]), numbers))


def _count_revisions(data: dict[str, t.Any], revision: int) -> int:
    """Returns the number of revisions since that of ``data``. Raises ValueError for a later one."""
    count = revision - int(data["revision"])
    if count < 0:
        raise ValueError(f"revision {data['revision']}")
    return count


def _dump_instance(instance: WatchedInstance) -> dict[str, t.Any]:
    pending = instance.pending
    return {
        "item": instance.resource,
        "waiting": pending and {"before": pending.reported, "since": pending.since, "last": pending.last_seen},
    }


def _parse_instance(entry: dict[str, t.Any]) -> WatchedInstance:
    resource, waiting = dict(entry["item"]), entry["waiting"]
    if waiting is None:
        return WatchedInstance(resource)
    pending = PendingHealth(dict(waiting["before"]), float(waiting["since"]), float(waiting["last"]))
    return WatchedInstance(resource, pending)
