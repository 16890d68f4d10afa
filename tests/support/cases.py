# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test cases of the fault matrix: one task per module and option, the inventory, and their expected effects.

``asked`` and ``goal`` define the expected effects independently of the plugins.
"""

from __future__ import annotations

import importlib
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import ModuleType

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.plan_scope import digest

Result = dict[str, t.Any]

STATE: dict[str, t.Any] = {
    "balance": 500,
    "instances": [
        {"id": 111, "name": "alpha", "billing_mode": "daily"},
        {"id": 112, "name": "beta", "billing_mode": "daily", "status": "stopped"},
        {"id": 113, "name": "web-bot", "billing_mode": "daily"},
        {"id": 114, "name": "delta", "billing_mode": "daily"},
        {"id": 115, "name": "echo", "billing_mode": "daily", "status": "stopped"},
    ],
    "addons": [
        {"id": number, "instance_id": 110 + number, "addon_type": "llm", "usage_limit": 100} for number in range(1, 6)
    ],
    "backups": [
        {"id": 11, "instance_id": 111, "created_at": "5h ago"},
        {"id": 31, "instance_id": 113, "created_at": "29h ago"},
        {"id": 32, "instance_id": 113, "created_at": "5h ago"},
    ],
    "transactions": [
        {
            "id": number,
            "transaction_type": "charge",
            "amount": -number,
            "balance_after": 500,
            "description": f"Day {number}",
            "created_at": "2026-02-01T00:00:00Z",
        }
        for number in range(1, 6)
    ],
}
SWITCHES: dict[str, t.Any] = {"per_page_default": 2, "transition_reads": 1}
"""Every list has several pages, and every transition takes time. A new instance gets the smallest free id."""


class World:
    """The state of the simulator, queried by the cases."""

    def __init__(self, state: dict[str, t.Any]) -> None:
        self.state = state
        self.names = {instance["name"] for instance in state["instances"]}

    def find(self, collection: str, number: int) -> dict[str, t.Any]:
        """Returns the instance or the add-on; an empty one if there is none."""
        return next((one for one in self.state[collection] if one["id"] == number), {})


Goal = t.Callable[[World, World, Result], bool]
"""Returns True if a successful task did its job, from the worlds before and after it and its result."""


def _read(_before: World, _after: World, _result: Result) -> bool:
    return True


def _names(shown: t.Callable[[Result], set[str]]) -> Goal:
    """Builds a goal: the list is complete, except for instances that came or went during the task."""

    def goal(before: World, after: World, result: Result) -> bool:
        return before.names & after.names <= shown(result) <= before.names | after.names

    return goal


def _each(field: str, expected: dict[int, t.Any], collection: str = "instances") -> Goal:
    def goal(_before: World, after: World, _result: Result) -> bool:
        return all(after.find(collection, number).get(field) == value for number, value in expected.items())

    return goal


def _fleet(before: World, after: World, result: Result) -> bool:
    # By name, since a new instance may get the id of a deleted one.
    is_gone = "echo" not in after.names
    return is_gone and _each("status", {112: "running", 113: "stopped", 114: "running"})(before, after, result)


@dataclass(frozen=True)
class Case:
    """One task: a module with options, or the inventory with its configuration."""

    name: str
    module: str
    options: dict[str, t.Any] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    """Expected effects, as counted by the simulator."""
    goal: Goal = _read
    is_once: bool = False
    """True if the effect must happen once, however often the task runs."""
    wants_gone: bool = False
    """True if the task succeeds when the service reports that the object does not exist."""
    plan: tuple[dict[str, t.Any], ...] = ()
    """The entries of the plan that a first run applies. What it leaves, a second run changes without a plan."""

    def __str__(self) -> str:
        return self.name

    def first_options(self, url: str) -> dict[str, t.Any]:
        """Returns the options of a first run, against the service at ``url``."""
        if not self.plan:
            return self.options
        made_at = datetime.now(UTC).isoformat()
        plan = {"service": url, "account": "1", "made_at": made_at, "entries": list(self.plan)}
        return {**self.options, "plan": {**plan, "digest": digest(plan)}}


TO_STOP = {"action": "stop", "found": "running"}
CASES = [
    Case("account_info", "claw_account_info"),
    Case(
        "addon of an instance",
        "claw_addon",
        {"addon_type": "llm", "instance_name": "web-bot", "config": {"usage_limit": 7}},
        {"patches": 1},
        _each("usage_limit", {3: 7}, "addons"),
    ),
    Case(
        "addon by id",
        "claw_addon",
        {"id": 3, "config": {"usage_limit": 7}},
        {"patches": 1},
        _each("usage_limit", {3: 7}, "addons"),
    ),
    Case("addon_info", "claw_addon_info", {"instance_name": "web-bot"}),
    Case("backup_info", "claw_backup_info", {"instance_name": "web-bot", "newest": True}),
    Case(
        "backup_restore of the latest",
        "claw_backup_restore",
        {"incident": "INC-1", "instance_name": "web-bot"},
        {"restores": 1},
        _each("_restored_from", {113: 32}),
        is_once=True,
    ),
    Case(
        "backup_restore by id",
        "claw_backup_restore",
        {"incident": "INC-1", "backup_id": 31},
        {"restores": 1},
        _each("_restored_from", {113: 31}),
        is_once=True,
    ),
    Case(
        "backup_restore without waiting",
        "claw_backup_restore",
        {"incident": "INC-1", "instance_id": 113, "wait": False},
        {"restores": 1},
        is_once=True,
    ),
    Case(
        "billing_info",
        "claw_billing_info",
        {"include": ["summary", "usage", "transactions", "packages"], "max_pages": 0},
    ),
    Case("doctor_info", "claw_doctor_info"),
    Case(
        "fleet",
        "claw_fleet",
        {
            "instances": [
                {"name": "beta", "state": "started"},
                {"name": "web-bot", "state": "stopped"},
                {"name": "echo", "state": "absent"},
            ],
            "ids": [114],
            "state": "restarted",
        },
        {"starts": 1, "stops": 1, "restarts": 1, "deletes": 1},
        _fleet,
        wants_gone=True,
    ),
    Case(
        "fleet in batches",
        "claw_fleet",
        {"names": ["web-bot", "alpha"], "ids": [114], "state": "stopped", "serial": [1, "100%"], "max_failures": 3},
        {"stops": 3},
        _each("status", dict.fromkeys((111, 113, 114), "stopped")),
    ),
    Case(
        "fleet by a plan",
        "claw_fleet",
        {"names": ["web-bot", "alpha"], "ids": [115], "state": "stopped"},
        {"stops": 2},
        _each("status", {111: "stopped", 113: "stopped"}),
        plan=({"id": 113, "name": "web-bot", **TO_STOP}, {"id": 111, "name": "alpha", **TO_STOP}),
    ),
    Case(
        "fleet_restore",
        "claw_fleet_restore",
        {"incident": "INC-1", "instances": [{"id": 111, "backup_id": 11}], "names": ["web-bot"], "serial": ["100%"]},
        {"restores": 2},
        _each("_restored_from", {113: 32, 111: 11}),
        is_once=True,
    ),
    Case("health_info", "claw_health_info"),
    Case("instance started", "claw_instance", {"id": 112}, {"starts": 1}, _each("status", {112: "running"})),
    Case(
        "instance stopped",
        "claw_instance",
        {"name": "web-bot", "state": "stopped"},
        {"stops": 1},
        _each("status", {113: "stopped"}),
    ),
    Case(
        "instance restarted",
        "claw_instance",
        {"id": 113, "state": "restarted"},
        {"restarts": 1},
        _each("status", {113: "running"}),
    ),
    Case(
        "instance absent",
        "claw_instance",
        {"id": 113, "state": "absent"},
        {"deletes": 1},
        _each("status", {113: None}),
        wants_gone=True,
    ),
    Case("instance stopped, no wait", "claw_instance", {"id": 113, "state": "stopped", "wait": False}, {"stops": 1}),
    Case(
        "instance_info of all",
        "claw_instance_info",
        {},
        goal=_names(lambda result: {instance["name"] for instance in result["instances"]}),
    ),
    Case("instance_info with details", "claw_instance_info", {"name": "web-bot", "details": True}),
    Case(
        "purchase",
        "claw_purchase",
        {"order": "one", "package_id": 1, "balance_below": 1000},
        {"purchases": 1},
        is_once=True,
    ),
    Case("inventory", "inventory", {"statuses": ["all"]}, goal=_names(lambda result: set(result["hosts"]))),
    Case(
        "inventory with details",
        "inventory",
        {"statuses": ["all"], "details": True},
        goal=_names(lambda result: set(result["hosts"])),
        wants_gone=True,
    ),
]


def module_of(case: Case) -> ModuleType:
    """Imports the module of a case, which is not the inventory."""
    return importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.modules.{case.module}")
