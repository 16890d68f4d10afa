# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages about instances whose documented fields the service leaves out (contract 11, U23)."""

from __future__ import annotations

import re
import typing as t
from types import ModuleType

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_fleet,
    claw_fleet_restore,
    claw_instance,
)
from simulator.handle import Simulator
from support.worker import Worker

TASKS: list[tuple[ModuleType, dict[str, t.Any]]] = [
    (claw_instance, {"id": 1, "state": "started"}),
    (claw_instance, {"id": 1, "state": "stopped", "wait": False}),
    (claw_instance, {"id": 1, "state": "restarted"}),
    (claw_instance, {"id": 1, "state": "absent"}),
    (claw_instance, {"id": 1, "name": "web-bot", "state": "started"}),
    (claw_fleet, {"ids": [1, 2], "state": "started"}),
    (claw_fleet, {"ids": [1, 2], "state": "stopped", "max_changes": 0}),
    (claw_fleet, {"ids": [1, 2], "state": "absent", "max_deletions": 0}),
    (claw_backup_restore, {"instance_id": 1, "incident": "INC-1"}),
    (claw_backup_restore, {"instance_id": 1, "incident": "INC-1", "force": True, "wait_healthy": True}),
    (claw_fleet_restore, {"ids": [1, 2], "incident": "INC-1"}),
    (claw_fleet_restore, {"ids": [1, 2], "incident": "INC-1", "force": True}),
]


@pytest.mark.parametrize("dropped", ["name", "status", "health_status"])
@pytest.mark.parametrize("status", ["running", "paused"])
@pytest.mark.parametrize(("module", "options"), TASKS)
def test_no_message_says_none(
    simulator: Simulator, module: ModuleType, options: dict[str, t.Any], status: str, dropped: str
) -> None:
    simulator.reset(
        state={
            "instances": [{"id": number, "name": f"bot-{number}", "status": status} for number in (1, 2)],
            "backups": [{"id": 10 + number, "instance_id": number} for number in (1, 2)],
        },
        switches={"drop_fields": [f"instance.{dropped}"], "rate_limit": 0, "transition_seconds": 0},
    )
    for fault in (None, "json_503", "status"):
        if fault:
            simulator.fault(fault, method="[PD]*", times=None, **({"status": 422} if fault == "status" else {}))
        worker = Worker(simulator, {"retry_timeout": 0, "wait_timeout": 30})
        result = worker.run(module, **options)
        simulator.clear_faults()
        items = [item["msg"] for item in result.get("instances") or []]
        texts = [str(result.get("msg", "")), *items, *result.get("report", []), *worker.warnings, *worker.lines]
        assert not [text for text in texts if re.search(r"\bNone\b", text)], texts


def test_an_entry_given_by_its_id_is_named_by_what_was_read(simulator: Simulator) -> None:
    simulator.reset(state={"instances": [{"id": 1, "name": "web-bot", "status": "paused"}]})
    options = {"ids": [1, 99]}
    for module, more in ((claw_fleet, {"state": "started"}), (claw_fleet_restore, {"incident": "INC-1"})):
        message = Worker(simulator).run(module, **options, **more)["msg"]
        assert "entry 1, web-bot (id 1): " in message
        assert "entry 2, id 99: " in message
