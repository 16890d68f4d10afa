# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all tests share: a simulated service, fresh for each test."""

from __future__ import annotations

import typing as t

import hypothesis
import pytest

from simulator.handle import Simulator

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def simulator_process() -> t.Iterator[Simulator]:
    """One process for all tests of a worker."""
    with Simulator(instances=60, rate_limit=1_000_000, transition_seconds=0) as process:
        yield process


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The service as it was at its start: 60 instances, no faults, every change done at once."""
    simulator_process.reset()
    return simulator_process
