# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role and playbook fleet as they are typed, and as the example of a fleet in Git runs them."""

from __future__ import annotations

import itertools
import json
import os
import stat
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.action import internal_fleet
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, Run, extra_variables
from support.users import STRANGER, Owners
from support.worker import Worker

STOP_ALL = [{"name": name, "state": "stopped"} for name in ("web-bot", "support-bot", "sales-bot", "old-bot")]


@pytest.fixture(autouse=True)
def account(simulator: Simulator) -> None:
    names = {"web-bot": "running", "support-bot": "running", "sales-bot": "stopped", "old-bot": "running"}
    instances = [{"id": number, "name": name, "status": names[name]} for number, name in enumerate(names, 1)]
    simulator.reset(state={"instances": [one | {"billing_mode": "daily"} for one in instances]})


def apply(controller: Controller, instances: list[dict[str, t.Any]], *flags: str, **variables: t.Any) -> Run:
    path = controller.write("fleet.yml", {"fleet_instances": instances})
    options = ("-e", f"@{path}", *extra_variables(**variables), *flags)
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet", *options)
    assert "Traceback" not in run.screen
    return run


def shown(run: Run) -> list[str]:
    """The lines between service and account, and the end of the task."""
    _above, _account, lines = run.stdout.partition("account user@example.com (id 1).\n")
    ends = ("--- before", "ok: [", "changed: [", "[ERROR]")
    return list(itertools.takewhile(lambda line: line and not line.startswith(ends), lines.split("\n")))


def failure(run: Run) -> str:
    """The message of the task that failed."""
    assert run.rc == 2, run.screen
    (message,) = [str(entry["result"]["msg"]) for entry in run.results if entry["outcome"] == "failed"]
    return message


def test_one_entry_that_fails_hides_nothing_of_the_others(simulator: Simulator, controller: Controller) -> None:
    declared = [
        {"name": "web-bot", "state": "stopped"},
        {"name": "support-bto"},
        {"name": "sales-bot"},
        {"name": "old-bot", "state": "started"},
    ]
    run = apply(controller, declared, "--diff")
    assert failure(run) == "1 started, 1 stopped; 1 unchanged; 1 failed."
    assert shown(run) == [
        "web-bot (id 1): stopped (was running)",
        "sales-bot (id 3): started (was stopped)",
        "entry 2, support-bto: no such instance; did you mean support-bot?",
        "1 started, 1 stopped; 1 unchanged; 1 failed.",
    ]
    assert run.changed_tasks == 1
    assert "1 failed.\n--- before" in run.stdout
    assert '-    "web-bot (id 1)": "running"' in run.stdout
    assert '+    "web-bot (id 1)": "stopped"' in run.stdout
    assert simulator.effects() == {"starts": 1, "stops": 1}


def test_the_list_can_be_text_of_the_command_line(simulator: Simulator, controller: Controller) -> None:
    declared = 'fleet_instances=[{"id":1,"state":"stopped"},{"name":"sales-bot"}]'
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet", "-e", declared)
    assert shown(run)[-1] == "1 started, 1 stopped."
    assert simulator.effects() == {"starts": 1, "stops": 1}


@pytest.mark.parametrize("flags", [("--check", "--diff"), ()])
def test_a_plan_beyond_a_limit_is_refused(simulator: Simulator, controller: Controller, flags: tuple[str, ...]) -> None:
    run = apply(controller, [*STOP_ALL[:2], {"name": "sales-bot"}], *flags, fleet_max_changes=2)
    assert shown(run)[-1] == "1 to start, 2 to stop."
    assert failure(run) == (
        "3 instances would change, more than fleet_max_changes (2) allows: 1 to start, 2 to stop. Nothing was sent. "
        "To allow it, set fleet_max_changes=3."
    )
    assert ('+    "web-bot (id 1)": "stopped"' in run.stdout) is bool(flags)
    details = [f"GET /instances/{number}" for number in (1, 2, 3)]
    calls = simulator.calls()
    assert calls[:2] == ["GET /account", "GET /instances"]
    assert sorted(calls[2:]) == (details if flags else [])


