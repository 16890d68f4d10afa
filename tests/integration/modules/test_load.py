# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thousand instances, three operators and one key: two share a controller, one knows nothing of them."""

from __future__ import annotations

import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support import KEY
from support.controller import Controller, Run

pytestmark = pytest.mark.rest

COUNT = 1000
LIMIT = 250
"""Requests in each second, far fewer than all of them send."""
OPERATORS = {"first": "one", "second": "one", "third": "two"}
"""Who runs it, and on which controller."""

WORLD = [
    {
        "id": number,
        "name": f"bot-{number}",
        "billing_mode": "daily",
        "status": "stopped" if number % 10 == 0 else "running",
    }
    for number in range(1, COUNT + 1)
]
TO_START = [number for number in range(1, COUNT + 1) if number % 10 == 0]
TO_STOP = [number for number in range(1, COUNT + 1) if number % 10 == 5]
DECLARED = [
    {"name": f"bot-{number}", **({"state": "stopped"} if number in TO_STOP else {})} for number in range(1, COUNT + 1)
]


@pytest.fixture
def operators(tmp_path: Path, collections: Path, simulator: Simulator) -> list[Controller]:
    """Each with a playbook and a home of their own, and the state_dir of their controller."""
    found = []
    for name, controller in OPERATORS.items():
        folder = tmp_path / name
        folder.mkdir()
        environment = {
            "CLAWHOSTERS_API_URL": simulator.url,
            "CLAWHOSTERS_API_KEY": KEY,
            "CLAWHOSTERS_STATE_DIR": str(tmp_path / controller),
        }
        found.append(Controller(folder, collections, environment))
    return found


def declare(operator: Controller) -> Run:
    # Large pages: here it is the changes that are many, and a look that costs less comes sooner.
    return operator.task({"instances": DECLARED, "page_size": 100}, module="claw_fleet")


def all_at_once(operators: list[Controller]) -> list[Run]:
    with ThreadPoolExecutor(len(operators)) as pool:
        return list(pool.map(declare, operators))


@pytest.mark.slow
@pytest.mark.parametrize(
    "switches",
    [
        # Who is slower is refused, and finds that it is done.
        pytest.param({"transition_seconds": 0}, id="done-at-once"),
        # Who is slower is refused, finds it busy with what somebody else asked for, and waits instead of asking again.
        pytest.param({"transition_seconds": 1, "transition_shows": "busy"}, id="busy-for-a-while"),
    ],
)
def test_three_operators_declare_a_thousand_instances_at_once(
    simulator: Simulator, operators: list[Controller], switches: dict[str, t.Any]
) -> None:
    simulator.reset(
        state={"instances": WORLD},
        switches={"rate_limit": LIMIT, "rate_window_seconds": 1, "rate_window": "clock", **switches},
    )
    runs = all_at_once(operators)

    for run in runs:
        assert run.rc == 0, run.screen
        assert run.result["summary"]["failed"] == 0
    statuses = {instance["id"]: instance["status"] for instance in simulator.state()["instances"]}
    assert statuses == {number: "stopped" if number in TO_STOP else "running" for number in range(1, COUNT + 1)}
    assert simulator.effects() == {"starts": len(TO_START), "stops": len(TO_STOP)}

    # Each change is the work of one of them; to the others, who may have been a moment late, it is no change.
    changed = Counter(entry["id"] for run in runs for entry in run.result["instances"] if entry["changed"])
    assert changed == Counter(TO_START + TO_STOP)

    # What reached the service was sent once by each operator at most.
    log = simulator.log()
    heard = Counter(request["path"] for request in log if request["method"] == "POST" and request["status"] != 429)
    assert max(heard.values()) <= len(OPERATORS)
    assert set(heard) == {f"/instances/{n}/start" for n in TO_START} | {f"/instances/{n}/stop" for n in TO_STOP}

    # The two controllers can't agree on the last request of a window, but nobody storms.
    assert sum(request["status"] == 429 for request in log) <= len(log) / 10

    again = declare(operators[0])
    assert again.result["summary"] == {"ok": COUNT, "changed": 0, "failed": 0}
