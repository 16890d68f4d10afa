# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of ``claw_fleet``, its limits, results and messages. Pure."""

from __future__ import annotations

import typing as t

from .._errors import RefusedError, SettingsError
from .._text import format_count, format_list, one_line
from .._times import format_time
from .fleet_entries import BEYOND_FAILURES, NAMED, FaultyListError, Outcome
from .instance import NAME_LIMIT, Action, describe_condition, describe_status, find_name_fault, label
from .instance_index import InstanceIndex
from .instance_job import UNPROTECTED, Consent, InstanceJob, Phase
from .saved_plan import PlannedChange

if t.TYPE_CHECKING:
    from .fleet_entries import ChangeLimits, FleetEntry
    from .instance_job import Protection
    from .resource import Resource
    from .saved_plan import Approval, SavedPlan

_WORDS = {
    Action.START: ("to start", "started", "start accepted"),
    Action.STOP: ("to stop", "stopped", "stop accepted"),
    Action.RESTART: ("to restart", "restarted", "restart accepted"),
    Action.DELETE: ("to delete", "deleted", "deletion accepted"),
}
PLANNED, SEEN, ACCEPTED = range(3)
"""How far the changes are: a column of ``_WORDS``."""


def plan(
    entries: list[FleetEntry],
    listing: list[Resource],
    protection: Protection = UNPROTECTED,
    approve: t.Callable[[object], Approval] | None = None,
) -> list[InstanceJob]:
    """Returns the job of each entry, in order. ``approve`` returns what the plan of the task allows, by the id.

    Raises FaultyListError if two entries declare the same instance, and if one is to be deleted that is protected.
    """
    index = InstanceIndex(listing)
    listed = {entry.name or index.by_id.get(str(entry.instance_id), {}).get("name") for entry in entries}
    jobs = [_plan_entry(entry, index, listed) for entry in entries]
    faults = []
    first: dict[object, int] = {}
    for entry, job in zip(entries, jobs, strict=True):
        fault = ""
        # One that does not exist is known by what was given.
        key = str(job.found["id"]) if job.found else (entry.instance_id, entry.name)
        if (earlier := first.setdefault(key, entry.number)) != entry.number:
            which = label(job.found) if job.found else "it"
            fault = f"{which} is listed already, in entry {earlier}"
        if job.found is not None:
            job.consent = Consent(entry.name, protection, approve(job.found["id"]) if approve else None)
            job.decide(job.found)
            fault = fault or protection.find_fault(job.found, job.wanted)
        if fault:
            faults.append(f"{entry.label}: {fault}")
            job.fail(fault)
    if faults:
        raise FaultyListError(faults, jobs)
    return jobs


def _plan_entry(entry: FleetEntry, index: InstanceIndex, listed: set[object]) -> InstanceJob:
    """Returns a job that is still to be decided, or one without an instance."""
    try:
        found = index.resolve(entry.instance_id, entry.name)
    except (RefusedError, SettingsError) as error:
        return InstanceJob(entry.wanted, error=str(error))
    if found is not None:
        return InstanceJob(entry.wanted, found)
    similar = index.find_similar_name(entry.name, listed) if entry.instance_id is None else None
    missing = f"no such instance; did you mean {one_line(similar, NAME_LIMIT)}?" if similar else ""
    if entry.wanted == "absent":
        return InstanceJob(entry.wanted, warning=missing)
    return InstanceJob(entry.wanted, error=missing or "no such instance: instances are created in the dashboard.")


def find_excess(jobs: list[InstanceJob], limits: ChangeLimits) -> list[dict[str, t.Any]]:
    """Returns the limits that the plan exceeds, as a result has them."""
    changing = [job for job in jobs if job.change() in _WORDS]
    deleted = [label(job.instance) for job in changing if job.change() is Action.DELETE]
    lost = f"{'Its' if len(deleted) == 1 else 'Their'} backups may be deleted too."
    counted = (
        ("max_deletions", limits.deletions, len(deleted), f"{format_list(deleted, NAMED)}. {lost}"),
        ("max_changes", limits.changes, len(changing), f"{', '.join(_count_changes(jobs, PLANNED))}."),
    )
    return [
        {"option": option, "limit": limit, "count": count, "details": details}
        for option, limit, count, details in counted
        if limit is not None and count > limit
    ]


