# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of restores in the words of the role ``restore``. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from ...module_utils._errors import RefusedError
from ...module_utils._model.backup import taken_at
from ...module_utils._model.instance import get_status, is_healthy, is_unhealthy
from ...module_utils._model.resource import Resource
from ...module_utils._service.restore.history import RestoreHistory, Witness
from ...module_utils._service.restore.plan import (
    AccountView,
    RestoreAction,
    RestorePlan,
    Rules,
    Surface,
    explain_left_out,
)
from ...module_utils._service.restore.words import Note, describe_choice, describe_report, note_other
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._times import parse_time
from .._formatting import format_clock
from .plan_screen import format_sent_and_completed
from .run import RolePlan

OLD = timedelta(days=1)
"""Age of a restore from which a run for the same incident may be a mistake."""
RECENT = timedelta(days=7)
"""Age up to which the plan shows a restore for another incident."""

_LISTED = 5
"""Restores for other incidents that a plan names."""
_STARTED = Note(
    "It will be started, and costs Claws if it is billed daily.",
    ("started",),
    "They will be started, and cost Claws if they are billed daily.",
)
_HEALTHY = Note("It is running and healthy now.", ("healthy",), "They are running and healthy now.")
_OLD = Note("That is more than a day ago: another incident needs another restore_incident.", ("old",))
_PASSED_OVER = 40
"""Backups that ``restore_before`` passes over, and that a note names."""


def build_plan(plan: RestorePlan, history: RestoreHistory, rules: Rules, now: datetime, surface: Surface) -> RolePlan:
    """Returns a plan as the role shows it, without its confirmation."""
    failed = None
    if plan.obstacle:
        from .classify import classify_obstacle

        failed = classify_obstacle(plan, history.incident, rules, now, surface)
    return RolePlan(**vars(plan), planned_at=now, notes=_build_notes(plan, history, rules, now), failed=failed)


def note_newer(plan: RolePlan, account: AccountView, now: datetime, *, is_approved: bool) -> list[Note]:
    """Returns a note that names the usable backups that are newer than the approved, or the restored one.

    Any other plan says itself which backups it passes over.
    """
    if plan.obstacle or (plan.sends and not is_approved):
        return []
    found = account.find_newer(plan.instance or {}, plan.taken_at, now)
    newer = [f"id {one['id']} of {format_clock(taken_at(one))}" for one in found]
    which = "approved" if plan.sends else "used" if plan.is_unseen else "restored"
    text = f"Newer than the {which} backup: {format_list(newer, _PASSED_OVER if plan.sends else 1)}."
    return [Note(text, ("newer", len(newer)))] if newer else []


def is_old(sent_at: str, now: datetime) -> bool:
    """Returns True for a restore that was sent more than a day ago."""
    sent = parse_time(sent_at)
    return sent is not None and now - sent > OLD


def require_unhealthy(plans: t.Iterable[RolePlan]) -> None:
    """Raises RefusedError if an instance has recovered since it was decided to restore it."""
    for plan in plans:
        if plan.sends and not is_unhealthy(plan.instance or {}):
            raise RefusedError(f"{plan.label} is not running and unhealthy any more.", is_unsent=True)


def _build_notes(plan: RestorePlan, history: RestoreHistory, rules: Rules, now: datetime) -> list[Note]:
    """Returns what the user must know besides the backup and the loss, or the obstacle."""
    instance, backup = plan.instance or {}, plan.backup or {}
    choice = describe_choice(plan, history.incident, rules, now)
    if plan.obstacle:
        return choice
    others = history.find_recent(instance["id"], RECENT)
    holder = history.find_holder(instance["id"])
    notes = []
    if holder:
        run = f"Another run works on it: {holder.format(history.read_at.timestamp())}."
        notes.append(Note(run, ("held", holder.user, holder.host)))
    notes += [note_other(other, now, plan.backup if plan.sends else None) for other in others[:_LISTED]]
    if len(others) > _LISTED:
        more = f"And {len(others) - _LISTED} more restores for other incidents within 7 days."
        notes.append(Note(more, ("more",)))
    if plan.sends and plan.earlier is None and (witness := history.witness):
        notes += _describe_witness(witness, instance, history.incident, now)
    if plan.sends and plan.earlier:
        when = format_sent_and_completed(plan.earlier)
        is_same = str(plan.earlier.facts.get("backup_id")) == str(plan.backup_id)
        sent = "it is sent again" if is_same else f"another backup is sent, {plan.backup_id}"
        again = f"This incident already has a restore, {when}. With restore_force {sent}."
        notes.append(Note(again, ("again", plan.earlier.event, is_same)))
    notes += choice
    if plan.sends and plan.skipped:
        named = (f"id {one['id']} of {format_clock(taken_at(one))}" for one in plan.skipped)
        count = format_count(len(plan.skipped), "newer backup")
        notes.append(Note(f"restore_before passes over {count}: {format_list(named, _PASSED_OVER)}.", ("skipped",)))
    if plan.sends and plan.target.backup_id is not None and (reason := explain_left_out(backup, now, plan.unfinished)):
        notes.append(Note(f"The service may refuse backup {backup.get('id')}: {reason}.", ("doubtful",)))
    if plan.action is RestoreAction.NONE and plan.earlier and is_old(plan.earlier.sent_at, now):
        notes.append(_OLD)
    if get_status(instance) == "stopped":
        notes.append(_STARTED)
    if plan.sends and get_status(instance) == "running" and is_healthy(instance):
        notes.append(_HEALTHY)
    return notes


def _describe_witness(witness: Witness, instance: Resource, incident: str, now: datetime) -> list[Note]:
    """Returns what the JSON says, or may say, of a restore that will be sent and that the journal does not know."""
    if str(instance["id"]) in witness.sent_at:
        said = describe_report(witness, instance, incident, now)
        return [Note(f"{said} With restore_force, a restore is sent again.", ("reported",))]
    if witness.unreadable:
        unreadable = f"The report {one_line(witness.unreadable)} can't be read: it may say that this was sent already."
        return [Note(unreadable, ("unreadable",))]
    return []
