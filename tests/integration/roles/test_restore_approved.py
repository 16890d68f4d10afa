# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An approved plan binds: exactly its instances are restored from exactly its backups, or nothing is sent."""

from __future__ import annotations

import json
import os
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.plan_scope import digest
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import Target
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.approved_plan import read_plan
from simulator.handle import Simulator
from support.controller import Controller
from support.runbook import Runbook
from support.worker import Worker

NAMES = ("web-bot", "shop-bot")
POSTS = ["POST /backups/11/restore", "POST /backups/21/restore"]


@pytest.fixture
def runbook(simulator: Simulator, tmp_path: Path) -> Runbook:
    instances = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
    backups = [{"id": 10 * number + 1, "instance_id": number, "created_at": "5h ago"} for number in (1, 2)]
    simulator.reset(state={"instances": instances, "backups": backups}, switches={"transition_reads": 1})
    return Runbook(Worker(simulator, {"state_dir": str(tmp_path / "state")}), tmp_path / "report")


def approve(runbook: Runbook, **variables: t.Any) -> dict[str, t.Any]:
    """Returns the plan that a check hands on."""
    assert runbook.run(check=True, restore_instances=",".join(NAMES), **variables)["failed"] is False
    return runbook.outcome["plan"]


def apply(runbook: Runbook, plan: object, **variables: t.Any) -> dict[str, t.Any]:
    return runbook.run(restore_apply_plan=plan, restore_confirm=",".join(NAMES), **variables)


@pytest.mark.parametrize("way", ["a path", "a dictionary"])
def test_it_restores_what_was_approved_and_names_newer_backups(
    simulator: Simulator, runbook: Runbook, tmp_path: Path, way: str
) -> None:
    path = tmp_path / "plan.json"
    plan = approve(runbook, restore_plan_path=str(path))
    assert json.loads(path.read_text(encoding="utf-8")) == plan
    assert NAMES[0] not in path.read_text(encoding="utf-8")
    simulator.add_backup(id=99, instance_id=1, created_at="1m ago")
    assert apply(runbook, str(path) if way == "a path" else plan)["failed"] is False
    assert sorted(simulator.calls("POST *")) == POSTS
    assert any("Newer than this backup: id 99" in line for line in runbook.plan)
    assert f"Plan {plan['digest'][:12]}" in runbook.plan[1]
    # What this incident has restored is done.
    assert apply(runbook, plan)["failed"] is False
    assert len(simulator.calls("POST *")) == 2


def test_a_job_applies_a_plan_handed_on(simulator: Simulator, runbook: Runbook, controller: Controller) -> None:
    handed = {"clawhosters_restore": {"plan": approve(runbook)}}
    simulator.add_backup(id=99, instance_id=1, created_at="1m ago")
    variables = {**handed, "restore_incident": "INC-1", "restore_confirm": ",".join(NAMES)}
    run = controller.run("ansible-playbook", "clawhosters.cloud.restore", "-e", json.dumps(variables))
    assert run.rc == 0, run.screen
    assert simulator.calls("POST *") == POSTS


def test_a_plan_of_another_incident_is_not_applied_unnamed(simulator: Simulator, runbook: Runbook) -> None:
    plan = approve(runbook, restore_incident="INC-9")
    simulator.add_backup(id=99, instance_id=1, created_at="1m ago")
    given = {"restore_instances": NAMES[0], "restore_confirm": NAMES[0]}
    assert runbook.run(restore_handed_plan=plan, **given)["failed"] is False
    assert simulator.calls("POST *") == ["POST /backups/99/restore"]


@pytest.mark.parametrize("handed", ["{'incident': 'INC-1'}", [], 7])
def test_a_handed_plan_that_is_no_dictionary_is_refused(simulator: Simulator, runbook: Runbook, handed: object) -> None:
    result = runbook.run(restore_handed_plan=handed, restore_instances=NAMES[0], restore_confirm=NAMES[0])
    said = "clawhosters_restore, handed on by an earlier job, has a plan that is no dictionary."
    assert result["msg"].startswith(said)
    assert simulator.calls() == []


def test_a_path_of_another_type_is_refused(simulator: Simulator, runbook: Runbook) -> None:
    result = runbook.run(check=True, restore_instances=NAMES[0], restore_plan_path={"path": "plan.json"})
    assert result["msg"].startswith("restore_plan_path must be a path, as text.")
    assert simulator.calls() == []


def test_names_confirm_an_approved_plan_at_the_prompt(simulator: Simulator, runbook: Runbook) -> None:
    assert runbook.run(answers=[",".join(NAMES)], restore_apply_plan=approve(runbook))["failed"] is False
    assert sorted(simulator.calls("POST *")) == POSTS


def test_ids_that_are_text_can_be_approved(runbook: Runbook) -> None:
    plan = approve(runbook)
    given = resigned(plan, entries=[{**plan["entries"][0], "id": "i-1", "backup_id": "b-1"}])
    assert read_plan(given).find_targets("INC-1", []) == [Target("i-1", None, "b-1")]


