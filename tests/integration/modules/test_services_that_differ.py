# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The uses, with each service that differs: it works, warns, or refuses by a field's name, as the doctor says."""

from __future__ import annotations

import importlib
import time
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible.utils.display import Display

from simulator.handle import Simulator
from simulator.switches import plain
from support import KEY
from support.hosts import read_hosts
from support.runbook import Runbook
from support.worker import Worker

Result = dict[str, t.Any]
Flow = t.Callable[[Worker, Path], Result]

NAMES = {"web-bot": "running", "off-bot": "stopped", "bad-bot": "error", "old-bot": "deleting"}
STATE = {
    "balance": 500,
    "instances": [{"id": number, "name": name, "status": NAMES[name]} for number, name in enumerate(NAMES, 1)],
    "backups": [{"id": 10, "instance_id": 1, "created_at": "2h ago"}],
    "addons": [{"id": 7, "instance_id": 1, "addon_type": "llm", "tier": "eco"}],
}


def run(plugin: str, **options: t.Any) -> Flow:
    kind = "action" if plugin.startswith("internal_") else "modules"
    module = importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.{kind}.{plugin}")
    return lambda worker, _home: worker.run(module, **options)


def read_inventory(**options: t.Any) -> Flow:
    def read(worker: Worker, home: Path) -> Result:
        config = {**options, "api_url": getattr(worker.simulator, "url", ""), "api_key": KEY, "state_dir": str(home)}
        with mock.patch.object(Display, "warning", lambda _self, text, **_options: worker.warnings.append(text)):
            result = read_hosts(home, config, worker.sleeper)
        assert result["failed"] or {"web-bot", *({"off-bot"} if options else ())} <= {*result["hosts"]}
        return result

    return read


def apply_plan(worker: Worker, home: Path) -> Result:
    entries = [{"name": "web-bot", "state": "stopped"}, {"name": "off-bot", "state": "started"}]
    planned = run("claw_fleet", instances=entries, check=True)(worker, home)
    return planned if planned["failed"] else run("claw_fleet", instances=entries, plan=planned["plan"])(worker, home)


def restore(worker: Worker, home: Path, **variables: t.Any) -> Result:
    given = variables or {"restore_instances": "web-bot", "restore_confirm": "web-bot"}
    result = Runbook(worker, home).run(**given)
    return {**result, "msg": result.get("failures", result.get("msg"))}


def rehearse(worker: Worker, home: Path) -> Result:
    choice = run("internal_restore_drill", instances=["web-bot"], ids=[], every="7d")(worker, home)
    if choice.get("instance_id") is None:
        return {**choice, "failed": True, "msg": choice.get("msg") or choice["problem"]}
    chosen = {"restore_instance_ids": [choice["instance_id"]], "restore_confirm": choice["instance_id"]}
    more = {"restore_chosen_by": "restore_drill", "restore_expected_name": choice["name"]}
    result = restore(worker, home, restore_incident=choice["incident"], **chosen, **more)
    # Where no sign of the restore can be seen, it has worked, and proves nothing.
    return {**result, "failed": bool(result["msg"])}


def answer_event(worker: Worker, home: Path) -> Result:
    t.cast(Simulator, worker.simulator).set_instance(1, health_status="unhealthy")
    result = run("internal_restore_unhealthy", id=1, incident="INC-1", names=["web-bot"])(worker, home)
    return {**result, "failed": bool(result["reason"]), "msg": result["reason"]}


def guard(worker: Worker, home: Path) -> Result:
    result = run("internal_balance_guard", stop_order=["web-bot"], min_days=100)(worker, home)
    return {**result, "failed": not result["stops"], "msg": str(result["lines"])}


def report(worker: Worker, home: Path) -> Result:
    return run("internal_fleet_report", path=str(home / "fleet.html"))(worker, home)


