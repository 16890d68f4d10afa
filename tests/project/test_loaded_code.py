# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task loads what it uses: Ansible compiles the code of a collection anew in every command."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

from project.loaded_code import count_loaded, format_table, list_plugins
from support.controller import REPOSITORY

LIMITS = {
    "action/claw_account_info": 4650,
    "action/claw_health_info": 4740,
    "action/claw_instance": 5610,
    "action/claw_backup_restore": 9450,
    "action/claw_fleet": 8520,
    "action/claw_fleet_addon": 8340,
    "action/claw_fleet_restore": 10_120,
    "action/claw_addon": 8120,
    "action/claw_purchase": 6950,
    "action/internal_restore": 10_020,
    "action/internal_restore_plan": 11_340,
    "action/internal_restore_run": 8830,
    "inventory/instances": 6000,
    "event_source/instances": 5820,
}
"""Lines that a plugin may load. Before you raise one, look at its files: `python -m project.loaded_code NAME`."""

DATABASE, JOURNAL, LISTS = "_state/postgres_", "_state/journal.py", "_http/pagination"
CHANGES, FLEETS, WAITS = "_service/instance_changes", "_model/fleet_", "_waiter.py"
OWNERS, READINGS, RARE = "_model/ownership", "_service/restore/", "_http/connection_errors"
PLANS = ("_service/restore/account_reader", "_restore/answers", "_restore/plan_screen", "_restore/role_plan")
PLANNER = ("_service/restore/planner", "_service/restore/incident_plan", "_service/restore/notes")
REFUSALS = ("_service/restore/messages", "_restore/failed_steps", "_restore/advice")
SENDING = ("_service/restore/restore_batch", "_service/restore/restore_runner", "_service/restore/recovery", WAITS)
SENDS = ("_service/restore/restore_", "_service/restore/recovery", "_service/at_most_once", "_restore/restore_task")
BATCHES, MANY = "_model/batches", "_service/restore/restore_many"
UNUSED = {
    "action/claw_account_info": (DATABASE, JOURNAL, LISTS, CHANGES, FLEETS, WAITS, RARE),
    "action/claw_health_info": (DATABASE, JOURNAL, LISTS, CHANGES, FLEETS, WAITS, RARE),
    "action/claw_instance_info": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS, OWNERS),
    "action/claw_backup_info": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS),
    "action/claw_billing_info": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS),
    "action/claw_instance": (DATABASE, JOURNAL, LISTS, CHANGES, FLEETS, WAITS, OWNERS, READINGS, RARE),
    "action/claw_fleet": (DATABASE, JOURNAL),
    "action/claw_fleet_addon": (DATABASE, JOURNAL, WAITS),
    "action/claw_backup_restore": (DATABASE, CHANGES, FLEETS, BATCHES, MANY, *SENDING, *REFUSALS),
    "action/claw_fleet_restore": (DATABASE, CHANGES, *SENDING, *REFUSALS),
    "action/internal_restore": (DATABASE, LISTS, CHANGES, FLEETS, WAITS, *SENDS, *PLANS, *PLANNER, *REFUSALS),
    "action/internal_restore_plan": (DATABASE, CHANGES, FLEETS, WAITS, *SENDS, *REFUSALS),
    "action/internal_restore_run": (DATABASE, LISTS, CHANGES, FLEETS, WAITS, *SENDS, *PLANS, *PLANNER, *REFUSALS),
    "action/claw_purchase": (DATABASE, LISTS, CHANGES, FLEETS, WAITS),
    "inventory/instances": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS, OWNERS, RARE),
    "event_source/instances": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS),
}
"""Beginnings of files below module_utils and plugin_utils that a plugin has no use for, until it names a database."""
SEAMS = {
    "plugins/action/internal_restore.py",
    "plugins/inventory/instances.py",
    "plugins/module_utils/_http/payment.py",
    "plugins/module_utils/_http/transport.py",
    "plugins/module_utils/_model/instance_index.py",
    "plugins/module_utils/_module/arguments.py",
    "plugins/module_utils/_module/open_journal.py",
    "plugins/module_utils/_module/protected.py",
    "plugins/module_utils/_module/runner.py",
    "plugins/module_utils/_service/instance_state.py",
    "plugins/module_utils/_service/restore/incident.py",
    "plugins/module_utils/_service/restore/restore_many.py",
    "plugins/module_utils/_service/restore/restore_one.py",
    "plugins/module_utils/_state/open_store.py",
    "plugins/plugin_utils/_restore/commands.py",
    "plugins/plugin_utils/_restore/role_plan.py",
    "plugins/plugin_utils/_restore/runbook.py",
}
"""Files with an import within a function, of what few tasks need. CONTRIBUTING.md says of what."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, dict[Path, int]]:
    return count_loaded(list_plugins())


@pytest.mark.parametrize("name", LIMITS)
def test_a_plugin_loads_no_more_lines_than_its_limit(loaded: dict[str, dict[Path, int]], name: str) -> None:
    assert sum(loaded[name].values()) <= LIMITS[name], format_table(loaded)


@pytest.mark.parametrize("name", UNUSED)
def test_a_plugin_loads_nothing_that_it_has_no_use_for(loaded: dict[str, dict[Path, int]], name: str) -> None:
    files = [str(path).partition("_utils/")[2] for path in loaded[name]]
    assert [file for file in files if file.startswith(UNUSED[name])] == []


def test_only_the_known_files_import_within_a_function() -> None:
    found = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "plugins").rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(function))
    }
    assert found == SEAMS


def test_every_file_that_is_loaded_is_counted_once(loaded: dict[str, dict[Path, int]]) -> None:
    assert Path("plugins/plugin_utils/_controller/action.py") in loaded["action/claw_health_info"]
    files: t.Mapping[Path, int] = loaded["action/claw_instance"]
    assert files[Path("plugins/action/claw_instance.py")] == 14
