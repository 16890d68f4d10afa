# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restore runbook as it is typed: its plan, its confirmation, its evidence, and what it says after each failure."""

from __future__ import annotations

import json
import re
import stat
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support import KEY, TIME_IN_MESSAGE
from support.controller import Controller, Run, extra_variables
from support.proxy import recording_proxy
from support.runbook import Runbook
from support.worker import Worker

PLAYBOOK = "clawhosters.cloud.restore"
POSTS = "POST *"
HOSTILE = "<script>alert(6)</script>"
BACKUPS = [
    {"id": 10 * number + day, "instance_id": number, "created_at": f"{24 * day + 2.5}h ago"}
    for number in (1, 2, 3, 4, 6)
    for day in (1, 2)
]


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """A small fleet, in which each instance has a fault of its own. The newest backup of instance N is N1."""
    names = ("web-bot", "sick-bot", "lost-bot", "shy-bot", "bare-bot", HOSTILE)
    instances: list[dict[str, t.Any]] = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    instances[1]["health_after"] = "unhealthy"
    simulator.reset(state={"instances": instances, "backups": BACKUPS}, switches={"transition_reads": 1})


@pytest.fixture
def runbook(simulator: Simulator, tmp_path: Path) -> Runbook:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    return Runbook(worker, tmp_path / "clawhosters-restore", {"restore_healthy_timeout": 0})


def run_tasks(runbook: Runbook, *names: str, **variables: t.Any) -> tuple[dict[str, t.Any], str]:
    """Runs the tasks of the role for these instances, like ``restore``. Returns the result, and its failures."""
    typed = ",".join(names)
    result = runbook.run(**{"restore_instances": typed, "restore_confirm": typed, **variables})
    assert KEY not in str(result)
    return result, "\n".join(result.get("failures", []))


