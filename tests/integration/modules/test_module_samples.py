# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The samples of the modules' results, on their pages, have the fields and types of real results."""

from __future__ import annotations

import importlib
import itertools
import typing as t

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet_restore
from simulator.handle import Simulator
from support.cases import STATE
from support.worker import Worker

RESTORE = {"incident": "INC-1", "names": ["web-bot"]}
STOP = {"ids": [113], "state": "stopped"}
ORDER = {"order": "one", "package_id": 1, "balance_below": 1000}
TASKS: dict[str, list[dict[str, t.Any]]] = {
    "claw_account_info": [{}],
    "claw_addon": [{"id": 3, "config": {"tier": "eco"}}, {"id": 3, "config": {"no": 1}}],
    "claw_addon_info": [{}],
    "claw_backup_info": [{}],
    "claw_backup_restore": [{"incident": "INC-1", "instance_name": "web-bot"}],
    "claw_billing_info": [{"include": ["summary", "usage", "transactions", "packages"]}],
    "claw_doctor_info": [{}],
    "claw_fleet": [{**STOP, "max_changes": 0}, {**STOP, "check": True}, STOP],
    "claw_fleet_restore": [{"incident": "INC-1", "names": [" "]}, RESTORE],
    "claw_health_info": [{}],
    "claw_instance": [{"id": 113}],
    "claw_instance_info": [{}],
    "claw_journal_info": [{}],
    "claw_purchase": [ORDER],
}
"""Tasks of each module that together have all its results. claw_state_database: tests/integration/state."""
OF_THE_ACCOUNT = {("diff", "before"), ("diff", "after"), ("details",), ("shapes",), ("purchase",)}
"""Ends of the ways to objects whose keys come from the user or the service."""


def compare(sample: t.Any, real: t.Any, way: tuple[str, ...] = ()) -> t.Iterator[str]:
    """Yields each difference of fields and types. What is null may have any type."""
    where = ".".join(way)
    if sample is None or real is None:
        return
    if isinstance(sample, dict) and isinstance(real, dict):
        if any(way[-len(end) :] == end for end in OF_THE_ACCOUNT):
            return
        for key in sorted(sample.keys() ^ real.keys()):
            yield f"{where}: {key} is only in the {'sample' if key in sample else 'result'}"
        for key in sample.keys() & real.keys():
            yield from compare(sample[key], real[key], (*way, key))
    elif isinstance(sample, list) and isinstance(real, list):
        for one, other in itertools.product(real[:1], sample):
            if not isinstance(one, dict) or one.get("kind") == other.get("kind"):
                yield from compare(other, one, way)
    elif type(sample) is not type(real):
        yield f"{where}: {type(sample).__name__} in the sample, {type(real).__name__} in the result"


def samples(documented: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    """Returns the sample of each value. A value without one has those of its parts."""
    found = {}
    for name, value in documented.items():
        if "sample" in value:
            found[name] = value["sample"]
        elif value.get("contains"):
            parts = samples(value["contains"])
            found[name] = [parts] if value["type"] == "list" else parts
    return found


@pytest.mark.parametrize("module", TASKS)
def test_a_sample_has_the_fields_of_a_result(simulator: Simulator, module: str) -> None:
    page = importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.modules.{module}")
    documented = samples(yaml.safe_load(page.RETURN))
    simulator.reset(state=STATE, switches={"addon_writable": ["tier"]})
    worker = Worker(simulator)
    if module == "claw_journal_info":
        worker.run(claw_fleet_restore, **RESTORE)
    results = [worker.run(page, **options) for options in TASKS[module]]
    shown = {name: result[name] for result in results for name in documented.keys() & result.keys()}
    differences = [line for name, value in shown.items() for line in compare(documented[name], value, (name,))]
    assert not differences, "\n".join(differences)
    missing = documented.keys() - shown.keys() - {"error", "differences"}
    assert not missing, f"no result of {module} has {missing}"
