# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One rate budget for all processes of a controller: forks, loops and inventories of one key share one ledger.

The ledger is a small file in ``state_dir``, one for each service and key, locked for as long as it takes to read and
write it. It is advice: a file that is lost, damaged, or can't be locked costs a 429 at worst, never a run. One that
another user could write is not followed, and a warning says so.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import typing as t

from .._errors import MESSAGE_LIMIT, ClawHostersError, one_line
from .._http.transport import WireOutcome
from .._state.folder import StateFolder, UntrustedError
from .headers import asked_wait, window_of
from .limiter import Ledger

LOCK_PATIENCE = 2.0
"""Seconds to wait for the file, which nobody needs for more than a moment."""
FILE_LIMIT = 1_000_000
"""Bytes. No ledger is as long."""

_numbers = itertools.count()


class RateBudget:
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
        self._folder = self._usable(state_dir, may_create=may_create)

    def reserve(self, timeout: float, seconds_left: float, sleep: t.Callable[[float], None]) -> str:
        """Returns when a request may be sent that lasts ``timeout`` seconds at most; what it returns names it.

        It sleeps no more than ``seconds_left`` in all. What has not come to pass by then, the service shall decide.
        """
        who = f"{platform.node()}:{os.getpid()}:{next(_numbers)}"
        while True:
            pause = self._change(lambda ledger, now: ledger.ask(who, now, now + timeout))
            if not pause:
                return who
            if pause > seconds_left:
                self._change(lambda ledger, now: ledger.depart(who, now, now + timeout))
                return who
            sleep(pause)
            seconds_left -= pause

    def report(self, who: str, outcome: WireOutcome) -> None:
        """Takes in what became of the request that ``who`` names."""
        self._change(lambda ledger, now: _enter(ledger, who, outcome, now))

    def _change(self, change: t.Callable[[Ledger, float], float | None]) -> float | None:
        """What ``change`` makes of the ledger, as long as it is held; None where there is none to be had."""
        if self._folder is None:
            return None
        try:
            with self._folder.locked(self._name, within=LOCK_PATIENCE) as file:
                ledger = _read(file)
                _drop_dead(ledger)
                outcome = change(ledger, self._clock())
                _write(file, ledger)
                return outcome
        except OSError as error:
            self._go_alone(str(self._folder.path), error)
            self._folder = None
            return None

    def _usable(self, state_dir: str, *, may_create: bool) -> StateFolder | None:
        try:
            folder = StateFolder(state_dir)
            if may_create:
                folder.make()
            return folder if folder.path.exists() else None
        except (OSError, ClawHostersError) as error:
            self._go_alone(state_dir, error)
            return None

    def _go_alone(self, place: str, error: Exception) -> None:
        """Warns that from here on this client waits out answers of 429 by itself."""
        reason = str(error)
        if isinstance(error, OSError) and not isinstance(error, UntrustedError):
            reason = f"{place} can't be used ({error.strerror or error})"
        self._warn(
            f"{one_line(reason, MESSAGE_LIMIT).rstrip('.')}, so the rate limit is not shared with other processes. "
            "Set state_dir to a folder of your own."
        )


def _enter(ledger: Ledger, who: str, outcome: WireOutcome, now: float) -> None:
    if not outcome.sent:
        ledger.never_sent(who)
    elif outcome.status is None:
        ledger.lose(who)
    elif outcome.status == 429:
        ledger.refused(who, now, asked_wait(outcome.headers, now, limited=True))
    else:
        window = window_of(outcome.headers, now)
        ledger.answered(who, now, window, is_success=200 <= outcome.status < 300)


def _read(file: int) -> Ledger:
    """The ledger in ``file``; a new one when it holds none."""
    try:
        return Ledger.from_dict(json.loads(os.pread(file, FILE_LIMIT, 0)))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Ledger()


def _write(file: int, ledger: Ledger) -> None:
    data = json.dumps(ledger.as_dict()).encode()
    os.pwrite(file, data, 0)
    os.ftruncate(file, len(data))


def _drop_dead(ledger: Ledger) -> None:
    """Lets go of those whose process is no more, as far as it was one of this machine."""
    here = platform.node()
    is_dead: dict[str, bool] = {}
    for who in [*ledger.flights, *ledger.queue]:
        process = who.rpartition(":")[0]
        node, _colon, number = process.rpartition(":")
        if process not in is_dead:
            is_dead[process] = node == here and number.isdecimal() and len(number) < 10 and not _is_alive(int(number))
        if is_dead[process]:
            ledger.queue.pop(who, None)
            ledger.lose(who)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
