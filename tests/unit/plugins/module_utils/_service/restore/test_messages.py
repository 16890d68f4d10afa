# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the messages of obstacles, by the modules and by the role. modules/obstacles.md shows them all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import (
    EarlierReport,
    OtherRestore,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.messages import build_error, explain
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import (
    FLEET,
    MODULE,
    ROLE,
    Rules,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import (
    ObstacleKind,
    Target,
    TargetPlan,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationState
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.result_words import FAILURE_WORDS
from support.accounts import NOW

STATE = OperationState(OperationEvent.UNCLEAR, NOW.isoformat(), NOW.isoformat(), {"backup_id": 12})
RULES = Rules(NOW, timedelta(hours=1), timedelta(hours=1))
BACKUP = {"id": 12, "created_at": "2026-02-01T10:00:00Z"}


def stopped(kind: ObstacleKind, status: str = "running", target: Target | None = None) -> TargetPlan:
    """Returns a plan with an obstacle, and all facts that it may have."""
    plan = TargetPlan(
        target or Target(1, "web-bot", 12), {"id": 1, "name": "web-bot", "status": status}, BACKUP, earlier=STATE
    )
    is_memory = kind is ObstacleKind.OTHER_MEMORY
    cause = ClawHostersError("The folder knows it.", is_unsent=True) if is_memory else None
    facts = {"ids": (1, 2), "backups": (BACKUP,), "seen": {"name": "other", "status": "stopped"}, "cause": cause}
    record = EarlierReport("/report/INC-1.json", "/state", {"1": NOW.isoformat()})
    plan.stop(kind, other=OtherRestore("INC-2", STATE), duplicate_of=1, earlier_report=record, **facts)
    return plan


def count_nothing(message: str) -> int:
    return message.lower().count("nothing was sent")


@pytest.mark.parametrize("status", ["running", "deploying", "error", "paused", "deleting", "pending_configuration"])
@pytest.mark.parametrize(
    ("kind", "target"),
    [
        *((kind, Target(1, "web-bot", 12)) for kind in ObstacleKind),
        (ObstacleKind.NO_BACKUP, Target(None, "web-bot")),
        (ObstacleKind.NO_INSTANCE, Target(None, "web-bot")),
        (ObstacleKind.NO_INSTANCE, Target(1, None)),
    ],
)
def test_each_obstacle_has_one_clear_message_for_modules_and_role(
    kind: ObstacleKind, target: Target, status: str
) -> None:
    plan = stopped(kind, status, target)
    module, role = str(build_error(plan, "INC-1", RULES, NOW, MODULE)), explain(plan, "INC-1", RULES, NOW, ROLE)[0]
    several = explain(plan, "INC-1", RULES, NOW, FLEET)[1]
    for message in (module, role, several):
        assert "None" not in message
        assert "The instance is" not in message
        assert ".." not in message
        assert "?." not in message
    assert count_nothing(module) <= 1
    if kind.value not in ("failed", "unknown"):
        assert count_nothing(module) == 1
        # The role says it itself.
        assert count_nothing(f"{FAILURE_WORDS[kind].text} {role}") <= 1
    if "force: true" in module:
        assert "sends it again" in module
        assert "restore it alone with " in several
        assert status not in ("deploying", "paused", "deleting") or kind is ObstacleKind.ONLY_IN_REPORT
    assert several.endswith(".")
    assert ". " not in several


def test_a_condition_that_is_not_shown_is_unknown() -> None:
    plan = TargetPlan(Target(1, None), {"id": 1, "name": "web-bot", "status": "running", "health_status": "healthy"})
    plan.stop(ObstacleKind.CHANGED, seen={"id": 1, "name": "web-bot"})
    told = explain(plan, "INC-1", RULES, NOW, ROLE)[0]
    assert told == "It was web-bot, running, healthy in the plan, and is web-bot, of unknown status now."
