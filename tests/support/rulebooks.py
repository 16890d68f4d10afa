# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-rulebook until a test has seen what it waits for."""

from __future__ import annotations

import contextlib
import subprocess
import time
import typing as t
from pathlib import Path

from simulator.handle import Simulator
from support import KEY
from support.controller import BIN, Controller

TIMEOUT = 240
"""Seconds after which a test gives up."""


class Rulebook:
    """An ansible-rulebook at work."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def screen(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def until(self, condition: t.Callable[[], bool]) -> None:
        end = time.monotonic() + TIMEOUT
        while not condition():
            assert self._process.poll() is None, self.screen
            assert time.monotonic() < end, self.screen
            time.sleep(0.1)


@contextlib.contextmanager
def rulebook(
    controller: Controller,
    java_home: str | None,
    simulator: Simulator,
    name: str,
    *options: str,
    command: list[str] | None = None,
) -> t.Iterator[Rulebook]:
    """A rulebook of the collection that has had its first look; it is stopped at the end. ``command`` may start it."""
    environment = {**controller.environment, **({"JAVA_HOME": java_home} if java_home else {})}
    log = controller.folder / f"{name}-{time.monotonic_ns()}.log"
    rulebook_name = name if name.endswith(".yml") else f"clawhosters.cloud.{name}"
    command = command or [str(BIN / "ansible-rulebook"), "--rulebook", rulebook_name, *options]
    place = {"cwd": controller.folder, "env": environment, "stdin": subprocess.DEVNULL}
    with log.open("wb") as stream, subprocess.Popen(command, **place, stdout=stream, stderr=stream) as process:
        running = Rulebook(process, log)
        simulator.clear_log()
        try:
            looks(running, simulator)
            yield running
        finally:
            process.terminate()
            try:
                process.wait(TIMEOUT)
            finally:
                process.kill()
    assert KEY not in running.screen
    assert "Traceback" not in running.screen


def looks(running: Rulebook, simulator: Simulator) -> None:
    """Returns when a look is over that began after the call."""
    begun = len(simulator.calls("GET /instances"))
    running.until(lambda: len(simulator.calls("GET /instances")) >= begun + 2)
