# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An unknown or cut variable of a role or playbook is refused, and variables of others are not."""

from __future__ import annotations

import typing as t

import pytest

from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, Run

VALUE = "value-on-no-screen"
PLAYBOOKS = sorted(path.stem for path in (REPOSITORY / "playbooks").glob("*.yml"))


def refusals(run: Run) -> list[str]:
    """The messages of the tasks that failed, none of which shows a value."""
    assert run.rc == 2, run.screen
    assert VALUE not in run.screen
    return [str(entry["result"]["msg"]) for entry in run.results if entry["outcome"] == "failed"]


@pytest.mark.rest
def test_a_role_refuses_variables_of_the_play_and_the_include(simulator: Simulator, controller: Controller) -> None:
    given = {"restore_instances": "web-bot", "restore_incident": "INC-1", "restore_max_ag": VALUE}
    include = {"ansible.builtin.include_role": {"name": "clawhosters.cloud.restore"}, "vars": given}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"fleet_report_titl": VALUE},
        "pre_tasks": [{"block": [include], "rescue": [{"ansible.builtin.meta": "noop"}]}],
        "roles": ["clawhosters.cloud.fleet_report"],
    }
    first, second = refusals(controller.playbook([play]))
    assert first.startswith("restore has no variable restore_max_ag. Its variables are: restore_instances, restore_i")
    assert second.startswith("fleet_report has no variable fleet_report_titl. Its variables are: fleet_report_path, ")
    assert simulator.calls() == []


@pytest.mark.slice
@pytest.mark.parametrize(
    ("playbook", "given", "problems"),
    [
        (
            "fleet",
            {"fleet_instances": "[{name: web-bot}", "fleet_serial": "1,", "fleet_max_change": VALUE},
            [
                "fleet_instances looks like JSON but is not a list: '[{name: web-bot}'.",
                "fleet_serial ends in a comma: '1,'.",
                "fleet has no variable fleet_max_change.",
            ],
        ),
        (
            "restore_unhealthy",
            {"restore_unhealthy_id": 1, "restore_unhealthy_nams": VALUE, "restore_max_ag": VALUE},
            ["restore has no variable restore_max_ag.", "restore_unhealthy has no variable restore_unhealthy_nams."],
        ),
        ("restore_drill", {"restore_drill_evry": VALUE}, ["restore_drill has no variable restore_drill_evry."]),
        (
            "restore_status",
            {"restore_incidnt": VALUE, "restore_status_incident": VALUE},
            [
                "restore has no variable restore_incidnt.",
                "restore_status has no variable restore_status_incident. Its variables are: restore_incident, restore_",
            ],
        ),
        ("doctor", {"doctor_report_pth": VALUE}, ["doctor has no variable doctor_report_pth."]),
        ("restore", {"restore_instance": VALUE}, ["restore has no variable restore_instance."]),
        (
            "balance_guard",
            {"balance_guard_min_day": VALUE, "balance_guard_stop_order": "web-bot,"},
            ["balance_guard_stop_order ends in a comma: 'web-bot,'.", "balance_guard has no variable balance_guard_mi"],
        ),
        ("fleet_report", {"fleet_report_titl": VALUE}, ["fleet_report has no variable fleet_report_titl."]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_playbook_refuses_its_own_and_whatever_was_cut(
    simulator: Simulator, controller: Controller, playbook: str, given: dict[str, t.Any], problems: list[str]
) -> None:
    variables = controller.write("variables.yml", given)
    options = ("-e", f"@{variables}", "-e", "note=of two words", "--check")
    run = controller.run("ansible-playbook", f"clawhosters.cloud.{playbook}", *options)
    (refusal,) = refusals(run)
    cut = "-e cut note at a space, and 'two words' was lost. Quote it twice: -e 'note=\"of two words\"'. "
    assert refusal.startswith(cut)
    assert refusal.endswith(" Nothing was sent.")
    assert all(problem in refusal for problem in problems), refusal
    assert simulator.calls() == []


def test_a_value_of_another_type_is_refused_and_nothing_sent(simulator: Simulator, controller: Controller) -> None:
    options = ("-e", "balance_guard_min_days=a-week", "-e", '{"fleet_report_state_database": ["db.hidden"]}')
    run = controller.run("ansible-playbook", "clawhosters.cloud.balance_guard", *options)
    (refusal,) = refusals(run)
    assert "argument 'balance_guard_min_days' is of type str and we were unable to convert to int" in refusal
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet_report", *options)
    assert run.rc == 2, run.screen
    assert "db.hidden" not in run.screen
    assert simulator.calls() == []


@pytest.mark.parametrize("option", ["--tags", "--skip-tags"])
@pytest.mark.parametrize(
    "playbook", ["restore", *(pytest.param(name, marks=pytest.mark.rest) for name in PLAYBOOKS if name != "restore")]
)
def test_playbooks_refuse_tags(simulator: Simulator, controller: Controller, playbook: str, option: str) -> None:
    run = controller.run("ansible-playbook", f"clawhosters.cloud.{playbook}", option, "mine,always")
    assert run.rc == 4, run.screen
    assert run.says(f"The playbook {playbook} runs as a whole. Leave out --tags and --skip-tags. Nothing was sent.")
    assert simulator.calls() == []


@pytest.mark.rest
def test_a_role_in_a_users_playbook_minds_only_its_own_values(simulator: Simulator, controller: Controller) -> None:
    include = {"ansible.builtin.include_role": {"name": "clawhosters.cloud.restore"}}
    given = {"restore_instances": "web-bot", "restore_incident": "INC-1"}
    play = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": [include]}
    run = controller.playbook([play], "--check", "-e", "note=of two words")
    assert run.rc == 0, run.screen
    simulator.clear_log()
    run = controller.playbook([play], "--check", "-e", "note=a restore_before=2026-11-27 08:30")
    assert "-e cut restore_before at a space, and '08:30' was lost." in refusals(run)[0]
    assert simulator.calls() == []


def test_variables_of_others_stay_and_the_role_can_run_twice(simulator: Simulator, controller: Controller) -> None:
    given = {"restore_instances": "web-bot", "restore_incident": "INC-1"}
    include = {"ansible.builtin.include_role": {"name": "clawhosters.cloud.restore"}, "vars": given}
    others = ("restore_drill_every", "restore_unhealthy_nams", "restored", "restore__own", "fleet_owner")
    play = {"hosts": "localhost", "gather_facts": False, "vars": dict.fromkeys(others, "1"), "tasks": [include] * 2}
    run = controller.playbook([play], "--check")
    assert run.rc == 0, run.screen
    assert simulator.calls("POST *") == []
