# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of an incident in words, for the screen, the page and the status. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._errors import NOTHING_SENT
from ...module_utils._model.backup import taken_at
from ...module_utils._model.instance import describe_instance
from ...module_utils._service.restore.reason import ReasonKind
from ...module_utils._service.restore.reason_texts import (
    CANNOT_BE_RESTORED,
    NOT_BEGUN,
    NOT_HEALTHY,
    REJECTED,
    RESTORED,
    UNKNOWN,
    WITHOUT_SIGN,
    Telling,
    tell,
)
from ...module_utils._service.restore.recorded_incident import IN_PROGRESS
from ...module_utils._service.restore.target_plan import RestoreAction
from ...module_utils._state.journal import UNSEEN, OperationEvent
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._times import format_duration, parse_time
from .._formatting import format_clock, format_value
from .incident_results import RESTORED_ALREADY, WOULD_BE_RESTORED, InstanceResult, count_parts

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.history import OtherRestore
    from ...module_utils._service.restore.reason import Reason
    from ...module_utils._service.restore.recorded_incident import RecordedIncident
    from .role_run import Data, RoleRun

LISTED = 5
"""Instances that a line names."""

_UNREAD = "Earlier restores can't be read now."
_PARTS = {
    RESTORED: ("restored and healthy", "restored"),
    WOULD_BE_RESTORED: ("would be restored", "would be restored"),
    RESTORED_ALREADY: ("restored already", "restored already"),
    WITHOUT_SIGN: ("without a sign of the restore", "no sign seen"),
    NOT_HEALTHY: ("not healthy", "not healthy"),
    REJECTED: ("rejected", "rejected"),
    UNKNOWN: ("unknown", "unknown"),
    CANNOT_BE_RESTORED: ("can't be restored", "not restored"),
    NOT_BEGUN: ("not begun", "not begun"),
}
"""The words of each part of an incident in a headline, and its tag on the page, in the order of the headline."""
_OPEN = (WITHOUT_SIGN, UNKNOWN, NOT_BEGUN)
"""The parts of which it is not known, or not decided, whether they will be restored."""
_DOUBTS = {
    "unseen": "no sign of it was seen",
    "in_flight": "its end was not seen",
    "failed": "it failed",
    "unknown": "its outcome is unknown",
}
"""Why it can't be told whether a later restore has overwritten an instance, by its outcome."""


_ENDS = {
    "completed": "seen restored",
    "in_flight": "accepted, and its end was not seen",
    "failed": "accepted, and failed",
    "refused": "rejected or not sent",
    "unknown": "it is unknown whether it was carried out",
}
"""How a restore ended, by its outcome."""


class ToldResult(t.NamedTuple):
    """The result of an instance, in words. ``now``: how it is now, as far as that was read."""

    state: str
    advice: str
    now: str


def tell_result(one: InstanceResult, run: RoleRun, now: datetime) -> ToldResult:
    """Returns what came of an instance. ``run``: who tells it."""
    plan, known, later = one.plan, one.known, _format_now(one)
    if one.known.overwritten_by:
        later = f"{format_overwritten(one.known.overwritten_by)} {later}".rstrip()
    if one.reason is None:
        is_planned = one.is_check and one.plan.action is not RestoreAction.NONE
        return ToldResult("" if is_planned else _format_restored(one), "", later)
    current = one.seen or (plan.restore.current if plan.restore else plan.instance) or {}
    # What has sent nothing can be repeated as it was.
    wording = replace(run.wording, again=run.again) if one.reason is run.reason else run.wording
    state = known.restore or (None if known.refused else plan.earlier)
    error = one.error.text if one.error else ""
    told = tell(one.reason, Telling(wording, run.incident, now, current, state, plan.older, error))
    sent = told.sent if run.is_history_known or not told.sent else f"{_UNREAD} {NOTHING_SENT}"
    return ToldResult(f"{told.sentence} {sent}".rstrip(), told.advice, later)


