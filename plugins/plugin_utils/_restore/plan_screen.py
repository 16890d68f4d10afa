# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of the role ``restore`` before it asks: what is overwritten and lost, in which batches. Pure."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from itertools import groupby
from statistics import median

from ...module_utils._model.account_identity import format_scope
from ...module_utils._model.batches import parse_serial, split_batches
from ...module_utils._model.instance import get_status
from ...module_utils._model.time_estimate import RESTORE_SECONDS, estimate_restores, format_estimate
from ...module_utils._service.restore.words import describe_clock, format_moment
from ...module_utils._state.journal import UNSEEN
from ...module_utils._text import format_count
from ...module_utils._time_options import parse_timestamp
from ...module_utils._times import format_duration, format_time, parse_time
from .._formatting import SCREEN_WIDTH, fit, format_clock, format_value, text_width, wrap

if t.TYPE_CHECKING:
    from ...module_utils._state.journal import OperationState
    from .run import Data, RolePlan, Run

ALL_SHOWN = 12
"""Instances up to which each has lines of its own. Of more, those that are alike share them."""
_NAMED = 12
"""Names up to which a group shows all of its own."""
_OLD = 2.0
"""A backup that is so many times as old as the median is not like the others."""
_MANY = 5
"""More batches than this are shown in groups of one size."""


def show_plan(run: Run, clock_lead: timedelta) -> list[str]:
    """Returns the plan as the user sees it before confirming, in lines that fit into the screen.

    ``clock_lead``: how far this machine's clock is ahead of the service's.
    """
    before = parse_timestamp("restore_before", run.variables["restore_before"] or None)
    lines = [line] if (line := describe_clock(clock_lead)) else []
    lines += [f"Only backups from before {format_clock(before)} (restore_before)."] if before else []
    lines += [run.approved.label()] if run.approved else []
    for group in _group(run.plans):
        own = plan_lines(group)
        is_many = len(run.plans) > ALL_SHOWN
        lines += [own[0] + "".join(line[3:] for line in own[1:])] if is_many else own
    wrapped = [part for line in [format_scope(run.service, run.account), *lines] for part in wrap(line, SCREEN_WIDTH)]
    return [*wrapped, *schedule_lines(run.plans, run.variables, run.list_pages)]


# Many instances


def _group(plans: list[RolePlan]) -> list[list[RolePlan]]:
    """Returns the plans in groups: those of more than one are shown together, the largest first.

    Each is alone unless there are many. Then those that are alike are together; if these are still too many groups,
    all of one outcome.
    """
    if len(plans) <= ALL_SHOWN:
        return [[plan] for plan in plans]
    ages = [plan.age.total_seconds() for plan in plans if plan.age is not None]
    limit = timedelta(seconds=_OLD * median(ages)) if ages else timedelta(0)
    groups: dict[object, list[RolePlan]] = {}
    for plan in plans:
        groups.setdefault(_describe_kind(plan, limit), []).append(plan)
    if len(groups) > ALL_SHOWN:
        groups = {}
        for plan in plans:
            groups.setdefault((plan.kind, plan.outcome), []).append(plan)
    return sorted(groups.values(), key=len, reverse=True)


def _describe_kind(plan: RolePlan, age_limit: timedelta) -> tuple[object, ...]:
    """Returns what alike plans have in common. Their notes may differ in numbers."""
    if plan.kind:
        return (plan.kind,)
    is_old = plan.sends and (plan.age is None or plan.age > age_limit)
    notes = tuple(note.about for note in plan.notes)
    return plan.outcome, plan.is_unseen, format_condition(plan), is_old, notes, bool(plan.id_reason)


# Lines of plans


def summarize_plan(run: Run) -> list[str]:
    """Returns the lines above the question: the plan may have scrolled away, or was not shown by a callback plugin."""
    sends = [plan for plan in run.plans if plan.sends]
    lines = headlines(sends or run.plans[:1])
    if len(sends) > 1:
        lines = [f"{len(sends)} instances lose all changes since {_format_range(sends)}."]
    return [part for line in [format_scope(run.service, run.account), *lines] for part in wrap(line, SCREEN_WIDTH)]