def test_a_run_that_looks_for_drift_does_not_say_how_to_allow_it(controller: Controller) -> None:
    run = apply(controller, STOP_ALL[:1], "--check", fleet_max_changes=0)
    assert failure(run).endswith("1 to stop. Nothing was sent.")


def test_deleting_must_be_allowed(simulator: Simulator, controller: Controller) -> None:
    declared = [{"name": "old-bot", "state": "absent"}, {"name": "web-bto", "state": "absent"}, {"name": "sales-bot"}]
    for flags in (("--check",), ()):
        run = apply(controller, declared, *flags)
        assert failure(run) == (
            "1 instance would be deleted, more than fleet_max_deletions (0) allows: old-bot (id 4). "
            "Its backups may be deleted too. Nothing was sent. To allow it, set fleet_max_deletions=1."
        )
        assert "old-bot (id 4): to delete (now running), perhaps with its backups" in shown(run)
        assert run.says("entry 2, web-bto: no such instance; did you mean web-bot?")
    assert simulator.effects() == {}
    run = apply(controller, declared, fleet_max_deletions=1)
    assert run.rc == 0, run.screen
    assert "Deleting old-bot (id 4) may delete its backups too." in run.stderr
    assert shown(run)[-1] == "1 started, 1 deleted; 1 unchanged."
    assert simulator.effects() == {"starts": 1, "deletes": 1}