def explain_excess(option: str, limit: int, count: int, details: str, prefix: str = "") -> str:
    """Returns the sentences about a limit that the plan exceeds."""
    changed = "be deleted" if option == "max_deletions" else "change"
    return f"{format_count(count, 'instance')} would {changed}, more than {prefix}{option} ({limit}) allows: {details}"


def list_changes(jobs: list[InstanceJob]) -> list[PlannedChange]:
    """Returns the changes of the plan."""
    return [PlannedChange.of(job.instance, job.change()) for job in jobs if job.change() in _WORDS]


def find_outdated_changes(saved: SavedPlan, jobs: list[InstanceJob], listed: t.Mapping[str, Resource]) -> list[str]:
    """Returns why the changes of a plan can't be made any more, or are not all, a sentence each.

    ``listed``: all instances, by the id. What has reached its planned end is no difference.
    """
    found = {str(job.found["id"]): job for job in jobs if job.found}
    gone = {change.name: key for key, change in saved.changes.items() if key not in listed}
    causes = {key: _explain(change, found.get(key), listed.get(key)) for key, change in saved.changes.items()}
    for key, job in found.items():
        is_changing = job.action in _WORDS or job.change() in _WORDS
        if key not in saved.changes and is_changing and job.instance.get("name") in gone:
            causes[gone[job.instance["name"]]] = f"it is gone, and {label(job.instance)} was created with its name"
        elif key not in saved.changes and is_changing:
            seen = describe_status(job.instance)
            causes[key] = f"its status is {seen} now, so it would change, and the plan has no change of it"
    names = {key: label(job.instance) for key, job in found.items()}
    names |= {key: change.describe() for key, change in saved.changes.items()}
    return [f"{names[key]}: {cause}." for key, cause in causes.items() if cause]


def _explain(change: PlannedChange, job: InstanceJob | None, listed: Resource | None) -> str:
    """Returns why a planned change can't be made any more: a clause, empty if it can or has been."""
    if job is not None and job.restore:
        return job.restore.describe()
    if job is not None:
        approval = t.cast("Approval", job.consent.approval)
        fault = "" if job.is_of_earlier_run else approval.find_fault(job.instance, job.action)
        return fault or (job.error if job.action is Action.REJECT else "") or ""
    if listed is not None:
        return find_name_fault(listed, change.name) or "the list of this task does not have it"
    return "" if change.action == Action.DELETE.value else "it is gone"


def note_reached(saved: SavedPlan, entries: list[FleetEntry], jobs: list[InstanceJob]) -> None:
    """Sets the note of each job whose planned end was reached before this task."""
    deleted = {change.name: change for change in saved.changes.values() if change.action == Action.DELETE.value}
    for entry, job in zip(entries, jobs, strict=True):
        approval = job.consent.approval
        change = approval.change if approval else saved.changes.get(str(entry.instance_id)) or deleted.get(entry.name)
        if change and job.phase is Phase.DONE and job.error is None and not job.changed:
            at = f" at {approval.restarted_at}" if approval and approval.restarted_at else ""
            reached = "paused" if job.find_paused_warning() else _WORDS[Action(change.action)][1]
            job.note = f"{reached} already{at}"


def hold_back_excess(jobs: list[InstanceJob], limits: ChangeLimits) -> None:
    """Fails the last of the changes that are ready, if they are more than ``max_changes`` allows.

    The plan was within it, but a busy instance may settle in another status than expected.
    """
    if limits.changes is None:
        return
    ready = [job for job in jobs if job.phase is Phase.READY]
    excess = sum(job.change() in _WORDS for job in jobs) - limits.changes
    for job in ready[-excess:] if excess > 0 else []:
        job.is_begun = False
        status = f"Not begun: its status is {describe_status(job.instance)} now"
        job.fail(f"{status}, and the other changes take all of {limits.prefix}max_changes ({limits.changes}).")


