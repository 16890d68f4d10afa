# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the plan of the role ``restore`` before it asks: all instances, in which batches, and how long that will take.

Pure.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta
from itertools import groupby
from statistics import median

from ...module_utils._model.account_identity import format_scope
from ...module_utils._model.batches import parse_serial, split_batches
from ...module_utils._model.time_estimate import RESTORE_SECONDS, estimate_restores, format_estimate
from ...module_utils._service.restore.words import describe_clock
from ...module_utils._text import format_count
from ...module_utils._time_options import parse_timestamp
from ...module_utils._times import format_duration
from .._formatting import SCREEN_WIDTH, fit, format_clock, format_value, text_width, wrap
from .confirmation import detail_lines, format_completed, format_condition, format_range, plan_lines

if t.TYPE_CHECKING:
    from datetime import datetime

    from .run import Data, RolePlan, Run

ALL_SHOWN = 12
"""Instances up to which each has lines of its own. Of more, those that are alike share them."""
_NAMED = 12
"""Names up to which a group shows all of its own."""
_OLD = 2.0
"""A backup that is so many times as old as the median is not like the others."""

_MANY = 5
"""More batches than this are shown in groups of one size."""


def show_plan(run: Run, now: datetime, clock_lead: timedelta) -> list[str]:
    """Returns the plan as the user sees it before confirming, in lines that fit into the screen.

    ``clock_lead``: how far this machine's clock is ahead of the service's.
    """
    before = parse_timestamp("restore_before", run.variables["restore_before"] or None)
    lines = [line] if (line := describe_clock(clock_lead)) else []
    lines += [f"Only backups from before {format_clock(before)} (restore_before)."] if before else []
    lines += [run.approved.label()] if run.approved else []
    for group in _group(run.plans):
        own = plan_lines(group[0], now) if len(group) == 1 else _group_lines(group)
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


def _group_lines(group: list[RolePlan]) -> list[str]:
    """Returns the lines of several plans that are alike."""
    first = group[0]
    conditions = {format_condition(plan) for plan in group}
    condition = f", {conditions.pop()}" if len(conditions) == 1 else ""
    names = [format_value(plan.name) for plan in group]
    named = ", ".join(names) if len(names) <= _NAMED else f"{names[0]} to {names[-1]}"
    count = f"{len(group)} instances ({named}){condition}"
    if first.kind:
        lines = [f"{count}: CAN'T BE RESTORED."]
    elif first.outcome == "completed":
        lines = [f"{count}: {format_completed(first)}; no restore will be sent."]
    elif first.outcome == "in_flight":
        lines = [f"{count}: a restore is under way."]
    else:
        lines = [
            f"{count}: restore backups {_format_ages(group)}.",
            f"    DATA LOSS: all changes since {format_range(group)}.",
        ]
    details = [detail_lines(plan) for plan in group]
    if all(each == details[0] for each in details):
        return [*lines, *(f"    {line}" for line in detail_lines(first, of_many=True))]
    label, example = next((plan.label, each) for plan, each in zip(group, details, strict=True) if each)
    return [*lines, f"    For example {label}: {' '.join(example)}"]


def _format_ages(group: list[RolePlan]) -> str:
    ages = sorted(plan.age for plan in group if plan.age is not None)
    if len(ages) < len(group):
        return "some of unknown age"
    youngest, oldest = format_duration(ages[0]), format_duration(ages[-1])
    return f"{youngest} old" if youngest == oldest else f"{youngest} to {oldest} old"


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
    total = len(batches)
    if total <= _MANY:
        return [
            _format_batch(f"Batch {number} of {total}", batch, batches) for number, batch in enumerate(batches, start=1)
        ]
    lines, first = [], 1
    for size, group in groupby(batches, len):
        same = list(group)
        last = first + len(same) - 1
        numbers = f"Batch {first} of {total}" if first == last else f"Batches {first} to {last} of {total}, {size} each"
        lines.append(_format_batch(numbers, [plan for batch in same for plan in batch], batches))
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
