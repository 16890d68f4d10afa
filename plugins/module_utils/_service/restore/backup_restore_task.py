# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of ``claw_backup_restore``: it reads, plans and sends, and returns the result."""

from __future__ import annotations

import typing as t
from functools import partial

from ..._errors import PartialError, RefusedError
from ..._model.instance import label
from ..._model.ownership import has_owner, parse_owner
from ..._model.resource import parse_id
from ..backups import fetch_backup
from .account_reader import AccountReader
from .restore_job import PLANNED, RestoreJob, Stage, check_held
from .restore_task import RestoreTask, plan_task
from .target_plan import Target

if t.TYPE_CHECKING:
    from ..._model.resource import Result
    from .restore_job import ExecutorOptions


def restore_one(task: RestoreTask, target: Target, options: ExecutorOptions) -> Result:
    """Restores one target, or continues an earlier run, and returns the result of the task.

    Raises RefusedError if nothing was sent, and PartialError, whose result holds what is known, if something was or may
    have been sent, by this run or an earlier one.
    """
    ((restore,), _is_refused) = run_restores(task, [target], options)
    if restore.reason is None:
        return build_single_result(restore, task)
    error = task.build_error(restore)
    if isinstance(error, PartialError):
        raise PartialError(str(error), build_single_result(restore, task), error.cause)
    raise error


def run_restores(
    task: RestoreTask, targets: t.Sequence[Target], options: ExecutorOptions
) -> tuple[list[RestoreJob], bool]:
    """Plans the restores of the targets, and sends them unless one is refused. Returns them, and True if one is.

    In check mode, only plans them.
    """
    client, unsent = task.client, f"Nothing was sent for incident {task.incident}."
    with client.progress.if_interrupted(lambda: [unsent]):
        reader = AccountReader(client)
        plans, _account, history = plan_task(task, targets, reader, complete=partial(_complete, task, reader))
    if other_case := task.find_other_case():
        task.warn(other_case)
    if client.check_mode and not options.waits:
        for plan in plans:
            is_refused = plan.reason is not None and plan.reason.is_final
            if not is_refused and history.find_holder((plan.instance or {})["id"]):
                check_held(plan, history, task.rules)
    from .plan_remarks import describe_choice

    restores = [RestoreJob(plan) for plan in plans]
    for restore in restores:
        for remark in describe_choice(restore.plan, task.incident, task.rules, task.now):
            task.warn(f"{label(restore.instance)}: {remark.text}")
    if any(restore.reason for restore in restores):
        return restores, True
    with client.progress.if_interrupted(lambda: [unsent]):
        from .executor import BatchExecutor
    BatchExecutor(task, reader.list_pages, options).run(restores)
    for restore in restores:
        if restore.reason is None and restore.stage is Stage.PLANNED and restore.plan.reason:
            restore.fail(restore.plan.reason, restore.outcome, restore.plan.cause)
    return restores, False


def _complete(task: RestoreTask, reader: AccountReader, target: Target) -> Target:
    """Returns the target with an instance: the one that its backup shows, if the user gave the backup alone."""
    if target.instance_id is not None or target.name is not None:
        return target
    if not task.rules.force and (recorded := _find_restored_from(task, target.backup_id)) is not None:
        # Its backup may have expired since.
        return Target(t.cast("int", recorded), None, target.backup_id)
    backup = fetch_backup(task.client, target.backup_id)
    reader.backups = [backup]
    owner = parse_owner(backup)
    if not has_owner(backup):
        raise RefusedError(f"Backup {backup['id']} does not show its instance: give the instance with instance_id too.")
    return Target(t.cast("int", owner.id), None if owner.id else owner.name, target.backup_id)


def _find_restored_from(task: RestoreTask, backup_id: object) -> int | str | None:
    """Returns the id of the only instance that was restored from this backup for the incident, or None."""
    service = task.client.settings.api_url
    states, _damaged = task.journal.read_intact_states(task.journal.find_subjects("restore", service, task.incident))
    own = [(key.instance_id, state) for key, state in states.items() if key == task.key(key.instance_id)]
    ids = [instance_id for instance_id, state in own if str(state.facts.get("backup_id")) == str(backup_id)]
    return parse_id(ids[0]) if len(ids) == 1 else None


def build_single_result(restore: RestoreJob, task: RestoreTask) -> Result:
    """Returns the result of ``claw_backup_restore``."""
    is_planned = task.client.check_mode and restore.is_sent
    backup, instance = restore.plan.backup, restore.instance if is_planned else restore.current
    before = {"id": instance["id"], "name": instance.get("name"), "restored_from": None}
    told = {"incident": task.incident, **restore.summarize()}
    return {
        "changed": restore.changed,
        "backup": backup,
        "instance": instance,
        "restore": {**told, "outcome": PLANNED} if is_planned else told,
        "diff": {
            "before": before,
            "after": {**before, "restored_from": restore.plan.backup_facts} if restore.changed else before,
        },
    }
