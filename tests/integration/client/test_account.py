# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``account``: with the key of another account, nothing is changed, and no host or event comes of it."""

from __future__ import annotations

import asyncio
import logging
import os
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_instance, claw_purchase
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import parse_arguments
from simulator.handle import Simulator
from support import KEY
from support.cases import CASES, STATE, SWITCHES, Case, module_of
from support.controller import REPOSITORY, Controller
from support.event_source import Source
from support.hosts import read_hosts
from support.sleeper import Sleeper
from support.worker import Worker, result_of

CHANGES = [case for case in CASES if case.asked]
INVENTORIES = [case for case in CASES if case.module == "inventory"]
READS = [case for case in CASES if not case.asked and case not in INVENTORIES]
WITHOUT_SERVICE = {"claw_state_database"}
"""A module that changes something, but sends nothing to the service."""
RIGHT = ["1", " USER@Example.com "]
WRONG = "staging@example.com"


@pytest.fixture(autouse=True)
def account(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account with the id 1 and the e-mail address user@example.com."""
    for name in [name for name in os.environ if name.startswith("CLAWHOSTERS_")]:
        monkeypatch.delenv(name)
    simulator.reset(state=STATE, switches=SWITCHES)


def refusal(simulator: Simulator) -> str:
    return (
        f"account is set to {WRONG}, but this key is for user@example.com (id 1) at {urlsplit(simulator.url).netloc}. "
        "Correct the key or account. Nothing was sent."
    )


def test_each_module_that_changes_something_has_a_case() -> None:
    modules = {path.stem for path in (REPOSITORY / "plugins/modules").glob("claw_*.py")}
    changing = {name for name in modules if not name.endswith("_info")} - WITHOUT_SERVICE
    assert changing == {case.module for case in CHANGES}


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_the_key_of_another_account_changes_nothing(simulator: Simulator, case: Case, check: bool) -> None:
    worker = Worker(simulator, {"account": WRONG})
    result = worker.run(module_of(case), check=check, **case.options)
    assert (result["failed"], result["changed"], result["msg"]) == (True, False, refusal(simulator))
    assert simulator.changes() == []
    assert simulator.calls().count("GET /account") == 1
    # Nothing of it is in the journal: with the right key, the same task does its job.
    again = worker.run(module_of(case), check=check, **case.options, account="1")
    assert (again["failed"], again["changed"]) == (False, True), again
    assert simulator.effects() == ({} if check else case.asked)


@pytest.mark.parametrize("case", READS, ids=str)
def test_a_task_that_reads_is_not_refused(simulator: Simulator, case: Case) -> None:
    result = Worker(simulator, {"account": WRONG}).run(module_of(case), **case.options)
    assert result["failed"] is False, result
    assert simulator.calls().count("GET /account") == (case.module in ("claw_account_info", "claw_doctor_info"))


def test_a_task_that_changes_nothing_does_not_ask(simulator: Simulator) -> None:
    for check in (True, False):
        assert result_of(claw_instance, simulator, check=check, id=111, account=WRONG)["failed"] is False
        assert result_of(claw_fleet, simulator, check=check, instances=[{"id": 111}], account=WRONG)["failed"] is False
    assert simulator.calls("GET /account") == []


@pytest.mark.parametrize(
    ("shown", "wanted", "reason"),
    [
        ({"created_at": "2026-02-01T00:00:00Z"}, "1", "shows no id of the account of this key, only other fields."),
        ({"email": "user@example.com"}, "1", "shows no id of the account of this key, only user@example.com."),
        ({"id": 1, "name": "Ops"}, "user@example.com", "shows no email of the account of this key, only Ops"),
    ],
    ids=["neither", "no id", "no email"],
)
def test_an_untold_account_is_refused(simulator: Simulator, shown: dict[str, t.Any], wanted: str, reason: str) -> None:
    simulator.fault("wrong_type", path="/account", body={"data": shown}, times=None)
    for check in (True, False):
        result = result_of(claw_instance, simulator, check=check, id=112, account=wanted)
        assert result["msg"].startswith(f"account is set to {wanted}, but 127.0.0.1:")
        assert reason in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
    assert simulator.effects() == {}


@pytest.mark.parametrize("kind", ["forbidden", "reset_before"])
def test_an_account_that_can_not_be_read_is_refused_once_for_all(simulator: Simulator, kind: str) -> None:
    simulator.fault(kind, path="/account", times=None)
    entries = [{"id": number, "state": "restarted"} for number in (111, 113, 114)]
    result = result_of(claw_fleet, simulator, instances=entries, account="1")
    assert result["msg"].startswith("account is set to 1, but 127.0.0.1:")
    assert "does not show the account of this key: GET /account" in result["msg"]
    assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls().count("GET /account") == 1
    assert result_of(claw_instance, simulator, id=111, state="restarted")["failed"] is False, "without the option"
    assert simulator.effects() == {"restarts": 1}


def test_a_purchase_that_holds_the_email_is_of_its_account(simulator: Simulator) -> None:
    options = {"order": "one", "package_id": 1, "balance_below": 1000, "request": {"receipt_to": "user@example.com"}}
    result = result_of(claw_purchase, simulator, **options, account="user@example.com")
    assert "account is set to" not in result.get("msg", "")
    assert simulator.calls("POST *") == ["POST /billing/buy_claws"]
    assert simulator.calls().count("GET /account") == 1


@pytest.mark.parametrize("account", ["", " ", "\n"])
def test_a_blank_account_is_refused(simulator: Simulator, account: str, tmp_path: Path) -> None:
    message = "account (or CLAWHOSTERS_ACCOUNT) is blank; perhaps a variable or secret was not resolved."
    assert result_of(claw_instance, simulator, id=111, account=account)["msg"].startswith(message)
    settings = {"api_key": KEY, "api_url": simulator.url, "account": account}
    assert message in read_hosts(tmp_path, settings, Sleeper())["msg"]
    with pytest.raises(SettingsError, match="CLAWHOSTERS_ACCOUNT"):
        parse_arguments(settings, pytest.fail)
    assert simulator.log() == []


# The inventory


def test_an_inventory_of_another_account_reads_no_list(simulator: Simulator, tmp_path: Path) -> None:
    settings = {"api_key": KEY, "api_url": simulator.url, "statuses": ["all"], "state_dir": str(tmp_path / "state")}
    wrong = read_hosts(tmp_path, {**settings, "account": WRONG}, Sleeper())
    assert (wrong["failed"], wrong["hosts"]) == (True, [])
    assert refusal(simulator) in wrong["msg"]
    assert simulator.calls() == ["GET /account"]
    for account in RIGHT:
        simulator.clear_log()
        assert len(read_hosts(tmp_path, {**settings, "account": account}, Sleeper())["hosts"]) == 5
        assert simulator.calls()[0] == "GET /account"
        assert simulator.calls().count("GET /account") == 1


@pytest.mark.rest
def test_what_was_cached_without_the_account_is_not_taken(simulator: Simulator, controller: Controller) -> None:
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": "cache"}
    assert controller.inventory(cache).rc == 0
    simulator.clear_log()
    refused = controller.inventory(cache, CLAWHOSTERS_ACCOUNT=WRONG)
    assert refused.rc != 0
    assert refused.says(refusal(simulator))
    assert simulator.calls() == ["GET /account"]
    assert controller.inventory(cache, CLAWHOSTERS_ACCOUNT="1").rc == 0
    simulator.clear_log()
    assert controller.inventory(cache, CLAWHOSTERS_ACCOUNT="1").rc == 0
    assert simulator.calls() == [], "a hit costs no request"


# The event source


def test_a_source_of_another_account_ends_before_a_poll(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        await asyncio.wait_for(Source(simulator, {"account": WRONG}).task, 60)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records] == [f"{refusal(simulator)} This source ends."]
    assert simulator.calls() == ["GET /account"]


def test_a_source_asks_once_and_outlives_an_outage(simulator: Simulator) -> None:
    simulator.fault("json_500", path="/account", times=2)

    async def scenario() -> None:
        running = Source(simulator, {"account": "1"})
        for _poll in range(3):
            await running.wait_for_poll()
        await running.stop()

    asyncio.run(scenario())
    calls = simulator.calls()
    assert calls[:3] == ["GET /account"] * 3
    assert calls.count("GET /account") == 3
