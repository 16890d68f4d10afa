# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of ``claw_backup_restore``: reads, plans, sends, and returns the result."""

from __future__ import annotations

import typing as t

from ..._errors import ClawHostersError, PartialError, RefusedError, SettingsError
from ..._model.backup import summarize_backup
from ..._model.ownership import has_owner, parse_owner
from ..backups import fetch_backup
from .account_reader import AccountReader
from .incident_plan import plan_incident, warn_of_choice, warn_of_clock
from .plan import ObstacleKind, RestorePlan, Target, check_held
from .restore import PLANNED, Restore

if t.TYPE_CHECKING:
    from ..._model.resource import Resource, Result
    from .history import RestoreHistory
    from .incident import Incident
    from .plan import RestoreOptions


def restore_one(
    incident: Incident, target: Target, options: RestoreOptions, *, waits: bool, wait_healthy: bool
) -> Result:
    """Restores one target, or continues an earlier run, and returns the result of the task.

    Raises RefusedError if nothing was sent, and PartialError, whose result holds what is known, if something was or may
    have been sent, by this run or an earlier one.
    """
    client, is_named = incident.client, (target.instance_id, target.name) != (None, None)
    unsent = f"Nothing was sent for incident {incident.name}."
    with client.progress.if_interrupted(unsent):
        history = incident.read_history([target], with_holders=client.check_mode)
        try:
            reader = AccountReader(client, incident.rules)
            target = _find_owner(incident, target, history, reader)
            (plan,) = plan_incident(incident, [target], reader.read([target], history), history)
            warn_of_clock(incident)
        except (RefusedError, SettingsError):
            raise
        except ClawHostersError as error:
            raise _with_earlier_run(error, incident, target, history) from None
    if plan.obstacle and plan.obstacle.is_final:
        refusal = incident.build_error(plan)
        if is_named or plan.obstacle.kind is not ObstacleKind.NO_INSTANCE:
            raise refusal
        gone = f"Backup {target.backup_id} is of an instance that is gone (id {target.instance_id})."
        raise RefusedError(gone, refusal.cause, is_unsent=True)
    if client.check_mode and not waits and plan.instance and history.find_holder(plan.instance["id"]):
        check_held(plan, history, incident.rules)
    restore = Restore.begin(plan)
    # Of a backup given alone, the instance is read after it, and by itself. Any other plan takes as long as its lists.
    restore.is_fresh = not is_named and target.instance_id is not None
    warn_of_choice(incident, plan)
    if client.check_mode:
        incident.predict(restore)
        if restore.is_sent:
            restore.outcome, restore.current = PLANNED, restore.instance
    else:
        with client.progress.if_interrupted(unsent):
            from .restore_batch import restore_alone
        restore_alone(restore, incident, options, waits=waits, wait_healthy=wait_healthy)
    return _finish(restore, incident)


def _find_owner(incident: Incident, target: Target, history: RestoreHistory, reader: AccountReader) -> Target:
    """Returns the target with an instance: the one that its backup shows, if the user gave the backup alone."""
    if target.instance_id is not None or target.name is not None:
        return target
    if not incident.rules.force and (recorded := history.find_by_backup(target.backup_id)) is not None:
        # Its backup may have expired since.
        return Target(t.cast("int", recorded), None, target.backup_id)
    backup = fetch_backup(incident.client, target.backup_id)
    reader.backups = [backup]
    owner = parse_owner(backup)
    if not has_owner(backup):
        raise RefusedError(f"Backup {backup['id']} does not show its instance: give the instance with instance_id too.")
    return Target(t.cast("int", owner.id), None if owner.id else owner.name, target.backup_id)


def _finish(restore: Restore, incident: Incident) -> Result:
    """Returns the result of the task, or raises its failure."""
    error = restore.error
    if error is None:
        return build_single_result(restore, incident.name)
    is_known = restore.plan.obstacle is not None and not restore.plan.obstacle.is_final
    if is_known or restore.changed or isinstance(error, PartialError):
        raise PartialError(str(error), build_single_result(restore, incident.name), error.cause)
    raise error


def _with_earlier_run(
    error: ClawHostersError, incident: Incident, target: Target, history: RestoreHistory
) -> ClawHostersError:
    """Returns ``error``, which kept this run from reading the service, with what the journal knows."""
    instance_id = target.instance_id or history.find_id(target.name) or history.find_by_backup(target.backup_id)
    state = history.find_own(instance_id) if instance_id is not None and not incident.rules.force else None
    if state is None:
        return error
    instance: Resource = {"id": instance_id, "name": state.facts.get("instance_name")}
    plan = RestorePlan(target, instance, {"id": state.facts.get("backup_id")}, earlier=state)
    restore = Restore(plan, outcome=state.outcome, state=state, failure=error.kind)
    try:
        from .messages import explain_unread

        told = explain_unread(error, restore, incident.surface)
    except (OSError, ImportError):
        # It can't be opened, or is gone. The result still has what the journal knows.
        told = str(error)
    return PartialError(told, build_single_result(restore, incident.name), error)


def build_single_result(restore: Restore, incident: str) -> Result:
    """Returns the result of ``claw_backup_restore``."""
    changed = restore.changed or restore.outcome == PLANNED
    backup, instance = restore.plan.backup, restore.current
    before = {"id": instance["id"], "name": instance.get("name"), "restored_from": None}
    return {
        "changed": changed,
        "backup": backup,
        "instance": instance,
        "restore": {"incident": incident, **restore.summarize()},
        "diff": {
            "before": before,
            "after": {**before, "restored_from": summarize_backup(backup)} if changed else before,
        },
    }
