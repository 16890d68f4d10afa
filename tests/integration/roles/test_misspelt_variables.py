# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A misspelt or cut variable of a role or playbook is refused, and users' own variables are not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_findings import CHECKS
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, Run

VALUE = "value-on-no-screen"


def message(*misspelt: str) -> str:
    """The message for names that are misspelt, each given as ``NAME, OWNER, NAME THAT WAS MEANT``."""
    sentences = [
        "{} is not a variable of the {}. Did you mean {}?".format(*one.split(", ", maxsplit=2)) for one in misspelt
    ]
    return " ".join([*sentences, "Nothing was sent."])


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
    assert refusals(controller.playbook([play])) == [
        message("restore_max_ag, role restore, restore_max_age"),
        message("fleet_report_titl, role fleet_report, fleet_report_title"),
    ]
    assert simulator.calls() == []


@pytest.mark.slice
@pytest.mark.parametrize(
    ("playbook", "given", "misspelt"),
    [
        (
            "fleet",
            {"fleet_instances": [{"name": "web-bot", "state": "stopped"}], "fleet_max_change": VALUE},
            ["fleet_max_change, playbook fleet, fleet_max_changes"],
        ),
        (
            "restore_unhealthy",
            {"restore_unhealthy_id": 1, "restore_unhealthy_nams": VALUE, "restore_max_ag": VALUE},
            [
                "restore_max_ag, role restore, restore_max_age",
                "restore_unhealthy_nams, playbook restore_unhealthy, restore_unhealthy_names",
            ],
        ),
        (
            "restore_drill",
            {"restore_drill_instances": "test-bot", "restore_drill_evry": VALUE},
            ["restore_drill_evry, playbook restore_drill, restore_drill_every"],
        ),
        (
            "doctor",
            {"doctor_report_pth": VALUE},
            ["doctor_report_pth, playbook doctor, doctor_report_path"],
        ),
        (
            "restore",
            {"restore_instance": VALUE, "restore_incident": "INC-1"},
            ["restore_instance, role restore, restore_instances"],
        ),
        (
            "balance_guard",
            {"balance_guard_min_day": VALUE},
            ["balance_guard_min_day, role balance_guard, balance_guard_min_days"],
        ),
        ("fleet_report", {"fleet_report_titl": VALUE}, ["fleet_report_titl, role fleet_report, fleet_report_title"]),
    ],
    ids=["fleet", "restore_unhealthy", "restore_drill", "doctor", "restore", "balance_guard", "fleet_report"],
)
def test_a_playbook_refuses_its_own_and_whatever_was_cut(
    simulator: Simulator, controller: Controller, playbook: str, given: dict[str, t.Any], misspelt: list[str]
) -> None:
    variables = controller.write("variables.yml", given)
    options = ("-e", f"@{variables}", "-e", "note=of two words", "--check")
    run = controller.run("ansible-playbook", f"clawhosters.cloud.{playbook}", *options)
    cut = "-e cut note at a space, and 'two words' was lost."
    cut = f"{cut} Quote it twice: -e 'note=\"of two words\"'."
    assert refusals(run) == [f"{cut} {message(*misspelt)}"]
    assert simulator.calls() == []


def test_a_playbook_warns_of_a_name_of_its_own_that_it_lacks(simulator: Simulator, controller: Controller) -> None:
    file = controller.write("variables.yml", {"restore_ticket": VALUE, "other_ticket": VALUE})
    given = "restore_instances=web-bot restore_incident=INC-1"
    options = ("--check", "-e", f"{given} restore_backup_id={VALUE}", "-e", f"@{file}")
    run = controller.run("ansible-playbook", "clawhosters.cloud.restore", *options)
    assert run.rc == 0, run.screen
    assert run.says("-e sets restore_backup_id (did you mean restore_backup?), which is not a variable of the playbook")
    assert run.says("-e sets restore_ticket")
    assert run.screen.count("[WARNING]: -e sets ") == 2
    assert VALUE not in run.screen


QUOTE_IT = "YAML reads an unquoted no as false, 010 as 8, and 1.0 as a number. Quote it."


@pytest.mark.slice
@pytest.mark.parametrize(
    ("playbook", "file", "sentences"),
    [
        (
            "restore",
            [
                "restore_healthy_timeout: 10m",
                "restore_wait_timeout: yes",
                "restore_max_failures: oc_live_0123456789abcdef",
                "restore_incident: no",
            ],
            [
                f"restore_incident is false, which is no text: {QUOTE_IT}",
                "restore_max_failures is a value that is not shown, but must be a whole number.",
                "restore_wait_timeout is true, but must be a whole number of seconds.",
                "restore_healthy_timeout is '10m', but must be a whole number of seconds.",
            ],
        ),
        (
            "balance_guard",
            [
                "balance_guard_min_days: a week",
                "balance_guard_stop_order: {web-bot: 1}",
                "balance_guard_request: coupon",
                "balance_guard_wait_timeout: -1",
            ],
            [
                "balance_guard_min_days is 'a week', but must be a whole number.",
                'balance_guard_stop_order is {"web-bot": 1}, but must be a list.',
                "balance_guard_request is 'coupon', but must be a dictionary.",
                "balance_guard_wait_timeout is -1, but must be 0 or more seconds.",
            ],
        ),
        (
            "fleet_report",
            ["fleet_report_state_database: [postgresql://me:hidden@db/clawhosters]"],
            ["fleet_report_state_database is a value that is not shown, but must be text."],
        ),
        (
            "fleet_report",
            ["fleet_report_fail_on: attention,bogus"],
            [f"fleet_report_fail_on has 'bogus', which is none of {', '.join(CHECKS)}."],
        ),
        (
            "fleet",
            ["fleet_instances: [web-bot]", "fleet_state: startd", "fleet_max_changes: all"],
            [
                "fleet_instances has 'web-bot', but must be a list of dictionaries.",
                "fleet_state is 'startd', but must be one of started, stopped, restarted, absent.",
                "fleet_max_changes is 'all', but must be a whole number.",
            ],
        ),
        (
            "restore_unhealthy",
            ["restore_unhealthy_ids: [7, '010']", "restore_unhealthy_id: 7", "restore_force: maybe"],
            [
                "restore_unhealthy_ids has '010'. In a file, YAML reads 010 as 8: write it without zeros in front.",
                "restore_force is 'maybe', but must be true or false.",
            ],
        ),
    ],
)
def test_a_wrong_value_is_a_sentence_and_no_argument_spec(
    simulator: Simulator, controller: Controller, playbook: str, file: list[str], sentences: list[str]
) -> None:
    variables = controller.write("variables.yml", "\n".join(file))
    run = controller.run("ansible-playbook", f"clawhosters.cloud.{playbook}", "-e", f"@{variables}")
    assert refusals(run) == [" ".join([*sentences, "Nothing was sent."])]
    assert (simulator.calls(), len(run.screen.splitlines()) < 25) == ([], True), run.screen
    for secret in ("hidden", "0123456789abcdef", "argument_spec"):
        assert secret not in run.screen


