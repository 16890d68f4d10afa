# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_doctor_info and the playbook doctor: which finding shows which difference, and what is never shown."""

from __future__ import annotations

import json
import re
import socket
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service import doctor
from ansible_collections.clawhosters.cloud.plugins.modules import claw_doctor_info
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.worker import result_of

Finding = dict[str, str]


@pytest.fixture(autouse=True)
def rate_limit(simulator: Simulator) -> None:
    """The documented limit, which other tests do without."""
    simulator.switch(rate_limit=100)


def examine(simulator: Simulator, **options: t.Any) -> dict[str, t.Any]:
    """Runs the module, which sends GET requests only, and no more than it may."""
    result = result_of(claw_doctor_info, simulator, **options)
    assert result["failed"] is False, result
    assert result["api"]["requests"] - result["api"]["retries"] <= 16
    assert {entry["method"] for entry in simulator.log()} <= {"GET"}
    return result


def by_check(result: dict[str, t.Any]) -> dict[str, Finding]:
    return {finding["check"]: finding for finding in result["findings"]}


def with_status(result: dict[str, t.Any], *statuses: str) -> set[str]:
    return {finding["check"] for finding in result["findings"] if finding["status"] in statuses}


@pytest.mark.slice
def test_the_default_service_is_as_expected(simulator: Simulator) -> None:
    for check in (True, False):
        result = examine(simulator, check=check)
        assert with_status(result, "unknown", "different", "failed") == set()
        assert (result["healthy"], result["changed"], result["warnings"]) == (True, False, [])
    assert len(simulator.calls()) == 28


