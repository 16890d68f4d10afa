# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the outcome that the role restore hands to later jobs. roles/test_restore_screen.py has more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.runbook import list_outcomes
from support.restores import NOW, history, plan, run

INTENDED, REFUSED = OperationEvent.INTENDED, OperationEvent.REFUSED


@pytest.mark.parametrize(
    ("ago", "outcome"), [(0, "refused"), (4, "refused"), (6, "not_begun"), (None, "not_begun")], ids=str
)
def test_only_a_refusal_since_the_plan_is_an_outcome_of_the_run(ago, outcome):
    finished = run(plan())
    # The refusal is five minutes after the intent.
    past = history(INTENDED, REFUSED, ago=5 + (ago or 0), instance_name="web-bot")
    if ago is not None:
        finished.planned_at = (NOW - timedelta(minutes=5)).isoformat()
    (found,) = list_outcomes(finished, past)
    assert (found["outcome"], found["id"], found["backup_id"]) == (outcome, 1, 12)
    assert (found["sent_at"] is None) is (outcome == "not_begun")