FILTERS = "claw_instance_info with statuses|claw_instance_info with documented statuses"
ADDON = {"instance_name": "web-bot", "addon_type": "llm"}
BILLING = run("claw_billing_info", include=["summary", "usage", "transactions", "packages"])
FLOWS: dict[str, tuple[Flow, dict[str, int], str]] = {
    "inventory": (read_inventory(), {}, "inventory by default|inventory without statuses: [all]"),
    "inventory of all": (read_inventory(statuses=["all"]), {}, "inventory"),
    "statuses": (run("claw_instance_info", statuses=["running"]), {}, FILTERS),
    "tiers": (run("claw_instance_info", tiers=["pro"]), {}, "tiers"),
    "healths": (run("claw_instance_info", health_statuses=["healthy"]), {}, "health_statuses"),
    "stop": (run("claw_instance", name="web-bot", state="stopped"), {"stops": 1}, "claw_instance|name"),
    "start": (run("claw_instance", name="off-bot"), {"starts": 1}, "claw_instance|name"),
    "fleet": (apply_plan, {"starts": 1, "stops": 1}, "claw_fleet|names"),
    "add-on": (run("claw_addon", **ADDON, config={"tier": "pro"}), {"patches": 1}, "claw_addon without id"),
    "add-on by id": (run("claw_addon", id=7, config={"tier": "pro"}), {"patches": 1}, "id of claw_addon"),
    "restore": (run("claw_backup_restore", name="web-bot", incident="A1"), {"restores": 1}, "claw_backup_restore"),
    "restores": (run("claw_fleet_restore", names=["web-bot"], incident="A1"), {"restores": 1}, "claw_fleet_restore"),
    "runbook": (restore, {"restores": 1}, "runbook"),
    "drill": (rehearse, {"restores": 1}, "drill"),
    "event": (answer_event, {}, "restore_unhealthy"),
    "report": (report, {}, "fleet_report"),
    "guard": (guard, {}, "balance_guard"),
    "billing": (BILLING, {}, "claw_billing_info"),
    "purchase": (run("claw_purchase", package_id=1, balance_below=999, order="A"), {"purchases": 1}, "claw_purchase"),
    "doctor": (run("claw_doctor_info"), {}, "claw_doctor_info"),
}
"""What users do, its effects where it works, and the names that the doctor has for it."""

WORDS = {"running": "active", "stopped": "off", "error": "failed", "deleting": "deleted"}
RESTORES = "restore, restores, runbook, drill"
BY_DETAIL = {f"inventory, statuses, fleet, event, {RESTORES}, report, guard": "The list does not show status"}
NO_HEALTH = {"runbook, drill": "health not shown", "restore, restores, report": "The list does not show"}
NO_HEALTHS = {"healths": "shows no health_status of web-bot (id 1)", "event": "health not shown"}
LACKS = {
    "guard, purchase": "claws_balance",
    "add-on": "addon_type",
    "tiers": "shows no tier of web-bot (id 1)",
    **NO_HEALTHS,
}
SERVICES: dict[str, tuple[dict[str, t.Any], dict[str, str], dict[str, str]]] = {
    "plain": (
        plain(),
        {**LACKS, f"inventory, statuses, stop, start, fleet, event, {RESTORES}": "status"},
        {"report": "status not shown"},
    ),
    "plain, status in details": (
        plain(keep_fields={"instance": ["id", "name", "status"]}),
        LACKS,
        {"inventory, statuses, fleet": "The list does not show status", **NO_HEALTH},
    ),
    "no status": (
        {"drop_fields": ["instance.status"]},
        {"inventory, statuses": "status"},
        {"stop, start": "can_stop decided", **BY_DETAIL},
    ),
    "other words": (
        {"status_words": WORDS},
        {"inventory, statuses": "active"},
        {"stop, start, fleet": "can_stop decided"},
    ),
    "other words without flags": (
        {"status_words": WORDS, "can_flags": "absent"},
        {f"{RESTORES}": "status", "inventory, statuses, stop, start, fleet, event, guard": "active|off"},
        {},
    ),
    "as documented": ({}, {}, {}),
    "lists without status": ({"drop_fields": ["instances.status"]}, {}, BY_DETAIL),
    "no health": ({"drop_fields": ["instance.health_status"]}, NO_HEALTHS, NO_HEALTH),
    "stopped in restores": ({"restore_shows": "stopped", "restore_ends": "stopped"}, {}, {}),
    "late reads": ({"transition_reads": 5, "addon_lag_seconds": 0.03}, {}, {}),
    "PATCH drops": ({"addon_patch": "drops"}, {"add-on, add-on by id": "usage_limit"}, {}),
    "PATCH nulls": ({"addon_patch": "nulls"}, {"add-on, add-on by id": "usage_limit"}, {}),
    "ids in words": ({"id_prefix": "bot_"}, {"add-on by id": "/7", "event": "id 1"}, {}),
    "no backup status": ({"drop_fields": ["backup.status"]}, {}, {}),
    "no zone": ({"timestamps": "no_zone"}, {}, {}),
    "balance as text": ({"add_fields": {"summary.claws_balance": "12.50"}}, {}, {}),
    "usage as list": ({"usage_answer": "list"}, {"guard": "daily_claws"}, {}),
    "reset in seconds": ({"rate_reset": "delta"}, {}, {}),
    "HTML": ({}, {}, {}),
    "credit at once": ({"purchase_answer": "credit"}, {}, {}),
}
"""Services: their switches, what is refused with which word, and what works with which words of a warning."""


