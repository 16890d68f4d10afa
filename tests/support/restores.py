# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared data of the tests of the role ``restore``: an instance with its backups, its history and its plan."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import yaml

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import UnprocessableError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.batches import parse_serial
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import (
    EarlierReport,
    RestoreHistory,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import ROLE, Rules
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import Reason, ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import (
    RestoreJob,
    check_held,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_task import parse_rules
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import (
    AccountView,
    RestoreAction,
    Target,
    plan_restores,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_store import Holder
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.plan_texts import build_role_plan
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.role_run import (
    RoleRun,
    RoleTargetPlan,
    set_answers,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.variables import parse_targets

from .controller import REPOSITORY

DEFAULTS = yaml.safe_load((REPOSITORY / "roles/restore/defaults/main.yml").read_text(encoding="utf-8"))
NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)
WEB = {"id": 1, "name": "web-bot", "status": "running"}
INSTANCES = [WEB, {"id": 2, "name": "other"}]
BACKUPS = [
    {"id": 12, "instance_id": 1, "created_at": "2026-02-02T10:00:00Z"},
    {"id": 11, "instance_id": 1, "created_at": "2026-02-01T10:00:00Z"},
    {"id": 21, "instance_id": 2, "created_at": "2026-02-03T09:00:00Z"},
]
VARIABLES = {**DEFAULTS, "restore_incident": "INC-1"}
SERVICE = "https://clawhosters.com/api/v1"


def history(
    *events: OperationEvent, instance_id: int = 1, incident: str = "INC-1", ago: int = 120, **facts: t.Any
) -> RestoreHistory:
    """Returns the history of INC-1 after these events of one restore, the first ``ago`` minutes before NOW.

    They are five minutes apart. The task began after them.
    """
    key = OperationKey("restore", SERVICE, incident, str(instance_id))
    at = [(NOW - timedelta(minutes=ago - 5 * number)).isoformat() for number in range(len(events))]
    states = {key: OperationState(events[-1], at[0], at[-1], {"backup_id": 12, **facts}, position=1)} if events else {}
    return RestoreHistory(SERVICE, "INC-1", states, read_at=NOW, positions={key.subject: 1} if events else {})


def role_plans(
    targets: list[Target],
    instances: list[dict[str, t.Any]],
    backups: list[dict[str, t.Any]],
    past: RestoreHistory | None = None,
    **variables: t.Any,
) -> list[RoleTargetPlan]:
    """Returns the plans of the role for these targets after ``past``, with the answers that confirm them."""
    given = {**VARIABLES, **variables}
    names = ("before", "max_age", "min_interval")
    rules = parse_rules({**{name: given[f"restore_{name}"] or None for name in names}, "force": given["restore_force"]})
    past = past or history()
    backup_id = None if given["restore_backup"] == "latest" else int(given["restore_backup"])
    account = AccountView(InstanceIndex(instances), backups)
    planned = plan_restores([replace(target, backup_id=backup_id) for target in targets], account, past, rules, NOW)
    plans = [build_role_plan(one, past, rules, NOW, ROLE) for one in planned]
    set_answers(plans, instances, is_whole=True)
    return plans


def plan(
    past: RestoreHistory | None = None,
    instance: dict[str, t.Any] | None = None,
    backups: t.Any = None,
    **variables: t.Any,
) -> RoleTargetPlan:
    """Returns the plan to restore web-bot after ``past``."""
    backups = BACKUPS if backups is None else backups
    return role_plans(parse_targets("web-bot", None), [instance or WEB, *INSTANCES[1:]], backups, past, **variables)[0]


def named(planned: RoleTargetPlan, name: str, number: int = 1) -> RoleTargetPlan:
    """Returns the same plan of another instance."""
    instance = {**(planned.instance or {}), "id": number, "name": name}
    return replace(planned, target=Target(None, name), instance=instance)


def kind(planned: RoleTargetPlan) -> str:
    return planned.reason.kind.value if planned.reason else ""


def run(*plans: RoleTargetPlan, check: bool = False, **variables: t.Any) -> RoleRun:
    targets = parse_targets("web-bot", None)
    given = {**VARIABLES, **variables}
    given["restore_serial"] = parse_serial("restore_serial", given["restore_serial"])
    return RoleRun(given, targets * (len(plans) or 1), check=check, plans=[*plans])


# A reason of each kind

ERROR = UnprocessableError("POST /backups/12/restore", 422, code="BROKEN", message="No. Take another")
ERROR.request_id = "Is it known? No."
"""An answer of the service, with sentences where it has any text."""
BY = {"user": "ann", "host": "node2"}
_BUSY = {**WEB, "status": "deploying"}
_ACCEPTED, _UNCLEAR = OperationEvent.ACCEPTED, OperationEvent.UNCLEAR


def _of_other() -> RestoreHistory:
    return history(_ACCEPTED, incident="INC-2", by=BY)


def _check_again(now: dict[str, t.Any] | None, past: RestoreHistory | None = None, **planned: t.Any) -> RoleTargetPlan:
    """Returns a plan of a healthy instance, decided once more."""
    one = replace(plan(instance={**WEB, "health_status": "healthy"}), **planned)
    RestoreJob(one).check_again(now, past or history(), Rules(is_confirmed=True))
    return one


def _find_held() -> RoleTargetPlan:
    one, past = plan(), history()
    holder = Holder("", "ann", "node2", 4711, (NOW - timedelta(minutes=1)).isoformat(), "INC-2")
    check_held(one, replace(past, holders={past.key(1).subject: holder}), Rules())
    return one


_FOUND: dict[ReasonKind, t.Callable[[], RoleTargetPlan]] = {
    ReasonKind.NO_INSTANCE: lambda: role_plans(parse_targets("web-bto", None), INSTANCES, BACKUPS)[0],
    ReasonKind.AMBIGUOUS: lambda: role_plans(parse_targets("web-bot", None), [WEB, {**WEB, "id": 3}], BACKUPS)[0],
    ReasonKind.OTHER_NAME: lambda: role_plans([Target(2, "web-bot")], INSTANCES, BACKUPS)[0],
    ReasonKind.DUPLICATE: lambda: role_plans([Target(1, None), Target(None, "web-bot")], INSTANCES, BACKUPS)[1],
    ReasonKind.FAILED: lambda: plan(history(_ACCEPTED, OperationEvent.FAILED)),
    ReasonKind.UNKNOWN: lambda: plan(history(_UNCLEAR)),
    ReasonKind.NO_BACKUP: lambda: plan(
        backups=[{**BACKUPS[0], "created_at": "2026-02-04T10:00:00Z"}, {**BACKUPS[1], "status": "failed"}],
        restore_before="2026-02-02T00:00Z",
    ),
    ReasonKind.BACKUP_GONE: lambda: plan(restore_backup="99"),
    ReasonKind.UNCLEAR_BACKUP: lambda: plan(backups=[{"id": 12, "created_at": "2026-02-02T10:00:00Z"}]),
    ReasonKind.OTHER_BACKUP: lambda: plan(restore_backup="21"),
    ReasonKind.OTHER_USED: lambda: plan(history(_ACCEPTED), restore_backup="11"),
    ReasonKind.WRONG_STATUS: lambda: plan(replace(_of_other(), positions={}), _BUSY),
    ReasonKind.TOO_OLD: lambda: plan(restore_max_age="1h"),
    ReasonKind.TOO_SOON: lambda: plan(_of_other(), restore_min_interval="10h"),
    ReasonKind.ONLY_IN_REPORT: lambda: plan(
        replace(history(), earlier_report=EarlierReport("/reports/INC-1.json", "/state", {"1": NOW.isoformat()}))
    ),
    ReasonKind.DELETED: lambda: _check_again(None),
    ReasonKind.CHANGED: lambda: _check_again({**WEB, "name": "web-2", "status": "stopped"}),
    ReasonKind.NOT_SENT: lambda: _check_again(WEB, action=RestoreAction.WAIT),
    ReasonKind.OVERTAKEN: lambda: _check_again(WEB, past=_of_other()),
    ReasonKind.HELD: _find_held,
}


def stopped(kind: ReasonKind, **instance: t.Any) -> RoleTargetPlan:
    """Returns a plan with a reason of this kind, as the code leaves it that finds it, or as an error leads to it."""
    if kind in _FOUND:
        found = _FOUND[kind]()
    else:
        found, one = plan(), run(plan())
        one.stop(ERROR, kind)
        found.reason, found.cause = one.reason, one.cause
        if kind is ReasonKind.NOT_BEGUN:
            found.reason = Reason(kind, {"failed": 1, "max_failures": 0})
    assert found.reason
    assert found.reason.kind is kind
    found.instance = {**(found.instance or {}), **instance}
    if "status" in instance:
        found.reason = Reason(kind, {**found.reason.facts, **instance})
    return found