def evidence(folder: Path) -> tuple[dict[str, t.Any], str]:
    """The report and the page of the incident, which nobody else can read and which hold no key."""
    texts = []
    for path in (folder / f"clawhosters-restore/INC-1.{ending}" for ending in ("json", "html")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        texts.append(path.read_text(encoding="utf-8"))
        assert KEY not in texts[-1]
    return json.loads(texts[0]), texts[1]


def read_only_result(folder: Path) -> dict[str, t.Any]:
    """The result of the one instance of the one incident, whatever its file is named."""
    (path,) = (folder / "clawhosters-restore").glob("*.json")
    (result,) = json.loads(path.read_text(encoding="utf-8"))["instances"]
    return dict(result)


def result_of(report: dict[str, t.Any], number: int) -> dict[str, t.Any]:
    """The result of an instance in the report."""
    (result,) = [one for one in report["instances"] if one["id"] == number]
    return result


def test_check_mode_is_a_plan_that_sends_only_reads(simulator: Simulator, controller: Controller) -> None:
    def plan(names: str) -> Run:
        given = extra_variables(restore_instances=names, restore_incident="INC-1")
        return controller.run("ansible-playbook", PLAYBOOK, *given, "--check")

    run = plan("web-bot,bare-bot")
    assert "web-bot (id 1), running, healthy: restore backup 11, 1 d 2 h old." in run.stdout
    assert "DATA LOSS: all changes since 20" in run.stdout
    why = "    It has no usable backup.\n    Without a backup, only a rebuild in the dashboard remains.\n"
    assert f"\nbare-bot (id 5): CAN'T BE RESTORED.\n{why}" in run.stdout
    assert all(call.startswith("GET ") for call in simulator.calls())
    assert not (controller.folder / "clawhosters-restore").exists()
    assert plan("web-bot").rc == 0


def test_check_mode_hands_on_its_plan_without_a_text_of_the_service(simulator: Simulator, runbook: Runbook) -> None:
    digests = []
    for name in ("web-bot", "other-bot"):
        simulator.set_instance(1, name=name)
        checked = runbook.run(restore_instances=None, restore_instance_ids=[1, 5], check=True)
        assert (checked["changed"], checked["failed"]) == (True, True)
        plan = runbook.outcome["plan"]
        assert (plan["service"], plan["account"], plan["incident"]) == (simulator.url, "1", "INC-1")
        assert [(one["id"], one["backup_id"]) for one in plan["entries"]] == [(1, 11)]
        assert not any(text in json.dumps(runbook.outcome) for text in ("bot", "running", "example.com"))
        digests.append((plan["digest"], plan["entries"][0]["name_digest"]))
    assert len(set(digests[0]) | set(digests[1])) == 4
    run_tasks(runbook, "other-bot")
    assert "plan" not in runbook.outcome


def test_each_of_many_failures_has_advice_and_can_go_on(simulator: Simulator, runbook: Runbook, tmp_path: Path) -> None:
    simulator.fault("reset_before", method="POST", path="/backups/31/restore")
    message = "Not <b>now</b> {{ 7 * 7 }}"
    simulator.fault("status", method="POST", path="/backups/41/restore", status=422, message=message)
    names = ("lost-bot", "shy-bot", "nobody", "bare-bot", "sick-bot", "web-bot")
    _result, words = run_tasks(runbook, *names, restore_max_failures=9)
    told = [
        ("lost-bot (id 3): It is unknown whether", "restore it alone with restore_force=true, which sends it again."),
        ("shy-bot (id 4): The restore was rejected", "restore it alone with restore_backup=42, taken "),
        (
            "nobody: There is no instance nobody. Nothing was sent.",
            "Give the right id with restore_instance_ids, or the exact name.",
        ),
        ("bare-bot (id 5): It has no usable backup. Nothing was sent.", "only a rebuild in the dashboard remains."),
        (
            "sick-bot (id 2): The restore has completed, but the instance was not seen running and healthy.",
            "Check it in the ",
        ),
    ]
    for (message, advice), line in zip(told, words.splitlines(), strict=True):
        assert message in line
        assert advice in line
    assert "web-bot" not in words
    assert simulator.effects()["restores"] == 2
    report, page = evidence(tmp_path)
    healthy = result_of(report, 1)
    assert (healthy["outcome"], healthy["events"][-1]["event"]) == ("completed", "healthy")
    refused = result_of(report, 4)
    assert (refused["result"], refused["reason"]["kind"]) == ("rejected", "rejected")
    assert refused["reason"]["facts"]["http_status"] == 422
    assert refused["reason"]["facts"]["request_id"] in page
    assert "Not &lt;b&gt;now&lt;/b&gt; {{ 7 * 7 }}" in page
    counts = "1 of 6 instances restored and healthy, 1 not healthy, 1 rejected, 1 unknown, 2 can&#39;t be restored"
    assert counts in page

    simulator.set_instance(2, health_status="healthy")
    again, _none = run_tasks(runbook, "sick-bot", "web-bot", "shy-bot")
    assert again["msg"] == "3 instances restored and healthy (2 by an earlier run)."
    assert any(line.startswith("web-bot (id 1): Restored from backup 11") for line in again["restored"]), again
    posts = ("POST /backups/31/restore", *(f"POST /backups/{number}/restore" for number in (41, 21, 11, 41)))
    assert sorted(simulator.calls(POSTS)) == sorted(posts)
    report, page = evidence(tmp_path)
    assert [one["state"] for one in report["runs"]] == ["ended", "ended"]
    assert page.count("<td>ended <time") == 2


def test_a_stop_of_the_whole_leaves_evidence_and_advice(simulator: Simulator, runbook: Runbook, tmp_path: Path) -> None:
    def fail(message: str, advice: str, **variables: t.Any) -> str:
        """Requires one message and one advice for both instances. Returns the headline."""
        result, words = run_tasks(runbook, "web-bot", "sick-bot", **variables)
        assert message in words
        assert words.splitlines()[-1].endswith(advice)
        assert words.count(advice) == words.lower().count("nothing was sent") == 1
        return result["msg"]

    again = "run the same command again."
    simulator.switch(health_answer="down")
    fail("The service could not be used.", f"When it answers at api_url, {again}")
    simulator.switch(health_answer="wrapped")
    simulator.fault("status", path="/health", status=404, code="not_found")
    fail("The service could not be used.", f"When it answers at api_url, {again}")
    simulator.set_state(keys={KEY: "revoked"})
    valid = "Set CLAWHOSTERS_API_KEY to a valid key of the right account"
    fail("The API key could not be used.", f"{valid}, then {again}")
    assert "The API key could not be used." in evidence(tmp_path)[1]
    simulator.set_state(keys={KEY: "valid"})
    confirm = "Run the same command again with restore_confirm=web-bot,sick-bot, or type web-bot,sick-bot."
    unlike = "Not confirmed. restore_confirm is: web-bot. It must be: web-bot,sick-bot. Nothing was sent."
    headline = fail(unlike, confirm, restore_confirm="web-bot")
    assert headline == "Only planned: the restore was not confirmed, so nothing was sent."
    page = evidence(tmp_path)[1]
    assert "0 of 2 instances restored and healthy, 2 not begun" in page
    fail("restore_confirm is empty, and there is no terminal to ask at.", confirm, restore_confirm="")
    assert simulator.calls(POSTS) == []
    report, _page = evidence(tmp_path)
    assert ({one["outcome"] for one in report["instances"]}, report["runs"]) == ({"not_begun"}, [])


def test_too_old_says_what_age_to_accept_and_a_time_out_is_gone_on_from(simulator: Simulator, runbook: Runbook) -> None:
    _old, words = run_tasks(runbook, "web-bot", restore_max_age="24h")
    assert "is 1 d 2 h old, and restore_max_age is 1 d 0 h" in words
    assert "Set restore_max_age=28h to accept it." in words
    assert simulator.calls(POSTS) == []

    simulator.switch(transition_reads=7)
    _late, words = run_tasks(runbook, "web-bot", restore_max_age="28h", restore_wait_timeout=1)
    assert re.search(rf"The restore, sent at {TIME_IN_MESSAGE}, was accepted, but its end was not seen\.", words)
    assert "It was not restored within" in words
    assert words.endswith("Run the same command again: it continues, and sends nothing twice.")
    # The restore went on while the runbook did not look. It is waited for; its age does not matter any more.
    done, _none = run_tasks(runbook, "web-bot", restore_max_age="1h", restore_healthy_timeout=60)
    assert done["failed"] is False, done
    assert simulator.calls(POSTS) == ["POST /backups/11/restore"]


def test_a_stopped_instance_is_started_and_a_hostile_name_stays_text(
    simulator: Simulator, runbook: Runbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.set_instance(6, status="stopped", subdomain_url="http://odd-bot.example")
    given: dict[str, t.Any] = {
        "restore_instances": None,
        "restore_instance_ids": [6],
        "restore_confirm": HOSTILE,
        "restore_incident": "../../INC <img src=x>",
        "restore_http_check": True,
    }
    with recording_proxy() as (environment, asked):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        first, _none = run_tasks(runbook, **given, restore_http_path="/status", restore_healthy_timeout=60)
        assert first["failed"] is False, first
        assert asked == ["http://odd-bot.example/status"]
        responded = read_only_result(tmp_path)
        _again, words = run_tasks(runbook, **given, restore_http_path="/nowhere", restore_healthy_timeout=1)
    assert simulator.instance(6)["status"] == "running"
    (path,) = (tmp_path / "clawhosters-restore").glob("*.html")
    assert path.stem.isascii()
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(6)" in page
    ends = [one["events"][-1]["event"] for one in (responded, read_only_result(tmp_path))]
    assert ends == ["address_checked", "failed"]
    failure = "the check of its address failed. http://odd-bot.example/nowhere: status 404, not 200 or 401, after"
    assert failure in words
    assert "<h1>1 instance restored and healthy (1 not responding as expected)</h1>" in page


def test_a_state_dir_that_is_no_path_is_named(simulator: Simulator, tmp_path: Path) -> None:
    runbook = Runbook(Worker(simulator, {"state_dir": "relative/state"}), tmp_path, {})
    _result, words = run_tasks(runbook, "web-bot")
    assert "web-bot: Planning failed. state_dir 'relative/state' is not an absolute path" in words
    assert simulator.calls(POSTS) == []