def test_a_plan_that_cannot_be_written_fails_the_check(runbook: Runbook) -> None:
    result = runbook.run(check=True, restore_instances=",".join(NAMES), restore_plan_path="/proc/none/plan.json")
    assert result["is_complete"] is False
    assert "/proc/none" in result["msg"]


def test_a_check_without_a_service_counts_nothing_as_restored(simulator: Simulator, runbook: Runbook) -> None:
    simulator.fault("status", status=503, path="/health", times=None)
    result = runbook.run(check=True, restore_instances=NAMES[0])
    assert "restored already" not in result["msg"]


def resigned(plan: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    """Returns the plan with changes and the digest that fits them."""
    changed = {**plan, **changes}
    return {**changed, "digest": digest({name: value for name, value in changed.items() if name != "digest"})}


OLD = (datetime.now(UTC) - timedelta(hours=25)).isoformat()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: {**plan, "made_at": OLD}, "it was edited: its digest does not match"),
        (lambda plan: resigned(plan, made_at=OLD), "more than restore_plan_max_age (1 d 0 h)"),
        (lambda plan: resigned(plan, service="https://other.example"), "of the service https://other.example"),
        (lambda plan: resigned(plan, account="9"), "of the account 9, and this key is of 1"),
        (lambda plan: resigned(plan, incident="INC-9"), "is of the incident INC-9, not of INC-1"),
        (lambda plan: resigned(plan, entries=[{**plan["entries"][0], "id": "01"}]), "an id has another spelling"),
        (lambda plan: resigned(plan, entries=[{**plan["entries"][0], "id": 10**999}]), "or is too long"),
        (lambda plan: resigned(plan, entries=[{**plan["entries"][0], "backup_id": "\ud800"}]), "another spelling"),
        (lambda plan: {**plan, "entries": [7]}, "a part is missing, or of another type"),
        (lambda _plan: [7], "it is no dictionary"),
    ],
)
def test_another_plan_is_refused(
    simulator: Simulator, runbook: Runbook, change: t.Callable[[dict[str, t.Any]], object], said: str
) -> None:
    result = apply(runbook, change(approve(runbook)))
    assert result["failed"] is True
    assert said in " ".join([result["msg"], *result.get("failures", [])])
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda simulator: simulator.set_instance(1, name="other"), "had another name"),
        (lambda simulator: simulator.remove_instance(1), "There is no instance with id 1"),
        (lambda simulator: simulator.set_backup(11, created_at="2h ago"), "was of another time"),
        (lambda simulator: simulator.set_backup(11, status="expired"), "can't be used any more: its status is expired"),
    ],
)
def test_what_does_not_hold_any_more_is_named_and_nothing_is_sent(
    simulator: Simulator, runbook: Runbook, change: t.Callable[[Simulator], object], said: str
) -> None:
    plan = approve(runbook)
    change(simulator)
    result = apply(runbook, plan)
    assert said in " ".join(result["failures"])
    assert simulator.calls("POST *") == []


def test_a_restore_of_another_incident_since_then_is_no_part_of_it(simulator: Simulator, runbook: Runbook) -> None:
    plan = approve(runbook)
    given = {"restore_instances": NAMES[1], "restore_confirm": NAMES[1], "restore_incident": "INC-9"}
    assert runbook.run(**given)["failed"] is False
    assert "was restored for incident INC-9 since then" in " ".join(apply(runbook, plan)["failures"])
    assert simulator.calls("POST *") == POSTS[1:]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"restore_instances": "web-bot"}, "differs from restore_apply_plan by id 2. Leave it out."),
        ({"restore_instances": "other-bot,web-bot"}, "differs from restore_apply_plan by other-bot, id 2."),
        ({"restore_instance_ids": "1,3"}, "differs from restore_apply_plan by id 3, id 2."),
        ({"restore_backup": "11"}, "leave out restore_plan_path, restore_backup and restore_before"),
        ({"restore_plan_path": "new.json", "check": True}, "leave out restore_plan_path"),
        ({"restore_plan_path": "new.json"}, "add --check"),
        ({"restore_plan_max_age": "soon"}, "restore_plan_max_age is 'soon'"),
    ],
)
def test_variables_that_contradict_it_are_refused(
    simulator: Simulator, runbook: Runbook, variables: dict[str, t.Any], said: str
) -> None:
    result = apply(runbook, approve(runbook), **variables)
    assert said in result["msg"]
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize("kind", ["missing", "a pipe", "a folder", "too large", "deep", "no JSON"])
def test_a_file_that_is_no_plan_is_one_error(simulator: Simulator, runbook: Runbook, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "plan.json"
    texts = {"too large": "[" + "1," * 600_000 + "1]", "deep": "[" * 200_000, "no JSON": "{"}
    if kind in texts:
        path.write_text(texts[kind], encoding="utf-8")
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    result = apply(runbook, str(path))
    assert result["msg"].startswith("restore_apply_plan is ")
    assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls() == []
