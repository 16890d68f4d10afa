# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs commands and measures their wall time and processor time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

BIN = Path(sys.executable).parent
COLLECTIONS = Path(__file__).resolve().parents[2] / "build" / "live"
TIMEOUT = 900.0
"""Timeout of a command in seconds."""

LAUNCHER = """
import json, os, signal, sys, threading, time

def follow():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=follow, daemon=True).start()
begun = time.monotonic()
no_input = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=no_input)
_child, status, usage = os.wait4(child, 0)
wall = time.monotonic() - begun
with open(sys.argv[1], "w") as report:
    json.dump([os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime], report)
"""
"""Starts a command and records the kernel's resource usage, including its forks.

Its standard input is a pipe that ends with the benchmark, however that ends: then it kills its process group.
"""

T = TypeVar("T")


class BenchError(Exception):
    """A measured command didn't do its work; the message has the details."""


@dataclass(frozen=True)
class Sample:
    """Exit code, output and resource usage of one command with all its child processes."""

    rc: int
    stdout: str
    stderr: str
    wall: float
    cpu: float

    @property
    def screen(self) -> str:
        return self.stdout + self.stderr


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Sample:
    """Runs a command and returns its measurements. Raises BenchError after a timeout."""
    with ExitStack() as stack:
        # Files instead of pipes, since the output is read only at the end.
        output, errors = (stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _stream in range(2))
        report = stack.enter_context(tempfile.NamedTemporaryFile("r", encoding="utf-8"))
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, report.name, *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TIMEOUT)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin:
            process.stdin.close()
        output.seek(0)
        errors.seek(0)
        stdout, stderr, measured = output.read(), errors.read(), report.read()
    if not measured:
        raise BenchError(f"A command timed out after {TIMEOUT:g} s, or could not be started:\n{stderr[-3000:]}")
    rc, wall, cpu = json.loads(measured)
    return Sample(rc, stdout, stderr, wall, cpu)


class Workplace:
    """Runs Ansible's commands in their own folder and home, isolated from the caller's settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "home").mkdir()
        self._environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "true",
            "CLAWHOSTERS_PROGRESS": "0",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            # A peer may warn that ansible-core is newer than it supports.
            "ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH": "ignore",
        }

    def write(self, name: str, content: object) -> str:
        """Writes ``content`` as YAML to a file in the folder and returns its name."""
        (self.folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return name

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Sample:
        """Runs a command with additional environment variables. Raises BenchError if it fails."""
        sample = run(command, self.folder, {**self._environment, **environment})
        if sample.rc:
            raise BenchError(f"{' '.join(command)} failed with {sample.rc}:\n{sample.screen[-3000:]}")
        return sample


def rotate(entries: Sequence[T], run: int) -> list[T]:
    """Returns the entries rotated by the run's number, so that none is always first."""
    shift = run % len(entries)
    return [*entries[shift:], *entries[:shift]]


def log_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
