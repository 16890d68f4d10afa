# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs targets of the Makefile, two at a time: ``python tests/parts.py integration unit lint``.

They begin in the given order: name the longest first, so that none is left to run alone at the end. Those that mostly
wait begin at once, beside the two. The first target is shown as it runs. What the others print is shown whole, in the
order of the arguments. At the end each target has a line with its outcome and its seconds. The exit code is 0 if all
targets passed; one that fails does not stop the others.
"""

from __future__ import annotations

import collections
import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t

AT_A_TIME = 2
WAITING = ("mesh", "crash")
"""Targets that leave the processors to others most of the time."""


class Part:
    """A target, and what it prints where that is not shown at once."""

    def __init__(self, target: str, output: t.IO[str] | None) -> None:
        self.target = target
        self.outcome = "not run"
        self.seconds = 0.0
        self._output = output
        self._process: subprocess.Popen[t.Any] | None = None
        self._has_ended = threading.Event()

    def run(self) -> None:
        """Runs the target."""
        begun = time.monotonic()
        self._process = subprocess.Popen(
            ["make", self.target], stdout=self._output, stderr=subprocess.STDOUT if self._output else None
        )
        self.outcome = "FAILED" if self._process.wait() else "passed"
        self.seconds = time.monotonic() - begun
        self._has_ended.set()

    def interrupt(self) -> None:
        """Ends the target if it runs now."""
        if self._process:
            self._process.send_signal(signal.SIGINT)

    def show(self) -> None:
        """Waits for the end of the target, and shows what it printed."""
        self._has_ended.wait()
        if self._output:
            self._output.seek(0)
            print(self._output.read(), end="", flush=True)


def _work(waiting: collections.deque[Part]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            waiting.popleft().run()


def main(targets: list[str]) -> int:
    """Returns the exit code."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile("w+", errors="replace")) for _target in targets[1:]]
        parts = [Part(target, output) for target, output in zip(targets, [None, *outputs], strict=True)]
        waiting = collections.deque(part for part in parts if part.target not in WAITING)
        workers = [threading.Thread(target=part.run) for part in parts if part.target in WAITING]
        workers += [threading.Thread(target=_work, args=(waiting,)) for _number in range(AT_A_TIME)]
        for worker in workers:
            worker.start()
        try:
            for part in parts:
                part.show()
        except KeyboardInterrupt:
            waiting.clear()
            for part in parts:
                part.interrupt()
            for worker in workers:
                worker.join()
            return 130
    print()
    for part in parts:
        print(f"{part.target:<14} {part.outcome:<8} {part.seconds:6.1f} s")
    print(f"{'all':<14} {'':<8} {time.monotonic() - begun:6.1f} s")
    return int(any(part.outcome != "passed" for part in parts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