def plan_lines(group: list[RolePlan]) -> list[str]:
    """Returns the lines of plans that are alike."""
    details = [detail_lines(plan, of_many=len(group) > 1) for plan in group]
    if all(each == details[0] for each in details):
        return [*headlines(group), *(f"    {line}" for line in details[0])]
    label, example = next((plan.label, each) for plan, each in zip(group, details, strict=True) if each)
    return [*headlines(group), f"    For example {label}: {' '.join(example)}"]


def headlines(group: list[RolePlan]) -> list[str]:
    """Returns what will be done with instances that are alike, and what that costs."""
    first, is_one = group[0], len(group) == 1
    names = [format_value(plan.name) for plan in group]
    listed = ", ".join(names) if len(names) <= _NAMED else f"{names[0]} to {names[-1]}"
    who = first.label if is_one else f"{len(group)} instances ({listed})"
    if first.kind:
        return [f"{who}: CAN'T BE RESTORED."]
    conditions = {format_condition(plan) for plan in group}
    named = f"{who}, {conditions.pop()}" if len(conditions) == 1 else who
    if first.outcome == "completed":
        known = _format_completed(first, is_one=is_one)
        return [f"{named}: {known}; no restore will be sent."]
    if first.outcome == "in_flight":
        of, since = f" of backup {first.backup_id}", f" since {format_moment(first.sent_at, first.planned_at)}"
        return [f"{named}: a restore{of if is_one else ''} is under way{since if is_one else ''}."]
    backups = f"backup {first.backup_id}," if is_one else "backups"
    lost = f"    DATA LOSS: all changes since {_format_range(group)}."
    return [f"{named}: restore {backups} {_format_ages(group)}.", lost]


def detail_lines(plan: RolePlan, *, of_many: bool = False) -> list[str]:
    """Returns what else is to be known of an instance. ``of_many``: of all that are alike."""
    notes = [note.plural if of_many and note.plural else note.text for note in plan.notes]
    if plan.kind:
        return [*([plan.failed.message, plan.failed.advice] if plan.failed else []), *notes]
    if plan.outcome == "completed":
        when = format_sent_and_completed(t.cast("OperationState", plan.earlier))
        return [f"{when[:1].upper()}{when[1:]}.", *notes]
    if plan.outcome == "in_flight":
        return ["This run waits for it.", *notes]
    asked = [f"{plan.id_reason}.", f"Confirm with its id instead: {plan.answer}."]
    return [*notes, *(asked if plan.id_reason and plan.asks else [])]


def _format_completed(plan: RolePlan, *, is_one: bool) -> str:
    """Returns that an instance is restored already, or what is known of a restore that was not seen."""
    used = f"backup {plan.backup_id}" if is_one else ""
    ago = _format_ago(plan) if is_one else ""
    if plan.is_unseen:
        return f"a restore{f' of {used}' if used else ''} {UNSEEN}{ago}"
    return f"already restored{f' from {used}' if used else ''}{ago}"


def format_sent_and_completed(state: OperationState) -> str:
    """Returns ``sent at … by alice@node2, seen restored at …``, without what is not known."""
    completed = "" if state.is_unseen else state.completed_at
    moments = (("sent", state.sent_at, state.by and f" by {state.by}"), ("seen restored", completed, ""))
    known = [(verb, parse_time(at), who) for verb, at, who in moments]
    return ", ".join(f"{verb} at {format_clock(moment)}{who}" for verb, moment, who in known if moment)


def format_condition(plan: RolePlan) -> str:
    """Returns the status and the health that the instance had at the time of the plan."""
    instance = plan.instance or {}
    health = instance.get("health_status")
    # Only a running instance has a health.
    values = (instance.get("status"), None if get_status(instance) != "running" and health == "unknown" else health)
    return ", ".join(format_value(value, 20) for value in values if value) or "status unknown"