RESTORES = "runbook drill restore_unhealthy claw_backup_restore claw_fleet_restore"
NEWEST = "backup: runbook drill restore_unhealthy"
BY_AGE = f"{NEWEST} before max_age newest backups"
BY_STATUS = "inventory claw_instance_info"
BY_FLAGS = f"claw_instance claw_fleet balance_guard {RESTORES}"
HEALTHY = "wait_healthy claw_fleet_restore runbook drill restore_unhealthy"
VARIANTS: dict[str, tuple[dict[str, t.Any], dict[str, str], bool]] = {
    "lists without status": ({"drop_fields": ["instances.status"]}, {"list_fields": "status_changed"}, False),
    "no health": (
        {"drop_fields": ["instance.health_status"]},
        {"list_fields": "health_changed", "health_statuses": "restore_unhealthy health_statuses"},
        False,
    ),
    "health that is null": (
        {"add_fields": {"instance.health_status": None}},
        {"list_fields": "", "health_statuses": HEALTHY},
        False,
    ),
    "health of another word": (
        {"add_fields": {"instance.health_status": "good"}},
        {"health_statuses": "restore_unhealthy health_statuses"},
        False,
    ),
    "other words without flags": (
        {"status_words": {"running": "active"}, "can_flags": "absent"},
        {"statuses": f"{BY_STATUS} {BY_FLAGS}", "detail_fields": ""},
        False,
    ),
    "deleted instances": ({"status_words": {"error": "deleted"}}, {"statuses": ""}, True),
    "capitals": ({"uppercase_statuses": True, "can_flags": "absent"}, {"statuses": "", "detail_fields": ""}, True),
    "no pages": ({"pagination": "none"}, {"pagination": ""}, True),
    "pages that don't move": ({"pagination": "ignored"}, {"pagination": ""}, False),
    "pages that overlap": ({"list_order": "reshuffled"}, {"pagination": ""}, False),
    "no rate limit": ({"rate_limit": 0, "request_id": False}, {"rate_headers": ""}, True),
    "seconds until the limit resets": ({"rate_reset": "delta"}, {"rate_headers": ""}, True),
    "backups without time and owner": (
        {"drop_fields": ["backup.created_at", "backup.instance_id", "backup.instance_name"]},
        {"backup_time": BY_AGE, "backup_owner": f"claw_backup_info {NEWEST} backup_id backups"},
        False,
    ),
    "owners by name alone": ({"drop_fields": ["backup.instance_id", "addon.instance_id"]}, {}, True),
    "times without a zone": ({"timestamps": "no_zone"}, {"backup_time": ""}, True),
    "times in Unix seconds": ({"add_fields": {"backup.created_at": 1769990400}}, {}, True),
    "backups of another status": ({"add_fields": {"backup.status": "moon"}}, {"backup_statuses": NEWEST}, False),
    "backups without status": ({"drop_fields": ["backup.status"]}, {"backup_statuses": ""}, True),
    "no ids": (
        {"drop_fields": ["backup.id", "addon.id"]},
        {"ids": f"claw_addon claw_addon_info id backup_id restore_backup claw_backup_info {RESTORES} backups"},
        False,
    ),
    "ids that are text": ({"id_as_string": True}, {"ids": ""}, True),
    "ids that are no numbers": (
        {"id_prefix": "bot_"},
        {"ids": "id ids instance_id restore_instance_ids restore_drill_ids restore_unhealthy backup_id restore_backup"},
        False,
    ),
    "a key with few permissions": (
        {"forbidden": ["/backups*", "/account"]},
        {"key": "", "endpoints": f"claw_account_info account claw_backup_info {NEWEST} backups"},
        False,
    ),
    "a balance that is text": ({"add_fields": {"summary.claws_balance": "12.50"}}, {"billing_summary": ""}, True),
    "a balance in words": (
        {"add_fields": {"summary.claws_balance": "a lot"}},
        {"billing_summary": "balance_guard claw_purchase"},
        False,
    ),
    "days and costs that can be computed": (
        {"drop_fields": ["summary.days_remaining", "summary.daily_claw_cost"]},
        {"billing_summary": ""},
        True,
    ),
    "usage that is a list": ({"usage_answer": "list"}, {"billing_usage": "balance_guard"}, False),
    "fields on which nothing rests": (
        {"drop_fields": ["instance.provisioned_at", "instance.telegram_configured", "summary.subscription_tier"]},
        {"billing_summary": "", "list_fields": "", "detail_fields": ""},
        True,
    ),
    "down": ({"health_answer": "down"}, {"api": ""}, False),
    "forms that are all read": (
        {
            "compression": "gzip",
            "days_remaining_at_no_cost": 0,
            "timestamps": "fraction",
            "rename_fields": {"backup.created_at": "taken_at", "addon.instance_id": "instance.id"},
            "transactions_order": "oldest_first",
            "transaction_sign": "unsigned",
        },
        {},
        True,
    ),
}
"""Services: their switches, the checks that are then different or failed, and whether the collection can work.

Of each check, the first word of each use that does not work. More: test_services_that_differ.py.
"""


@pytest.mark.parametrize("names", [1, 3])
def test_uses_by_name_work_unless_no_instance_shows_a_name(simulator: Simulator, names: int) -> None:
    fleet = [{"id": number, "name": None if number <= names else f"bot-{number}"} for number in (1, 2, 3)]
    simulator.fault("wrong_type", path="/instances", times=None, body={"data": fleet})
    finding = by_check(examine(simulator))["list_fields"]
    assert "name is null, not text" in finding["found"]
    assert ("name" in find_lost(finding)) is (names == 3)
    assert "One that shows no name is found by its id alone." in finding["consequence"]


def find_lost(finding: Finding) -> set[str]:
    uses = finding["consequence"].partition("Does not work: ")[2].partition(".")[0]
    return {use.split()[0] for use in filter(None, uses.split(", "))}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_service_that_differs(simulator: Simulator, variant: str) -> None:
    switches, lost, healthy = VARIANTS[variant]
    simulator.switch(**switches)
    result = examine(simulator)
    found = {check: find_lost(by_check(result)[check]) for check in with_status(result, "different", "failed")}
    assert found == {check: set(uses.split()) for check, uses in lost.items()}
    assert result["healthy"] is healthy
    statuses = [finding["status"] for finding in result["findings"]]
    assert statuses == sorted(statuses, key=("failed", "different", "unknown", "ok").index)
    for finding in result["findings"]:
        assert finding["expected"]
        assert finding["found"]
        assert finding["consequence"] or finding["status"] == "ok"


