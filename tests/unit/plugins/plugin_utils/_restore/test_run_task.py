# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the outcome that the role restore hands to later jobs. roles/test_restore_screen.py has more."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.run_task import list_outcomes
from support.restores import history, plan, run

INTENDED, REFUSED = OperationEvent.INTENDED, OperationEvent.REFUSED


@pytest.mark.parametrize(("known_position", "outcome"), [(0, "refused"), (1, "not_begun"), (2, "not_begun")])
def test_only_a_refusal_since_the_plan_is_an_outcome_of_the_run(known_position, outcome):
    finished = run(plan())
    finished.plans[0].known_position = known_position
    (found,) = list_outcomes(finished, history(INTENDED, REFUSED, instance_name="web-bot"))
    assert (found["outcome"], found["id"], found["backup_id"]) == (outcome, 1, 12)
    assert (found["sent_at"] is None) is (outcome == "not_begun")
