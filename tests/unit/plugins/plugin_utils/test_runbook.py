# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runbook's plan and verdicts; the rest is tested over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.module_utils.errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils.runbook import (
    DEFAULTS,
    evidence,
    found,
    planned,
    report,
    step,
    targets_of,
)

ROLE = Path(__file__).resolve().parents[4] / "roles/restore"
NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)
WEB = {"id": 1, "name": "web-bot", "status": "running"}
BACKUPS = [
    {"id": 12, "instance_id": 1, "created_at": "2026-02-02T10:00:00Z"},
    {"id": 11, "instance_id": 1, "created_at": "2026-02-01T10:00:00Z"},
    {"id": 21, "instance_id": 2, "created_at": "2026-02-03T09:00:00Z"},
]
SETTINGS = {"restore_incident": "INC-1"}


def plan(result=None, **settings):
    candidates = found(targets_of("web-bot", None), [WEB, {"id": 2, "name": "other"}], BACKUPS)
    outcome = {"instance": WEB, "backup": BACKUPS[0], "restore": {"outcome": "planned"}, "item": {"instance": WEB}}
    return planned(candidates, [{**outcome, **(result or {})}], {**SETTINGS, **settings}, NOW)[0]


def test_defaults_are_the_role_s():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = options["argument_specs"]["main"]["options"]
    assert defaults == {"restore_confirm": "", **DEFAULTS}
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}


def test_targets():
    assert (
        targets_of("a, b", None) == targets_of(["a", "b"], []) == [{"name": "a", "id": None}, {"name": "b", "id": None}]
    )
    assert targets_of(None, "7") == [{"name": None, "id": 7}]


@pytest.mark.parametrize(
    ("names", "ids"), [(None, None), (["a"], [1]), (["a", "a"], None), (None, ["x"]), (["  "], [])]
)
def test_targets_that_can_not_be(names, ids):
    with pytest.raises(RefusedError):
        targets_of(names, ids)


def test_the_newest_of_its_own_backups_is_found_and_a_name_of_two_is_not_guessed():
    assert found(targets_of("web-bot", None), [WEB], BACKUPS)[0]["backup"]["id"] == 12
    twins = found(targets_of("web-bot", None), [WEB, {**WEB, "id": 3}], BACKUPS)[0]
    assert twins["kind"] == "ambiguous"
    nameless = [{"id": 9, "instance_name": "web-bot", "created_at": "2026-02-02T10:00:00Z"}]
    assert found(targets_of(None, [1]), [WEB, {**WEB, "id": 3}], nameless)[0]["kind"] == "no_backup"
    assert found(targets_of(None, [1]), [WEB], nameless)[0]["backup"]["id"] == 9


def test_a_plan_says_what_is_lost():
    assert plan()["sends"] is True
    assert "1 d 0 h old" in plan()["lines"][0]
    assert plan()["lines"][1].startswith("LOST for good: everything on it since 2026-02-02 10:00 UTC")
    assert plan()["older_backup"] == 11


def test_age_matters_only_for_what_would_be_sent():
    assert plan(restore_max_age="23h")["kind"] == "too_old"
    assert plan(restore_max_age="25h")["kind"] == ""
    assert plan({"restore": {"outcome": "in_flight", "sent_at": "x"}}, restore_max_age="23h")["ready"] is True
    unreadable = {"backup": {"id": 12, "created_at": "some day"}}
    assert plan(unreadable, restore_max_age="23h")["kind"] == "too_old"
    assert plan(unreadable)["kind"] == ""


def test_a_status_that_needs_force_gets_it_and_one_that_settles_is_waited_for():
    def command(status):
        refused = {"instance": {**WEB, "status": status}, "restore": None, "msg": "Not from here."}
        run = {"began": "2026-02-03T10:00:00+00:00", "targets": targets_of("web-bot", None), "is_over": True}
        return report([], [plan(refused)], SETTINGS, run, NOW)["instances"][0]["command"]

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
    plans = planned(found(targets_of(names, ids), instances, []), [], SETTINGS, NOW)
    run = {"began": "2026-02-03T10:00:00+00:00", "targets": targets_of(names, ids), "is_over": True}
    (verdict,) = report([], plans, SETTINGS, run, NOW)["instances"]
    assert f" -e {named_as} " in verdict["command"]


def test_a_plan_counts_what_it_would_send():
    run = {"began": "2026-02-03T10:00:00+00:00", "targets": targets_of("web-bot", None), "is_over": True, "check": True}
    assert report([], [plan()], SETTINGS, run, NOW)["headline"] == "1 of 1 instance would be restored"
    assert report([], [plan({"restore": SENT})], SETTINGS, run, NOW)["headline"] == "0 of 1 instance would be restored"


def test_a_step_begins_where_the_one_before_it_ended():
    first = step({}, [], NOW, step="service", began="2026-02-03T09:59:58.000+00:00")
    second = step(
        {"failed": True, "msg": "No\nway", "error": {"status": 401, "request_id": "r-1"}}, [first], NOW, step="key"
    )
    assert first["seconds"] == 2
    assert second["began_at"] == first["ended_at"]
    assert (second["ok"], second["message"], second["request_id"]) == (False, "No way", "r-1")


SENT = {"outcome": "completed", "sent_at": "2026-02-03T08:00:00Z", "completed_at": "2026-02-03T08:05:00Z"}


def report_of(restores, changed):
    """The report of a run about these, each restored by this run or by an earlier one."""
    plans = [{**plan({"restore": restores}), "label": f"bot-{number}"} for number in range(len(changed))]
    steps = []
    for one, new in zip(plans, changed, strict=True):
        steps.append(step({"changed": new, "restore": restores}, steps, NOW, step="restore", about=one["label"]))
    run = {"began": "2026-02-03T10:00:00+00:00", "targets": targets_of("web-bot", None), "is_over": True}
    return report(steps, plans, SETTINGS, run, NOW)


def test_a_run_that_restored_nothing_says_when_it_was_and_that_nothing_was_sent():
    told = report_of(SENT, [False])
    assert told["headline"] == "1 instance restored already; no restore was sent"
    assert told["screen"] == [
        (
            "bot-0: Restored already, sent at 2026-02-03 08:00 UTC, completed at 2026-02-03 08:05 UTC. "
            "This run sent no restore. It is started and healthy."
        )
    ]
    assert told["instances"][0]["tag"] == "restored already"
    assert report_of(SENT, [True])["headline"] == "1 instance restored and healthy"
    mixed = report_of(SENT, [True, False])
    assert mixed["headline"] == "2 instances restored and healthy, 1 of them by an earlier run"
    assert [one["tag"] for one in mixed["instances"]] == ["restored", "restored already"]
    assert "already, sent at 2026-02-03 08:00 UTC" in plan({"restore": SENT})["lines"][0]


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": 7}', '{"runs": [7]}'])
def test_a_journal_that_can_not_be_read_is_said_to_be_so(text):
    run = {"incident": "INC-1", "began_at": "b"}
    assert evidence(text, run) == {"incident": "INC-1", "runs": [run], "readable": False}


def test_a_run_takes_the_place_of_its_own_beginning():
    written = '{"runs": [{"began_at": "a"}, {"began_at": "b"}]}'
    assert [one["began_at"] for one in evidence(written, {"incident": "I", "began_at": "b"})["runs"]] == ["a", "b"]
