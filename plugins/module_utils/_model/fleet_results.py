# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits, results and messages of ``claw_fleet``. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SettingsError
from .._text import format_count, format_first, format_list, one_line
from .fleet_entries import Entry
from .fleet_plan import Job, Phase
from .instance import NAME_LIMIT, Action, label
from .results import Result

_WORDS = {
    Action.START: ("to start", "started"),
    Action.STOP: ("to stop", "stopped"),
    Action.RESTART: ("to restart", "restarted"),
    Action.DELETE: ("to delete", "deleted"),
}
"""By change: its word in a plan, and its word in a result."""

NOT_BEGUN = "Not begun: the plan exceeds the limits of the task."
_NAMED, _LISTED = 10, 3
"""Most instances that a message names, and most failures that it explains; the report has all."""


@dataclass(frozen=True)
class Limits:
    """Most changes, and most deletions among them, that a task may make; None for any number."""

    changes: int | None = None
    deletions: int | None = None

    def __post_init__(self) -> None:
        """Raises SettingsError for a negative number, which could be meant as no limit."""
        for name, limit in vars(self).items():
            if limit is not None and limit < 0:
                raise SettingsError(f"max_{name} is {limit}, but must be 0 or more. Nothing was sent.")


@dataclass(frozen=True)
class Excess:
    """A limit that a plan exceeds. ``details`` is text for people."""

    option: str
    limit: int
    count: int
    details: str

    def __str__(self) -> str:
        """Returns the sentences that say so."""
        count = format_count(self.count, "instance")
        if self.option == "max_deletions":
            return f"{count} would be deleted, more than max_deletions ({self.limit}) allows: {self.details}"
        return f"{count} would change, more than max_changes ({self.limit}) allows: {self.details}"


def find_excess(jobs: list[Job], limits: Limits) -> list[Excess]:
    """Returns the limits that the plan exceeds."""
    changing = [job for job in jobs if job.change() in _WORDS]
    deleted = [label(job.instance) for job in changing if job.change() is Action.DELETE]
    found = []
    if limits.deletions is not None and len(deleted) > limits.deletions:
        whose = "Its" if len(deleted) == 1 else "Their"
        details = f"{format_list(deleted, _NAMED)}. {whose} backups may be deleted too."
        found.append(Excess("max_deletions", limits.deletions, len(deleted), details))
    if limits.changes is not None and len(changing) > limits.changes:
        details = f"{', '.join(_count_changes(jobs, done=False))}."
        found.append(Excess("max_changes", limits.changes, len(changing), details))
    return found


def hold_back_excess(jobs: list[Job], limits: Limits) -> None:
    """Fails the last of the changes that are ready, if they are more than ``max_changes`` allows.

    The plan was within it, but a busy instance may settle in another status than expected.
    """
    if limits.changes is None:
        return
    ready = [job for job in jobs if job.phase is Phase.READY]
    excess = sum(job.change() in _WORDS for job in jobs) - limits.changes
    for job in ready[-excess:] if excess > 0 else []:
        job.fail(
            f"Not begun: it is {job.instance.get('status')} now, and the other changes take all of max_changes "
            f"({limits.changes})."
        )


def _count_changes(jobs: list[Job], *, done: bool) -> list[str]:
    """Returns, for example, ``4 to start`` and ``1 to delete``."""
    changes = [job.change() for job in jobs if job.error is None]
    return [f"{changes.count(change)} {words[done]}" for change, words in _WORDS.items() if change in changes]


def format_report(entries: list[Entry], jobs: list[Job], *, done: bool) -> list[str]:
    """Returns a line for each entry that changes, then those that fail, then the totals. ``done``: it is not a plan."""
    changed, failed = [], []
    for entry, job in zip(entries, jobs, strict=True):
        change = job.change()
        if job.error is not None:
            failed.append(f"{entry.label}: {job.error}")
        elif change in _WORDS:
            found = t.cast("dict[str, t.Any]", job.found)
            backups = ", perhaps with its backups" if change is Action.DELETE else ""
            status = one_line(found.get("status"), NAME_LIMIT)
            changed.append(f"{label(found)}: {_WORDS[change][done]} ({'was' if done else 'now'} {status}){backups}")
    unchanged = len(jobs) - len(changed) - len(failed)
    total = [", ".join(_count_changes(jobs, done=done)), f"{unchanged} as declared" if unchanged else ""]
    total.append(f"{len(failed)} failed" if failed else "")
    return [*changed, *failed, f"{'; '.join(filter(None, total)) or 'No instance is declared'}."]


def build_result(entries: list[Entry], jobs: list[Job], *, done: bool, refused: bool = False) -> Result:
    """Returns the result of the task; ``done`` is False for a plan that is not carried out.

    ``refused``: nothing was begun because of the limits, so the entries that would change count as failed.
    """
    results = []
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for entry, job in zip(entries, jobs, strict=True):
        known = job.found or {"id": entry.instance_id, "name": entry.name}
        error = job.error or (NOT_BEGUN if refused and job.change() in _WORDS else "")
        result = {
            "id": known["id"],
            "name": known.get("name"),
            "state": entry.wanted,
            "before": known.get("status"),
            "after": None if job.current is None else job.current.get("status"),
            "changed": job.changed,
            "failed": bool(error),
            "msg": error,
        }
        results.append(result)
        if job.found is not None:
            before[label(job.found)] = result["before"]
            after[label(job.found)] = job.status_after()
    return {
        "changed": any(job.changed for job in jobs),
        "instances": results,
        "summary": count_results(results),
        "report": format_report(entries, jobs, done=done),
        "diff": {"before": before, "after": {name: status for name, status in after.items() if status is not None}},
    }


def count_results(results: list[Result]) -> dict[str, int]:
    """Returns the number of entries that needed no change, were changed, and failed. Each counts once."""
    failed = sum(result["failed"] for result in results)
    changed = sum(result["changed"] and not result["failed"] for result in results)
    return {"ok": len(results) - changed - failed, "changed": changed, "failed": failed}


def format_failures(entries: list[Entry], jobs: list[Job]) -> str:
    """Returns the message of a task with failed entries; empty if there are none."""
    return format_outcomes(
        [
            (entry.label, job.error, label(job.found) if job.changed and job.found else None)
            for entry, job in zip(entries, jobs, strict=True)
        ]
    )


def format_outcomes(outcomes: t.Collection[tuple[str, object, str | None]]) -> str:
    """Returns the message for the failed entries; empty if there are none.

    Each outcome is the label of an entry, its error or None, and the label of what it has changed or None.
    """
    failed = [f"{entry}: {error}" for entry, error, _changed in outcomes if error is not None]
    if not failed:
        return ""
    changed = [name for _entry, error, name in outcomes if error is None and name is not None]
    others = f" Changed: {format_list(changed, _NAMED)}." if changed else ""
    return f"{len(failed)} of {len(outcomes)} entries failed: {format_first(failed, _LISTED)}{others}"
