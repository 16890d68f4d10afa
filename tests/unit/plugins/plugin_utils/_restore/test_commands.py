# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next command that the restore runbook prints; more of it is tested over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.commands import DEFAULTS
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan import (
    build_plans,
    match_backups,
    parse_targets,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.report import build_report
from support.restores import NOW, SETTINGS, WEB, plan

ROLE = Path(__file__).resolve().parents[5] / "roles/restore"


def test_defaults_are_the_role_s():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = options["argument_specs"]["main"]["options"]
    assert defaults == {"restore_confirm": "", **DEFAULTS}
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}


def test_a_status_that_needs_force_gets_it_and_one_that_settles_is_waited_for():
    def command(status):
        refused = {"instance": {**WEB, "status": status}, "restore": None, "msg": "Not from here."}
        run = {
            "id": "run-1",
            "began": "2026-02-03T10:00:00+00:00",
            "targets": parse_targets("web-bot", None),
            "is_over": True,
        }
        return build_report([], [plan(refused)], SETTINGS, run, NOW)["instances"][0]["command"]

    assert command("error").endswith("-e restore_force=true")
    assert (
        command("deploying")
        == "ansible-playbook clawhosters.cloud.restore -e restore_instances=web-bot -e restore_incident=INC-1"
    )


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
def test_the_next_command_names_an_instance_as_the_user_did_where_that_is_safe(names, ids, named_as):
    instances = [WEB, {"id": 2, "name": "web-bot"} if ids else {"id": 2, "name": "b"}, {"id": 3, "name": "web bot"}]
    plans = build_plans(match_backups(parse_targets(names, ids), instances, []), [], SETTINGS, instances, NOW)
    run = {"id": "run-1", "began": "2026-02-03T10:00:00+00:00", "targets": parse_targets(names, ids), "is_over": True}
    (verdict,) = build_report([], plans, SETTINGS, run, NOW)["instances"]
    assert f" -e {named_as} " in verdict["command"]