@pytest.mark.parametrize(
    ("switches", "check", "words"),
    [
        ({"drop_fields": ["instances.status"]}, "list_fields", "each instance is read by itself, at one request each."),
        ({"drop_fields": ["instance.health_status"]}, "health_statuses", "A drill proves running alone."),
        ({"drop_fields": ["backup.status"]}, "backup_statuses", "One that has failed may be taken by these: backup: "),
        ({"timestamps": "no_zone"}, "backup_time", "Without a zone, a time counts as UTC. If it is not, these err: "),
    ],
)
def test_handled_differences_say_how(simulator: Simulator, switches: dict[str, t.Any], check: str, words: str) -> None:
    simulator.switch(**switches)
    assert words in by_check(examine(simulator))[check]["consequence"]


# The service does not answer


@pytest.mark.slice
def test_a_dead_service(simulator: Simulator) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        result = examine(simulator, api_url=f"http://127.0.0.1:{port}/api/v1")
    assert with_status(result, "failed") == {"api"}
    assert with_status(result, "different") == set()
    assert "connection refused" in by_check(result)["api"]["found"]
    assert str(port) not in str(result["findings"])
    assert (result["healthy"], result["shapes"], result["api"]["requests"]) == (False, {}, 0)


@pytest.mark.slice
@pytest.mark.parametrize("status", ["revoked", "expired"])
def test_a_wrong_key(simulator: Simulator, status: str) -> None:
    simulator.set_state(keys={"oc_live_once_good": status})
    result = examine(simulator, api_key="oc_live_once_good")
    assert with_status(result, "failed") == {"key"}
    assert with_status(result, "different") == set()
    assert result["healthy"] is False
    assert simulator.calls() == ["GET /health", "GET /account", "GET /instances"]


@pytest.mark.parametrize(
    ("fault", "check", "found"),
    [
        ({"kind": "redirect", "location": "http://127.0.0.2:1/secret"}, "api", "a redirect (302)"),
        ({"kind": "html_200"}, "key", "a response that is not the API's JSON"),
        ({"kind": "status", "status": 404, "code": None}, "key", "404 that is not of the API"),
        ({"kind": "hang", "seconds": 60}, "api", "no complete response within 0.3 s"),
        ({"kind": "reset_before"}, "api", "the connection broke"),
    ],
)
def test_a_service_that_answers_oddly(simulator: Simulator, fault: dict[str, t.Any], check: str, found: str) -> None:
    simulator.fault(times=None, **fault)
    result = examine(simulator, timeout=0.3 if fault["kind"] == "hang" else 30)
    assert by_check(result)[check]["found"].endswith(f": {found}")
    assert result["healthy"] is False
    assert len(simulator.calls()) <= 3


@pytest.mark.parametrize("data", [{}, [], [{"id": 1}], "x", None])
@pytest.mark.parametrize(
    ("path", "check"),
    [("/billing/summary", "billing_summary"), ("/billing/usage", "billing_usage"), ("/account", "account")],
)
def test_an_unknown_shape_is_a_finding_of_the_field(simulator: Simulator, path: str, check: str, data: object) -> None:
    simulator.fault("wrong_type", path=path, body={"success": True, "data": data})
    result = examine(simulator)
    assert with_status(result, "different", "failed") <= {check, "billing_summary"}
    assert by_check(result)[check]["status"] == "different"
    assert by_check(result)[check]["found"].endswith(" is missing")
    assert result["shapes"].get(path.rpartition("/")[2]) == ({"id": "number"} if data == [{"id": 1}] else None)


