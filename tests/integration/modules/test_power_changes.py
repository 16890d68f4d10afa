# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One engine: claw_instance changes an instance, and explains a failure, as claw_fleet does for a fleet of one."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_instance
from simulator.handle import Simulator
from support import TIME_OF_DAY
from support.worker import Worker

STATES = ("started", "stopped", "restarted", "absent")
STATUSES = ("running", "stopped", "error", "deploying")
FAULTS: dict[str, dict[str, t.Any] | None] = {
    "none": None,
    "lost response": {"kind": "reset_after"},
    "lost request": {"kind": "reset_before", "times": None},
    "refused": {"kind": "status", "status": 422, "message": "Not now"},
    "forbidden": {"kind": "forbidden"},
    "revoked key": {"kind": "unauthorized", "method": "GET", "skip": 1, "times": None},
    "no answer": {"kind": "json_503", "method": "GET", "skip": 1, "times": None},
}
CASES = [
    (status, fault)
    for status in STATUSES
    for fault in FAULTS
    # The list shows no flags, so a fleet reads the detail of what the table rejects.
    if fault not in ("revoked key", "no answer") or status != "error"
]
NEVER_DONE = {"transition_reads": 1000, "transition_shows": "busy"}


def run(simulator: Simulator, module: t.Any, status: str, state: str, fault: str) -> dict[str, t.Any]:
    """Runs a task in a fresh world. Returns what it did, and its message without what differs between the modules."""
    instance = {"id": 1, "name": "web-bot", "status": status, "billing_mode": "daily"}
    simulator.reset(state={"instances": [instance]}, switches=NEVER_DONE)
    if options := FAULTS[fault]:
        method = "DELETE" if state == "absent" else "POST"
        simulator.fault(**{"method": method, **options})
    given = {"id": 1} if module is claw_instance else {"instances": [{"id": 1}]}
    worker = Worker(simulator, {"retry_timeout": 0})
    result = worker.run(module, state=state, wait_timeout=30, **given)
    message = result.get("msg", "")
    for prefix in ("web-bot (id 1): ", "1 of 1 entries failed: entry 1, web-bot (id 1): "):
        message = message.removeprefix(prefix)
    return {
        "writes": [call for call in simulator.calls() if not call.startswith("GET")],
        "changed": result["changed"],
        "failed": result["failed"],
        "error": result.get("error", {}).get("status"),
        "message": re.sub(rf"{TIME_OF_DAY}|GET /instances(/1)? ", "", message),
        "waits": [line for line in worker.lines if "backups" not in line],
    }


@pytest.mark.parametrize(("status", "fault"), CASES)
def test_one_instance_is_changed_and_explained_as_a_fleet_of_one(simulator: Simulator, status: str, fault: str) -> None:
    for state in STATES:
        alone, in_fleet = (run(simulator, module, status, state, fault) for module in (claw_instance, claw_fleet))
        assert alone == in_fleet, state


@pytest.mark.parametrize("planned", [False, True])
def test_a_batch_that_ends_unfinished_says_how_the_rest_goes_on(simulator: Simulator, planned: bool) -> None:
    instances = [{"id": number, "name": f"bot-{number}", "status": "running"} for number in (1, 2)]
    simulator.reset(state={"instances": instances}, switches=NEVER_DONE)
    worker, options = Worker(simulator), {"ids": [1, 2], "state": "restarted", "serial": 1, "wait_timeout": 30}
    advice = "Run this again, with state: started for what was restarted, to continue."
    if planned:
        options["plan"] = worker.run(claw_fleet, check=True, **options)["plan"]
        advice = "Run the same task again: the plan continues."
    assert f" deploying. {advice} Not begun: 1" in worker.run(claw_fleet, **options)["msg"]
