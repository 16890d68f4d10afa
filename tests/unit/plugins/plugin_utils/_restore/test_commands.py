# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the next command that the role restore prints. roles/test_restore.py has more."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.action.internal_restore_run import parse_targets
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan import ObstacleKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.commands import (
    Command,
    build_advice,
    build_command,
    format_named,
    format_without_file,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.failures import Advice, FailureKind
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.run_record import build_run_record
from support.restores import BACKUPS, NOW, VARIABLES, WEB, history, plan, role_plans, run

ROLE = Path(__file__).resolve().parents[5] / "roles/restore"

INTENDED, COMPLETED = OperationEvent.INTENDED, OperationEvent.COMPLETED


def test_the_defaults_match_the_specification_of_the_role():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = options["argument_specs"]["main"]["options"]
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}


def test_a_failure_status_needs_force_and_a_busy_status_needs_time():
    def command(status):
        return build_run_record(run(plan(instance={**WEB, "status": status})), history, NOW)["instances"][0]["command"]

    assert command("error").endswith("; restore_force = true")
    assert (
        command("deploying")
        == "ansible-playbook clawhosters.cloud.restore -e 'restore_incident=INC-1 restore_instances=web-bot'"
    )


def test_after_a_refused_backup_the_one_before_it_is_restored():
    advice = build_advice(FailureKind.BACKUP_REFUSED, plan(), VARIABLES)
    assert advice.text.endswith("the one before it: backup 11 of 2026-02-01 10:00 UTC")
    assert advice.variables["restore_backup"] == 11
    assert "restore_force" not in advice.variables
    # Limits that only the newer backup meets would refuse the older one.
    limits = {"restore_max_age": "36h", "restore_before": "2026-02-03"}
    command = build_command({"restore_instances": ["web-bot"]}, {**VARIABLES, **limits}, advice)
    assert not {"restore_max_age", "restore_before"} & set(command.variables)
    only_one = build_advice(FailureKind.BACKUP_REFUSED, plan(backups=BACKUPS[:1]), VARIABLES)
    assert "restore_backup" not in only_one.variables


@pytest.mark.parametrize("kind", [ObstacleKind.FAILED, FailureKind.INSTANCE_REFUSED])
@pytest.mark.parametrize("status", ["error", "deploy_failed", "running"])
def test_after_the_instance_has_failed_the_same_backup_is_restored(kind, status):
    advice = build_advice(kind, plan(instance={**WEB, "status": status}), VARIABLES)
    assert advice.variables == {"restore_force": True, "restore_backup": 12, "restore_before": ""}
    assert advice.text == (
        "Check the instance in the dashboard, and rebuild it there if it has failed. Then restore the same backup "
        "again; the one before it is 11 of 2026-02-01 10:00 UTC"
    )


@pytest.mark.parametrize(
    "kind",
    [ObstacleKind.FAILED, FailureKind.INSTANCE_REFUSED, FailureKind.BACKUP_REFUSED, FailureKind.NOT_HEALTHY],
)
def test_where_no_backup_is_older_the_advice_says_so(kind):
    oldest = build_advice(kind, plan(backups=BACKUPS[:1]), VARIABLES)
    assert oldest.text.startswith("It was the oldest usable backup. ")
    for other in (build_advice(kind, plan(), VARIABLES), build_advice(kind, plan(), {"restore_backup": "12"})):
        assert "oldest" not in other.text


def test_after_a_given_backup_the_newest_one_before_it_is_planned():
    """Only the backup that was given has been read."""
    variables = {**VARIABLES, "restore_backup": "12"}
    advice = build_advice(FailureKind.BACKUP_REFUSED, plan(backups=BACKUPS[:1], restore_backup="12"), variables)
    assert "the newest backup before 2026-02-02 10:00 UTC" in advice.text
    command = build_command({"restore_instances": ["web-bot"]}, variables, advice)
    assert "restore_backup" not in command.variables
    assert command.variables["restore_before"] == "2026-02-02T10:00:00Z"


def test_a_restore_that_did_not_help_leads_to_an_older_backup():
    for given in (plan(), plan(history(INTENDED, COMPLETED))):
        advice = build_advice(FailureKind.NOT_HEALTHY, given, VARIABLES)
        assert "set restore_before=2026-02-02T10:00:00Z and another restore_incident." in advice.text
        assert advice.variables == {}
        # As `result_format: yaml` folds it: at the first space behind column 80.
        folded = yaml.safe_dump({"failures": [[advice.text]]}, indent=4, width=80)
        assert max(map(len, folded.splitlines())) < 90
    only = build_advice(FailureKind.NOT_HEALTHY, plan(backups=BACKUPS[:1]), VARIABLES)
    assert "older" not in only.text


def test_an_unknown_restore_is_told_by_the_data_that_it_would_have_removed():
    advice = build_advice(ObstacleKind.UNKNOWN, plan(history(INTENDED)), VARIABLES)
    assert "If it still has data from after 2026-02-02 10:00 UTC, it was not restored." in advice.text


