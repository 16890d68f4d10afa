# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example of a fleet in Git: the commands of its workflow, run as the runner would, against the simulator."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, Run

pytestmark = pytest.mark.rest

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


@pytest.fixture
def fleet(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state={"instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "demo-bot"}]})
    entries = [{"name": "web-bot", "state": "started"}, {"name": "demo-bot", "state": "stopped"}]
    controller.write("fleet_vars.yml", {"fleet_instances": entries})


def test_plan_apply_and_drift_as_the_workflow_runs_them(
    simulator: Simulator, controller: Controller, fleet: t.Any
) -> None:
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
    assert "web-bot (id 1) would change (start, found stopped), and the plan" in summary
    assert "does not hold any more: 1 difference. Nothing was sent." in " ".join(summary.split())
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
