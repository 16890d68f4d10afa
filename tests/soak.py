# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ``make test`` again and again: ``python tests/soak.py 10 10``, ten times alone and ten times beside a load.

The load is eight busy processes. Each run has a line: its seconds, the load average of the last five minutes at its
end, and its outcome with the tests that failed. The output of a run that failed is kept in ``build/soak``. The exit
code is 0 if all runs passed.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
import typing as t
from pathlib import Path

BUSY_PROCESSES = 8
KEPT = Path("build/soak")


@contextlib.contextmanager
def busy_processes(count: int) -> t.Iterator[None]:
    """Keeps this many processes busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _number in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(name: str) -> str:
    """Runs ``make test`` once, and returns the line of the run. It ends with "green" if the run passed."""
    begun = time.monotonic()
    done = subprocess.run(
        ["make", "test"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    line = f"{name:<10} {time.monotonic() - begun:6.0f} s   load {os.getloadavg()[1]:5.1f}   "
    if done.returncode == 0:
        return line + "green"
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / f"{time.strftime('%Y%m%d-%H%M%S')}-{name.replace(' ', '-')}.txt"
    kept.write_text(done.stdout, encoding="utf-8")
    failed = re.findall(r"^(?:FAILED|ERROR) (tests/[^ \[\n]+(?:\[.*?\](?= - |$))?)", done.stdout, re.MULTILINE)
    return f"{line}red: {', '.join(failed) or 'no test'} (output: {kept})"


def main(alone: int, beside: int) -> int:
    """Returns the exit code."""
    lines = []
    try:
        for kind, count, busy in (("idle", alone, 0), ("loaded", beside, BUSY_PROCESSES)):
            with busy_processes(busy if count else 0):
                for number in range(1, count + 1):
                    lines.append(run(f"{kind} {number}"))
                    print(lines[-1], flush=True)
    except KeyboardInterrupt:
        print("Interrupted.")
    print("\n" + "\n".join(lines))
    green = sum(line.endswith("green") for line in lines)
    print(f"{green} of {alone + beside} green")
    return int(green < alone + beside)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
