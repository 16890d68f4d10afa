# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries by which a controller counts managed instances, applied to real results as the controller does."""

from __future__ import annotations

import importlib
import typing as t

import jq
import pytest
import yaml

from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller
from support.worker import Worker

PATH = REPOSITORY / "extensions/audit/event_query.yml"
QUERIES: dict[str, dict[str, str]] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
WITHOUT_INSTANCES = {"claw_account_info", "claw_billing_info", "claw_doctor_info", "claw_health_info", "claw_purchase"}
WITHOUT_INSTANCES |= {"claw_journal_info", "claw_state_database"}
WITHOUT_INSTANCES |= {"internal_fleet_report"}
WITHOUT_INSTANCES |= {"internal_restore_drill", "internal_restore_status", "internal_restore_unhealthy"}
"""Modules whose results are about no instance, or don't name any."""
ROLES: dict[str, dict[str, t.Any]] = {
    "internal_restore": {
        "restore_incident": "INC-2",
        "restore_instances": ["shop-bot", "idle-bot"],
        "restore_confirm": "shop-bot",
        "restore_http_check": False,
    },
    "internal_balance_guard": {"balance_guard_min_days": 100, "balance_guard_stop_order": ["web-bot"]},
    "internal_fleet": {"fleet_instances": [{"name": "shop-bot", "state": "stopped"}]},
}
"""For each query of a role its variables. The restore of idle-bot is not sent: it has no backup."""

TASKS: dict[str, tuple[dict[str, t.Any], list[tuple[str, int]]]] = {
    "claw_instance": ({"name": "web-bot", "state": "stopped"}, [("web-bot", 7)]),
    "claw_instance_info": ({}, [("web-bot", 7), ("shop-bot", 8)]),
    "claw_fleet": ({"instances": [{"name": "shop-bot"}, {"id": 7}], "wait": False}, [("shop-bot", 8), ("web-bot", 7)]),
    "claw_backup_restore": ({"incident": "INC-1", "instance_name": "shop-bot", "wait": False}, [("shop-bot", 8)]),
    "claw_fleet_restore": (
        {"incident": "INC-1", "instances": [{"name": "shop-bot"}], "wait_healthy": False},
        [("shop-bot", 8)],
    ),
    "claw_addon": ({"id": 11, "config": {"usage_limit": 200}}, [("web-bot", 7)]),
    "claw_addon_info": ({}, [("web-bot", 7)]),
    "claw_backup_info": ({}, [("shop-bot", 8)]),
}
"""For each query a task, and what is to be counted then: names and ids."""


def counted(module: str, result: object) -> list[tuple[str, int]]:
    """Returns what the controller counts. Checks what its records need."""
    found = []
    for record in jq.compile(QUERIES[f"clawhosters.cloud.{module}"]["query"]).input_value(result).all():
        assert set(record) == {"name", "canonical_facts", "facts"}
        assert isinstance(record["name"], str)
        assert None not in record["canonical_facts"].values()
        found.append((record["name"], record["canonical_facts"]["clawhosters_instance_id"]))
    return found


def test_every_module_has_a_query_or_is_about_no_instance() -> None:
    modules = {path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py")}
    assert {name.removeprefix("clawhosters.cloud.") for name in QUERIES} == modules - WITHOUT_INSTANCES
    assert {*TASKS, *ROLES} == modules - WITHOUT_INSTANCES


def test_each_query_names_the_instances_of_a_real_result(simulator: Simulator) -> None:
    simulator.reset(
        state={
            "instances": [{"id": 7, "name": "web-bot"}, {"id": 8, "name": "shop-bot"}],
            "backups": [{"id": 80, "instance_id": 8, "created_at": "2h ago"}],
            "addons": [{"id": 11, "instance_id": 7, "addon_type": "llm", "usage_limit": 100}],
        },
        switches={"transition_reads": 1},
    )
    worker = Worker(simulator)
    for name, (options, expected) in TASKS.items():
        module = importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.modules.{name}")
        assert counted(name, worker.run(module, **options)) == expected, name
    assert counted("claw_backup_info", {"backups": [{"id": 80, "instance_id": 8}]}) == [("instance 8", 8)]


@pytest.mark.rest
def test_the_roles_count_what_they_restored_and_stopped(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(
        state={
            "balance": 100,
            "instances": [
                {"id": 7, "name": "web-bot", "billing_mode": "daily"},
                {"id": 8, "name": "shop-bot"},
                {"id": 9, "name": "idle-bot"},
            ],
            "backups": [{"id": 80, "instance_id": 8, "created_at": "2h ago"}],
        }
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for name, variables in ROLES.items():
        role = name.replace("internal_", "clawhosters.cloud.")
        run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "vars": variables, "roles": [role]}])
        # Of the other tasks of a role the query finds nothing.
        found[name] = [one for result in run.all for one in counted(name, result)]
    assert simulator.calls("POST *") == ["POST /backups/80/restore", *(f"POST /instances/{one}/stop" for one in (7, 8))]
    assert found == {
        "internal_restore": [("instance 8", 8)],
        "internal_balance_guard": [("web-bot", 7)],
        "internal_fleet": [("shop-bot", 8)],
    }


@pytest.mark.parametrize("module", [*TASKS, *ROLES])
def test_a_query_counts_nothing_and_does_not_fail_where_there_is_no_instance(module: str) -> None:
    keys = ("instance", "instances", "addon", "addons", "backups")
    nothing: list[object] = [None, [], {}, "text", 5, [None, "text", {"id": None}, {"instance_id": None}]]
    assert counted(module, {"censored": "the output has been hidden", "changed": False}) == []
    assert counted(module, {"failed": True, "msg": "No instance is named web-bot."}) == []
    for value in nothing:
        assert counted(module, dict.fromkeys(keys, value)) == []
