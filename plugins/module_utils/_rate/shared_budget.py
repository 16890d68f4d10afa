# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One rate budget for all processes of a controller: forks, loops and inventories of one key share one ledger.

The ledger is a small file in ``state_dir``, one for each service and key, locked for as long as it takes to read and
write it. It is advice: a file that is lost, damaged, or can't be locked costs a 429 at worst, never a run. One that
another user could write is not followed, and a warning says so.
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
from .._state.folder import StateFolder, UntrustedError
from .limiter import RateLimiter, RequestOutcome

LOCK_TIMEOUT = 2.0
"""Seconds to wait for the file, which nobody needs for more than a moment."""
FILE_LIMIT = 1_000_000
"""Bytes. No ledger is as long."""

_numbers = itertools.count()


@dataclass
class Slot:
    """The permission to send one request, and its outcome, set by the sender."""

    outcome: RequestOutcome = field(default_factory=lambda: RequestOutcome(sent=False))


class SharedRateBudget:
    """The budget of one key at one service. ``clock`` tells Unix time.

    ``warn`` is called with the reason if the budget can't be shared. Without ``may_create``, a missing folder means
    that there is no budget.
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
        subject = hashlib.sha256(f"{api_url}\n{api_key}".encode()).hexdigest()[:24]
        self._name = f"budget-{subject}.json"
        self._clock = clock
        self._warn = warn
        self._state_dir = state_dir
        self._may_create = may_create
        self._lock = threading.Lock()
        self._is_open = False
        self._opened: StateFolder | None = None

    @contextlib.contextmanager
    def slot(self, timeout: float, max_wait: float, sleep: t.Callable[[float], None]) -> t.Iterator[Slot]:
        """Waits like :meth:`reserve`, and reports the outcome that the block sets."""
        who = self.reserve(timeout, max_wait, sleep)
        slot = Slot()
        try:
            yield slot
        finally:
            self.report(who, slot.outcome)

    def reserve(self, timeout: float, max_wait: float, sleep: t.Callable[[float], None]) -> str:
        """Returns when a request may be sent that lasts ``timeout`` seconds at most; what it returns names it.

        It sleeps no more than ``max_wait`` in all. What has not come to pass by then, the service shall decide.
        """
        who = f"{platform.node()}:{os.getpid()}:{next(_numbers)}"
        while True:
            pause = self._update(lambda limiter, now: limiter.acquire(who, now, now + timeout))
            if not pause:
                return who
            if pause > max_wait:
                self._update(lambda limiter, now: limiter.mark_sent(who, now, now + timeout))
                return who
            sleep(pause)
            max_wait -= pause

    def report(self, who: str, outcome: RequestOutcome) -> None:
        """Takes in what became of the request that ``who`` names."""
        self._update(lambda limiter, now: limiter.record(who, outcome, now))

    def _update(self, change: t.Callable[[RateLimiter, float], float | None]) -> float | None:
        """What ``change`` makes of the ledger, as long as it is held; None where there is none to be had."""
        folder = self._folder()
        if folder is None:
            return None
        try:
            with folder.locked(self._name, timeout=LOCK_TIMEOUT) as file:
                limiter = _read(file)
                _drop_dead(limiter)
                result = change(limiter, self._clock())
                _write(file, limiter)
                return result
        except OSError as error:
            self._warn_not_shared(str(folder.path), error)
            self._opened = None
            return None

    def _folder(self) -> StateFolder | None:
        """Returns the folder, opened at the first call, or None if the budget can't be shared."""
        with self._lock:
            if not self._is_open:
                self._is_open = True
                try:
                    folder = StateFolder(self._state_dir)
                    if self._may_create:
                        folder.make()
                    self._opened = folder if folder.path.exists() else None
                except (OSError, ClawHostersError) as error:
                    self._warn_not_shared(self._state_dir, error)
        return self._opened

    def _warn_not_shared(self, place: str, error: Exception) -> None:
        """Warns that from here on this client waits out answers of 429 by itself."""
        reason = str(error)
        if isinstance(error, OSError) and not isinstance(error, UntrustedError):
            reason = f"{place} can't be used ({error.strerror or error})"
        self._warn(
            f"{one_line(reason, MESSAGE_LIMIT).rstrip('.')}, so the rate limit is not shared with other processes. "
            "Set state_dir to a folder of your own."
        )


def _read(file: int) -> RateLimiter:
    """The ledger in ``file``; a new one when it holds none."""
    try:
        return RateLimiter.from_dict(json.loads(os.pread(file, FILE_LIMIT, 0)))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return RateLimiter()


def _write(file: int, limiter: RateLimiter) -> None:
    data = json.dumps(limiter.as_dict()).encode()
    os.pwrite(file, data, 0)
    os.ftruncate(file, len(data))


def _drop_dead(limiter: RateLimiter) -> None:
    """Lets go of those whose process is no more, as far as it was one of this machine."""
    here = platform.node()
    is_dead: dict[str, bool] = {}
    for who in [*limiter.in_flight, *limiter.queue]:
        process = who.rpartition(":")[0]
        node, _colon, number = process.rpartition(":")
        if process not in is_dead:
            is_dead[process] = node == here and number.isdecimal() and len(number) < 10 and not _is_alive(int(number))
        if is_dead[process]:
            limiter.queue.pop(who, None)
            limiter.mark_lost(who)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
