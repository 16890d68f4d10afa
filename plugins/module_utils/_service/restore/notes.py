# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes on plans of restores: what the user is to know of a backup, the clocks, and other restores. Pure."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ..._model.backup import format_left_out, is_before, taken_at
from ..._model.instance import label
from ..._model.ownership import has_owner
from ..._model.resource import normalize
from ..._state.journal import OperationEvent
from ..._text import one_line
from ..._times import format_duration, format_time
from .plan import explain_left_out
from .surfaces import format_moment

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._model.resource import Resource
    from .history import EarlierRestore, Witness
    from .plan import RestorePlan, Rules

_MAX_LEAD = timedelta(minutes=1)
"""Difference of the clocks up to which nothing is said."""
_OTHER_ENDS = {
    OperationEvent.ACCEPTED: "its end was not seen yet",
    OperationEvent.COMPLETED: "it has completed",
    OperationEvent.FAILED: "it has failed",
}
"""What the journal knows of the end of a restore for another incident; of any other, the outcome is unknown."""


class Note(t.NamedTuple):
    """A sentence about a plan, ``plural`` about several. ``about`` is equal in notes that differ in numbers alone."""

    text: str
    about: tuple[object, ...]
    plural: str = ""


def describe_clock(lead: timedelta) -> str:
    """Returns that this machine's clock differs from that of the service; empty for a minute or less."""
    if abs(lead) <= _MAX_LEAD:
        return ""
    minutes = timedelta(minutes=round(abs(lead) / timedelta(minutes=1)))
    side = "ahead" if lead > timedelta(0) else "behind"
    return f"Ages are by the service's clock: this machine's is {format_duration(minutes)} {side}."


def note_other(other: EarlierRestore, now: datetime, backup: Resource | None = None) -> Note:
    """Returns the note about a restore for another incident, and whether it is of the ``backup`` to be restored."""
    text = format_other(other, format_moment(other.state.sent_at, now))
    is_same = backup is not None and other.uses(backup)
    same = " It is the same backup." if is_same else ""
    about = ("other", other.incident, other.state.event, other.state.by, is_same)
    return Note(f"{text[:1].upper()}{text[1:]}.{same}", about)


def format_other(other: EarlierRestore, sent_at: str) -> str:
    """Returns a clause about a restore for another incident: when and by whom it was sent, and how it ended."""
    state = other.state
    who = f" by {state.by}" if state.by else ""
    sent = "was about to send" if state.event is OperationEvent.INTENDED else "sent"
    end = _OTHER_ENDS.get(state.event, "its outcome is unknown")
    return f"incident {one_line(other.incident)} {sent} a restore of it at {sent_at}{who}; {end}"


def describe_choice(plan: RestorePlan, incident: str, rules: Rules, now: datetime) -> list[Note]:
    """Returns notes on what the choice of the backup passes over, and what can't be told of it."""
    backup, given = plan.backup or {}, plan.target.backup_id
    if plan.sends:
        notes = []
        if plan.ahead:
            ahead = note_other(plan.ahead, now)
            text = f"{ahead.text} That time lies ahead, so no interval is counted from it."
            notes.append(Note(text, ("ahead", *ahead.about)))
        if not has_owner(backup):
            which = f"Backup {backup.get('id')} does not show its instance"
            notes.append(Note(f"{which}, so it may not be a backup of this instance.", ("unowned",)))
        if plan.left_out:
            left_out = describe_left_out(plan, now)
            about = {(normalize(one.get("status")), taken_at(one) is None) for one in plan.left_out}
            newest = f"Backup {backup.get('id')} is the newest usable one."
            notes.append(Note(f"{left_out} {newest}", ("left_out", *sorted(about))))
        return notes
    if plan.earlier is None or "id" not in backup:
        return []
    used = f"Incident {incident} has already used backup {one_line(backup['id'], 20)}"
    if given is not None and str(given) != str(backup["id"]):
        return [Note(f"{used}, so backup {given} is not restored. Use another incident for it.", ("used",))]
    if rules.force and plan.earlier.event is OperationEvent.COMPLETED:
        never = f"{used}, and what is completed is not sent again, forced or not. Use another incident for that."
        return [Note(never, ("used_forced",))]
    if rules.before and not is_before(backup, rules.before):
        which = f"{used}, which is not from before {format_time(rules.before)}"
        return [Note(f"{which}. Use another incident for that.", ("used_before",))]
    return []


def describe_left_out(plan: RestorePlan, now: datetime) -> str:
    return format_left_out(plan.left_out, lambda backup: explain_left_out(backup, now, plan.unfinished))


def describe_report(witness: Witness, instance: Resource, incident: str, sent_at: str) -> str:
    """Returns what the JSON of the role says of a restore that the journal does not know."""
    return (
        f"{one_line(witness.path)} says that a restore of {label(instance)} was sent for incident {incident} at "
        f"{sent_at}, and the journal in {one_line(witness.journal)} does not know it."
    )