def _format_restored(one: InstanceResult) -> str:
    """Returns when and by whom an instance was restored, and that it was seen healthy afterwards."""
    restore, known = one.known.restore, one.known
    seen = f"healthy at {format_clock(parse_time(known.healthy_at))}" if known.healthy_at else "running"
    if known.running_at and not known.healthy_at:
        seen = f"running at {format_clock(parse_time(known.running_at))}, health not shown"
    if restore is None:
        return f"Restored from backup {one.plan.backup_id}, and seen healthy."
    by = f" by {restore.by}" if restore.by else ""
    sent = f"sent at {format_clock(parse_time(restore.sent_at))}{by}"
    if restore.is_unseen:
        check = "Check whether its data is that of the backup."
        return f"The restore, {sent}, {UNSEEN}. The instance was {seen}. {check}"
    return f"Restored from backup {restore.facts.get('backup_id')}, {sent}; seen {seen}."


def format_overwritten(by: t.Mapping[str, t.Any]) -> str:
    """Returns which restore has overwritten an instance since, or may have."""
    incident, backup, doubt = one_line(by["incident"]), one_line(by["backup_id"], 20), _DOUBTS.get(by["outcome"])
    which = f"{incident}, backup {backup}, sent {format_clock(parse_time(by['sent_at']))}"
    return f"Perhaps overwritten since by {which}: {doubt}." if doubt else f"Overwritten since by {which}."


def _format_now(one: InstanceResult) -> str:
    if one.seen is None:
        return ""
    if not one.seen:
        return "It does not exist any more."
    newest = f" Its newest backup is {one.newer['id']}, taken {format_clock(taken_at(one.newer))}." if one.newer else ""
    return f"It is {describe_instance(one.seen, with_health=True)[1]} now.{newest}"


# Headlines


def format_headline(run: RoleRun, results: t.Sequence[InstanceResult]) -> str:
    """Returns what a run has achieved, in one line."""
    if not run.is_history_known:
        return f"{_UNREAD} {NOTHING_SENT}".rstrip(".")
    if run.reason and run.reason.kind is ReasonKind.NOT_CONFIRMED:
        return "Only planned: the restore was not confirmed, so nothing was sent"
    before = sum(one.part == RESTORED and not (one.plan.restore and one.plan.restore.changed) for one in results)
    if before and before == len(results):
        return (
            f"{format_count(before, 'instance')} already restored; this run sent no restore{_format_subsets(results)}"
        )
    return format_counts(results) + (f", {before} of them by an earlier run" if before else "")


def format_counts(results: t.Sequence[InstanceResult]) -> str:
    """Returns ``2 of 4 instances restored and healthy, 1 rejected, 1 not begun``. The counts add up to all."""
    counts, total = count_parts(results), format_count(len(results), "instance")
    is_check = any(one.is_check for one in results)
    first = WOULD_BE_RESTORED if is_check else RESTORED
    number = counts.pop(first, 0)
    part = f"{number} of {total}" if counts or is_check or not number else total
    others = (f", {counts[one]} {words}" for one, (words, _tag) in _PARTS.items() if one in counts)
    # Healthy is said only if the service shows it of each.
    words = "restored" if any(one.lacks_health for one in results) else _PARTS[first][0]
    return f"{part} {words}{''.join(others)}{_format_subsets(results)}"


def _format_subsets(results: t.Sequence[InstanceResult]) -> str:
    """Returns how many of those that are restored are so with a reservation."""
    done = [one for one in results if one.part in (RESTORED, RESTORED_ALREADY)]
    counts = {
        "not responding as expected": sum(one.reason is not None for one in done),
        "overwritten since": sum(one.known.overwritten_by is not None for one in results),
        "not healthy now": sum(one.is_ill for one in done),
        "running, health not shown": sum(one.lacks_health for one in done),
    }
    which = "" if len(results) == 1 else "{} of them "
    return "".join(f", {which.format(count)}{what}" for what, count in counts.items() if count)


# Lists


def format_failures(failed: t.Iterable[InstanceResult], run: RoleRun, now: datetime) -> list[str]:
    """Returns the state and the advice of each instance that is not restored. Equal reasons share a paragraph."""
    groups: dict[object, list[tuple[InstanceResult, ToldResult]]] = {}
    for one in failed:
        reason = t.cast("Reason", one.reason)
        names = ("http_status", "code", "fault", "status" if reason.kind is ReasonKind.WRONG_STATUS else "")
        key = (reason.kind, *map(reason.facts.get, names))
        groups.setdefault(key, []).append((one, tell_result(one, run, now)))
    lines: list[str] = []
    for group in groups.values():
        labels = format_list((one.plan.label for one, _told in group), LISTED)
        # What differs in ids or times is told of the first.
        example, columns = (
            f"For example {group[0][0].plan.label}: ",
            zip(*(told[:2] for _one, told in group), strict=True),
        )
        state, advice = (texts[0] if len(set(texts)) == 1 else f"{example}{texts[0]}" for texts in columns)
        lines += [f"{labels}: {state}", *filter(None, [advice]), ""]
    return lines[:-1]