def test_what_is_wrong_as_a_whole_fails_at_once(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("forbidden", path="/instances", times=None)
    run = apply(controller, [{"name": "web-bot"}])
    assert "was answered with 403" in failure(run)
    assert shown(run) == []
    misspelt = apply(controller, [{"name": "web-bot", "stat": "stopped"}])
    assert failure(misspelt).startswith("Unsupported: fleet_instances.stat. Supported parameters include: id, name")
    assert failure(misspelt).endswith("state. Nothing was sent.")


def test_no_name_writes_into_the_advice_to_lift_a_limit(simulator: Simulator, controller: Controller) -> None:
    name = "9999 instances would be deleted, more than max_changes: entry 7, {{ 7 * 7 }}"
    simulator.set_instance(4, name=name)
    run = apply(controller, [{"id": 4, "state": "absent"}], fleet_max_changes=0)
    assert failure(run) == (
        f"1 instance would be deleted, more than fleet_max_deletions (0) allows: {name} (id 4). "
        "Its backups may be deleted too. "
        "1 instance would change, more than fleet_max_changes (0) allows: 1 to delete. Nothing was sent. "
        "To allow it, set fleet_max_deletions=1."
    )
    assert simulator.effects() == {}


def test_a_plan_is_written_with_check_and_only_it_is_applied(simulator: Simulator, controller: Controller) -> None:
    path = controller.folder / "plan.json"
    planned = apply(controller, STOP_ALL, "--check", fleet_plan_path=str(path))
    assert planned.rc == 0, planned.screen
    plan = json.loads(path.read_text(encoding="utf-8"))
    assert [(entry["name"], entry["action"]) for entry in plan["entries"]] == [
        (name, "stop") for name in ("web-bot", "support-bot", "old-bot")
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    simulator.set_instance(2, status="stopped")
    simulator.set_instance(3, status="running")
    outdated = apply(controller, STOP_ALL, fleet_apply_plan=str(path))
    assert shown(outdated) == [
        "sales-bot (id 3): its status is running now, so it would change, and the plan",
        "    has no change of it.",
    ]
    assert failure(outdated) == (
        f"Plan {plan['digest'][:12]} in {path} does not hold any more: 1 difference. Nothing was sent. Make a new plan."
    )
    assert simulator.effects() == {}
    simulator.set_instance(3, status="stopped")
    applied = apply(controller, STOP_ALL, fleet_apply_plan=str(path), fleet_serial='[1, "100%"]', fleet_max_failures=1)
    assert applied.rc == 0, applied.screen
    assert shown(planned)[-3] == shown(applied)[0]
    assert shown(planned)[-3].startswith(f"Plan {plan['digest'][:12]}, made at ")
    assert "support-bot (id 2): stopped already" in shown(applied)
    assert simulator.effects() == {"stops": 2}


def test_a_plan_holds_any_name_and_says_how_to_apply_it(simulator: Simulator, controller: Controller) -> None:
    names = ["{{ 7 * 7 }} 'x\"", "#jinja2: x"]
    for number, name in enumerate(names, 1):
        simulator.set_instance(number, name=name)
    declared = [{"id": number, "state": "stopped"} for number in (1, 2)]
    run = apply(controller, declared, "--check", fleet_plan_path="plan.json")
    advice = "To apply exactly this, set, instead of fleet_plan_path and --check:"
    assert shown(run)[-2:] == [advice, "fleet_apply_plan=plan.json"]
    plan = json.loads((controller.folder / "plan.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in plan["entries"]] == names
    assert apply(controller, declared, fleet_apply_plan="plan.json").rc == 0
    assert simulator.effects() == {"stops": 2}


def run_task(worker: Worker, **options: t.Any) -> dict[str, t.Any]:
    """Runs the task of the role in this process."""
    module: t.Any = SimpleNamespace(SPEC=internal_fleet.SPEC, run=lambda context: internal_fleet.run(context, print))
    return worker.run(module, instances=STOP_ALL, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_failures": 1}, "fleet_max_failures needs fleet_serial: "),
        ({"max_failures": -1, "serial": [1]}, "fleet_max_failures is -1"),
        ({"serial": [0]}, "fleet_serial has the batch size '0'"),
        ({"plan_max_age": "x"}, "fleet_plan_max_age is 'x'"),
        ({"wait_timeout": -1}, "fleet_wait_timeout is -1"),
        ({"max_changes": -1}, "fleet_max_changes is -1"),
        ({"wait_timeout": 5}, "within 5 s (fleet_wait_timeout)"),
    ],
)
def test_a_message_names_the_variables_of_the_role(simulator: Simulator, options: dict[str, t.Any], words: str) -> None:
    simulator.switch(transition_reads=1000)
    assert words in str(run_task(Worker(simulator), **options))


@pytest.mark.parametrize("given", [None, "7", '["web-bot"]'])
def test_a_fleet_that_is_not_declared_is_told_in_one_line(controller: Controller, given: str | None) -> None:
    variables = ("-e", f"fleet_instances={given}") if given else ()
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet", *variables)
    assert failure(run).startswith("fleet_instances is not set to a list of dictionaries, such as {name: web-bot, ")
    assert "fleet_apply_plan" not in run.screen


def test_a_plan_that_is_no_regular_file_is_refused_at_once(simulator: Simulator, controller: Controller) -> None:
    os.mkfifo(controller.folder / "plan.json")
    run = apply(controller, STOP_ALL, fleet_apply_plan="plan.json")
    assert "fleet_apply_plan is plan.json, which is no regular file." in failure(run)
    assert simulator.calls() == []


def test_the_other_user_who_owns_a_plan_is_named(simulator: Simulator, owners: Owners, tmp_path: Path) -> None:
    path, worker = tmp_path / "plan.json", Worker(simulator)
    plan = worker.run(claw_fleet, check=True, instances=STOP_ALL)["plan"]
    path.write_text(json.dumps(plan), encoding="utf-8")
    owners.give(path)
    assert run_task(worker, apply_plan=str(path))["is_complete"] is True
    (warning,) = worker.warnings
    assert warning.endswith(f"belongs to another user (uid {STRANGER}), who may have edited it.")
    assert simulator.effects() == {"stops": 3}


def test_a_limit_is_heeded_whatever_task_the_run_starts_at(simulator: Simulator, controller: Controller) -> None:
    at = "--start-at-task=clawhosters.cloud.fleet : Bring each instance to its state"
    message = failure(apply(controller, STOP_ALL, at, fleet_max_change=0))
    assert message.startswith("fleet has no variable fleet_max_change. Its variables are: fleet_instances, ")
    last = "--start-at-task=clawhosters.cloud.fleet : Require that every instance has its state"
    assert apply(controller, STOP_ALL, last).rc == 2
    assert simulator.calls() == []


def test_the_protected_may_be_text_with_one_name_a_line(simulator: Simulator, controller: Controller) -> None:
    declared = [{"name": "old-bot", "state": "absent"}]
    run = apply(controller, declared, fleet_protected="web-bot\nold-bot\n", fleet_max_deletions=1)
    assert "old-bot (id 4) is listed in fleet_protected and must not be deleted" in failure(run)
    assert simulator.effects() == {}


def test_the_role_can_be_imported(simulator: Simulator, controller: Controller) -> None:
    role = {"ansible.builtin.import_role": {"name": "clawhosters.cloud.fleet"}, "vars": {"fleet_instances": STOP_ALL}}
    assert controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [role]}]).rc == 0
    assert simulator.effects() == {"stops": 3}


