# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of an incident in words, for the screen, the page and the status. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ...module_utils._errors import NOTHING_SENT
from ...module_utils._model.backup import taken_at
from ...module_utils._model.instance import describe_instance, find_state, is_health_final
from ...module_utils._service.restore.plan_remarks import capitalize
from ...module_utils._service.restore.reason import ReasonKind
from ...module_utils._service.restore.reason_texts import (
    CANNOT_BE_RESTORED,
    NOT_BEGUN,
    NOT_HEALTHY,
    REJECTED,
    RESTORED,
    UNKNOWN,
    WITHOUT_SIGN,
    ReasonContext,
    tell_reason,
)
from ...module_utils._service.restore.recorded_incident import IN_PROGRESS
from ...module_utils._service.restore.target_plan import RestoreAction
from ...module_utils._state.journal import UNSEEN, OperationEvent
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._times import format_duration, parse_time
from .._formatting import format_clock, format_value
from .incident_results import RESTORED_ALREADY, WOULD_BE_RESTORED, InstanceResult
from .role_run import format_sent

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.history import RecordedRestore
    from ...module_utils._service.restore.recorded_incident import RecordedIncident
    from .role_run import Data, RoleRun

LISTED = 5
"""Instances that a line names."""

_UNREAD = f"Earlier restores can't be read now. {NOTHING_SENT}"
_WORDS = {
    RESTORED: "restored",
    WOULD_BE_RESTORED: "would be restored",
    RESTORED_ALREADY: "restored already",
    WITHOUT_SIGN: "without a sign",
    NOT_HEALTHY: "not healthy",
    REJECTED: "rejected",
    UNKNOWN: "unknown",
    CANNOT_BE_RESTORED: "can't be restored",
    NOT_BEGUN: "not begun",
}
"""The words of each part of an incident, in the order of the headline."""
_OPEN = (WITHOUT_SIGN, UNKNOWN, NOT_BEGUN)
"""The parts of which it is not known, or not decided, whether they will be restored."""
_ENDS = {
    "completed": "it was seen restored",
    "unseen": f"it {UNSEEN}",
    "in_flight": "it was accepted, and its end was not seen",
    "failed": "it was accepted, and failed",
    "refused": "it was rejected or not sent",
    "unknown": "it is unknown whether it was carried out",
}
"""How a restore ended, by its outcome."""


class ResultText(t.NamedTuple):
    """The result of an instance, in words. ``now``: how it is now, as far as that was read."""

    state: str
    advice: str
    now: str


def tell_result(one: InstanceResult, run: RoleRun, now: datetime) -> ResultText:
    """Returns what came of an instance. ``run``: who tells it."""
    plan, known = one.plan, one.known
    overwritten = _format_overwritten(known.overwritten_by) if known.overwritten_by else ""
    later = f"{overwritten} {_format_now(one)}".strip()
    if one.reason is None:
        is_planned = one.is_check and one.plan.action is not RestoreAction.NONE
        return ResultText("" if is_planned else _format_restored(one), "", later)
    current = one.seen or (plan.restore.current if plan.restore else plan.instance) or {}
    # What has sent nothing can be repeated as it was.
    wording = replace(run.wording, again=run.again) if one.reason is run.reason else run.wording
    state = known.restore or (None if known.refused else plan.earlier)
    error = one.error.text if one.error else ""
    told = tell_reason(one.reason, ReasonContext(wording, run.incident, now, current, state, plan.older, error))
    sent = told.sent if run.is_history_known or not told.sent else _UNREAD
    return ResultText(f"{told.sentence} {sent}".rstrip(), told.advice, later)


def _format_restored(one: InstanceResult) -> str:
    """Returns when and by whom an instance was restored, and that it was seen healthy afterwards."""
    restore, known = one.known.restore, one.known
    if restore is None:
        return "Restored, and seen healthy."
    seen = f"healthy at {format_clock(parse_time(known.healthy_at))}" if known.healthy_at else "running"
    if one.lacks_health:
        seen = f"running at {format_clock(parse_time(known.running_at))}, health not shown"
    if restore.is_unseen:
        check = "Check whether its data is that of the backup."
        return f"The restore, {format_sent(restore)}, {UNSEEN}. The instance was {seen}. {check}"
    return f"Restored from backup {restore.facts.get('backup_id')}, {format_sent(restore)}; seen {seen}."


def _format_overwritten(by: t.Mapping[str, t.Any]) -> str:
    """Returns which restore has overwritten an instance since, or may have."""
    incident, backup = one_line(by["incident"]), one_line(by["backup_id"], 20)
    told = f"overwritten since by {incident}, backup {backup}, sent {format_clock(parse_time(by['sent_at']))}"
    return f"{capitalize(told)}." if by["outcome"] == "completed" else f"Perhaps {told}: {_ENDS[by['outcome']]}."


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
        return _UNREAD.rstrip(".")
    if run.reason and run.reason.kind is ReasonKind.NOT_CONFIRMED:
        return "Only planned: the restore was not confirmed, so nothing was sent"
    return format_counts(results)


