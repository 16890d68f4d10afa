# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows on Ctrl-C what an interrupted task has done, and how to continue.

A closed terminal interrupts no task.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import typing as t
from types import FrameType

from ...module_utils._progress import Progress
from ...module_utils._text import MESSAGE_LIMIT, one_line

STDERR = 2
WAITING = "Interrupted. Waiting for the response to what was sent last, so that its outcome is recorded."
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
def interrupt_notes_shown(progress: Progress) -> t.Iterator[None]:
    """During the block, Ctrl-C and SIGTERM show the notes of ``progress``, and then do what they did before.

    They wait for requests whose outcome must be recorded: ansible-core ends its workers at once. If ``progress``
    unwinds, they raise KeyboardInterrupt first, and do what they did before at the end of the block.

    A closed terminal does not end the block, as up to ansible-core 2.18 it would: with its parent alone, the process
    ends at the end of the block, since nobody takes its result.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set signal handlers.
        yield
        return
    parent = os.getppid()
    interruption = _Interruption(progress)
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
        if os.getppid() != parent:
            os._exit(0)


class _Interruption:
    """Handles the signals of a block. ``unwound_by``: the one for which KeyboardInterrupt was raised."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._is_deferred = self._is_shown = False
        self.unwound_by: int | None = None
        self.previous: dict[int, t.Any] = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

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
            _write(self._progress.interrupt_notes)
            self._is_shown = True
            self.unwound_by = number if self._progress.unwinds else None
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            if self.unwound_by is not None:
                raise KeyboardInterrupt
        signal.signal(number, self.previous[number])
        os.kill(os.getpid(), number)


def _write(notes: list[str]) -> None:
    """Writes a line for each note, below the ``^C`` of a terminal."""
    if not notes or _stderr is None:
        return
    start = "\n" if os.isatty(_stderr) else ""
    text = start + "".join(f"{one_line(note, MESSAGE_LIMIT)}\n" for note in notes)
    with contextlib.suppress(OSError):
        os.write(_stderr, text.encode())
