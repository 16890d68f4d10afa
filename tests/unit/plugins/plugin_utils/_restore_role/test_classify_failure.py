# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of what the role restore advises after a failure. modules/obstacles.md has its advice about obstacles."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import ObstacleKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.failures import Failure, FailureKind
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.result_words import (
    FAILURE_WORDS,
    find_advice,
)
from support.controller import REPOSITORY
from support.restores import BACKUPS, DEFAULTS, WEB, history, plan, run

INTENDED, COMPLETED = OperationEvent.INTENDED, OperationEvent.COMPLETED
KINDS = [*FailureKind, ObstacleKind.FAILED, ObstacleKind.UNKNOWN]
"""The kinds that a message of an obstacle does not explain."""
OLDER = "restore_backup=11, taken 2026-02-01 10:00 UTC"
"""The backup before the one that is restored."""


def advise(kind, *plans, http_status=None, **variables):
    """Returns the advice about the first plan."""
    plans = plans or (plan(),)
    return find_advice(Failure(kind, http_status=http_status), plans[0], run(*plans, **variables))


def test_the_defaults_match_the_specification_of_the_role():
    specs = yaml.safe_load((REPOSITORY / "roles/restore/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == DEFAULTS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", ["running", "error", "deploying", "paused"])
def test_each_advice_is_one_sentence_that_sends_nothing_again_unsaid(kind, status):
    one = plan(instance={**WEB, "status": status})
    for variables in ({}, {"restore_force": True}, {"restore_backup": "12"}, {"http_status": 422}):
        advice = advise(kind, one, **variables)
        assert advice[0].isupper()
        assert advice.endswith(".")
        assert ". " not in advice
        assert "{" not in advice
        if "restore_force=true" in advice or "restore_incident" in advice:
            assert "sends it again" in advice
        if status in ("deploying", "paused"):
            assert "restore_force=true" not in advice
    # The other instances keep their backups.
    several = advise(kind, one, plan())
    for variable in ("restore_force=", "restore_backup=", "restore_before="):
        assert variable not in several or " it alone with " in several


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "{again}" in FAILURE_WORDS[kind].advice])
def test_a_run_with_force_is_not_repeated_with_it_once_something_may_be_sent(kind):
    is_safe = "the same command again without restore_force" in advise(kind, restore_force=True)
    assert is_safe is not FAILURE_WORDS[kind].is_of_run
    assert "without" not in advise(kind)


def test_after_a_refused_backup_the_one_before_it_is_named():
    kind = FailureKind.REFUSED
    assert advise(kind) == "Fix the cause, then run the same command again."
    assert advise(kind, http_status=422) == f"To try an older backup, restore it with {OLDER}."
    # Of a backup that was given, only that one has been read.
    only = advise(kind, plan(backups=BACKUPS[:1]), http_status=422)
    assert only == "To try an older backup, restore it with its id as restore_backup."


@pytest.mark.parametrize(("kind", "http_status"), [(ObstacleKind.FAILED, None), (FailureKind.REFUSED, 422)])
def test_after_the_instance_has_failed_the_same_backup_is_named(kind, http_status):
    assert advise(kind, plan(instance={**WEB, "status": "error"}), http_status=http_status) == (
        "Check it in the dashboard, and rebuild it there if it has failed; then restore it with restore_backup=12 and "
        "restore_force=true, which sends it again; the one before it is 11, taken 2026-02-01 10:00 UTC."
    )


def test_a_restore_that_did_not_help_leads_to_an_older_backup():
    for given in (plan(), plan(history(INTENDED, COMPLETED))):
        assert advise(FailureKind.NOT_HEALTHY, given) == (
            "Check it in the dashboard, then run the same command again, which restores nothing twice; a run with "
            f"another restore_incident sends it again from an older backup, with {OLDER}."
        )


def test_an_unknown_restore_is_told_by_the_data_that_it_would_have_removed():
    advice = advise(ObstacleKind.UNKNOWN, plan(history(INTENDED)))
    assert "(it was not, if it has data from after 2026-02-02 10:00 UTC)" in advice


def test_what_confirms_is_named_with_its_value():
    confirm = advise(FailureKind.NOT_CONFIRMED, plan(), plan())
    assert confirm == "Run the same command again with restore_confirm=web-bot,web-bot, or type that at the prompt."


@pytest.mark.parametrize("name", ["web\x1b[2Jbot", "a\nb", "$(x)", "'", "\N{LOBSTER} bot"])
def test_no_advice_has_a_character_that_a_terminal_obeys(name):
    for kind in KINDS:
        one = plan(instance={**WEB, "name": "web-bot"}, backups=[{**BACKUPS[0], "id": name}, *BACKUPS[1:]])
        assert advise(kind, one).isprintable()
