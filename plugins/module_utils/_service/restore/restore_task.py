# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of ``claw_backup_restore`` and ``claw_fleet_restore``: they read, plan, send, and return the result."""

from __future__ import annotations

import typing as t

from ..._errors import PartialError
from ..._model.backup import summarize_backup
from ..._model.batches import begin_batches, split_batches
from ..._model.fleet_entries import Outcome, build_result, format_failures, raise_failures
from ..._model.instance import describe_status, get_status, label
from .account_reader import AccountReader
from .incident_plan import plan_incident, warn_of_choice, warn_of_clock
from .plan import Target, check_held
from .restore import COMPLETED, FAILED, PLANNED, REFUSED, UNKNOWN, Restore, Stage

if t.TYPE_CHECKING:
    from ..._model.fleet_entries import RestoreEntry
    from ..._model.resource import Result
    from .incident import Incident
    from .plan import RestoreOptions
    from .words import Surface


def restore_one(incident: Incident, target: Target, options: RestoreOptions) -> Result:
    """Restores one target, or continues an earlier run, and returns the result of the task.

    Raises RefusedError if nothing was sent, and PartialError, whose result holds what is known, if something was or may
    have been sent, by this run or an earlier one.
    """
    ((restore,), _is_refused) = _restore(incident, [target], options)
    error = restore.error
    if error is None:
        return build_single_result(restore, incident)
    is_known = restore.plan.obstacle is not None and not restore.plan.is_refused
    if is_known or restore.changed or isinstance(error, PartialError):
        raise PartialError(str(error), build_single_result(restore, incident), error.cause)
    raise error


def restore_many(incident: Incident, entries: t.Sequence[RestoreEntry], options: RestoreOptions) -> Result:
    """Restores the entries unless one is refused, and returns the result of the task.

    Raises PartialError with the result if an entry failed, and before anything is sent what the journal and the client
    raise.
    """
    targets = [Target(entry.instance_id, entry.name, entry.backup_id) for entry in entries]
    restores, is_refused = _restore(incident, targets, options)
    outcomes = build_outcomes(entries, restores, done=not incident.client.check_mode)
    result = build_result(outcomes, build_diff(restores), has_batches=True)
    allowed, surface = options.batches.max_failures, incident.surface
    if failures := format_fleet_failures(outcomes, restores, allowed, surface, is_refused=is_refused):
        raise_failures(failures, result, (restore.error for restore in restores))
    return result


def _restore(incident: Incident, targets: t.Sequence[Target], options: RestoreOptions) -> tuple[list[Restore], bool]:
    """Plans the restores of the targets, and sends them unless one is refused. Returns them, and True if one is.

    In check mode, only plans them.
    """
    client, unsent = incident.client, f"Nothing was sent for incident {incident.name}."
    with client.progress.if_interrupted(unsent):
        reader = AccountReader(client)
        plans, _account, history = plan_incident(incident, targets, reader, with_holders=client.check_mode)
        warn_of_clock(incident)
    if client.check_mode and not options.waits:
        for plan in plans:
            if not plan.is_refused and history.find_holder((plan.instance or {})["id"]):
                check_held(plan, history, incident.rules)
    restores = [Restore.begin(plan) for plan in plans]
    for restore in restores:
        if restore.plan.is_refused:
            restore.fail(incident.build_error(restore.plan), REFUSED)
        else:
            warn_of_choice(incident, restore.plan)
    if any(restore.error for restore in restores):
        return restores, True
    if client.check_mode:
        _predict(incident, restores, options)
    else:
        with client.progress.if_interrupted(unsent):
            from .restore_batches import RestoreBatches
        RestoreBatches(incident, reader.list_pages, options).run(restores)
    for restore in restores:
        if restore.error is None and restore.stage is Stage.PLANNED and restore.plan.obstacle:
            restore.fail(incident.build_error(restore.plan), restore.outcome)
    return restores, False


def _predict(incident: Incident, restores: t.Sequence[Restore], options: RestoreOptions) -> None:
    """Sets the results that the restores would have, and the starts that would follow them, for check mode."""
    split = split_batches(restores, options.batches.sizes)
    for _number, batch in begin_batches(split, options.batches.max_failures, Restore.has_failed):
        for restore in batch:
            if restore.plan.obstacle:
                restore.fail(incident.build_error(restore.plan), restore.outcome)
                continue
            if restore.plan.sends:
                restore.is_sent, restore.current = True, {**restore.current, "status": "running"}
            restore.stage = Stage.DONE
            if options.starts and restore.outcome == COMPLETED and get_status(restore.current) != "running":
                from .starter import predict_start

                predict_start(restore)


# Results


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


def build_outcomes(entries: t.Sequence[RestoreEntry], restores: t.Sequence[Restore], *, done: bool) -> list[Outcome]:
    """Returns what became of each entry of ``claw_fleet_restore``. ``done``: it is not a plan."""
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
                entry.name_with(restore.instance),
                label(restore.instance),
                facts,
                restore.instance.get("status"),
                restore.current.get("status"),
                restore.changed,
                None if restore.error is None else str(restore.error),
                is_begun=restore.stage is Stage.DONE or restore.outcome == COMPLETED,
                verb=_find_verb(restore, done=done),
            )
        )
    return outcomes


def _find_verb(restore: Restore, *, done: bool) -> str:
    if restore.is_sent and restore.is_unseen:
        return "Accepted without a sign of the restore"
    planned, made = ("Would restore", "Restored") if restore.is_sent else ("Would start", "Started")
    return made if done else planned


def build_diff(restores: t.Sequence[Restore]) -> dict[str, t.Any]:
    """Returns the diff of ``claw_fleet_restore``."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for restore in restores:
        instance = restore.plan.instance
        if instance is None:
            continue
        name, is_restored = label(instance), restore.is_sent
        before[name] = {"restored_from": None}
        after[name] = {"restored_from": summarize_backup(restore.plan.backup) if is_restored else None}
        if restore.is_started and not is_restored:
            before[name]["status"] = describe_status(instance)
            after[name]["status"] = f"{describe_status(restore.current)} (started)"
    return {"before": before, "after": after}


def format_fleet_failures(
    outcomes: t.Sequence[Outcome],
    restores: t.Sequence[Restore],
    max_failures: int,
    surface: Surface,
    *,
    is_refused: bool = False,
) -> str:
    """Returns the message of a task with failed entries; empty if there are none. ``is_refused``: nothing was sent."""
    if is_refused:
        return format_failures(outcomes, what="can't be restored, so nothing was sent", is_begun=False)
    if not (failures := format_failures(outcomes, max_failures)):
        return ""
    from .messages import advise_on_status

    unsure = [one for one in restores if one.error is not None and one.outcome in (FAILED, UNKNOWN)]
    is_force_offered = not all(advise_on_status(one.current, surface.again) for one in unsure)
    force = f" {surface.force} sends again what failed or is unknown." if is_force_offered else ""
    return f"{failures} {surface.advice}{force}"
