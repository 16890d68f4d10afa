# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of ``claw_backup_restore``: it reads, plans and sends, and returns the result."""

from __future__ import annotations

import typing as t

from ..._errors import PartialError
from ..._model.backup import summarize_backup
from .incident import AccountReader, Incident, plan_incident, warn_of_choice
from .plan import Target, check_held
from .restore import PLANNED, REFUSED, Restore, Stage

if t.TYPE_CHECKING:
    from ..._model.resource import Result
    from .options import RestoreOptions


def restore_one(incident: Incident, target: Target, options: RestoreOptions) -> Result:
    """Restores one target, or continues an earlier run, and returns the result of the task.

    Raises RefusedError if nothing was sent, and PartialError, whose result holds what is known, if something was or may
    have been sent, by this run or an earlier one.
    """
    ((restore,), _is_refused) = run_restores(incident, [target], options)
    error = restore.error
    if error is None:
        return build_single_result(restore, incident)
    is_known = restore.plan.obstacle is not None and not restore.plan.is_refused
    if is_known or restore.changed or isinstance(error, PartialError):
        raise PartialError(str(error), build_single_result(restore, incident), error.cause)
    raise error


def run_restores(
    incident: Incident, targets: t.Sequence[Target], options: RestoreOptions
) -> tuple[list[Restore], bool]:
    """Plans the restores of the targets, and sends them unless one is refused. Returns them, and True if one is.

    In check mode, only plans them.
    """
    client, unsent = incident.client, f"Nothing was sent for incident {incident.name}."
    with client.progress.if_interrupted(unsent):
        reader = AccountReader(client)
        plans, _account, history = plan_incident(incident, targets, reader, with_holders=client.check_mode)
    if client.check_mode and not options.waits:
        for plan in plans:
            if not plan.is_refused and history.find_holder((plan.instance or {})["id"]):
                check_held(plan, history, incident.rules)
    restores = [Restore(plan) for plan in plans]
    for restore in restores:
        if restore.plan.is_refused:
            restore.fail(incident.build_error(restore.plan), REFUSED)
        else:
            warn_of_choice(incident, restore.plan)
    if any(restore.error for restore in restores):
        return restores, True
    with client.progress.if_interrupted(unsent):
        from .executor import PlanExecutor
    PlanExecutor(incident, reader.list_pages, options).run(restores)
    for restore in restores:
        if restore.error is None and restore.stage is Stage.PLANNED and restore.plan.obstacle:
            restore.fail(incident.build_error(restore.plan), restore.outcome)
    return restores, False


def build_single_result(restore: Restore, incident: Incident) -> Result:
    """Returns the result of ``claw_backup_restore``."""
    is_planned = incident.client.check_mode and restore.is_sent
    backup, instance = restore.plan.backup, restore.instance if is_planned else restore.current
    before = {"id": instance["id"], "name": instance.get("name"), "restored_from": None}
    told = {"incident": incident.name, **restore.summarize()}
    return {
        "changed": restore.changed,
        "backup": backup,
        "instance": instance,
        "restore": {**told, "outcome": PLANNED} if is_planned else told,
        "diff": {
            "before": before,
            "after": {**before, "restored_from": summarize_backup(backup)} if restore.changed else before,
        },
    }
