# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of the role ``restore`` in words, before it asks: what will be lost, and what else is to be known. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta
from statistics import median

from ...module_utils._model.backup import taken_at
from ...module_utils._model.batches import split_batches
from ...module_utils._model.instance import describe_instance, find_state, get_status, is_healthy
from ...module_utils._service.account_check import format_scope
from ...module_utils._service.restore.history import find_age
from ...module_utils._service.restore.plan_remarks import Remark, capitalize, describe_choice, remark_on_other
from ...module_utils._service.restore.target_plan import RestoreAction, explain_left_out
from ...module_utils._state.journal import UNSEEN
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._time_options import parse_timestamp
from ...module_utils._times import format_duration, format_time
from .._formatting import format_clock, format_value, wrap_lines
from .role_run import OLD, RoleTargetPlan, format_sent

if t.TYPE_CHECKING:
    from ...module_utils._service.restore.history import RestoreHistory
    from ...module_utils._service.restore.options import Rules, Wording
    from ...module_utils._service.restore.target_plan import AccountView, TargetPlan
    from ...module_utils._state.journal import OperationState
    from .role_run import Data, RoleRun

ALL_SHOWN = 12
"""Instances up to which each has lines of its own. Of more, those that are alike share them."""
_NAMED = 12
"""Names up to which a group shows all of its own."""
_OUTLIER = 2.0
"""A backup that is so many times as old as the median is not like the others."""
RECENT = timedelta(days=7)
"""Age up to which the plan shows a restore for another incident."""

_LISTED = 5
"""Batches whose sizes are shown."""
_PASSED_OVER = 40
"""Newer backups that a remark names."""


def format_plan(run: RoleRun) -> list[str]:
    """Returns the plan as the user sees it before confirming, in lines that fit into the screen."""
    before = parse_timestamp("restore_before", run.variables["restore_before"] or None)
    lines = [f"Only backups from before {format_clock(before)} (restore_before)."] if before else []
    lines += [run.approved.label()] if run.approved else []
    lines += [line for group in _group(run.plans) for line in format_group(group)]
    lines += format_schedule(run.plans, run.variables)
    return wrap_lines([format_scope(run.service, run.account), *lines])


# Many instances


def _group(plans: list[RoleTargetPlan]) -> list[list[RoleTargetPlan]]:
    """Returns the plans in groups: those of more than one are shown together, the largest first.

    Each is alone unless there are many. Then those that are alike are together.
    """
    if len(plans) <= ALL_SHOWN:
        return [[plan] for plan in plans]
    ages = [plan.age.total_seconds() for plan in plans if plan.age is not None]
    limit = timedelta(seconds=_OUTLIER * median(ages)) if ages else timedelta(0)
    groups: dict[object, list[RoleTargetPlan]] = {}
    for plan in plans:
        groups.setdefault(_describe_kind(plan, limit), []).append(plan)
    return sorted(groups.values(), key=len, reverse=True)


def _describe_kind(plan: RoleTargetPlan, age_limit: timedelta) -> tuple[object, ...]:
    """Returns what alike plans have in common. Their remarks may differ in numbers."""
    if plan.reason:
        return (plan.reason.kind,)
    is_old = plan.sends and (plan.age is None or plan.age > age_limit)
    remarks = tuple(remark.about for remark in plan.remarks)
    is_unseen = plan.earlier is not None and plan.earlier.is_unseen
    return plan.action, is_unseen, format_condition(plan), is_old, remarks, plan.needs_id


# Lines of plans


def format_group(group: list[RoleTargetPlan]) -> list[str]:
    """Returns the lines of plans that are alike."""
    details = list(map(_format_details, group))
    shown = details[0]
    if any(each != shown for each in details):
        label, example = next((plan.label, each) for plan, each in zip(group, details, strict=True) if each)
        shown = [f"For example {label}: {' '.join(example)}"]
    return [*_format_headlines(group), *(f"    {line}" for line in shown)]


def _format_headlines(group: list[RoleTargetPlan]) -> list[str]:
    """Returns what will be done with instances that are alike, and what that costs."""
    first, is_one = group[0], len(group) == 1
    names = [format_value(plan.name) for plan in group]
    listed = ", ".join(names) if len(names) <= _NAMED else f"{names[0]} to {names[-1]}"
    who = first.label if is_one else f"{len(group)} instances ({listed})"
    if first.reason:
        return [f"{who}: CAN'T BE RESTORED."]
    named = f"{who}, {format_condition(first)}"
    of_backup = f" of backup {first.backup_id}" if is_one else ""
    if first.action is RestoreAction.WAIT:
        return [f"{named}: a restore{of_backup} was sent, and its end was not seen."]
    if first.action is RestoreAction.NONE:
        earlier = t.cast("OperationState", first.earlier)
        sent_before = find_age(earlier.sent_at, first.planned_at) if is_one else None
        ago = f", {format_duration(sent_before)} ago" if sent_before else ""
        end = UNSEEN if earlier.is_unseen else "has completed"
        return [f"{named}: a restore{of_backup} {end}{ago}; no restore will be sent."]
    age = _format_span([plan.age for plan in group], format_duration)
    backups = f"backup {first.backup_id}," if is_one else "backups"
    since = _format_span([plan.taken_at for plan in group], format_time) or "the backup, at an unknown time"
    lost = f"    DATA LOSS: all changes since {since}."
    return [f"{named}: restore {backups} {f'{age} old' if age else 'of unknown age'}.", lost]


