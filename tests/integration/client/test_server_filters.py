# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""server_filters: the same results from each kind of service, and what they cost where the filters are honoured."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all, fetch_filtered
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_addon,
    claw_addon_info,
    claw_backup_info,
    claw_backup_restore,
    claw_fleet_restore,
    claw_instance,
    claw_instance_info,
)
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.worker import Worker

SPECIAL: dict[int, dict[str, t.Any]] = {
    1: {"name": "web-bot"},
    2: {"name": "Web-Bot"},
    3: {"name": "web-bot-2", "status": "stopped"},
    10: {"name": "twin"},
    11: {"name": "twin", "status": "error"},
    12: {"name": "caf\u00e9 & b\u00f6t=1", "status": "maintenance"},
    13: {"name": "bare"},
}
FLEET = [{"id": number, "name": f"bot-{number}", **SPECIAL.get(number, {})} for number in range(1, 31)]
STATE = {
    "instances": FLEET,
    "backups": [
        {"id": number * 100 + age, "instance_id": number, "created_at": f"{age * 24 + 2}h ago"}
        for number in range(1, 31)
        if number != 13
        for age in range(2)
    ],
    "addons": [{"id": number, "instance_id": number, "addon_type": "llm"} for number in range(1, 31) if number != 13]
    + [{"id": 101, "instance_id": 1, "addon_type": "backup"}],
}

FILTERS: list[dict[str, t.Any]] = [
    {},
    *(
        {"filters": way}
        for way in ("honoured", "prefix", "substring", "case_insensitive", "empty", "inverted", "unrelated")
    ),
    *({"filters_refused": status} for status in (400, 422)),
    {"filters": "honoured", "filters_counted": False},
]
"""How a service treats filters: its switches."""
HONOURED, SUBSTRING, INVERTED, UNRELATED = (
    {"filters": way} for way in ("honoured", "substring", "inverted", "unrelated")
)
SERVICES: dict[str, tuple[dict[str, t.Any], list[dict[str, t.Any]]]] = {
    "usual": ({}, FILTERS[:2]),
    "usual, other ways": ({}, FILTERS[2:]),
    "no pages": ({"pagination": "none"}, [HONOURED, INVERTED]),
    "owners by name": (
        {"drop_fields": ["backup.instance_id", "addon.instance_id"]},
        [HONOURED, SUBSTRING, INVERTED, UNRELATED],
    ),
    "owners by id": ({"drop_fields": ["backup.instance_name", "addon.instance_name"]}, [HONOURED, INVERTED]),
    "other spellings": ({"uppercase_statuses": True, "id_as_string": True}, [HONOURED]),
    "no page size": ({"per_page_refused": 422}, [HONOURED]),
}
"""Services by what else they do, and the ways in which they treat filters."""

TASKS: list[tuple[ModuleType, dict[str, t.Any]]] = [
    *((claw_instance, {"name": name}) for name in ("web-bot", "Web-Bot", "twin", "web", "web-bt", SPECIAL[12]["name"])),
    *((claw_instance, {"name": name, "state": "absent"}) for name in ("nobody", "web-bo", "bare")),
    *((claw_instance_info, {"name": name}) for name in ("web-bot", "twin", "nobody")),
    *((claw_instance_info, {"statuses": statuses}) for statuses in (["stopped"], ["paused"], ["stopped", "error"])),
    (claw_instance_info, {"statuses": ["maintenance"]}),
    (claw_instance_info, {"name": "web-bot", "statuses": ["maintenance", "moon"]}),
    (claw_instance_info, {"name": "web-bot", "statuses": ["Stopped"], "tiers": ["pro"]}),
    *((claw_backup_info, {"instance_id": number}) for number in (1, 13, 6, 999)),
    *((claw_backup_info, {"instance_name": name}) for name in ("web-bot", "twin", "bot", "bare", "nobody")),
    (claw_backup_info, {"instance_id": 1, "instance_name": "web-bot", "newest": True}),
    (claw_backup_info, {"instance_id": 1, "instance_name": "bot-4"}),
    (claw_backup_info, {"instance_id": 1, "before": "2001-01-01"}),
    *((claw_backup_restore, {"incident": "A", "instance_id": number}) for number in (1, 13, 11, 999)),
    *((claw_backup_restore, {"incident": "A", "instance_name": name}) for name in ("web-bot", "twin", "web", "bare")),
    *(
        (claw_backup_restore, {"incident": "A", "instance_name": name, "backup_id": 101})
        for name in ("web-bot", "bare")
    ),
    (claw_backup_restore, {"incident": "A", "backup_id": 1101}),
    (claw_backup_restore, {"incident": "A", "instance_id": 1, "before": "2001-01-01"}),
    *(
        (claw_fleet_restore, {"incident": "A", "instances": [{"name": name} for name in names]})
        for names in (["web-bot"], ["web-bot", "Web-Bot", "bot-30"], ["bot-4", "twin", "nobody", "web"], ["bare"])
    ),
    *(
        (claw_fleet_restore, {"incident": "A", "instances": [{"id": number} for number in numbers]})
        for numbers in ([1], [1, 10, 30], [1, 13, 999])
    ),
    *((claw_addon_info, {"addon_type": addon_type}) for addon_type in ("Backup", "llm", "moon")),
    *((claw_addon_info, {"instance_name": name}) for name in ("web-bot", "twin", "bot", "nobody")),
    *((claw_addon_info, {"instance_id": number, "addon_type": "llm"}) for number in (1, 6, 13)),
    (claw_addon, {"instance_name": "web-bot", "addon_type": "LLM", "config": {"tier": "pro"}}),
    (claw_addon, {"instance_name": "bare", "addon_type": "llm", "config": {"tier": "pro"}}),
    (claw_addon, {"addon_type": "llm", "config": {"tier": "pro"}}),
]