def _format_ago(plan: RolePlan) -> str:
    """Returns how long ago a restore was sent; empty if its time lies ahead."""
    sent = parse_time(plan.sent_at)
    return f", {format_duration(plan.planned_at - sent)} ago" if sent and sent <= plan.planned_at else ""


def _format_ages(group: list[RolePlan]) -> str:
    ages = sorted(plan.age for plan in group if plan.age is not None)
    if len(ages) < len(group):
        return "of unknown age" if len(group) == 1 else "some of unknown age"
    youngest, oldest = format_duration(ages[0]), format_duration(ages[-1])
    return f"{youngest} old" if youngest == oldest else f"{youngest} to {oldest} old"


def _format_range(group: list[RolePlan]) -> str:
    times = sorted(plan.taken_at for plan in group if plan.taken_at)
    if len(times) < len(group):
        return "the backup, at an unknown time" if len(group) == 1 else "the backups, some at an unknown time"
    first, last = times[0], times[-1]
    return format_time(first) if first == last else f"{format_time(first)} to {format_time(last, first)}"


# Batches


def find_batches(plans: t.Iterable[RolePlan], variables: Data) -> list[list[RolePlan]]:
    """Returns the plans that can be restored, in batches. Those that are restored or under way are among them."""
    ready = [plan for plan in plans if plan.ready]
    return split_batches(ready, parse_serial("restore_serial", variables["restore_serial"]))


def estimate_batches(batches: list[list[RolePlan]], list_pages: int | None) -> float:
    """Returns the seconds of the restores that will be sent. ``list_pages``: None if they were not counted."""
    sizes = [sum(plan.sends for plan in batch) for batch in batches]
    return estimate_restores([size for size in sizes if size], list_pages or sum(sizes))


def schedule_lines(plans: list[RolePlan], variables: Data, list_pages: int | None) -> list[str]:
    """Returns the batches and the estimated time, as the plan shows them; nothing if nothing will be sent."""
    batches = find_batches(plans, variables)
    if not any(plan.sends for plan in plans):
        return []
    estimate = estimate_batches(batches, list_pages)
    lines = [f"Estimated time: about {format_estimate(estimate)}, if a restore takes {RESTORE_SECONDS:.0f} s."]
    if len(batches) == 1:
        return lines
    allowed = variables["restore_max_failures"]
    failures = "a restore has failed" if allowed == 0 else f"more than {format_count(allowed, 'restore')} have failed"
    return [*_format_batches(batches), f"    No further batch begins when {failures}.", *lines]


def _format_batches(batches: list[list[RolePlan]]) -> list[str]:
    total, lines, first = len(batches), [], 1
    alike = [[batch] for batch in batches] if total <= _MANY else [[*same] for _size, same in groupby(batches, len)]
    for same in alike:
        last = first + len(same) - 1
        numbers = f"Batch {first}" if first == last else f"Batches {first} to {last}"
        each = f", {len(same[0])} each" if first != last else ""
        lines.append(_format_batch(f"{numbers} of {total}{each}", [plan for batch in same for plan in batch], batches))
        first = last + 1
    return lines


def _format_batch(numbers: str, plans: list[RolePlan], batches: list[list[RolePlan]]) -> str:
    """Returns the line of one batch, or of several of one size. A first batch of one is a canary."""
    is_canary = plans == batches[0] and len(plans) == 1 and len(batches[1]) > 1
    canary = " (canary)" if is_canary else ""
    return f"{numbers}: {_format_names(plans, SCREEN_WIDTH - len(numbers) - len(canary) - 2)}{canary}"


def _format_names(plans: list[RolePlan], width: int) -> str:
    """Returns the names if they fit, or how many and the first and the last one; with the id what needs it."""
    names = [format_value(plan.label if plan.id_reason else plan.name) for plan in plans]
    text = ", ".join(names)
    if text_width(text) <= width:
        return text
    if len(names) == 1:
        return fit(text, width)
    count = f"{len(names)} instances, "
    each = (width - len(count) - len(" to ")) // 2
    first, last = (name if text_width(name) <= each else fit(name, each) for name in (names[0], names[-1]))
    return f"{count}{first} to {last}"
