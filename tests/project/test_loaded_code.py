# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task loads what it uses: Ansible compiles the code of a collection anew in every command."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from project.loaded_code import count_loaded, format_table, list_plugins

LIMITS = {
    "action/claw_account_info": 5150,
    "action/claw_health_info": 5250,
    "action/claw_instance": 7470,
    "action/claw_backup_restore": 12_265,
    "action/claw_fleet": 8755,
    "action/claw_fleet_addon": 8700,
    "action/claw_fleet_restore": 12_700,
    "action/claw_addon": 8480,
    "action/claw_purchase": 7490,
    "action/internal_restore": 16_035,
    "inventory/instances": 6770,
    "event_source/instances": 6260,
}
"""Lines that a plugin may load. Before you raise one, look at its files: `python -m project.loaded_code NAME`."""

DATABASE, JOURNAL, LISTS = "_state/postgres_", "_state/journal.py", "_http/pagination"
CHANGES, FLEETS, WAITS = "_service/change_requests", "_model/fleet_", "_waiter.py"
OWNERS, READINGS = "_model/ownership", "_service/restore/"
UNUSED = {
    "action/claw_account_info": (DATABASE, JOURNAL, LISTS, CHANGES, FLEETS, WAITS),
    "action/claw_health_info": (DATABASE, JOURNAL, LISTS, CHANGES, FLEETS, WAITS),
    "action/claw_instance_info": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS, OWNERS),
    "action/claw_backup_info": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS),
    "action/claw_billing_info": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS),
    "action/claw_instance": (DATABASE, JOURNAL, FLEETS, OWNERS, READINGS),
    "action/claw_fleet": (DATABASE, JOURNAL),
    "action/claw_fleet_addon": (DATABASE, JOURNAL, WAITS),
    "action/claw_backup_restore": (DATABASE,),
    "action/claw_purchase": (DATABASE, LISTS, CHANGES, FLEETS, WAITS),
    "inventory/instances": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS, OWNERS),
    "event_source/instances": (DATABASE, JOURNAL, CHANGES, FLEETS, WAITS),
}
"""Beginnings of files of module_utils that a plugin has no use for, until its options name a database."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, dict[Path, int]]:
    return count_loaded(list_plugins())


@pytest.mark.parametrize("name", LIMITS)
def test_a_plugin_loads_no_more_lines_than_its_limit(loaded: dict[str, dict[Path, int]], name: str) -> None:
    assert sum(loaded[name].values()) <= LIMITS[name], format_table(loaded)


@pytest.mark.parametrize("name", UNUSED)
def test_a_plugin_loads_nothing_that_it_has_no_use_for(loaded: dict[str, dict[Path, int]], name: str) -> None:
    root = Path("plugins/module_utils")
    files = [str(path.relative_to(root)) for path in loaded[name] if path.is_relative_to(root)]
    assert [file for file in files if file.startswith(UNUSED[name])] == []


def test_every_file_that_is_loaded_is_counted_once(loaded: dict[str, dict[Path, int]]) -> None:
    assert Path("plugins/plugin_utils/_controller/action.py") in loaded["action/claw_health_info"]
    files: t.Mapping[Path, int] = loaded["action/claw_instance"]
    assert files[Path("plugins/action/claw_instance.py")] == 16
