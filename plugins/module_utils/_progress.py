# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sleeps, reports progress, and ends calls of other threads whose results are no longer needed."""

from __future__ import annotations

import contextlib
import math
import threading
import time
import typing as t

from ._text import one_line

REPORT_INTERVAL = 10.0
LINE_WIDTH = 53
"""Columns of a progress line before its times."""
MIN_SLEEP = 1e-4
"""Seconds. A shorter sleep is a rounding error and may not advance the clock."""

_current_call = threading.local()


class Cancelled(Exception):
    """The result of this call is no longer needed."""


class Cancellation(threading.Event):
    """Set when the results of some calls are no longer needed, those of calls within these calls included."""

    def __init__(self, outer: Cancellation | None = None) -> None:
        super().__init__()
        self._inner: list[Cancellation] = []
        if outer is not None:
            outer._inner.append(self)
            if outer.is_set():
                self.set()

    def set(self) -> None:
        super().set()
        for inner in self._inner:
            inner.set()


def heed(cancellation: Cancellation) -> None:
    """From now on, :func:`sleep` and :func:`raise_if_cancelled` end what this thread does once that is set."""
    _current_call.cancellation = cancellation


def sleep(seconds: float) -> None:
    """Sleeps. Raises Cancelled as soon as the cancellation that this thread heeds is set."""
    cancellation = current_cancellation()
    if cancellation is None:
        time.sleep(seconds)
    elif cancellation.wait(seconds):
        raise Cancelled


def raise_if_cancelled() -> None:
    """Raises Cancelled if the cancellation that this thread heeds is set."""
    if (cancellation := current_cancellation()) and cancellation.is_set():
        raise Cancelled


def current_cancellation() -> Cancellation | None:
    """Returns the cancellation that this thread heeds, or None. Each call of :func:`map_ordered` heeds one."""
    return getattr(_current_call, "cancellation", None)


def fit_line(text: str) -> str:
    """Returns a text as a progress line begins with it. If it is cut, then not after a comma or in open parentheses."""
    line = one_line(text, LINE_WIDTH)
    if not line.endswith("…"):
        return line
    cut = line[:-1].rstrip(" ,:(")
    return f"{cut[: LINE_WIDTH - 2].rstrip()}…)" if cut.count("(") > cut.count(")") else f"{cut}…"


class InterruptShield:
    """Defers Ctrl-C while requests are under way whose outcome must be recorded. A signal handler may call it."""

    def __init__(self) -> None:
        # Reentrant: the signal handler may interrupt the methods in the main thread.
        self._lock = threading.RLock()
        self._count = 0
        self._deferred: t.Callable[[], None] | None = None

    def enter(self) -> None:
        """Called before such a request. Raises Cancelled after Ctrl-C: then no more is sent."""
        with self._lock:
            if self._deferred:
                raise Cancelled
            self._count += 1

    def leave(self) -> None:
        """Called once the outcome is recorded. Interrupts if that was deferred, and this request was the last."""
        with self._lock:
            self._count -= 1
            interrupt = self._deferred if self._count == 0 else None
            if interrupt:
                self._deferred = None
        if interrupt:
            interrupt()

    def defer(self, interrupt: t.Callable[[], None]) -> bool:
        """Returns True if a request is under way; then ``interrupt`` is called at its end, in any thread."""
        with self._lock:
            if self._count:
                self._deferred = interrupt
            return bool(self._count)


class Progress:
    """Sleeps, and every ten seconds shows what for: ``web-bot: deploying, 20 s of at most 300 s``."""

    def __init__(
        self,
        show: t.Callable[[str], None] | None = None,
        *,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = sleep,
        folder: str | None = None,
    ) -> None:
        """``folder``: one of the command, in which its processes note that they showed a wait that they share."""
        self._show = show
        self._folder = folder
        self._sleep = sleep
        self.clock = clock
        self.shield = InterruptShield()
        self.unwinds = False
        """True while Ctrl-C must raise KeyboardInterrupt, to be put on record, and not end the process at once."""
        self.require_controller: t.Callable[[], None] = lambda: None
        """Called before a batch and before each change. It waits while the process that this one works for is stopped.
        If that has ended, it interrupts the task as Ctrl-C does."""
        self._shown_at: dict[str, float] = {}
        self._reported: dict[float, float] = {}
        self._interrupt_notes: list[t.Callable[[], list[str]]] = []
        self._epoch = time.time() - clock()

    def now(self) -> float:
        """Returns Unix time as advanced by ``clock``: jumps of the system clock have no effect."""
        return self._epoch + self.clock()

    @property
    def interrupt_texts(self) -> list[str]:
        """Texts to show if the task is interrupted now."""
        return [line for list_lines in self._interrupt_notes for line in list_lines()]

    @contextlib.contextmanager
    def if_interrupted(self, list_lines: t.Callable[[], list[str]]) -> t.Iterator[None]:
        """During the block, Ctrl-C shows lines: what was done until then, and what to do. A signal handler asks."""
        self._interrupt_notes.append(list_lines)
        try:
            yield
        finally:
            self._interrupt_notes.remove(list_lines)

    def sleep(self, seconds: float, what: t.Callable[[float], str], *, since: float, limit: float) -> None:
        """Sleeps ``seconds`` of a wait that began at ``since`` (by ``clock``) and lasts at most ``limit``, or forever.

        ``what`` returns what the wait is for at a time of ``clock``; no line is shown if that is empty.
        """
        end = self.clock() + seconds
        self._report_overdue(what, since=since, limit=limit)
        while (remaining := end - self.clock()) > MIN_SLEEP:
            waited = self.clock() - since
            next_report = (waited // REPORT_INTERVAL + 1) * REPORT_INTERVAL
            pause = min(remaining, max(next_report - waited, MIN_SLEEP))
            self._sleep(pause)
            if waited + pause >= next_report - 1e-3:
                self._report_wait(what, next_report, since=since, limit=limit)

    def _report_overdue(self, what: t.Callable[[float], str], *, since: float, limit: float) -> None:
        """Shows a line that became due outside of a sleep, for example during a slow response."""
        due = (self.clock() - since) // REPORT_INTERVAL * REPORT_INTERVAL
        if due > self._reported.get(since, 0.0):
            self._report_wait(what, due, since=since, limit=limit)

    def _report_wait(self, what: t.Callable[[float], str], seconds: float, *, since: float, limit: float) -> None:
        self._reported[since] = seconds
        if reason := what(since + seconds):
            at_most = f" of at most {limit:.0f} s" if seconds <= limit < math.inf else ""
            self.report(f"{reason}, {seconds:.0f} s{at_most}")

    def may_show(self, wait: str) -> bool:
        """Returns False if a process of this command has shown a line about the wait of that name in these ten seconds.

        Always True for a wait without a name, which is no other's.
        """
        if wait and self._folder:
            try:
                # Only one of them creates the file, and none waits for another one, which may be stopped.
                open(f"{self._folder}/{wait}-{self.clock() // REPORT_INTERVAL:.0f}", "x").close()
            except FileExistsError:
                return False
            except OSError:
                pass  # each shows its own
        return True

    def report(self, line: str) -> None:
        """Shows a line, unless another thread has just shown the same one."""
        now = self.clock()
        if self._show and now - self._shown_at.get(line, -math.inf) > REPORT_INTERVAL / 2:
            self._shown_at[line] = now
            self._show(line)
