# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results and messages of ``claw_fleet_restore``. Pure."""

from __future__ import annotations

import typing as t

from .._text import format_first, format_list
from .backup import summarize_backup
from .fleet_entries import InstanceEntry
from .instance import label
from .restore import explain_obstacle
from .restore_item import COMPLETED, FAILED, UNKNOWN, RestoreItem
from .results import Result

_NAMED, _LISTED = 10, 3
"""Most instances that a message names, and most failures that it explains; the result has all."""

GO_ON = (
    "Run the same task again: it waits for what is under way, and restores what was refused or not begun. Nothing is "
    "sent twice"
)


def build_result(items: t.Sequence[RestoreItem]) -> Result:
    """Returns the result of the task."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for item in items:
        if item.instance.get("status") is not None:
            before[label(item.instance)] = {"restored_from": None}
            after[label(item.instance)] = {"restored_from": summarize_backup(item.backup) if item.is_restored else None}
            if item.changed and not item.is_restored:
                before[label(item.instance)]["status"] = item.instance["status"]
                after[label(item.instance)]["status"] = f"{item.current.get('status')} (started)"
    kinds = [_classify(item) for item in items]
    return {
        "changed": any(item.changed for item in items),
        "instances": [_describe(item) for item in items],
        "summary": {kind: kinds.count(kind) for kind in ("ok", "changed", "failed", "not_begun")},
        "diff": {"before": before, "after": after},
    }


def _describe(item: RestoreItem) -> dict[str, t.Any]:
    return {
        "id": item.instance["id"],
        "name": item.instance.get("name"),
        "backup_id": item.backup["id"] if item.backup else None,
        "before": item.instance.get("status"),
        "after": item.current.get("status"),
        "changed": item.changed,
        "failed": item.error is not None,
        "msg": "" if item.error is None else str(item.error),
        "outcome": item.outcome,
    }


def _classify(item: RestoreItem) -> str:
    """Returns the part of the summary in which the item counts."""
    if item.error is not None:
        return "failed"
    if item.changed:
        return "changed"
    return "ok" if item.is_done or item.outcome == COMPLETED else "not_begun"


def format_refusals(entries: t.Sequence[InstanceEntry], items: t.Sequence[RestoreItem]) -> str:
    """Returns the message of a task that sends nothing, since some entries can't be restored; empty if all can."""
    refused = _list_failures(entries, items)
    if not refused:
        return ""
    reasons = format_first(refused, _LISTED)
    return f"{len(refused)} of {len(items)} entries can't be restored, so nothing was sent: {reasons}"


def format_failures(entries: t.Sequence[InstanceEntry], items: t.Sequence[RestoreItem], max_failures: int) -> str:
    """Returns the message of a task with failed entries; empty if there are none."""
    failed = _list_failures(entries, items)
    if not failed:
        return ""
    parts = [f"{len(failed)} of {len(items)} entries failed: {format_first(failed, _LISTED)}"]
    kinds = [_classify(item) for item in items]
    if skipped := kinds.count("not_begun"):
        parts.append(f"Not begun: {skipped}, since more than max_failures ({max_failures}) failed.")
    changed = [item for item in items if _classify(item) == "changed"]
    if restored := [label(item.instance) for item in changed if item.is_restored]:
        parts.append(f"Restored: {format_list(restored, _NAMED)}.")
    if started := [label(item.instance) for item in changed if not item.is_restored]:
        parts.append(f"Started: {format_list(started, _NAMED)}.")
    is_force_offered = any(
        item.error is not None and item.outcome in (FAILED, UNKNOWN) and not explain_obstacle(item.current)
        for item in items
    )
    force = "; force: true sends again what failed or is unknown" if is_force_offered else ""
    return " ".join([*parts, f"{GO_ON}{force}."])


def _list_failures(entries: t.Sequence[InstanceEntry], items: t.Sequence[RestoreItem]) -> list[str]:
    return [
        f"{entry.label}: {item.error}" for entry, item in zip(entries, items, strict=True) if item.error is not None
    ]