def test_rate_headers_in_a_part_of_the_responses_are_a_finding(simulator: Simulator) -> None:
    simulator.switch(rate_limit=0)
    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "30"}
    simulator.fault("wrong_type", path="/billing/packages", body={"data": []}, headers=headers)
    found = by_check(examine(simulator))["rate_headers"]
    assert (found["status"], found["found"]) == ("different", "usable in 1 of 12 responses")


@pytest.mark.parametrize("data", [{"items": []}, ["text"], None])
def test_a_list_that_no_module_can_read_is_a_finding(simulator: Simulator, data: object) -> None:
    simulator.fault("wrong_type", path="/instances", times=None, body={"data": data})
    result = examine(simulator)
    endpoints = by_check(result)["endpoints"]
    assert endpoints["status"] == "failed"
    assert re.fullmatch(r"GET /instances: [a-z ]+ in `data`, not a list of objects", endpoints["found"])
    assert by_check(result)["list_fields"]["consequence"] == "Needs an answer to GET /instances."
    assert result["healthy"] is False


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/account", {"kind": "forbidden"}),
        ("/instances/1", {"body": {"data": "x"}}),
        ("/backups", {"body": {"data": {}}}),
        ("/addons", {"kind": "unauthorized"}),
    ],
)
def test_an_endpoint_without_its_data_is_a_finding(simulator: Simulator, path: str, fault: dict[str, t.Any]) -> None:
    simulator.fault(**{"kind": "wrong_type", **fault}, path=path, times=None)
    result = examine(simulator)
    assert "endpoints" in with_status(result, "failed")
    assert by_check(result)["key"]["status"] == ("different" if path == "/account" else "ok")


def test_without_time_nothing_more_is_sent(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MAX_SECONDS", 0.0)
    assert by_check(examine(simulator))["key"]["consequence"].startswith("Needs a service that answers all requests")
    assert simulator.calls() == ["GET /health"]


def test_transient_faults_and_a_410_are_no_finding(simulator: Simulator) -> None:
    simulator.fault("status", path="/instances/2147483647", status=410)
    simulator.fault("reset_before", path="/account")
    simulator.fault("json_503", path="/backups")
    simulator.fault("rate_limited", path="/addons", seconds=1)
    result = examine(simulator, retry_timeout=30)
    assert with_status(result, "different", "failed") == set()
    assert (result["api"]["requests"], result["api"]["retries"]) == (17, 3)


def test_an_empty_account(simulator: Simulator) -> None:
    simulator.reset(state={"instances": [], "packages": []}, switches={"rate_limit": 100})
    result = examine(simulator)
    assert with_status(result, "different", "failed") == set()
    assert result["healthy"] is True
    unknown = [finding for finding in result["findings"] if finding["status"] == "unknown"]
    assert len(unknown) > 10
    assert all(finding["consequence"].startswith("Needs ") for finding in unknown)


def test_a_clock_that_is_behind(simulator: Simulator) -> None:
    simulator.set_clock(600)
    result = examine(simulator)
    assert with_status(result, "different", "failed") == {"clock"}
    assert re.fullmatch(r"this machine is (59|60)\d s behind", by_check(result)["clock"]["found"])


def test_the_account_that_is_meant(simulator: Simulator) -> None:
    found = by_check(examine(simulator, account="other@example.com"))["key"]
    assert (found["status"], "Correct the key or account" in found["consequence"]) == ("failed", True)
    assert by_check(examine(simulator, account="user@example.com"))["key"]["status"] == "ok"


# What never shows


def marked_account() -> tuple[dict[str, t.Any], list[str]]:
    """Returns an account with a marker in each free text, number and key of a map, and all markers."""
    used: list[str] = []

    def text() -> str:
        used.append(f"mk{len(used):04}q")
        return used[-1]

    def number() -> int:
        used.append(str(98_765_000_000 + len(used)))
        return int(used[-1])

    def anything() -> dict[str, t.Any]:
        return {text(): text(), text(): [text(), {text(): number()}], "name": {text(): text()}, "instance": {text(): 1}}

    def more() -> dict[str, t.Any]:
        return {"labels": anything(), "note": text(), "cores": number(), "tags": [text(), number()], "id": number()}

    first, second = ({**more(), "name": text(), "subdomain_url": f"{text()}.example.com"} for _instance in range(2))
    first |= {"billing_mode": text(), "ip_address": "2001:db8::77"}
    owned = [{**more(), "instance_id": first["id"]} for _item in range(4)]
    state = {
        "balance": number(),
        "account": {"id": number(), "email": f"{text()}@example.com", "company": text(), "limits": anything()},
        "instances": [first, second],
        "addons": [{**one, "usage_limit": number(), "config": anything()} for one in owned[:2]],
        "backups": [{**one, "size_bytes": number()} for one in owned[2:]],
        "transactions": [{"amount": number(), "description": text(), "reference": anything()}],
        "packages": [{"id": number(), "name": text(), "claws": number(), "options": anything()}],
    }
    return state, used


@pytest.mark.parametrize("as_text", [False, True], ids=["ids", "ids as text"])
def test_nothing_of_the_account_shows(simulator: Simulator, as_text: bool) -> None:
    state, used = marked_account()
    simulator.reset(state=state, switches={"rate_limit": 0, "id_as_string": as_text})
    result = result_of(claw_doctor_info, simulator)
    shown = json.dumps([result["findings"], result["shapes"], result["healthy"]]).lower()
    assert [marker for marker in used if marker in shown] == []
    assert "example.com" not in shown
    assert "2001:db8" not in shown
    assert result["shapes"]["account"]["limits"].startswith("object")
    assert result["shapes"]["pagination"]["total_count"] == "number"


# The playbook


def read_report(path: Path) -> dict[str, t.Any]:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"oc_live_rehearsal|web-bot|127\.0\.0\.1|user@example|/home|/tmp", text)
    return json.loads(text)