def test_a_plan_is_written_through_no_link_and_not_without_check(simulator: Simulator, controller: Controller) -> None:
    target = controller.folder / "target"
    target.write_text("kept", encoding="utf-8")
    path = controller.folder / "plan.json"
    path.symlink_to(target)
    assert apply(controller, STOP_ALL, "--check", fleet_plan_path=str(path)).rc == 0
    assert target.read_text(encoding="utf-8") == "kept"
    assert not path.is_symlink()
    for flags, more, words in (
        ((), {}, "fleet_plan_path is written with --check: add that, or leave it out. Nothing was sent."),
        (("--check",), {"fleet_apply_plan": str(path)}, "parameters are mutually exclusive: plan_path|apply_plan"),
    ):
        assert failure(apply(controller, STOP_ALL, *flags, fleet_plan_path=str(path), **more)).startswith(words)
    assert simulator.effects() == {}


# The example of a fleet in Git: the commands of its workflow, run as the runner would


WORKFLOW = yaml.safe_load((REPOSITORY / "examples/fleet-in-git/fleet.yml").read_text(encoding="utf-8"))
EVENTS = ("pull_request", "push", "schedule")


def commands_of(event: str) -> list[str]:
    """Returns the commands of the steps that run only for this event."""
    steps = WORKFLOW["jobs"]["fleet"]["steps"]
    return [step["run"] for step in steps if step.get("if") == f"github.event_name == '{event}'"]


def run_job(controller: Controller, event: str) -> tuple[Run, str]:
    """Runs the command of an event in Actions' own shell. Returns what it showed, and the summary of the run."""
    (command,) = commands_of(event)
    summary = controller.folder / "summary"
    summary.write_text("", encoding="utf-8")
    shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command)
    run = controller.run(*shell, GITHUB_STEP_SUMMARY=str(summary))
    return run, summary.read_text(encoding="utf-8")


@pytest.mark.rest
def test_plan_apply_and_drift_as_the_workflow_runs_them(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state={"instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "demo-bot"}]})
    entries = [{"name": "web-bot", "state": "started"}, {"name": "demo-bot", "state": "stopped"}]
    controller.write("fleet_vars.yml", {"fleet_instances": entries})
    plan, summary = run_job(controller, "pull_request")
    assert plan.rc == 0, plan.screen
    assert "1 to stop" in summary
    assert simulator.effects() == {}
    drift, summary = run_job(controller, "schedule")
    assert drift.rc == 2
    assert "demo-bot" in summary
    assert simulator.effects() == {}
    (controller.folder / "fleet-plan.json").rename(controller.folder / "kept.json")
    missing, _summary = run_job(controller, "push")
    assert missing.rc == 2
    (controller.folder / "kept.json").rename(controller.folder / "fleet-plan.json")
    simulator.set_instance(1, status="stopped")
    outdated, summary = run_job(controller, "push")
    assert outdated.rc == 2
    told = " ".join(summary.split())
    assert "web-bot (id 1): its status is stopped now, so it would change, and the plan has no change of it." in told
    assert "does not hold any more: 1 difference. Nothing was sent." in told
    assert simulator.effects() == {}
    simulator.set_instance(1, status="running")
    applied, summary = run_job(controller, "push")
    assert applied.rc == 0, applied.screen
    assert simulator.effects() == {"stops": 1}
    none, _summary = run_job(controller, "schedule")
    assert none.rc == 0, none.screen


def test_each_event_has_one_command_and_only_a_push_changes_the_fleet() -> None:
    assert set(WORKFLOW["on"]) == set(EVENTS)
    for event in EVENTS:
        (command,) = commands_of(event)
        assert ("--check" in command) is (event != "push")
    assert WORKFLOW["defaults"]["run"]["shell"].startswith("bash")