def format_done(results: t.Sequence[InstanceResult], run: RoleRun, now: datetime) -> list[str]:
    """Returns a line for each instance that was restored; of many, one line for those that show it."""

    def describe(one: InstanceResult) -> str:
        told = tell_result(one, run, now)
        is_short = len(results) > LISTED and not one.is_unseen and not one.lacks_health
        state = "Restored, and seen healthy." if is_short else told.state
        return state if one.seen is not None else f"{state} {told.now}".rstrip()

    return list_texts(results, describe)


def list_texts(results: t.Iterable[InstanceResult], describe: t.Callable[[InstanceResult], str]) -> list[str]:
    """Returns a line for each text, with the labels of its instances."""
    groups: dict[str, list[str]] = {}
    for one in results:
        if text := describe(one):
            groups.setdefault(text, []).append(one.plan.label)
    return [f"{format_list(labels, LISTED)}: {text}" for text, labels in groups.items()]


# The page


def tell_page(run: RoleRun, recorded: RecordedIncident, results: t.Sequence[InstanceResult], now: datetime) -> Data:
    """Returns the words of the page: its headline, and those of each instance, what is not restored first."""
    shown = sorted(results, key=lambda one: one.reason is None)
    # The page of a run that is killed stays as it was written.
    going_on = "; a run was in progress" if any(one.state == IN_PROGRESS for one in recorded.runs) else ""
    return {"headline": f"{format_counts(results)}{going_on}", "shown": [_tell_row(one, run, now) for one in shown]}


def _tell_row(one: InstanceResult, run: RoleRun, now: datetime) -> Data:
    weight = "warn" if one.part in _OPEN else "bad" if one.reason else "good"
    age = None if one.plan.age is None else format_duration(one.plan.age)
    told = {**tell_result(one, run, now)._asdict(), "label": one.plan.label, "tag": _PARTS[one.part][1]}
    if one.known.overwritten_by and not one.reason:
        weight, told["tag"] = "warn", "overwritten since"
    return {**one.to_dict(), **told, "weight": weight, "age": age}


# The story of an instance


def tell_story(restores: t.Sequence[OtherRestore]) -> list[str]:
    """Returns a line for each restore of an instance, and one that says from which backup its data is."""
    if not restores:
        return ["The journal has no restore of it, so it can't be said from which backup its data is, if from any."]
    return [*(_tell_restore(one) for one in restores), _tell_data(restores)]


def _tell_restore(one: OtherRestore) -> str:
    state = one.state
    by = f" by {state.by}" if state.by else ""
    end = UNSEEN if state.is_unseen else _ENDS[state.outcome]
    return f"{format_clock(parse_time(state.sent_at))}{by}, {one_line(one.incident)}: {_describe_backup(one)}; {end}."


def _describe_backup(one: OtherRestore) -> str:
    taken = one.state.facts.get("taken_at")
    when = f", taken {format_clock(parse_time(taken))}" if taken else ""
    return f"backup {format_value(one.state.facts.get('backup_id'))}{when}"


def _tell_data(restores: t.Sequence[OtherRestore]) -> str:
    """Returns from which backup the data is, or why that can't be said."""
    sent = [one for one in restores if one.state.event is not OperationEvent.REFUSED]
    if not sent:
        return "Every restore was rejected or not sent, so it can't be said from which backup its data is, if from any."
    last = sent[-1]
    if last.is_seen:
        return f"Its data is from {_describe_backup(last)}, by {one_line(last.incident)}."
    why = UNSEEN if last.state.is_unseen else f"ended so: {_ENDS[last.state.outcome]}"
    return f"From which backup its data is can't be said: the last restore, by {one_line(last.incident)}, {why}."