def test_the_playbook_shows_a_table_and_writes_a_report(simulator: Simulator, controller: Controller) -> None:
    simulator.switch(pagination="ignored", rate_headers="none")
    path = controller.folder / "clawhosters-doctor.json"
    plan = controller.run("ansible-playbook", "clawhosters.cloud.doctor", "--check")
    assert not path.exists()
    run = controller.run("ansible-playbook", "clawhosters.cloud.doctor")
    assert (plan.rc, run.rc) == (2, 2), run.screen
    for screen in (plan.stdout, run.stdout):
        table = screen.partition("STATUS")[2].partition("]")[0]
        assert re.findall(r'^ +"(\w+) ', table, re.MULTILINE)[:3] == ["different", "different", "ok"]
        assert max(map(len, table.splitlines())) <= 80
        assert "page=2: 0 of 25 instances are new" in table
    assert run.says(f"can't rely on the service at {simulator.url}. The table explains these checks: pagination.")
    assert run.says(
        "The check pagination found: page=2: 0 of 25 instances are new. If this is not the address of your service, "
        "correct api_url or CLAWHOSTERS_API_URL."
    )
    assert f"attach {path}, which holds nothing of your account" in run.stdout
    report = read_report(path)
    assert set(report) == {"healthy", "unmet", "findings", "shapes", "api"}
    assert (report["healthy"], report["unmet"]) == (False, ["pagination"])
    assert f"{sum(finding['status'] == 'different' for finding in report['findings'])} different" in run.stdout
    simulator.reset(switches={"rate_limit": 100})
    other = controller.folder / "other.json"
    run = controller.run("ansible-playbook", "clawhosters.cloud.doctor", "-e", f"doctor_report_path={other}")
    assert run.rc == 0, run.screen
    assert read_report(other)["healthy"] is True
    assert run.says(f"Report: {other}")
    assert KEY not in run.screen
    homeless = controller.run("ansible-playbook", "clawhosters.cloud.doctor", "-e", "doctor_report_path=~nobody-here/a")
    assert homeless.says("is ~nobody-here/a, and no home folder can be found for ~. Set doctor_report_path to")