BOTS = {"restore_instances": ["web-bot"]}


def test_no_command_drops_the_time_that_the_user_gave_unsaid():
    given = {**VARIABLES, "restore_before": "2026-02-01"}
    none = build_advice(ObstacleKind.NO_BACKUP, plan(restore_before="2026-02-01"), given)
    assert (
        format_named(build_command(BOTS, given, none), given) == " (the command leaves out restore_before=2026-02-01)"
    )
    unclear = build_advice(ObstacleKind.UNCLEAR_BACKUP, plan(), given)
    command = build_command(BOTS, given, unclear)
    assert command.variables["restore_before"] == "2026-02-01"
    older = Advice("", {"restore_backup": 11, "restore_before": "", "restore_max_age": ""})
    given["restore_max_age"] = "36h"
    assert format_named(build_command(BOTS, given, older), given) == (
        " (the command sets restore_backup=11 and leaves out restore_before=2026-02-01, restore_max_age=36h)"
    )


def test_the_command_for_one_instance_has_no_batches():
    variables = {**VARIABLES, "restore_serial": [1, "100%"], "restore_max_failures": 3}
    of_batches = {"restore_serial", "restore_max_failures"}
    assert not of_batches & set(build_command({"restore_instances": ["a"]}, variables).variables)
    assert not of_batches & set(build_command({"restore_instance_ids": [1]}, variables).variables)
    assert of_batches <= set(build_command({"restore_instances": ["a", "b"]}, variables).variables)


def test_no_command_holds_the_confirmation():
    command = build_command({}, {**VARIABLES, "restore_confirm": "web-bot"})
    assert "restore_confirm" not in command.variables


@pytest.mark.parametrize(
    ("names", "ids", "named_as"),
    [
        ("web-bot", None, "restore_instances=web-bot"),
        (None, [1], "restore_instance_ids=1"),
        ("web bot", None, "restore_instance_ids=3"),
        ("nobody", None, "restore_instances=nobody"),
        (None, [77], "restore_instance_ids=77"),
    ],
)
def test_the_next_command_names_an_instance_as_the_user_did_if_unquoted(names, ids, named_as):
    instances = [WEB, {"id": 2, "name": "web-bot"} if ids else {"id": 2, "name": "b"}, {"id": 3, "name": "web bot"}]
    plans = role_plans(parse_targets(names, ids), instances, [])
    (verdict,) = build_run_record(run(*plans), history, NOW)["instances"]
    assert f"{named_as}" in verdict["command"].split("'")[1].split()


def test_a_limit_that_the_next_command_keeps_is_said_above_it():
    """A long command has its variables in a file, where the screen does not show them."""
    given = {"restore_before": "2026-02-03T00:00:00Z", "restore_max_age": "36h"}
    (verdict,) = build_run_record(run(plan(instance={**WEB, "status": "error"}), **given), history, NOW)["instances"]
    named = "(the command sets restore_before=2026-02-03T00:00:00Z, restore_max_age=36h, restore_force=true)"
    assert verdict["advice"] == f"To restore the instance in this status anyway {named}:"
    advice = build_advice(ObstacleKind.TOO_OLD, plan(restore_max_age="1h"), VARIABLES)
    assert (advice.text, advice.variables) == ("To accept a backup of this age", {"restore_max_age": "25h"})


def test_ids_stand_for_names_that_a_shell_or_a_format_would_change():
    odd = [{"id": 6, "name": "müller-bot"}, WEB, {"id": 7, "name": "a b"}]
    verdicts = build_run_record(
        run(*role_plans(parse_targets(["müller-bot", "web-bot", "a b"], None), odd, [])), history, NOW
    )
    assert [one["command"] for one in verdicts["instances"]] == [
        "ansible-playbook clawhosters.cloud.restore --check -e 'restore_incident=INC-1 restore_instance_ids=6,1,7'"
    ] * 3


@pytest.mark.parametrize("name", ["restore_incident", "restore_instances"])
@pytest.mark.parametrize("text", ["a b", "müller", "it's", 'x"', "$(x)", "a\\b", "", "!1", "~x", "é", "#", "{{ x }}"])
def test_a_text_that_would_not_stay_as_it_is_makes_a_sentence(name, text):
    command = Command({"restore_incident": "INC-1", "restore_instances": ["web-bot"], name: text})
    assert format_without_file(command).startswith("Run the playbook clawhosters.cloud.restore with ")


def test_a_line_that_would_be_folded_makes_a_sentence():
    """Text of one word is never folded, however long it is."""
    many = Command({"restore_incident": "INC-1", "restore_instance_ids": list(range(1, 300))})
    assert format_without_file(many).endswith(",299'")
    check = Command({"restore_incident": "INC-2041", "restore_instances": ["web-bot"]}, is_check=True)
    assert " -C -e 'restore_incident=INC-2041 " in format_without_file(check)
    third = Command({**many.variables, "restore_force": True}, is_check=True)
    assert format_without_file(third).startswith("Run the playbook clawhosters.cloud.restore in check mode with ")