def run(
    simulator: Simulator, module: ModuleType, options: dict[str, t.Any], **others: t.Any
) -> tuple[dict[str, t.Any], list[str]]:
    """Returns what a user sees of a task in check mode, and its requests."""
    simulator.clear_log()
    worker = Worker(simulator, {"retry_timeout": 0, **others})
    result = worker.run(module, check=True, **options)
    api = result.pop("api")
    assert (api["requests"], api["retries"]) == (len(simulator.calls()), 0)
    if "error" in result:
        # Each response has an id of its own.
        result["error"].pop("request_id")
    return {**result, "warnings": worker.warnings}, simulator.calls()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "usual" else pytest.mark.rest) for kind in SERVICES]
)
def test_results_are_the_same_whatever_the_service_does(simulator: Simulator, kind: str) -> None:
    switches, ways = SERVICES[kind]
    simulator.reset(state=STATE, switches={"rate_limit": 0, **switches})
    others = {"page_size": 40} if "page" in kind else {}
    usual_runs = [run(simulator, module, options, **others) for module, options in TASKS]
    for filters in ways:
        simulator.switch(filters="ignored", filters_refused=None, filters_counted=True)
        simulator.switch(**filters)
        for (module, options), (usual, without) in zip(TASKS, usual_runs, strict=True):
            filtered, with_filters = run(simulator, module, options, server_filters=True, **others)
            assert filtered == usual, (filters, module.__name__, options)
            if not filters and is_found(usual):
                assert len(with_filters) <= len(without), (module.__name__, options)


def is_found(result: dict[str, t.Any]) -> bool:
    """Returns True if the task has found what it was asked for."""
    values = (result.get(name) for name in ("instance", "instances", "backup", "backups", "addon", "addons"))
    return not result["failed"] and any(values)


COSTS: list[tuple[ModuleType, dict[str, t.Any], list[str]]] = [
    (claw_instance, {"name": "web-bot"}, ["/instances?name=web-bot", "/instances/1"]),
    (claw_instance_info, {"name": "twin"}, ["/instances?name=twin"]),
    (claw_instance_info, {"statuses": ["Error"]}, ["/instances?status=error"]),
    (claw_backup_info, {"instance_id": 1}, ["/backups?instance_id=1"]),
    (claw_backup_info, {"instance_name": "web-bot"}, ["/backups?instance_name=web-bot"]),
    (claw_backup_info, {"instance_id": 1, "instance_name": "web-bot"}, ["/backups?instance_id=1"]),
    (claw_addon_info, {"instance_name": "twin"}, ["/addons?instance_name=twin"]),
    (
        claw_addon,
        {"instance_id": 1, "addon_type": "LLM", "config": {"tier": "pro"}},
        ["/addons?addon_type=llm&instance_id=1", "/addons/1"],
    ),
    (claw_backup_restore, {"incident": "A", "backup_id": 1101}, ["/backups/1101", "/instances/11"]),
    (claw_backup_restore, {"incident": "A", "instance_id": 1}, ["/instances/1", "/backups?instance_id=1"]),
    (
        claw_backup_restore,
        {"incident": "A", "instance_name": "web-bot"},
        ["/instances?name=web-bot", "/backups?instance_id=1"],
    ),
]
"""Tasks and their GETs in an account of any size, if the service honours filters."""


