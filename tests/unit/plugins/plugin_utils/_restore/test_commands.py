# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the next command that the role restore prints. roles/test_restore.py has more."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.commands import (
    build_advice,
    format_command,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.failures import FailureKind
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.report import build_report
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.settings import parse_targets
from support.restores import BACKUPS, NOW, SETTINGS, WEB, history, plan, role_plans, run

ROLE = Path(__file__).resolve().parents[5] / "roles/restore"

INTENDED, COMPLETED = OperationEvent.INTENDED, OperationEvent.COMPLETED


def test_the_defaults_match_the_specification_of_the_role():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = options["argument_specs"]["main"]["options"]
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}


def test_a_failure_status_needs_force_and_a_busy_status_needs_time():
    def command(status):
        return build_report(run(plan(instance={**WEB, "status": status})), history, NOW)["instances"][0]["command"]

    assert command("error").endswith("-e restore_force=true")
    assert (
        command("deploying")
        == "ansible-playbook clawhosters.cloud.restore -e restore_instances=web-bot -e restore_incident=INC-1"
    )


def test_after_a_refused_or_failed_backup_the_one_before_it_is_restored():
    for kind, force in ((FailureKind.BACKUP_REFUSED, False), (FailureKind.FAILED, True)):
        advice = build_advice(kind, plan(), SETTINGS)
        assert advice.text.endswith("the one before it: backup 11 of 2026-02-01 10:00 UTC:")
        assert advice.changes["restore_backup"] == 11
        assert ("restore_force" in advice.changes) == force
        # Limits that only the newer backup meets would refuse the older one.
        limits = {"restore_max_age": "36h", "restore_before": "2026-02-03"}
        command = format_command({"restore_instances": ["web-bot"]}, {**SETTINGS, **limits}, advice)
        assert "restore_max_age" not in command
        assert "restore_before" not in command
    assert "restore_backup" not in build_advice(FailureKind.BACKUP_REFUSED, plan(backups=BACKUPS[:1]), SETTINGS).changes


@pytest.mark.parametrize("kind", [FailureKind.BACKUP_REFUSED, FailureKind.FAILED])
def test_after_a_given_backup_the_newest_one_before_it_is_planned(kind):
    """Only the backup that was given has been read."""
    settings = {**SETTINGS, "restore_backup": "12"}
    advice = build_advice(kind, plan(backups=BACKUPS[:1], restore_backup="12"), settings)
    assert "the newest backup before 2026-02-02 10:00 UTC:" in advice.text
    command = format_command({"restore_instances": ["web-bot"]}, settings, advice)
    assert "restore_backup" not in command
    assert "-e restore_before=2026-02-02T10:00:00Z" in command


def test_a_restore_that_did_not_help_leads_to_an_older_backup():
    for given in (plan(), plan(history(INTENDED, COMPLETED))):
        advice = build_advice(FailureKind.NOT_HEALTHY, given, SETTINGS)
        assert "with -e restore_before=2026-02-02T10:00:00Z and another restore_incident." in advice.text
        assert advice.changes == {}
    only = build_advice(FailureKind.NOT_HEALTHY, plan(backups=BACKUPS[:1]), SETTINGS)
    assert "older" not in only.text


def test_an_unknown_restore_is_told_by_the_data_that_it_would_have_removed():
    advice = build_advice(FailureKind.UNKNOWN, plan(history(INTENDED)), SETTINGS)
    assert "If it still has data from after 2026-02-02 10:00 UTC, it was not restored." in advice.text


def test_no_command_drops_the_time_that_the_user_gave_unsaid():
    given = {**SETTINGS, "restore_before": "2026-02-01"}
    none = build_advice(FailureKind.NO_BACKUP, plan(restore_before="2026-02-01"), given)
    assert "without restore_before" in none.text
    unclear = build_advice(FailureKind.UNCLEAR_BACKUP, plan(), given)
    assert "-e restore_before=2026-02-01" in format_command({"restore_instances": ["web-bot"]}, given, unclear)


def test_the_command_for_one_instance_has_no_batches():
    settings = {**SETTINGS, "restore_serial": [1, "100%"], "restore_max_failures": 3}
    assert "restore_serial" not in format_command({"restore_instances": ["a"]}, settings)
    assert "restore_max_failures" not in format_command({"restore_instance_ids": [1]}, settings)
    assert "restore_serial=1,100%" in format_command({"restore_instances": ["a", "b"]}, settings)


def test_no_command_holds_the_confirmation():
    assert "restore_confirm" not in format_command({}, {**SETTINGS, "restore_confirm": "web-bot"})


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
    (verdict,) = build_report(run(*plans), history, NOW)["instances"]
    assert f" -e {named_as} " in verdict["command"]