def test_a_number_is_no_other_one_on_the_command_line(simulator: Simulator, controller: Controller) -> None:
    reason = "In a file, YAML reads 010 as 8: write it without zeros in front. Nothing was sent."
    options = ("-e", "restore_incident=INC-1", "-e", "restore_backup=010")
    for ids, problem in (
        ("010", f"restore_instance_ids has '010'. {reason}"),
        ("10", f"restore_backup is 010. {reason}"),
    ):
        given = ("-e", f"restore_instance_ids={ids}", *options)
        assert refusals(controller.run("ansible-playbook", "clawhosters.cloud.restore", *given)) == [problem]
    assert simulator.calls() == []


def test_tags_that_select_nothing_are_told(simulator: Simulator, controller: Controller) -> None:
    run = controller.run("ansible-playbook", "clawhosters.cloud.restore_unhealthy", "--tags", "restore")
    (message,) = refusals(run)
    assert message == (
        "The playbook restore_unhealthy runs as a whole, and --tags selects none of it. Leave it out. Nothing was sent."
    )
    assert simulator.calls() == []


@pytest.mark.parametrize("tag", ["always", "tagged"])
@pytest.mark.parametrize(
    "playbook",
    [
        "restore",
        *(
            pytest.param(path.stem, marks=pytest.mark.rest)
            for path in sorted((REPOSITORY / "playbooks").glob("*.yml"))
            if path.stem != "restore"
        ),
    ],
)
def test_a_playbook_that_would_skip_all_its_tasks_is_refused(
    simulator: Simulator, controller: Controller, playbook: str, tag: str
) -> None:
    run = controller.run("ansible-playbook", f"clawhosters.cloud.{playbook}", "--skip-tags", f"mine,{tag}")
    assert run.rc == 4, run.screen
    assert run.says(f"The playbook {playbook} runs as a whole. Leave out --skip-tags. Nothing was sent."), run.screen
    assert simulator.calls() == []


@pytest.mark.rest
def test_a_role_in_a_users_playbook_minds_only_its_own_values(simulator: Simulator, controller: Controller) -> None:
    include = {"ansible.builtin.include_role": {"name": "clawhosters.cloud.restore"}}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"restore_instances": "web-bot", "restore_incident": "INC-1"},
        "tasks": [include],
    }
    run = controller.playbook([play], "--check", "-e", "note=of two words")
    assert run.rc == 0, run.screen
    simulator.clear_log()
    run = controller.playbook([play], "--check", "-e", "note=a restore_before=2026-11-27 08:30")
    assert "-e cut restore_before at a space, and '08:30' was lost." in refusals(run)[0]
    assert simulator.calls() == []


def test_users_own_variables_stay_and_the_role_can_run_twice(simulator: Simulator, controller: Controller) -> None:
    include = {
        "ansible.builtin.include_role": {"name": "clawhosters.cloud.restore"},
        "vars": {"restore_instances": "web-bot", "restore_incident": "INC-1"},
    }
    own = {"restore_note": 1, "restore_team": 1, "restore_incident_id": 1, "fleet_owner": 1, "restore_before_lunch": 1}
    play = {"hosts": "localhost", "gather_facts": False, "vars": own, "tasks": [include, include]}
    run = controller.playbook([play], "--check")
    assert run.rc == 0, run.screen
    assert simulator.calls("POST *") == []


def test_a_misspelt_environment_variable_is_one_warning_in_a_run(simulator: Simulator, controller: Controller) -> None:
    controller.write("clawhosters.yml", {"plugin": "clawhosters.cloud.instances"})
    read = {"clawhosters.cloud.claw_account_info": None}
    tasks = [read, {**read, "loop": [1, 2, 3]}]
    hosts = "localhost,all[0]"
    run = controller.playbook(
        [{"hosts": hosts, "gather_facts": False, "tasks": tasks}],
        *("-i", "clawhosters.yml"),
        CLAWHOSTERS_STATEDIR=VALUE,
    )
    assert run.rc == 0, run.screen
    text = "".join(run.screen.split())
    warning = "The environment variable CLAWHOSTERS_STATEDIR is not used. Did you mean CLAWHOSTERS_STATE_DIR?"
    assert text.count("".join(warning.split())) == 1, run.screen
    assert VALUE not in run.screen
