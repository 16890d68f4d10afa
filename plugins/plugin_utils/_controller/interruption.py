# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows on Ctrl-C what an interrupted task has done, and how to continue.

A task whose controller process has ended is interrupted before it sends a further change: its terminal was closed, or
it was killed. While that process is stopped, as by Ctrl-Z, no further change is sent.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import typing as t
from pathlib import Path
from textwrap import TextWrapper
from types import FrameType

from ...module_utils._progress import Cancelled, Progress, sleep
from ...module_utils._text import MESSAGE_LIMIT, one_line

STDERR = 2
WAITING = "Interrupted. Waiting for the response to what was sent last, so that its outcome is recorded."
ENDED = "The process of the Ansible command has ended: no more is sent."
_WRAPPER = TextWrapper(80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
STOPPED_INTERVAL = 0.2
"""Seconds after which it is seen that the controller process was continued."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what ansible-core sends to its workers after it."""


def _duplicate_stderr() -> int | None:
    with contextlib.suppress(OSError):
        return os.dup(STDERR)
    return None


_stderr = _duplicate_stderr()
"""The terminal. ansible-core imports action plugins before it forks a worker. From 2.19 a worker has no standard error
of its own, and after Ctrl-C nobody reads what it displays."""


@contextlib.contextmanager
def interrupt_texts_shown(progress: Progress) -> t.Iterator[None]:
    """During the block, Ctrl-C and SIGTERM show the notes of ``progress``, and then do what they did before.

    They wait for requests whose outcome must be recorded: ansible-core ends its workers at once. If ``progress``
    unwinds, they raise KeyboardInterrupt first, and do what they did before at the end of the block.

    A closed terminal does not end the block, as up to ansible-core 2.18 it would: what is under way is followed. With
    its parent alone, the process ends at the end of the block, since nobody takes its result.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set signal handlers.
        yield
        return
    interruption = _Interruption(progress)
    progress.require_controller = interruption.require_controller
    previous: dict[int, t.Any] = dict(interruption.previous)
    try:
        for number in SIGNALS:
            signal.signal(number, interruption.handle)
        previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        yield
    finally:
        for handled, handler in previous.items():
            signal.signal(handled, handler)
        if interruption.unwound_by is not None:
            os.kill(os.getpid(), interruption.unwound_by)
        if interruption.has_no_controller:
            os._exit(0)


class _Interruption:
    """Handles the signals of a block. ``unwound_by``: the one for which KeyboardInterrupt was raised."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._is_deferred = self._is_shown = False
        self.unwound_by: int | None = None
        # Asked of multiprocessing, since it may have ended before this process came here.
        parent = multiprocessing.parent_process()
        self._controller = parent.pid if parent else os.getppid()
        self.previous: dict[int, t.Any] = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

    @property
    def has_no_controller(self) -> bool:
        """True if the process that has forked this one has ended."""
        return os.getppid() != self._controller

    def require_controller(self) -> None:
        """See :class:`Progress`. Raises Cancelled or KeyboardInterrupt, unless the signal ends the process."""
        while not self.has_no_controller and self._is_stopped():
            sleep(STOPPED_INTERVAL)
        if self.has_no_controller:
            os.kill(os.getpid(), signal.SIGTERM)
            raise Cancelled

    def _is_stopped(self) -> bool:
        """Returns True if the controller process is stopped. Only Linux tells."""
        with contextlib.suppress(OSError):
            # The name of the program before it may hold anything.
            status = Path(f"/proc/{self._controller}/stat").read_text(encoding="utf-8", errors="replace")
            return status.rpartition(")")[2].split()[0] == "T"
        return False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if self.unwound_by is not None:
            return
        if self._progress.shield.defer(lambda: os.kill(os.getpid(), number)):
            if not self._is_deferred:
                self._is_deferred = True
                _write([WAITING])
            return
        if not self._is_shown:
            # SIGTERM follows Ctrl-C at once, and must not end the process before the notes are written.
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            _write([*([ENDED] if self.has_no_controller else []), *self._progress.interrupt_texts])
            self._is_shown = True
            self.unwound_by = number if self._progress.unwinds else None
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            if self.unwound_by is not None:
                raise KeyboardInterrupt
        signal.signal(number, self.previous[number])
        os.kill(os.getpid(), number)


def _write(notes: list[str]) -> None:
    """Writes each note in lines that fit into a screen, below the ``^C`` of a terminal."""
    if not notes or _stderr is None:
        return
    start = "\n" if os.isatty(_stderr) else ""
    lines = (_WRAPPER.fill(one_line(note, MESSAGE_LIMIT)) for note in notes)
    text = start + "".join(f"{line}\n" for line in lines)
    with contextlib.suppress(OSError):
        os.write(_stderr, text.encode())
