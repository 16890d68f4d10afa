# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module against every fault, on each of its requests: a result or one clear line, and nothing sent twice."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path
from types import ModuleType

import pytest

from simulator.handle import Simulator
from support.controller import REPOSITORY
from support.worker import Worker

OPTIONS: dict[str, dict[str, t.Any]] = {
    "claw_account_info": {},
    "claw_addon": {"addon_type": "llm", "instance_name": "web-bot", "config": {"usage_limit": 7}},
    "claw_addon_info": {"instance_name": "web-bot"},
    "claw_backup_info": {"instance_name": "web-bot"},
    "claw_backup_restore": {"incident": "INC-1", "instance_name": "web-bot"},
    "claw_billing_info": {"include": ["summary", "usage", "transactions", "packages"]},
    "claw_fleet": {"instances": [{"name": "web-bot", "state": "stopped"}]},
    "claw_health_info": {},
    "claw_instance": {"name": "web-bot", "state": "stopped"},
    "claw_instance_info": {"name": "web-bot", "details": True},
    "claw_purchase": {"order": "one", "package_id": 1, "balance_below": 1000},
}
ODD_ANSWERS: list[object] = [
    None,
    [],
    "text",
    42,
    {},
    {"data": None},
    {"data": []},
    {"data": {}},
    {"data": "text"},
    {"data": [None, 1, "x"]},
    {"data": [{"id": None}]},
    {"data": {"id": [], "status": {}, "name": 5, "instance": 7}},
    {"data": [{"id": 1, "name": None, "status": None}], "pagination": "x"},
    {"data": [{"id": 1, "name": "web-bot"}], "pagination": {"total_pages": -1, "total_count": 1e300}},
    {"data": {"id": 1, "claws_balance": "many", "config": {"a": None}}},
    {"error": {"code": 5, "message": ["x"], "details": {"a": {"b": []}}}},
]
WRITES = {"POST", "PATCH", "DELETE"}


def module(name: str) -> ModuleType:
    return importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.modules.{name}")


@pytest.fixture
def worker(simulator: Simulator, tmp_path: Path) -> Worker:
    """An account in which every module has something to do, and a controller with little patience."""
    simulator.reset(
        state={
            "balance": 500,
            "instances": [{"id": 1, "name": "web-bot"}],
            "addons": [{"id": 1, "instance": "web-bot", "addon_type": "llm"}],
            "backups": [{"id": 1, "instance": "web-bot", "created_at": "5h ago"}],
        }
    )
    return Worker(simulator, {"state_dir": str(tmp_path / "state"), "retry_timeout": 0, "timeout": 5})


def run(worker: Worker, name: str, **options: t.Any) -> dict[str, t.Any]:
    """The result of the module's task; the worker sees to it that it is one line, and no fault of the collection."""
    return worker.run(module(name), **OPTIONS[name], **options)


def assert_nothing_was_done_twice(simulator: Simulator) -> None:
    writes = [entry["path"] for entry in simulator.log() if entry["method"] in WRITES]
    assert all(count <= 1 for count in simulator.effects().values())
    assert not any(writes.count(path) > 1 for path in writes if "restore" in path or "buy_claws" in path)


def test_no_module_is_left_out() -> None:
    assert sorted(OPTIONS) == sorted(path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py"))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=lambda answer: str(answer)[:40])
def test_anything_in_place_of_any_answer(
    simulator: Simulator, worker: Worker, name: str, answer: object, tmp_path: Path
) -> None:
    state = simulator.state()
    for turn in range(5):
        simulator.reset(state=state)
        simulator.fault("wrong_type", body=answer, skip=turn)
        result = run(worker, name, state_dir=str(tmp_path / str(turn)))
        assert not result["failed"] or len(result["msg"]) > 10
        assert_nothing_was_done_twice(simulator)
