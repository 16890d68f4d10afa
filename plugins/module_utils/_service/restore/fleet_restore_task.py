# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of ``claw_fleet_restore``: as that of ``claw_backup_restore``, for many, with a result of its own."""

from __future__ import annotations

import typing as t

from ..._model.batches import split_batches
from ..._model.fleet_entries import Outcome, build_result, format_failures, raise_failures
from ..._model.instance import describe_status, label
from .backup_restore_task import run_restores
from .reason import Reason, ReasonKind
from .restore_job import COMPLETED, RestoreJob, Stage
from .target_plan import Target

if t.TYPE_CHECKING:
    from ..._errors import ClawHostersError
    from ..._model.fleet_entries import FleetEntry
    from ..._model.resource import Result
    from .restore_job import ExecutorOptions
    from .restore_task import RestoreTask


def restore_many(task: RestoreTask, entries: t.Sequence[FleetEntry], options: ExecutorOptions) -> Result:
    """Restores the entries unless one is refused, and returns the result of the task.

    Raises PartialError with the result if an entry failed, and before anything is sent what the journal and the client
    raise.
    """
    targets = [Target(entry.instance_id, entry.name, entry.backup_id) for entry in entries]
    restores, is_refused = run_restores(task, targets, options)
    errors = [task.build_error(one) if one.reason else None for one in restores]
    outcomes = build_outcomes(entries, restores, errors, done=not task.client.check_mode)
    result = build_result(outcomes, build_diff(restores), has_batches=True)
    if is_refused:
        failures = format_failures(outcomes, what="can't be restored, so nothing was sent", is_begun=False)
    else:
        failures = " ".join(filter(None, [format_failures(outcomes), _explain_not_begun(task, restores, options)]))
    if failures:
        raise_failures(failures, result, errors)
    return result


def _explain_not_begun(task: RestoreTask, restores: t.Sequence[RestoreJob], options: ExecutorOptions) -> str:
    """Returns why batches were not begun, and how to go on; empty if all were."""
    batches = split_batches(restores, options.sizes)
    is_left = [any(one.stage is Stage.PLANNED and one.outcome != COMPLETED for one in batch) for batch in batches]
    if not any(is_left):
        return ""
    from .reason_texts import ReasonContext, tell_reason

    first, failed = is_left.index(True) + 1, sum(map(RestoreJob.proves_nothing, restores))
    facts = {"failed": failed, "max_failures": options.max_failures, "batch": f"{first} of {len(batches)}"}
    told = tell_reason(Reason(ReasonKind.NOT_BEGUN, facts), ReasonContext(task.wording, task.incident, task.now))
    return f"{told.sentence} {told.advice}"


def build_outcomes(
    entries: t.Sequence[FleetEntry],
    restores: t.Sequence[RestoreJob],
    errors: t.Sequence[ClawHostersError | None],
    *,
    done: bool,
) -> list[Outcome]:
    """Returns what became of each entry of ``claw_fleet_restore``. ``done``: it is not a plan."""
    outcomes = []
    for entry, restore, error in zip(entries, restores, errors, strict=True):
        plan, instance, told = restore.plan, restore.instance, None if error is None else str(error)
        backup_id, is_begun = plan.backup_id or plan.target.backup_id, restore.stage is Stage.DONE
        facts = {"id": instance["id"], "name": instance.get("name"), "backup_id": backup_id, "outcome": restore.outcome}
        outcomes.append(
            Outcome(
                entry.name_with(instance),
                label(instance),
                facts,
                instance.get("status"),
                restore.current.get("status"),
                restore.changed,
                told,
                is_begun=is_begun or restore.outcome == COMPLETED,
                verb=_find_verb(restore, done=done),
            )
        )
    return outcomes


def _find_verb(restore: RestoreJob, *, done: bool) -> str:
    if restore.is_sent and restore.is_unseen:
        return "Accepted without a sign of the restore"
    planned, made = ("Would restore", "Restored") if restore.is_sent else ("Would start", "Started")
    return made if done else planned


def build_diff(restores: t.Sequence[RestoreJob]) -> dict[str, t.Any]:
    """Returns the diff of ``claw_fleet_restore``."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for restore in restores:
        instance = restore.plan.instance
        if instance is None:
            continue
        name, is_restored = label(instance), restore.is_sent
        before[name] = {"restored_from": None}
        after[name] = {"restored_from": restore.plan.backup_facts if is_restored else None}
        if restore.is_started and not is_restored:
            before[name]["status"] = describe_status(instance)
            after[name]["status"] = f"{describe_status(restore.current)} (started)"
    return {"before": before, "after": after}
