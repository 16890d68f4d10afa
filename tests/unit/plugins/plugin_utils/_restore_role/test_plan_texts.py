# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan that the role restore shows. roles/test_restore_screen.py has more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.batches import parse_serial
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.account_check import format_account
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan_remarks import Remark
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import Target
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import text_width, wrap
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.plan_texts import (
    format_group,
    format_plan,
    format_schedule,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.variables import parse_targets
from support.restores import BACKUPS, WEB, history, named, plan, role_plans, run

HEALTHY = {**WEB, "health_status": "healthy"}
UNSEEN = "running, health not shown"


def show(*plans, account="ops@example.com (id 7)", **variables):
    shown = run(*plans, **variables)
    shown.service, shown.account = "node.example:8443", account
    return format_plan(shown)


def unwrap(lines):
    return " ".join(" ".join(lines).split())


def many(count, **changes):
    """Returns plans of instances that are alike, but for the one with the number 7."""
    instances = [{"id": number, "name": f"bot-{number}", "status": "running"} for number in range(1, count + 1)]
    backups = [{**BACKUPS[0], "id": 100 + one["id"], "instance_id": one["id"]} for one in instances]
    instances[6] |= changes.get("instance", {})
    backups[6] |= changes.get("backup", {})
    targets = parse_targets([one["name"] for one in instances], None)
    return role_plans(targets, instances, backups)


def test_the_plan_begins_with_service_and_account():
    assert show(plan())[0] == "Service node.example:8443, account ops@example.com (id 7)."
    assert show(plan(), account="")[0] == "Service node.example:8443, account unknown."


def test_a_healthy_instance_is_called_so():
    assert "    Running and healthy now." in show(plan(instance=HEALTHY))
    assert "unning and healthy" not in "".join(show(plan(instance={**HEALTHY, "health_status": "unhealthy"})))


@pytest.mark.usefixtures("zone")
def test_the_plan_names_the_newer_backups_that_restore_before_passes_over():
    shown = unwrap(show(plan(restore_before="2026-02-02"), restore_before="2026-02-02"))
    assert "Only backups from before 2026-02-02 00:00 UTC (restore_before)." in shown
    assert "restore_before passes over 1 newer backup: id 12 of 2026-02-02 10:00 UTC." in shown


def test_before_is_told_as_too_late_for_a_restored_instance():
    past = history(OperationEvent.INTENDED, OperationEvent.COMPLETED)
    shown = unwrap(show(plan(past, restore_before="2026-02-02T00:00Z")))
    assert "Incident INC-1 has already used backup 12, and sends no other restore." in shown
    assert "already used" not in unwrap(show(plan(past, restore_before="2026-02-03T00:00Z")))


def test_twelve_instances_have_lines_of_their_own():
    lines = show(*many(12))
    assert [line for line in lines if "restore backup" in line] == [
        f"bot-{number} (id {number}), {UNSEEN}: restore backup {100 + number}, 1 d 0 h old." for number in range(1, 13)
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instance": {"status": "stopped"}}, "bot-7 (id 7), stopped: restore backup 107, 1 d 0 h old."),
        ({"instance": {"status": "deploying"}}, "bot-7 (id 7): CAN'T BE RESTORED."),
        ({"backup": {"instance_id": 99}}, "bot-7 (id 7): CAN'T BE RESTORED."),
        (
            {"backup": {"created_at": "2026-01-02T10:00:00Z"}},
            f"bot-7 (id 7), {UNSEEN}: restore backup 107, 32 d 0 h old.",
        ),
    ],
)
def test_of_forty_instances_only_those_that_differ_have_lines(changes, said):
    lines = show(*many(40, **changes), restore_serial=["100%"])
    assert len(lines) <= 9
    assert f"39 instances (bot-1 to bot-40), {UNSEEN}: restore backups 1 d 0 h old." in unwrap(lines)
    assert sum(line.startswith("    DATA LOSS: all changes since ") for line in lines) in (1, 2)
    assert said in lines


def test_a_group_says_that_some_ages_and_times_are_not_known():
    lines = format_group([plan(), replace(plan(), backup={"id": 14})])
    assert lines[0].endswith(": restore backups of unknown age.")
    assert lines[1] == "    DATA LOSS: all changes since the backup, at an unknown time."


def test_remarks_on_forty_instances_are_told_by_an_example():
    remarks = [Remark(f"Restored {number} h ago.", ("other",)) for number in range(40)]
    plans = [replace(one, remarks=[remark]) for one, remark in zip(many(40), remarks, strict=True)]
    lines = show(*plans, restore_serial=["100%"])
    assert "For example bot-1 (id 1): Restored 0 h ago." in unwrap(lines)
    assert len(lines) <= 9


@given(
    st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=20, unique=True),
    st.text(max_size=120),
    st.sampled_from(["running", "stopped", "an unheard-of status of some length", "\u5065" * 40]),
)
def test_no_line_of_a_plan_is_wider_than_the_screen(names, account, status):
    instances = [{"id": number, "name": name, "status": status} for number, name in enumerate(names, start=1)]
    targets = [Target(None, name) for name in names]
    backups = [{**BACKUPS[0], "id": number, "instance_id": number} for number in range(1, len(names))]
    plans = role_plans(targets, instances, backups, restore_force=True)
    assert all(text_width(line) <= 80 for line in show(*plans, account=format_account({"name": account, "id": 1})))


@given(st.text(st.sampled_from("ab \u5065\u0301"), max_size=60), st.integers(12, 30), st.sampled_from(["", "    "]))
def test_wrapped_lines_fit_and_lose_no_letter(text, width, indent):
    lines = wrap(indent + text.lstrip(), width)  # Spaces of the text would indent it further than the screen is wide.
    assert all(text_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_those_that_differ_among_many_keep_their_lines():
    plans = many(20)
    notes = {number: f"Incident INC-{number} sent a restore of it at 08:{number} UTC." for number in range(15, 20)}
    for number, note in notes.items():
        plans[number] = replace(plans[number], remarks=[Remark(note, ("other", f"INC-{number}"))])
    text = unwrap(show(*plans, restore_serial=["100%"]))
    assert all(note in text for note in notes.values())


def schedule(*names, of=None, serial=(1,), allowed=0):
    """Returns the lines about the batches of these instances."""
    plans = [named(of or plan(), name) for name in names]
    return format_schedule(plans, {"restore_serial": parse_serial("", serial), "restore_max_failures": allowed})


def test_batches_are_told_by_their_sizes_and_what_stops_them():
    names = [f"bot-{number}" for number in range(1, 41)]
    stop = "No further batch begins when"
    assert schedule(*names, serial=(1, 5, "100%")) == [f"In 3 batches, of 1, 5, 34. {stop} more than 0 have failed."]
    assert schedule(*names, serial=(1, 3), allowed=2) == [
        f"In 14 batches, of 1, 3, 3, 3, 3 and 9 more. {stop} more than 2 have failed."
    ]


def test_no_batches_are_told_where_there_is_one_or_nothing_is_sent():
    done = plan(history(OperationEvent.INTENDED, OperationEvent.COMPLETED))
    assert schedule("a", "b", serial=("100%",)) == schedule("a") == []
    assert schedule("a", "b", of=done) == schedule("a", "b", of=plan(backups=[])) == []