def _count_changes(jobs: list[InstanceJob], known: int) -> list[str]:
    """Returns, for example, ``4 to start`` and ``1 to delete``."""
    changes = [job.change() for job in jobs if job.error is None and job.is_begun]
    return [f"{changes.count(change)} {words[known]}" for change, words in _WORDS.items() if change in changes]


def format_report(entries: list[FleetEntry], jobs: list[InstanceJob], known: int) -> list[str]:
    """Returns a line for each entry that changes, then those that fail, then the totals."""
    changed, failed, not_begun, reached = [], [], [], []
    for entry, job in zip(entries, jobs, strict=True):
        change = job.change()
        if job.error is not None:
            failed.append(f"{entry.name_with(job.found)}: {job.error}")
        elif job.note:
            reached.append(f"{label(job.found) if job.found else entry.label}: {job.note}")
        elif change in _WORDS and not job.is_begun:
            not_begun.append(f"{label(job.instance)}: not begun")
        elif change in _WORDS:
            found = t.cast("dict[str, t.Any]", job.found)
            backups = ", perhaps with its backups" if change is Action.DELETE else ""
            status = f"{'now' if known == PLANNED else 'was'} {describe_condition(found)}"
            health = f", healthy at {format_time(job.healthy_at)}" if job.healthy_at else ""
            health = ", health not shown" if job.is_health_unseen else health
            changed.append(f"{label(found)}: {_WORDS[change][known]} ({status}){backups}{health}")
    unchanged = len(jobs) - len(changed) - len(failed) - len(not_begun) - len(reached)
    total = [
        f"{len(reached)} reached before" if reached else "",
        ", ".join(_count_changes(jobs, known)),
        f"{unchanged} unchanged" if unchanged else "",
    ]
    total += [f"{len(failed)} failed" if failed else "", f"{len(not_begun)} not begun" if not_begun else ""]
    totals = "; ".join(filter(None, total)) or "The list of instances is empty"
    return [*reached, *changed, *failed, *not_begun, f"{totals}."]


def build_outcomes(
    entries: list[FleetEntry], jobs: list[InstanceJob], *, refused: str = "", done: bool = True
) -> list[Outcome]:
    """Returns what became of each entry.

    ``refused``: why nothing was begun, so that the entries that would change count as failed. ``done``: it is no plan.
    """
    outcomes = []
    for entry, job in zip(entries, jobs, strict=True):
        known = job.found or {"id": entry.instance_id, "name": entry.name}
        is_begun = (job.is_begun and not refused) or (job.error is None and job.change() not in _WORDS)
        facts = {"id": known["id"], "name": known.get("name"), "state": entry.wanted}
        if job.batch is not None:
            facts["batch"] = job.batch
        if not is_begun or job.batch is not None or refused:
            facts["begun"] = is_begun
        outcomes.append(
            Outcome(
                entry.name_with(job.found),
                label(known),
                facts,
                known.get("status"),
                None if job.current is None else job.current.get("status"),
                job.changed,
                job.error or (refused if refused and job.change() in _WORDS else None),
                is_begun,
                (job.note or ("Health not shown." if job.is_health_unseen else "")) if is_begun else BEYOND_FAILURES,
                "Changed" if done else "Would change",
            )
        )
    return outcomes


def build_diff(jobs: list[InstanceJob]) -> dict[str, t.Any]:
    """Returns the diff of the task: the statuses of the instances that exist."""
    found = [(label(job.found), describe_status(job.found), _format_after(job, job.found)) for job in jobs if job.found]
    return {
        "before": {name: status for name, status, _after in found},
        "after": {name: status for name, _before, status in found if status is not None},
    }


def _format_after(job: InstanceJob, found: Resource) -> str | None:
    """Returns the status for the diff: the one that an accepted change leads to, or the one found.

    None if the instance is gone then.
    """
    if not job.changed:
        return describe_status(found)
    after = job.summarize_after()
    return f"{describe_status(after)}{' (restarted)' if 'restarted' in after else ''}" if after else None