def _format_details(plan: RoleTargetPlan) -> list[str]:
    """Returns what else is to be known of an instance."""
    remarks = [remark.text for remark in plan.remarks]
    if plan.told:
        return [plan.told.sentence, plan.told.advice, *remarks]
    if plan.action is not RestoreAction.SEND:
        waits = ["This run waits for it."] if plan.action is RestoreAction.WAIT else []
        return [f"{capitalize(format_sent(t.cast('OperationState', plan.earlier)))}.", *waits, *remarks]
    if plan.needs_id:
        remarks.append(f"Its name may not be unique, or is no plain text. Confirm with its id instead: {plan.answer}.")
    return remarks


def format_condition(plan: RoleTargetPlan) -> str:
    """Returns the status and the health that the instance had at the time of the plan."""
    instance = plan.instance or {}
    # Only a running instance has a health.
    return describe_instance(instance, with_health=find_state(instance) == "running")[1]


def _format_span(values: list[t.Any], format_one: t.Callable[[t.Any], str]) -> str:
    """Returns the least and the greatest of values; empty if one is not known."""
    if None in values:
        return ""
    first, last = format_one(min(values)), format_one(max(values))
    return first if first == last else f"{first} to {last}"


def format_schedule(plans: list[RoleTargetPlan], variables: Data) -> list[str]:
    """Returns in which batches the restores are sent; nothing if all are sent at once."""
    batches = split_batches([plan for plan in plans if plan.reason is None], variables["restore_serial"])
    if len(batches) < 2 or not any(plan.sends for plan in plans):
        return []
    sizes = format_list((str(len(batch)) for batch in batches), _LISTED)
    allowed = variables["restore_max_failures"]
    return [f"In {len(batches)} batches, of {sizes}. No further batch begins when more than {allowed} have failed."]


# Remarks


def build_role_plan(
    plan: TargetPlan, history: RestoreHistory, rules: Rules, now: datetime, wording: Wording
) -> RoleTargetPlan:
    """Returns a plan as the role shows it, without its confirmation."""
    told, instance = None, plan.instance or {}
    if plan.reason:
        from ...module_utils._service.restore.reason_texts import ReasonContext, tell_reason

        cause = plan.cause.text if plan.cause else ""
        context = ReasonContext(wording, history.incident, now, instance, plan.earlier, plan.older, cause)
        told = tell_reason(plan.reason, context)
    remarks = _build_remarks(plan, history, rules, now)
    return RoleTargetPlan(**vars(plan), planned_at=now, remarks=remarks, told=told)


def remark_on_newer(plan: RoleTargetPlan, account: AccountView, now: datetime, *, is_approved: bool) -> list[Remark]:
    """Returns a remark that names the usable backups that are newer than the approved, or the restored one.

    Any other plan says itself which backups it passes over.
    """
    if plan.reason or (plan.sends and not is_approved):
        return []
    found = account.find_newer(plan.instance or {}, plan.taken_at, now)
    newer = [f"id {one['id']} of {format_clock(taken_at(one))}" for one in found]
    text = f"Newer than this backup: {format_list(newer, _PASSED_OVER if plan.sends else 1)}."
    return [Remark(text, ("newer", len(newer)))] if newer else []


def _build_remarks(plan: TargetPlan, history: RestoreHistory, rules: Rules, now: datetime) -> list[Remark]:
    """Returns what the user must know besides the backup and the loss, or the reason."""
    instance, backup = plan.instance or {}, plan.backup or {}
    if plan.reason:
        return []
    others = history.find_recent(instance["id"], RECENT)
    holder = history.find_holder(instance["id"])
    remarks = []
    if holder:
        run = f"Another run works on it: {holder.format(history.read_at.timestamp())}."
        remarks.append(Remark(run, ("held", holder.user, holder.host)))
    remarks += [remark_on_other(other, plan.backup if plan.sends else None) for other in others]
    report = history.earlier_report
    if plan.sends and plan.earlier is None and report and (report.unreadable or str(instance["id"]) in report.sent_at):
        says = "can't be read, and may say" if report.unreadable else "says"
        text = f"{one_line(report.path)} {says} that this was sent already. The journal does not know it: it is sent."
        remarks.append(Remark(text, ("reported",)))
    if plan.sends and plan.earlier:
        when = format_sent(plan.earlier)
        is_same = str(plan.earlier.facts.get("backup_id")) == str(plan.backup_id)
        sent = "it is sent again" if is_same else f"another backup is sent, {plan.backup_id}"
        again = f"This incident already has a restore, {when}. With restore_force {sent}."
        remarks.append(Remark(again, ("again", plan.earlier.event, is_same)))
    remarks += describe_choice(plan, history.incident, rules, now)
    if plan.sends and plan.skipped:
        named = (f"id {one['id']} of {format_clock(taken_at(one))}" for one in plan.skipped)
        count = format_count(len(plan.skipped), "newer backup")
        remarks.append(Remark(f"restore_before passes over {count}: {format_list(named, _PASSED_OVER)}.", ("skipped",)))
    if plan.sends and plan.target.backup_id is not None and (reason := explain_left_out(backup, now, plan.unfinished)):
        remarks.append(Remark(f"The service may refuse backup {backup.get('id')}: {reason}.", ("doubtful",)))
    if plan.action is RestoreAction.NONE and plan.earlier and now - datetime.fromisoformat(plan.earlier.sent_at) > OLD:
        remarks.append(Remark("More than a day ago: another incident needs another restore_incident.", ("old",)))
    if get_status(instance) == "stopped":
        remarks.append(Remark("Started at the end, which costs Claws if it is billed daily.", ("started",)))
    if plan.sends and get_status(instance) == "running" and is_healthy(instance):
        remarks.append(Remark("Running and healthy now.", ("healthy",)))
    return remarks
