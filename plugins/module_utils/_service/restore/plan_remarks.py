# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remarks on plans of restores, and words that messages share. Pure."""

from __future__ import annotations

import typing as t

from ..._model.backup import format_left_out, is_before, taken_at
from ..._model.ownership import has_owner
from ..._model.resource import normalize
from ..._state.journal import UNSEEN, OperationEvent, format_sender
from ..._text import one_line
from ..._times import format_time, parse_time
from .target_plan import explain_left_out

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._model.resource import Resource
    from .history import RecordedRestore
    from .options import Rules
    from .target_plan import TargetPlan

_OTHER_ENDS = {
    OperationEvent.ACCEPTED.value: "its end was not seen yet",
    OperationEvent.COMPLETED.value: "it has completed",
    OperationEvent.FAILED.value: "it has failed",
}
"""How a restore for another incident ended, by its last event. After any other event, the outcome is unknown."""


def capitalize(text: str) -> str:
    """Returns a clause as the beginning of a sentence. Any other upper case stays."""
    return f"{text[:1].upper()}{text[1:]}"


def format_moment(text: object) -> str:
    """Returns a time of the journal or of the service as :func:`format_time` does."""
    moment = parse_time(text)
    return format_time(moment) if moment else "an unknown time"


def format_taken(backup: Resource) -> str:
    """Returns ``taken 2026-02-01 10:00 UTC``."""
    taken = taken_at(backup)
    return f"taken {format_time(taken)}" if taken else "taken at an unknown time"


class Remark(t.NamedTuple):
    """A sentence about a plan. ``about`` is equal in remarks that differ in numbers alone."""

    text: str
    about: tuple[object, ...]


def remark_on_other(other: RecordedRestore, backup: Resource | None) -> Remark:
    """Returns the remark about a restore for another incident. It says if that restored the same ``backup``."""
    is_same = backup is not None and other.uses(backup)
    same = " It is the same backup." if is_same else ""
    about = ("other", other.incident, other.state.event, other.state.by, is_same)
    return Remark(f"{capitalize(format_other(other.facts))}.{same}", about)


def format_other(other: t.Mapping[str, t.Any]) -> str:
    """Returns a clause about a restore for another incident: when and by whom it was sent, and how it ended."""
    sent_at, sender = format_moment(other["sent_at"]), format_sender(other.get("by"))
    who = f" by {sender}" if sender else ""
    sent = "was about to send" if other["event"] == OperationEvent.INTENDED.value else "sent"
    end = f"it {UNSEEN}" if other.get("seen") is False else _OTHER_ENDS.get(other["event"], "its outcome is unknown")
    return f"incident {one_line(other['incident'])} {sent} a restore of it at {sent_at}{who}; {end}"


def describe_choice(plan: TargetPlan, incident: str, rules: Rules, now: datetime) -> list[Remark]:
    """Returns remarks on backups that were passed over, and on facts that the chosen one does not show."""
    backup = plan.backup or {}
    if plan.sends:
        remarks = []
        if not has_owner(backup):
            which = f"Backup {backup.get('id')} does not show its instance"
            remarks.append(Remark(f"{which}, so it may not be a backup of this instance.", ("unowned",)))
        if plan.left_out:
            left_out = format_left_out(plan.left_out, lambda one: explain_left_out(one, now, plan.unfinished))
            about = {(normalize(one.get("status")), taken_at(one) is None) for one in plan.left_out}
            newest = f"Backup {backup.get('id')} is the newest usable one."
            remarks.append(Remark(f"{left_out} {newest}", ("left_out", *sorted(about))))
        return remarks
    if plan.reason or plan.earlier is None or "id" not in backup:
        return []
    is_repeated = rules.force and plan.earlier.event is OperationEvent.COMPLETED
    if is_repeated or not is_before(backup, rules.before):
        used = f"Incident {incident} has already used backup {one_line(backup['id'], 20)}, and sends no other restore."
        return [Remark(f"{used} Use another incident for that.", ("used",))]
    return []