def format_counts(results: t.Sequence[InstanceResult]) -> str:
    """Returns ``2 of 4 instances restored and healthy (1 overwritten since), 1 rejected, 1 not begun``.

    The counts add up to all, but for those in parentheses, which are of the part before them.
    """
    parts = {part: [one for one in results if one.part == part] for part in _WORDS}
    first = WOULD_BE_RESTORED if any(one.is_check for one in results) else RESTORED
    done, total = parts.pop(first), format_count(len(results), "instance")
    number = total if len(done) == len(results) else f"{len(done)} of {total}"
    # Healthy is said only if the service shows it of each.
    healthy = " and healthy" if first == RESTORED and not any(one.lacks_health for one in done) else ""
    told = [f"{number} {_WORDS[first]}{healthy}{_format_reservations(done)}"]
    told += [f"{len(own)} {_WORDS[part]}{_format_reservations(own)}" for part, own in parts.items() if own]
    return ", ".join(told)


def format_incident(recorded: RecordedIncident, results: t.Sequence[InstanceResult]) -> str:
    """Returns what is known of an incident, in one line. It stays true of the page of a run that is killed."""
    is_open = any(one.state == IN_PROGRESS for one in recorded.runs)
    return format_counts(results) + ("; a run had not ended" if is_open else "")


def _format_reservations(results: t.Sequence[InstanceResult]) -> str:
    """Returns how many results of a part have something else to know."""
    counts = {
        "by an earlier run": sum(one.part == RESTORED and one.is_earlier for one in results),
        "not responding as expected": sum(one.part == RESTORED and one.reason is not None for one in results),
        "overwritten since": sum(one.known.overwritten_by is not None for one in results),
        "not healthy now": sum(
            find_state(one.seen) != "running" or not is_health_final(one.seen)
            for one in results
            if one.seen is not None and one.part == RESTORED
        ),
        "running, health not shown": sum(one.lacks_health for one in results),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f" ({told})" if told else ""


# Lists


def tell_results(results: t.Sequence[InstanceResult], run: RoleRun, now: datetime) -> list[str]:
    """Returns what came of instances, and what to do. Those that are alike share a paragraph."""

    def describe(one: InstanceResult) -> tuple[str, object]:
        told = tell_result(one, run, now)
        if one.reason is None:
            is_short = len(results) > LISTED and not one.is_unseen and not one.lacks_health
            state = "Restored, and seen healthy." if is_short else told.state
            text = state if one.seen is not None else f"{state} {told.now}".rstrip()
            return text, text
        kind, facts = one.reason.kind, one.reason.facts
        names = ("http_status", "code", "fault", "status" if kind is ReasonKind.WRONG_STATUS else "")
        return f"{told.state} {told.advice}".rstrip(), (kind, *map(facts.get, names))

    return share_texts((one.plan.label, *describe(one)) for one in results)


def share_texts(texts: t.Iterable[tuple[str, str, object]]) -> list[str]:
    """Returns a line for the labels whose texts have an equal key. Of texts that differ, it has the first."""
    groups: dict[object, list[tuple[str, str]]] = {}
    for label, text, key in texts:
        groups.setdefault(key, []).append((label, text))
    lines = []
    for group in groups.values():
        labels = format_list((label for label, _text in group), LISTED)
        example = "" if len({text for _label, text in group}) == 1 else f"For example {group[0][0]}: "
        lines.append(f"{labels}: {example}{group[0][1]}")
    return lines


# The page


def tell_page(run: RoleRun, recorded: RecordedIncident, results: t.Sequence[InstanceResult], now: datetime) -> Data:
    """Returns the words of the page: its headline, and those of each instance, what is not restored first."""
    shown = sorted(results, key=lambda one: one.reason is None)
    return {"headline": format_incident(recorded, results), "shown": [_tell_row(one, run, now) for one in shown]}


def _tell_row(one: InstanceResult, run: RoleRun, now: datetime) -> Data:
    weight, tag = "warn" if one.part in _OPEN else "bad" if one.reason else "good", _WORDS[one.part]
    if one.known.overwritten_by and not one.reason:
        weight, tag = "warn", "overwritten since"
    age = None if one.plan.age is None else format_duration(one.plan.age)
    told = tell_result(one, run, now)._asdict()
    return {**one.to_dict(), **told, "label": one.plan.label, "tag": tag, "weight": weight, "age": age}


# The story of an instance


def tell_story(restores: t.Sequence[RecordedRestore]) -> list[str]:
    """Returns a line for each restore of an instance, and one that says from which backup its data is."""
    lines = [
        f"{one_line(one.incident)}: {_describe_backup(one)}, {format_sent(one.state)}; {_describe_end(one)}."
        for one in restores
    ]
    sent = [one for one in restores if one.state.event is not OperationEvent.REFUSED]
    if not sent:
        return [*lines, "The journal has no restore that was sent, so it can't be said from which backup its data is."]
    last, by, end = sent[-1], one_line(sent[-1].incident), _describe_end(sent[-1])
    if last.is_seen:
        return [*lines, f"Its data is from {_describe_backup(last)}, by {by}."]
    return [*lines, f"From which backup its data is can't be said: the last restore was by {by}; {end}."]


def _describe_backup(one: RecordedRestore) -> str:
    taken = one.state.facts.get("taken_at")
    when = f", taken {format_clock(parse_time(taken))}" if taken else ""
    return f"backup {format_value(one.state.facts.get('backup_id'))}{when}"


def _describe_end(one: RecordedRestore) -> str:
    return _ENDS["unseen" if one.state.is_unseen else one.state.outcome]
