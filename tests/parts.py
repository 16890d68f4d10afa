# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs targets of the Makefile side by side: ``python tests/parts.py "unit integration" "lint docs sanity"``.

Each argument is a lane, whose targets run one after another up to the first that fails. The first lane is shown as it
runs; what the others print is shown whole once it has ended, in the order of the arguments. At the end each target has
a line with its outcome and its seconds. The exit code is 0 if all targets passed.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t


class Lane:
    """Targets that run one after another, and their output where it is not shown at once."""

    def __init__(self, targets: list[str], output: t.IO[str] | None) -> None:
        self.outcomes: dict[str, tuple[str, float]] = dict.fromkeys(targets, ("not run", 0.0))
        self.output = output
        self._thread = threading.Thread(target=self._run)
        self._is_stopped = False
        self._process: subprocess.Popen[t.Any] | None = None
        self._thread.start()

    def _run(self) -> None:
        for target in self.outcomes:
            if self._is_stopped:
                return
            begun = time.monotonic()
            self._process = subprocess.Popen(
                ["make", target], stdout=self.output, stderr=subprocess.STDOUT if self.output else None
            )
            code = self._process.wait()
            self.outcomes[target] = ("FAILED" if code else "passed", time.monotonic() - begun)
            if code:
                return

    def stop(self) -> None:
        """Ends the target that runs now, and begins no other."""
        self._is_stopped = True
        if self._process:
            self._process.send_signal(signal.SIGINT)

    def finish(self) -> None:
        """Waits for the lane, and shows what it printed."""
        self._thread.join()
        if self.output:
            self.output.seek(0)
            print(self.output.read(), end="", flush=True)


def main(lanes: list[str]) -> int:
    """Returns the exit code."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile("w+", errors="replace")) for _lane in lanes[1:]]
        running = [Lane(targets.split(), output) for targets, output in zip(lanes, [None, *outputs], strict=True)]
        try:
            for lane in running:
                lane.finish()
        except KeyboardInterrupt:
            for lane in running:
                lane.stop()
            return 130
    outcomes = {target: outcome for lane in running for target, outcome in lane.outcomes.items()}
    print()
    for target, (outcome, seconds) in outcomes.items():
        print(f"{target:<14} {outcome:<8} {seconds:6.1f} s")
    print(f"{'all':<14} {'':<8} {time.monotonic() - begun:6.1f} s")
    return int(any(outcome != "passed" for outcome, _seconds in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