@pytest.mark.slice
def test_honoured_filters_cost_a_request_a_list_whatever_the_size(simulator: Simulator) -> None:
    simulator.reset(state=STATE, switches={"rate_limit": 0, "filters": "honoured"})
    for module, options, requests in COSTS:
        run(simulator, module, options, server_filters=True)
        assert sorted(describe(entry) for entry in simulator.log()) == sorted(requests)
        # Nothing is sent of what may shorten a list unless the user says so.
        run(simulator, module, options)
        assert {name for entry in simulator.log() for name in entry["query"]} <= {"page"}


def describe(entry: dict[str, t.Any]) -> str:
    query = "&".join(f"{name}={value}" for name, value in sorted(entry["query"].items()))
    return entry["path"] + (f"?{query}" if query else "")


PAGES = {"/instances": 2, "/addons": 2, "/backups": 3}
MISSING: list[tuple[ModuleType, dict[str, t.Any], str]] = [
    (claw_instance, {"name": "nobody", "state": "absent"}, "/instances?name=nobody"),
    (claw_instance_info, {"name": "nobody"}, "/instances?name=nobody"),
    (claw_instance_info, {"name": "web-bot", "statuses": ["error"]}, "/instances?name=web-bot"),
    (claw_instance_info, {"statuses": ["paused"]}, "/instances?status=paused"),
    (claw_backup_info, {"instance_id": 13}, "/backups?instance_id=13"),
    (claw_backup_info, {"instance_id": 1, "before": "2001-01-01"}, "/backups?instance_id=1"),
    (claw_addon_info, {"instance_id": 13, "addon_type": "llm"}, "/addons?addon_type=llm&instance_id=13"),
]
"""Tasks that find nothing, and the filter that they send."""


@pytest.mark.parametrize("service", ["honoured", "empty", "unrelated"])
def test_what_is_missing_costs_one_reading_of_the_whole_list(simulator: Simulator, service: str) -> None:
    simulator.reset(state=STATE, switches={"rate_limit": 0, "filters": service})
    for module, options, query in MISSING:
        run(simulator, module, options, server_filters=True)
        path = query.partition("?")[0]
        pages = [path, *(f"{path}?page={number}" for number in range(2, PAGES[path] + 1))]
        assert sorted(describe(entry) for entry in simulator.log()) == sorted([query, *pages]), (service, options)


@pytest.fixture
def client(simulator: Simulator) -> Client:
    simulator.reset(state=STATE, switches={"rate_limit": 0})
    params = {"api_key": KEY, "api_url": simulator.url, "server_filters": True, "retry_timeout": 0}
    return Client(parse_settings(params, warn=pytest.fail))


@pytest.mark.parametrize(
    "switches",
    [{"filters_refused": 400}, {"filters_refused": 422}, {"filters": "honoured", "filters_counted": False}],
)
def test_a_filter_that_fails_is_sent_once_for_each_list(
    simulator: Simulator, client: Client, switches: dict[str, t.Any]
) -> None:
    simulator.switch(**switches)
    client.settings = dataclasses.replace(client.settings, page_size=40)
    for _time in range(2):
        assert fetch_filtered(client, "/instances", {"status": "error"}) is None
        assert fetch_filtered(client, "/backups", {"instance_id": "1"}) is None
    sent = [describe(entry) for entry in simulator.log()]
    assert [query for query in sent if "&page=" not in query] == [
        "/instances?per_page=40&status=error",
        "/backups?instance_id=1&per_page=40",
    ]
    # It was not taken for a rejection of the page size.
    assert client.settings.page_size == 40


@pytest.mark.parametrize(
    ("kind", "options"), [("not_found", {}), ("wrong_type", {"body": {"data": {"id": 1}}}), ("wrong_type", {})]
)
def test_an_answer_to_a_filter_that_is_no_list_is_not_used(
    simulator: Simulator, client: Client, kind: str, options: dict[str, t.Any]
) -> None:
    simulator.fault(kind, path="/backups", **options)
    assert fetch_filtered(client, "/backups", {"instance_id": "999"}) is None
    assert len(fetch_all(client, "/backups")) == 58


@pytest.mark.parametrize("name", ["a\nb", "\ud800", "x" * 256])
def test_a_name_that_fits_no_url_is_not_sent(simulator: Simulator, client: Client, name: str) -> None:
    assert fetch_filtered(client, "/instances", {"name": name}) is None
    assert simulator.log() == []