def try_flow(simulator: Simulator, home: Path, service: str, flow: str) -> tuple[str, str, Result]:
    """Returns "works", "warns" or "refuses", what was said, and the result."""
    simulator.reset(state=STATE, switches={"transition_reads": 2, "rate_limit": 100, **SERVICES[service][0]})
    if service == "HTML":
        simulator.fault("html_200", method="GET", skip=2)
    worker = Worker(simulator, {"retry_timeout": 30})
    # The service lags by the real clock.
    worker.sleeper.before_sleep = lambda: time.sleep(0.005)
    home.mkdir()
    result = FLOWS[flow][0](worker, home)
    # Of a status that is not documented it is not known whether it stays; nothing else is waited for in vain.
    assert worker.sleeper.total <= (300 if service == "other words without flags" else 100), flow
    if result["failed"]:
        return "refuses", str(result["msg"]), result
    return "warns" if worker.warnings else "works", str([worker.warnings, result]), result


@pytest.mark.parametrize(
    "service", [pytest.param(one, marks=[pytest.mark.rest] * (number > 3)) for number, one in enumerate(SERVICES)]
)
def test_each_use_works_or_names_what_it_lacks(simulator: Simulator, tmp_path: Path, service: str) -> None:
    refused, warned = (
        {flow: word for flows, word in cells.items() for flow in flows.split(", ")} for cells in SERVICES[service][1:]
    )
    wanted = {**dict.fromkeys(FLOWS, "works"), **dict.fromkeys(warned, "warns"), **dict.fromkeys(refused, "refuses")}
    found, result = {}, {}
    for number, (flow, (_do, effects, _uses)) in enumerate(FLOWS.items()):
        found[flow], said, result = try_flow(simulator, tmp_path / str(number), service, flow)
        assert any(word in said for word in {**warned, **refused}.get(flow, "").split("|")), (flow, said)
        done = simulator.effects()
        if service == "stopped in restores" and "restores" in done:
            # The runbook starts what its restore leaves stopped.
            done.pop("starts", None)
        assert done == ({} if flow in refused and "patches" not in done else effects), flow
    assert found == wanted
    told = [one["consequence"].partition("Does not work: ")[2].partition(".")[0] for one in result["findings"]]
    lost = {use for uses in told for use in uses.split(", ")}
    # No GET shows what a PATCH does.
    lost |= {"claw_addon without id", "id of claw_addon"} if service.startswith("PATCH") else set()
    assert {flow for flow in FLOWS if lost.intersection(FLOWS[flow][2].split("|"))} == set(refused)
