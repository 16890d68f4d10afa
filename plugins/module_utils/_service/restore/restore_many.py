# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of ``claw_fleet_restore``: reads, plans, sends, and returns the result."""

from __future__ import annotations

import typing as t

from ..._model.backup import summarize_backup
from ..._model.batches import begin_batches, split_batches
from ..._model.fleet_entries import Outcome, build_result, format_failures, raise_failures
from ..._model.instance import describe_status, get_status, label
from .account_reader import AccountReader
from .incident_plan import plan_incident, warn_of_choice, warn_of_clock
from .plan import Target
from .restore import COMPLETED, FAILED, REFUSED, UNKNOWN, Restore, Stage

if t.TYPE_CHECKING:
    from ..._model.batches import Batches
    from ..._model.fleet_entries import RestoreEntry
    from ..._model.resource import Result
    from .incident import Incident
    from .plan import RestoreOptions
    from .words import Surface


def restore_many(
    incident: Incident,
    entries: t.Sequence[RestoreEntry],
    options: RestoreOptions,
    batches: Batches,
    *,
    wait_healthy: bool,
) -> Result:
    """Plans the restores of the entries, sends them unless one is refused, and returns the result of the task.

    In check mode, only plans them. Raises PartialError with the result if an entry failed, and before anything is sent
    what the journal and the client raise.
    """
    client, unsent = incident.client, f"Nothing was sent for incident {incident.name}."
    with client.progress.if_interrupted(unsent):
        targets = [Target(entry.instance_id, entry.name, entry.backup_id) for entry in entries]
        history = incident.read_history(targets, with_holders=client.check_mode)
        reader = AccountReader(client, incident.rules)
        plans = plan_incident(incident, targets, reader.read(targets, history), history)
        warn_of_clock(incident)
    restores = [Restore.begin(plan) for plan in plans]
    for restore in restores:
        if restore.plan.obstacle and restore.plan.obstacle.is_final:
            restore.fail(incident.build_error(restore.plan), REFUSED)
        else:
            warn_of_choice(incident, restore.plan)
    is_refused = any(restore.error for restore in restores)
    if client.check_mode and not is_refused:
        predict(incident, restores, batches)
    elif not is_refused:
        with client.progress.if_interrupted(unsent):
            from .restore_batches import RestoreBatches
        engine = RestoreBatches(incident, reader.list_pages, options, batches.sizes, batches.max_failures, wait_healthy)
        engine.run(restores)
    for restore in restores:
        if restore.error is None and restore.stage is Stage.PLANNED and restore.plan.obstacle:
            restore.fail(incident.build_error(restore.plan), restore.outcome)
    outcomes = build_outcomes(entries, restores, done=not client.check_mode)
    result = build_result(outcomes, build_diff(restores), has_batches=True)
    surface, allowed = incident.surface, batches.max_failures
    if failures := format_fleet_failures(outcomes, restores, allowed, surface, is_refused=is_refused):
        raise_failures(failures, result, (restore.error for restore in restores))
    return result


def predict(incident: Incident, restores: t.Sequence[Restore], batches: Batches) -> None:
    """Sets the results that the restores would have, and the starts that would follow them, for check mode."""
    split = split_batches(restores, batches.sizes)
    for _number, batch in begin_batches(split, batches.max_failures, Restore.has_failed):
        for restore in batch:
            incident.predict(restore)
            is_restored = restore.outcome == COMPLETED and restore.error is None
            if is_restored and get_status(restore.current) != "running":
                from .starter import predict_start

                predict_start(restore)


# Results


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
    force = "; force: true sends again what failed or is unknown" if is_force_offered else ""
    return f"{failures} {surface.advice} Nothing is sent twice{force}."