@pytest.mark.slice
def test_a_filtered_list_may_have_several_pages(simulator: Simulator, client: Client) -> None:
    simulator.switch(filters="honoured", per_page_default=10)
    running = fetch_filtered(client, "/instances", {"status": "running"})
    assert running is not None
    assert {instance["name"] for instance in running} == {
        instance["name"] for instance in FLEET if instance.get("status", "running") == "running"
    }
    assert len(simulator.calls()) == 3
    # One leaves the list between two pages: the list is not used.
    simulator.fault("vanish_between_pages", id=20)
    assert fetch_filtered(client, "/instances", {"status": "running"}) is None


@pytest.mark.parametrize("filters", ["honoured", "empty", "inverted", "unrelated"])
def test_a_record_that_stays_in_the_list_is_not_called_deleted(simulator: Simulator, filters: str) -> None:
    simulator.reset(state=STATE, switches={"rate_limit": 0, "delete_lingers": "everywhere", "filters": filters})
    worker = Worker(simulator, {"retry_timeout": 0, "server_filters": True})
    result = worker.run(claw_instance, id=1, state="absent", wait_timeout=20)
    assert result["failed"] is True
    assert "not gone within 20 s" in result["msg"]


# Both lists at the same time


@pytest.fixture
def worker(simulator: Simulator, tmp_path: Path) -> Worker:
    simulator.reset(state=STATE, switches={"rate_limit": 0})
    return Worker(simulator, {"state_dir": str(tmp_path / "state"), "incident": "A", "wait": False})


@pytest.mark.slice
def test_instances_and_backups_are_listed_side_by_side(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("slow", path="/instances", seconds=1)
    first = worker.run(claw_backup_restore, instance_name="web-bot")
    assert (first["changed"], first["backup"]["id"]) == (True, 100)
    calls = simulator.calls()
    assert calls.count("GET /backups") == 3
    assert calls.index("GET /instances/1") > len(calls) - 3
    # The incident is recorded: what to restore is known, so that no backups are listed.
    simulator.clear_log()
    again = worker.run(claw_backup_restore, instance_name="web-bot")
    assert again["changed"] is False
    assert "GET /backups" not in simulator.calls()
    # A list that is not read to its end is not waited for.
    simulator.fault("status", status=403, path="/instances")
    simulator.fault("rate_limited", path="/backups", times=None, seconds=60)
    failed = worker.run(claw_backup_restore, instance_name="web-bot", incident="B")
    assert failed["error"]["status"] == 403


@pytest.mark.rest
def test_the_inventory_asks_for_its_status(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state=STATE, switches={"rate_limit": 0, "filters": "honoured"})
    usual = controller.inventory({})
    simulator.clear_log()
    filtered = controller.inventory({"server_filters": True, "page_size": 100})
    assert filtered.stdout == usual.stdout
    assert [entry["query"] for entry in simulator.log()] == [{"status": "running", "per_page": "100"}]
    # The hosts are the same if the filtered list can't be used, after hosts of its first pages were prepared.
    others = [{"filters": way} for way in ("empty", "inverted", "unrelated", "prefix")]
    for filters in (*others, {"filters": "honoured", "filters_counted": False}, {"filters_refused": 400}):
        simulator.switch(**{"filters_counted": True, **filters})
        simulator.clear_log()
        assert controller.inventory({"server_filters": True, "page_size": 10}).stdout == usual.stdout, filters
        assert {"status": "running", "per_page": "10"} in [entry["query"] for entry in simulator.log()], filters


@pytest.mark.parametrize("config", [{"min_hosts": 5}, {"filters": ["claw_name != 'bot-4'"]}], ids=["few", "excluded"])
@pytest.mark.parametrize("details", [False, True])
def test_the_inventory_reads_the_whole_list_before_it_has_too_few_hosts(
    simulator: Simulator, controller: Controller, config: dict[str, t.Any], details: bool
) -> None:
    simulator.reset(state=STATE, switches={"rate_limit": 0})
    usual = controller.inventory({**config, "details": details})
    assert usual.rc == 0, usual.screen
    # A part of what was asked for.
    simulator.fault("wrong_type", path="/instances", body={"data": [{**FLEET[3], "status": "running"}]})
    filtered = controller.inventory({**config, "details": details, "server_filters": True})
    assert filtered.rc == 0, filtered.screen
    assert filtered.stdout == usual.stdout
