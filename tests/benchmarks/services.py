# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services: the simulator for this collection, a stand-in of their API for the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import requests

from benchmarks.standin import CONTROL
from simulator.handle import HOME, Simulator

UNLIMITED = 1_000_000
"""Limit without effect. It is not zero, so that every response has the headers, as with the real service."""


class Service(Protocol):
    """A service with adjustable latency."""

    def configure(self, *, latency: float = 0.0) -> None:
        """Changes the latency, and resets the count."""

    def count_requests(self) -> int:
        """Returns the number of requests since the last reset."""


class Simulated:
    """Adapter for the simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def configure(self, *, latency: float = 0.0) -> None:
        self.simulator.reset(switches={"rate_limit": UNLIMITED})
        if latency:
            self.simulator.fault("slow", seconds=latency, times=None)

    def count_requests(self) -> int:
        return len(self.simulator.log())


class StandIn:
    """Adapter for the stand-in's process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def configure(self, *, latency: float = 0.0) -> None:
        self._control({"latency": latency})

    def count_requests(self) -> int:
        return int(self._control()["requests"])

    def _control(self, settings: Mapping[str, float] | None = None) -> Any:
        return self._session.get(self.url + CONTROL, params=settings, timeout=60).json()


@dataclass(frozen=True)
class Services:
    """An account of one size on each of the services."""

    simulated: Simulated
    standin: StandIn

    @property
    def simulator(self) -> Simulator:
        return self.simulated.simulator


@contextmanager
def services(*, instances: int | None = None, running: int = 0) -> Iterator[Services]:
    """Starts services with ``instances`` in all statuses, or with ``running`` running ones."""
    state = {"instances": [{"name": f"vm-{number}", "status": "running"} for number in range(1, running + 1)]}
    size = running if instances is None else instances
    command = [sys.executable, "-m", "benchmarks.standin", f"--servers={size}"]
    with (
        Simulator(instances=instances, state=state if instances is None else None, transition_seconds=0) as simulator,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HOME)},
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield Services(Simulated(simulator), StandIn(process.stdout.readline().strip()))
        finally:
            process.kill()
