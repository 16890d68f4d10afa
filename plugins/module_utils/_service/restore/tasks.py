# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of ``claw_backup_restore`` and ``claw_fleet_restore``: read, plan, send, and the result.

The role begins its restores with ``begin``, too.
"""

from __future__ import annotations

import typing as t

from ..._errors import ClawHostersError, PartialError, RefusedError, SettingsError
from ..._model.backup import summarize_backup
from ..._model.batches import begin_batches, split_batches
from ..._model.fleet_entries import RestoreEntry
from ..._model.fleet_plan import Job, Phase
from ..._model.instance import label, short_name
from ..._model.outcomes import Outcome, build_result, format_failures
from ..._model.ownership import has_owner, parse_owner
from ..._model.resource import Resource
from ..._model.results import Result
from ..._state.journal import OperationEvent
from ..._waiter import go_on
from ..at_most_once import explain_recorded
from ..backups import fetch_backup
from ..instance_reader import InstanceReader
from . import messages
from .account_reader import AccountReader
from .batches import RestoreBatches
from .history import RestoreHistory
from .incident import Incident
from .plan import NextStep, ObstacleKind, Plan, Target, check_held
from .restore import COMPLETED, FAILED, IN_FLIGHT, PLANNED, REFUSED, UNKNOWN, Restore, Stage
from .restore_runner import RestoreOptions


def restore_one(incident: Incident, target: Target, options: RestoreOptions, *, waits: bool) -> Result:
    """Restores one target, or continues an earlier run, and returns the result of the task.

    Raises RefusedError if nothing was sent, and PartialError, whose result holds what is known, if something was or may
    have been sent, by this run or an earlier one.
    """
    client, is_named = incident.client, (target.instance_id, target.name) != (None, None)
    with client.progress.if_interrupted(f"Nothing was sent for incident {incident.name}."):
        history = incident.read_history([target], with_holders=client.check_mode)
        try:
            reader = AccountReader(client, incident.rules)
            target = _find_owner(incident, target, history, reader)
            (plan,) = incident.plan([target], reader.read([target], history), history)
            _warn_of_clock(incident)
        except (RefusedError, SettingsError):
            raise
        except ClawHostersError as error:
            raise _with_earlier_run(error, incident, target, options, history) from None
    if plan.obstacle and plan.obstacle.is_final:
        refusal = messages.build_error(plan, incident.name, incident.rules, incident.now)
        if is_named or plan.obstacle.kind is not ObstacleKind.NO_INSTANCE:
            raise refusal
        raise RefusedError(f"Backup {target.backup_id} is of an instance that is gone. {refusal}", refusal.cause)
    if client.check_mode and not waits and plan.instance and history.find_holder(plan.instance["id"]):
        check_held(plan, history, incident.rules)
    restore = begin(plan)
    # Of a backup given alone, the instance is read after it, and by itself. Any other plan takes as long as its lists.
    restore.is_fresh = not is_named and target.instance_id is not None
    _warn(incident, plan)
    if client.check_mode:
        _predict(restore, incident, starts=False)
        if restore.is_sent:
            restore.outcome, restore.current = PLANNED, restore.instance
    else:
        RestoreBatches(incident, InstanceReader(client), options, waits=waits).run([restore])
    return _finish(restore, incident)


def restore_many(batches: RestoreBatches, entries: t.Sequence[RestoreEntry]) -> Result:
    """Plans the restores of the entries, sends them unless one is refused, and returns the result of the task.

    In check mode, only plans them. Raises PartialError with the result if an entry failed, and before anything is sent
    what the journal and the client raise.
    """
    incident, client = batches.incident, batches.incident.client
    with client.progress.if_interrupted(f"Nothing was sent for incident {incident.name}."):
        targets = [Target(entry.instance_id, entry.name, entry.backup_id) for entry in entries]
        history = incident.read_history(targets, with_holders=client.check_mode)
        reader = AccountReader(client, incident.rules)
        plans = incident.plan(targets, reader.read(targets, history), history)
        _warn_of_clock(incident)
        batches.reader.list_requests = reader.list_pages
    restores = [begin(plan) for plan in plans]
    for restore in restores:
        if restore.plan.obstacle and restore.plan.obstacle.is_final:
            restore.fail(messages.build_error(restore.plan, incident.name, incident.rules, incident.now), REFUSED)
        else:
            _warn(incident, restore.plan)
    is_refused = any(restore.error for restore in restores)
    if client.check_mode and not is_refused:
        for _number, batch in begin_batches(
            split_batches(restores, batches.serial), batches.max_failures, Restore.has_failed
        ):
            for restore in batch:
                _predict(restore, incident, starts=True)
    elif not is_refused:
        batches.run(restores)
    for restore in restores:
        if restore.error is None and restore.stage is Stage.PLANNED and restore.plan.obstacle:
            error = messages.build_error(restore.plan, incident.name, incident.rules, incident.now)
            restore.fail(error, restore.outcome)
    outcomes = build_outcomes(entries, restores)
    result = build_result("instances", outcomes, build_diff(restores), has_batches=True)
    if failures := format_fleet_failures(outcomes, restores, batches.max_failures, is_refused=is_refused):
        raise PartialError(failures, result, next(restore.error for restore in restores if restore.error))
    return result


def begin(plan: Plan) -> Restore:
    """Returns the restore of a plan. One that the journal holds begins with its outcome."""
    restore = Restore(plan, state=plan.earlier)
    if plan.earlier is not None and (plan.obstacle or plan.step is not NextStep.SEND):
        restore.outcome = IN_FLIGHT if plan.step is NextStep.WAIT else plan.earlier.outcome
    return restore


def _warn_of_clock(incident: Incident) -> None:
    if difference := messages.describe_clock(incident.client.stats.find_clock_lead()):
        incident.warn(difference)


def _warn(incident: Incident, plan: Plan) -> None:
    for note in messages.describe_choice(plan, incident.name, incident.rules, incident.now):
        incident.warn(f"{label(plan.instance or {})}: {note.text}")


# One restore


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
    if isinstance(error, PartialError) or (restore.plan.obstacle and not restore.plan.obstacle.is_final):
        raise PartialError(str(error), build_single_result(restore, incident.name), error.cause)
    raise error


def _with_earlier_run(
    error: ClawHostersError, incident: Incident, target: Target, options: RestoreOptions, history: RestoreHistory
) -> ClawHostersError:
    """Returns ``error``, which kept this run from reading the service, with what the journal knows."""
    instance_id = target.instance_id or history.find_id(target.name) or history.find_by_backup(target.backup_id)
    state = history.find_own(instance_id) if instance_id is not None and not incident.rules.force else None
    if state is None:
        return error
    instance: Resource = {"id": instance_id, "name": state.notes.get("instance_name")}
    plan = Plan(target, instance, {"id": state.notes.get("backup_id")}, earlier=state)
    restore = Restore(plan, outcome=state.outcome, state=state, failure=error.kind)
    known = explain_recorded(f"the restore of {short_name(instance)}", state)
    again = "" if state.event is OperationEvent.COMPLETED else go_on(error, options.surface.next_step)
    return PartialError(f"{error} {known} {again}", build_single_result(restore, incident.name), error)


# Check mode


def _predict(restore: Restore, incident: Incident, *, starts: bool) -> None:
    """Sets the results that the restore would have."""
    plan = restore.plan
    if plan.obstacle:
        restore.fail(messages.build_error(plan, incident.name, incident.rules, incident.now), restore.outcome)
        return
    if plan.step is NextStep.SEND:
        restore.is_sent = True
    elif starts and restore.outcome == COMPLETED:
        start = Job("started", found=restore.current)
        start.decide(restore.current)
        if start.error is not None:
            restore.fail(PartialError(f"It was restored. {start.error}", {}, start.cause), COMPLETED)
            return
        restore.is_started = start.phase is Phase.READY
    if restore.changed:
        restore.current = {**restore.current, "status": "running"}
    restore.stage = Stage.DONE


# Results


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


def build_outcomes(entries: t.Sequence[RestoreEntry], restores: t.Sequence[Restore]) -> list[Outcome]:
    """Returns what became of each entry of ``claw_fleet_restore``."""
    outcomes = []
    for entry, restore in zip(entries, restores, strict=True):
        plan = restore.plan
        facts = {
            "id": restore.instance["id"],
            "name": restore.instance.get("name"),
            "backup_id": plan.backup["id"] if plan.backup else plan.target.backup_id,
            "outcome": restore.outcome,
        }
        outcomes.append(
            Outcome(
                entry.label,
                label(restore.instance),
                facts,
                restore.instance.get("status"),
                restore.current.get("status"),
                restore.changed,
                None if restore.error is None else str(restore.error),
                is_begun=restore.stage is Stage.DONE or restore.outcome == COMPLETED,
                verb="Restored" if restore.is_sent else "Started",
            )
        )
    return outcomes


def build_diff(restores: t.Sequence[Restore]) -> dict[str, t.Any]:
    """Returns the diff of ``claw_fleet_restore``."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for restore in restores:
        instance = restore.plan.instance
        if instance is None or instance.get("status") is None:
            continue
        name, is_restored = label(instance), restore.is_sent
        before[name] = {"restored_from": None}
        after[name] = {"restored_from": summarize_backup(restore.plan.backup) if is_restored else None}
        if restore.is_started and not is_restored:
            before[name]["status"] = instance["status"]
            after[name]["status"] = f"{restore.current.get('status')} (started)"
    return {"before": before, "after": after}


def format_fleet_failures(
    outcomes: t.Sequence[Outcome], restores: t.Sequence[Restore], max_failures: int, *, is_refused: bool = False
) -> str:
    """Returns the message of a task with failed entries; empty if there are none. ``is_refused``: nothing was sent."""
    if is_refused:
        return format_failures(outcomes, what="can't be restored, so nothing was sent", is_begun=False)
    if not (failures := format_failures(outcomes, max_failures)):
        return ""
    unsure = [one for one in restores if one.error is not None and one.outcome in (FAILED, UNKNOWN)]
    is_force_offered = not all(messages.advise_on_status(one.current) for one in unsure)
    force = "; force: true sends again what failed or is unknown" if is_force_offered else ""
    return f"{failures} {messages.RUN_ALL_AGAIN} Nothing is sent twice{force}."
