# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services: the simulator for this collection, a stand-in of their API for the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from benchmarks.standin import COUNT
from simulator.handle import HOME, Simulator

UNLIMITED = 1_000_000
"""Limit without effect. It is not zero, so that every response has the headers, as with the real service."""


class Simulated:
    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def reset(self) -> None:
        self.simulator.reset(switches={"rate_limit": UNLIMITED})

    def count_requests(self) -> int:
        return len(self.simulator.log())


class StandIn:
    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def reset(self) -> None:
        self._session.delete(self.url + COUNT, timeout=60)

    def count_requests(self) -> int:
        return int(self._session.get(self.url + COUNT, timeout=60).text)


Service = Simulated | StandIn
"""A service that counts the requests since its last reset."""


@dataclass(frozen=True)
class Services:
    """An account of one size on each of the services."""

    simulated: Simulated
    standin: StandIn

    @property
    def simulator(self) -> Simulator:
        return self.simulated.simulator


@contextmanager
def services(running: int) -> Iterator[Services]:
    """Starts services with so many running instances."""
    state = {"instances": [{"name": f"vm-{number}", "status": "running"} for number in range(1, running + 1)]}
    command = [sys.executable, "-m", "benchmarks.standin", str(running)]
    environment, pipe = {**os.environ, "PYTHONPATH": str(HOME)}, subprocess.PIPE
    with (
        Simulator(state=state, transition_seconds=0) as simulator,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        try:
            yield Services(Simulated(simulator), StandIn(process.stdout.readline().strip()))
        finally:
            process.kill()
