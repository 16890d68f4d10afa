# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs commands, takes their wall time, processor time and peak memory, and does it by turns."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

BIN = Path(sys.executable).parent
COLLECTIONS = Path(__file__).resolve().parents[2] / "build" / "live"
PATIENCE = 900.0
"""Seconds after which a command is taken for hung, and ended."""

LAUNCHER = """
import json, os, sys, time
begun = time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_child, status, usage = os.wait4(child, 0)
wall = time.monotonic() - begun
with open(sys.argv[1], "w") as report:
    json.dump([os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss], report)
"""
"""Starts a command and writes down what it cost: the kernel's own account, which holds the forks that it waited for.

A process of its own, and a small one: what a command is started from counts for its peak of memory.
"""

T = TypeVar("T")


class BenchError(Exception):
    """Something didn't do what it is measured for; the text says what."""


@dataclass(frozen=True)
class Sample:
    """One command: its exit code and output, and what it cost with all the processes that it started."""

    rc: int
    stdout: str
    stderr: str
    wall: float
    cpu: float
    peak: float
    """MB that the largest of its processes held at once."""

    @property
    def screen(self) -> str:
        return self.stdout + self.stderr


class Running:
    """A command at work; `finish` waits for it."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        with ExitStack() as stack:
            # Files, not pipes: nobody reads while it runs.
            self._output, self._errors = (
                stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _stream in range(2)
            )
            self._report = stack.enter_context(tempfile.NamedTemporaryFile("r", encoding="utf-8"))
            self._files = stack.pop_all()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, self._report.name, *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            start_new_session=True,
        )
        self._watchdog = threading.Timer(PATIENCE, lambda: os.killpg(self._process.pid, signal.SIGKILL))
        self._watchdog.daemon = True
        self._watchdog.start()

    def finish(self) -> Sample:
        """What it cost. Raises BenchError if it was ended for taking too long."""
        self._process.wait()
        self._watchdog.cancel()
        with self._files:
            self._output.seek(0)
            self._errors.seek(0)
            stdout, stderr, report = self._output.read(), self._errors.read(), self._report.read()
        if not report:
            raise BenchError(f"A command was ended after {PATIENCE:g} s, or could not be started:\n{stderr[-3000:]}")
        rc, wall, cpu, peak = json.loads(report)
        # Kilobytes everywhere but on macOS.
        return Sample(rc, stdout, stderr, wall, cpu, peak / (1e6 if sys.platform == "darwin" else 1e3))


class Workplace:
    """A folder and a home of its own, from which Ansible's commands are run: nothing of the caller's gets in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "home").mkdir()
        self._environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            # A peer may warn of an ansible-core newer than itself; that is no news here.
            "ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH": "ignore",
        }

    def write(self, name: str, content: object) -> str:
        """A file in the folder, YAML of ``content``."""
        (self.folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return name

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> Running:
        """The command at work, with these variables besides."""
        return Running(command, self.folder, {**self._environment, **environment})

    def run(self, command: Sequence[str], environment: Mapping[str, str], *, may_fail: bool = False) -> Sample:
        """The command done. Raises BenchError if it failed and may not."""
        sample = self.start(command, environment).finish()
        if sample.rc and not may_fail:
            raise BenchError(f"{' '.join(command)} failed with {sample.rc}:\n{sample.screen[-3000:]}")
        return sample


def rotated(entries: Sequence[T], run: int) -> list[T]:
    """The entries in the order of this run: each run begins with another, so that none is always first."""
    shift = run % len(entries)
    return [*entries[shift:], *entries[:shift]]


def median_of(samples: Iterable[T], value: Callable[[T], float]) -> float:
    """The median of one value of the samples."""
    return statistics.median(map(value, samples))


def tell(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)
