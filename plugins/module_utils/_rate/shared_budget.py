# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares the rate limit of a key between all processes of a controller: forks, loops and inventories.

The state is a small file in ``state_dir``, one for each service and key, locked while it is read and written. It is
only advice: without a usable file the worst case is a 429. A folder that another user can write to is not used, with a
warning.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import platform
import threading
import typing as t
from dataclasses import dataclass, field

from .._errors import MESSAGE_LIMIT, ClawHostersError, one_line
from .._state.files import UntrustedError
from .._state.folder import StateFolder
from .limiter import RateLimiter, RequestOutcome

LOCK_TIMEOUT = 2.0
"""Seconds to wait for the lock of the file, which is held for milliseconds."""
MAX_FILE_BYTES = 1_000_000
"""Bytes that are read of the file, far more than it ever has."""

_request_numbers = itertools.count()


@dataclass
class Slot:
    """Permission to send one request. The sender sets the outcome."""

    outcome: RequestOutcome = field(default_factory=lambda: RequestOutcome(sent=False))


class SharedRateBudget:
    """The rate limit of one key at one service. ``clock`` returns Unix time.

    ``warn`` is called with the reason if the limit can't be shared. Without ``may_create``, a missing folder is not
    created and nothing is shared.
    """

    def __init__(
        self,
        state_dir: str,
        api_url: str,
        api_key: str,
        clock: t.Callable[[], float],
        *,
        warn: t.Callable[[str], None] = lambda _text: None,
        may_create: bool = True,
    ) -> None:
        digest = hashlib.sha256(f"{api_url}\n{api_key}".encode()).hexdigest()[:24]
        self._name = f"budget-{digest}.json"
        self._clock = clock
        self._warn = warn
        self._state_dir = state_dir
        self._may_create = may_create
        self._lock = threading.Lock()
        self._update_lock = threading.Lock()
        self._is_open = False
        self._open_folder: StateFolder | None = None

    @contextlib.contextmanager
    def slot(self, timeout: float, max_wait: float, sleep: t.Callable[[float], None]) -> t.Iterator[Slot]:
        """Waits like :meth:`acquire`, and reports the outcome that the block has set."""
        request_id = self.acquire(timeout, max_wait, sleep)
        slot = Slot()
        try:
            yield slot
        finally:
            self.release(request_id, slot.outcome)

    def acquire(self, timeout: float, max_wait: float, sleep: t.Callable[[float], None]) -> str:
        """Sleeps until a request with this ``timeout`` may be sent, and returns an id for :meth:`release`.

        Sleeps for ``max_wait`` seconds at most. On timeout the request is sent anyway.
        """
        request_id = f"{platform.node()}:{os.getpid()}:{next(_request_numbers)}"
        while True:
            delay = self._update(lambda limiter, now: limiter.acquire(request_id, now, now + timeout))
            if not delay:
                return request_id
            if delay > max_wait:
                self._update(lambda limiter, now: limiter.mark_sent(request_id, now, now + timeout))
                return request_id
            sleep(delay)
            max_wait -= delay

    def release(self, request_id: str, outcome: RequestOutcome) -> None:
        """Records the outcome of a request."""
        self._update(lambda limiter, now: limiter.record(request_id, outcome, now))

    def _update(self, change: t.Callable[[RateLimiter, float], float | None]) -> float | None:
        """Applies ``change`` to the locked state and returns its result, or None if the state can't be used."""
        folder = self._folder()
        if folder is None:
            return None
        try:
            # Threads of this process queue here: those that wait for the lock of a file have to poll.
            with self._update_lock, folder.locked(self._name, timeout=LOCK_TIMEOUT) as file:
                limiter = _read_limiter(file)
                _drop_dead_processes(limiter)
                result = change(limiter, self._clock())
                _write_limiter(file, limiter)
                return result
        except OSError as error:
            self._warn_not_shared(str(folder.path), error)
            self._open_folder = None
            return None

    def _folder(self) -> StateFolder | None:
        """Returns the folder, which the first call opens, or None if the limit can't be shared."""
        with self._lock:
            if not self._is_open:
                self._is_open = True
                try:
                    folder = StateFolder(self._state_dir)
                    if self._may_create:
                        folder.create()
                    self._open_folder = folder if folder.path.exists() else None
                except (OSError, ClawHostersError) as error:
                    self._warn_not_shared(self._state_dir, error)
        return self._open_folder

    def _warn_not_shared(self, place: str, error: Exception) -> None:
        """Warns that from now on this client waits only after a 429."""
        reason = str(error)
        if isinstance(error, OSError) and not isinstance(error, UntrustedError):
            reason = f"{place} can't be used ({error.strerror or error})"
        self._warn(
            f"{one_line(reason, MESSAGE_LIMIT).rstrip('.')}, so the rate limit is not shared with other processes. "
            "Set state_dir to a folder of your own."
        )


def _read_limiter(file: int) -> RateLimiter:
    """Returns the state in ``file``, or a new one if there is none."""
    try:
        return RateLimiter.from_dict(json.loads(os.pread(file, MAX_FILE_BYTES, 0)))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return RateLimiter()


def _write_limiter(file: int, limiter: RateLimiter) -> None:
    data = json.dumps(limiter.as_dict()).encode()
    os.pwrite(file, data, 0)
    os.ftruncate(file, len(data))


def _drop_dead_processes(limiter: RateLimiter) -> None:
    """Removes the requests of processes of this machine that have ended."""
    this_node = platform.node()
    is_dead: dict[str, bool] = {}
    for request_id in [*limiter.in_flight, *limiter.queue]:
        process = request_id.rpartition(":")[0]
        node, _colon, number = process.rpartition(":")
        if process not in is_dead:
            is_dead[process] = (
                node == this_node and number.isdecimal() and len(number) < 10 and not _is_alive(int(number))
            )
        if is_dead[process]:
            limiter.queue.pop(request_id, None)
            limiter.mark_lost(request_id)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
