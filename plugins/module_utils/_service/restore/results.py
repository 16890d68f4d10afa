# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of the modules that restore. Pure."""

from __future__ import annotations

import typing as t

from ..._model.backup import summarize_backup
from ..._model.fleet_entries import RestoreEntry
from ..._model.instance import label
from ..._model.results import Result
from ..._text import format_first, format_list
from .messages import advise_on_status
from .restore import COMPLETED, FAILED, PLANNED, UNKNOWN, Restore, Stage

_NAMED, _LISTED = 10, 3
"""Most instances that a message names, and most failures that it explains; the result has all."""

GO_ON = (
    "Run the same task again: it waits for what is under way, and restores what was refused or not begun. Nothing is "
    "sent twice"
)


def build_result(restore: Restore, incident: str) -> Result:
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


def build_fleet_result(restores: t.Sequence[Restore]) -> Result:
    """Returns the result of ``claw_fleet_restore``."""
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
    kinds = [_classify(restore) for restore in restores]
    return {
        "changed": any(restore.changed for restore in restores),
        "instances": [_describe(restore) for restore in restores],
        "summary": {kind: kinds.count(kind) for kind in ("ok", "changed", "failed", "not_begun")},
        "diff": {"before": before, "after": after},
    }


def _describe(restore: Restore) -> dict[str, t.Any]:
    plan = restore.plan
    return {
        "id": restore.instance["id"],
        "name": restore.instance.get("name"),
        "backup_id": plan.backup["id"] if plan.backup else plan.target.backup_id,
        "before": restore.instance.get("status"),
        "after": restore.current.get("status"),
        "changed": restore.changed,
        "failed": restore.error is not None,
        "msg": "" if restore.error is None else str(restore.error),
        "outcome": restore.outcome,
    }


def _classify(restore: Restore) -> str:
    """Returns the part of the summary in which the restore counts."""
    if restore.error is not None:
        return "failed"
    if restore.changed:
        return "changed"
    return "ok" if restore.stage is Stage.DONE or restore.outcome == COMPLETED else "not_begun"


def format_refusals(entries: t.Sequence[RestoreEntry], restores: t.Sequence[Restore]) -> str:
    """Returns the message of a task that sends nothing, since some entries can't be restored; empty if all can."""
    refused = _list_failures(entries, restores)
    if not refused:
        return ""
    reasons = format_first(refused, _LISTED)
    return f"{len(refused)} of {len(restores)} entries can't be restored, so nothing was sent: {reasons}"


def format_failures(entries: t.Sequence[RestoreEntry], restores: t.Sequence[Restore], max_failures: int) -> str:
    """Returns the message of a task with failed entries; empty if there are none."""
    failed = _list_failures(entries, restores)
    if not failed:
        return ""
    parts = [f"{len(failed)} of {len(restores)} entries failed: {format_first(failed, _LISTED)}"]
    kinds = [_classify(restore) for restore in restores]
    if skipped := kinds.count("not_begun"):
        parts.append(f"Not begun: {skipped}, since more than max_failures ({max_failures}) failed.")
    changed = [restore for restore in restores if _classify(restore) == "changed"]
    if restored := [label(restore.instance) for restore in changed if restore.is_sent]:
        parts.append(f"Restored: {format_list(restored, _NAMED)}.")
    if started := [label(restore.instance) for restore in changed if not restore.is_sent]:
        parts.append(f"Started: {format_list(started, _NAMED)}.")
    is_force_offered = any(
        restore.error is not None and restore.outcome in (FAILED, UNKNOWN) and not advise_on_status(restore.current)
        for restore in restores
    )
    force = "; force: true sends again what failed or is unknown" if is_force_offered else ""
    return " ".join([*parts, f"{GO_ON}{force}."])


def _list_failures(entries: t.Sequence[RestoreEntry], restores: t.Sequence[Restore]) -> list[str]:
    return [
        f"{entry.label}: {restore.error}"
        for entry, restore in zip(entries, restores, strict=True)
        if restore.error is not None
    ]
