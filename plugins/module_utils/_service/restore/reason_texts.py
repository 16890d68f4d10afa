# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of reasons: the sentence and the advice of each, for modules, role, page and status. Pure.

Only a task that needs it imports it.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..._errors import NOTHING_SENT
from ..._model.backup import format_left_out, is_in_future, taken_at
from ..._model.instance import NAME_LIMIT, REMEDIES, describe_instance, find_state, get_status, is_busy, label
from ..._model.instance_fields import is_undocumented
from ..._model.ownership import FIELDS
from ..._model.resource import normalize
from ..._state.journal import UNSEEN
from ..._state.journal_store import Holder
from ..._text import MESSAGE_LIMIT, format_count, format_list, one_line
from ..._times import format_duration, format_time, parse_time
from ..at_most_once import explain_recorded, explain_unknown
from .plan_remarks import capitalize, format_moment, format_other, format_taken
from .reason import Reason, ReasonKind
from .target_plan import RESTORABLE, explain_left_out

if t.TYPE_CHECKING:
    from ..._model.resource import Resource
    from ..._state.journal import OperationState
    from .options import Wording

_LISTED = 5
"""Backups that a message lists."""

# The parts of an incident whose counts add up to all of its instances
RESTORED, WITHOUT_SIGN, NOT_HEALTHY, REJECTED = "restored", "without_sign", "not_healthy", "rejected"
UNKNOWN, CANNOT_BE_RESTORED, NOT_BEGUN = "unknown", "cannot_be_restored", "not_begun"

_NEVER_TWICE = "{again}: it continues, and sends nothing twice."
_FIX = "Fix the cause, then {again}."
_CHECK_DELETION = "Check in the dashboard who deleted it."


class Row(t.NamedTuple):
    """How a kind of reason is told. ``advice`` may depend on more than the kind: see :func:`_advise`.

    ``part``: that in which the instance counts.
    """

    sentence: str
    advice: str
    part: str = CANNOT_BE_RESTORED

    @property
    def may_be_sent(self) -> bool:
        """True if the restore may have been sent, and not rejected."""
        return self.part in (RESTORED, NOT_HEALTHY, UNKNOWN)


_KIND = ReasonKind
TABLE: dict[ReasonKind, Row] = {
    _KIND.NO_INSTANCE: Row(
        "There {is} no instance {target}{for_backup}{at}{similar}", "Give the right id with {ids}, or the exact name."
    ),
    _KIND.AMBIGUOUS: Row("{count} instances {are} named {target} (ids {listed}){at}.", "Give the right id with {ids}."),
    _KIND.OTHER_NAME: Row(
        "The instance with id {given_id} {is} named {name}{at}, not {given_name}.", "Correct the name or the id."
    ),
    _KIND.DUPLICATE: Row("{It} or its backup is listed already, in entry {first}.", "List each of them once."),
    _KIND.FAILED: Row(
        "The restore{of_it}, sent at {sent_at}, was accepted, but the instance ended in a failure status.{its_status}",
        "{send_after_failure}",
        NOT_HEALTHY,
    ),
    _KIND.UNKNOWN: Row(
        "It is unknown whether the restore{of_it} was carried out: {unknown}{its_status}", "{send_if_needed}", UNKNOWN
    ),
    _KIND.NO_BACKUP: Row("{It} {has} no usable backup{at}{before}. {left_out}", "{without_before}"),
    _KIND.BACKUP_GONE: Row(
        "There {is} no backup with id {given_backup}{at}{response}.",
        "Correct {backup_option}, or leave it out to restore the newest one.",
    ),
    _KIND.UNCLEAR_BACKUP: Row(
        f"The service {{does}} not show{{at}} whether backup {{listed}} belongs to {{it}} (fields read: {FIELDS}).",
        "Look up a backup in the dashboard, and restore it{alone} with its id as {backup_option}.",
    ),
    _KIND.OTHER_BACKUP: Row(
        "Backup {given_backup} {is} of another instance, {owner}.",
        "Give the instance of this backup, or leave out {backup_option} to restore the newest one.",
    ),
    _KIND.OTHER_USED: Row(
        "Incident {incident} restores {it} from backup {backup}, not from {given_backup}.",
        "Another backup needs another {prefix}incident, which sends it again; without {backup_option}, it goes on.",
    ),
    _KIND.WRONG_STATUS: Row(
        "{It} {has} {condition}{at}, and only a running or stopped instance can be restored.{Other}", "{send_in_status}"
    ),
    _KIND.TOO_OLD: Row("Backup {backup}, {taken}, {is} {age}{at}, and {prefix}max_age {is} {limit}.", "{allow_age}"),
    _KIND.TOO_SOON: Row(
        "{It} {is} within {prefix}min_interval ({interval}) of another restore{at}: {other}.",
        "Check it in the dashboard; without {prefix}min_interval, the next run sends a restore again.",
    ),
    _KIND.OTHER_MEMORY: Row(
        "A folder of the machine {has} a journal that {is} not imported{at}.", "When the folder is imported, {again}."
    ),
    _KIND.ONLY_IN_REPORT: Row(
        "{path} is from another journal: it says that a restore{of_it} was sent at {sent_at}, "
        "and the journal in {journal} does not know it.",
        "After a rehearsal, remove this file; otherwise set state_dir or state_database to the journal that was used.",
    ),
    _KIND.DELETED: Row("{It} does not exist any more: it was deleted.", _CHECK_DELETION),
    _KIND.CHANGED: Row(
        "{It} was {planned} in the plan, and {is} {seen}{now}.",
        "If it is still to be restored, {again}, with its id if it was renamed.",
    ),
    _KIND.NOT_SENT: Row("Another run was to send the restore{of_it}, and did not.", "{again} to send it."),
    _KIND.OVERTAKEN: Row(
        "{It} {is} left alone: since the run began, {other}.", "Check it; to restore it all the same, {again}."
    ),
    _KIND.HELD: Row("{It} {is} held by {holder}{at}.", "{again} when that run has ended{or_wait}."),
    _KIND.SERVICE_DOWN: Row("The service could not be used{at}.", "When it answers at api_url, {again}.", NOT_BEGUN),
    _KIND.BAD_KEY: Row(
        "The API key could not be used{at}.",
        "Set CLAWHOSTERS_API_KEY to a valid key of the right account, then {again}.",
        NOT_BEGUN,
    ),
    _KIND.NOT_CONFIRMED: Row("Not confirmed.", "{again} with {confirm}, or type {answer}.", NOT_BEGUN),
    _KIND.CONFIRMED_CHANGED: Row("What was confirmed has changed.", "{again} to confirm the current plan.", NOT_BEGUN),
    _KIND.PLAN_OUTDATED: Row(
        "The approved plan does not hold any more.",
        "Make a new plan with --check and restore_plan_path, and have it approved.",
        NOT_BEGUN,
    ),
    _KIND.NOT_PLANNED: Row("Planning failed.", _FIX, NOT_BEGUN),
    _KIND.NO_JOURNAL: Row("The journal could not be used{at}.", "{go_on_later}", REJECTED),
    _KIND.INTERRUPTED: Row("The runbook was interrupted.", _NEVER_TWICE, UNKNOWN),
    _KIND.NOT_BEGUN: Row("Not begun{why_not}.", "{go_on}", NOT_BEGUN),
    _KIND.REJECTED: Row(
        "The restore{of_it} was rejected or not sent{at}{response}; nothing was changed.{its_status}", _FIX, REJECTED
    ),
    _KIND.NOT_OVER: Row(
        "The restore{of_it}, sent at {sent_at}, {progress}, but its end was not seen.", _NEVER_TWICE, UNKNOWN
    ),
    _KIND.UNRECORDED: Row("The journal lacks what became of the restore{of_it}.", _NEVER_TWICE, UNKNOWN),
    _KIND.GONE: Row("{It} was deleted after its restore was accepted.", _CHECK_DELETION, NOT_HEALTHY),
    _KIND.NOT_HEALTHY: Row(
        "{restored}, but the instance was not seen running and healthy.{unsaid_status}", "{help}", NOT_HEALTHY
    ),
    _KIND.HEALTH_UNSEEN: Row("{restored}, but the instance was not looked at since.", _NEVER_TWICE, UNKNOWN),
    _KIND.BAD_ADDRESS: Row(
        "{restored}; the instance was healthy, but the check of its address failed{at}.", _NEVER_TWICE, RESTORED
    ),
    _KIND.OF_OTHER_VERSION: Row(
        "The restore{of_it} has not come to its end, for a reason that only another version of the collection knows.",
        "Look at it with that version.",
        UNKNOWN,
    ),
}
"""Each kind of reason. Advice that names ``force`` or another incident says that this sends the restore again."""


@dataclass(frozen=True)
class ReasonContext:
    """The rest that the words of a reason depend on: who tells it, when (``now``), of which restore, and what is known.

    ``instance``: as it was seen last; without a status if it was not. ``state``: the restore of the incident in the
    journal. ``older``: the usable backup before the chosen one. ``error``: the error behind the reason, in the run that
    got it.
    """

    wording: Wording
    incident: str
    now: datetime
    instance: Resource = field(default_factory=dict)
    state: OperationState | None = None
    older: Resource | None = None
    error: str = ""

    @property
    def it(self) -> str:
        """The instance in a sentence. The role has its name beside each message."""
        return "it" if self.wording.prefix or "id" not in self.instance else label(self.instance)

    @property
    def of_it(self) -> str:
        return "" if self.it == "it" else f" of {self.it}"


class ReasonText(t.NamedTuple):
    """A reason in words. ``sent``: that this run sent nothing, and what an earlier one has; empty if it may have sent.

    ``advice``: what to do, of now; empty where the sentence has it.
    """

    sentence: str
    sent: str
    advice: str


def tell_reason(reason: Reason, context: ReasonContext) -> ReasonText:
    """Returns what happened, and what to do now."""
    row, sent = TABLE[reason.kind], ""
    # The sentence has the answer for what does not exist, and the advice for a status.
    has_remedy = reason.kind is ReasonKind.NOT_HEALTHY and normalize(reason.facts.get("status")) in REMEDIES
    if has_remedy or reason.kind in (ReasonKind.NO_INSTANCE, ReasonKind.BACKUP_GONE):
        context = replace(context, error="")
    words = _find_words(reason, context)
    # The errors of the journal say all.
    is_told = context.error and reason.kind in (ReasonKind.NO_JOURNAL, ReasonKind.OTHER_MEMORY)
    sentence = context.error if is_told else f"{row.sentence.format_map(words)} {context.error}".strip()
    if not row.may_be_sent and reason.kind is not ReasonKind.REJECTED:
        sent = explain_recorded(f"the restore{context.of_it}", context.state) if context.state else NOTHING_SENT
    advice = _advise(reason, context, row.advice.format_map(words))
    return ReasonText(one_line(sentence, MESSAGE_LIMIT), sent, one_line(advice, MESSAGE_LIMIT))


def _advise(reason: Reason, context: ReasonContext, advice: str) -> str:
    status, wording = reason.facts.get("http_status"), context.wording
    if reason.kind is ReasonKind.REJECTED and status == 422:
        older = f"To try an older backup, {wording.restore_with(_name_older(context))}."
        advice = older if find_state(context.instance) in RESTORABLE else _advise_failed(reason, context)
    if status == 401 and reason.kind is not ReasonKind.BAD_KEY:
        advice = f"With a valid key, {wording.again}."
    return capitalize(advice)


# Words


def _find_words(reason: Reason, context: ReasonContext) -> dict[str, object]:
    facts, wording, is_past = reason.facts, context.wording, bool(reason.at)
    at = f" at {format_moment(reason.at)}" if is_past else ""
    tense = ("was", "were", "had", "did") if is_past else ("is", "are", "has", "does")
    state = context.state
    status = one_line(facts["status"], 40) if "status" in facts else ""
    its_status = f" Its status {tense[0]} {status}{at}." if status else ""
    words: dict[str, object] = {name: one_line(value, NAME_LIMIT) for name, value in facts.items()}
    # A path that is cut short can't be found.
    words |= {name: one_line(facts[name], MESSAGE_LIMIT) for name in ("path", "journal") if name in facts}
    words |= dict(zip(("is", "are", "has", "does"), tense, strict=True))
    words |= {
        "at": at,
        "now": at or " now",
        "it": context.it,
        "It": "It" if context.it == "it" else context.it,
        "of_it": context.of_it,
        "its_status": its_status,
        "unsaid_status": "" if context.error else its_status,
        "condition": f"the status {status}" if status else "no status that the service shows (field status)",
        "sent_at": format_moment(facts.get("sent_at") or (state.sent_at if state else None)),
        "unknown": explain_unknown("it", state) if state else "the journal can't be read.",
        "progress": "was accepted" if state and state.accepted_at else "may be under way",
        "restored": f"The restore{context.of_it} {UNSEEN if state and state.is_unseen else 'has completed'}",
        "help": _advise_unhealthy(context),
        "send_after_failure": _advise_failed(reason, context),
        "send_if_needed": _advise_unknown(reason, context),
        "send_in_status": _advise_in_status(reason, context),
        "go_on_later": f"{wording.again}." if is_past else "",
        "again": wording.again,
        "alone": wording.alone,
        "ids": wording.ids,
        "prefix": wording.prefix,
        "backup_option": wording.backup(),
        "or_wait": "" if wording.prefix or context.error else ", or with wait: true",
        "incident": one_line(context.incident),
        "confirm": _format_setting("restore_confirm", facts.get("answer")),
    }
    return words | _describe_target(facts) | _describe_others(reason, context) | _describe_backups(reason, context)


def _format_setting(name: str, value: object) -> str:
    """Returns a variable as a shell takes it behind ``ansible-playbook``."""
    if re.fullmatch(r"[\w.,:@-]*", str(value)):
        return f"{name}={value}"
    return f"-e {shlex.quote(json.dumps({name: value}, ensure_ascii=False))}"


def _describe_target(facts: t.Mapping[str, t.Any]) -> dict[str, object]:
    """Returns the words about what was asked for, and what was found."""
    name, backup, similar = facts.get("given_name"), facts.get("given_backup"), facts.get("similar")
    listed = [one_line(one, 20) for one in facts.get("ids") or facts.get("backup_ids") or ()]
    owner = facts.get("owner") or {}
    return {
        "target": f"with id {facts.get('given_id')}" if "given_id" in facts else one_line(name, NAME_LIMIT),
        "for_backup": f", for backup {backup}" if backup else "",
        "similar": f"; did you mean {one_line(similar, NAME_LIMIT)}?" if similar else ".",
        "count": len(listed),
        "listed": format_list(listed, _LISTED),
        "owner": label(owner),
        "name": one_line(facts.get("name") or "(name not shown)", NAME_LIMIT),
    }


def _describe_others(reason: Reason, context: ReasonContext) -> dict[str, object]:
    """Returns the words about other restores, other runs, and how the instance has changed."""
    facts, now, wording = reason.facts, context.now, context.wording
    other = format_other(facts["other"]) if facts.get("other") else ""
    holder = Holder("", **facts["holder"]) if "holder" in facts else None
    why, go_on = "", f"{wording.again}: it goes on with the rest."
    if failed := facts.get("failed"):
        batch = f" from batch {facts['batch']} on" if "batch" in facts else ""
        limit, count = wording.option("max_failures"), format_count(failed, "restore")
        why = f"{batch}: {count} failed or showed no sign, and {limit} is {facts.get('max_failures')}"
        higher = wording.option("max_failures", failed)
        go_on = f"When the failures are dealt with, {wording.again}; {higher} goes on despite them."
    response = " ".join(one_line(facts[name]) for name in ("http_status", "code") if name in facts)
    return {
        "other": other,
        "Other": f" {capitalize(other)}." if other else "",
        "holder": format_holder(holder, parse_time(reason.at) or now),
        "planned": _describe_facts(facts.get("planned") or {}),
        "seen": _describe_facts(facts.get("seen") or {}),
        "why_not": why,
        "go_on": go_on,
        "response": f" (answered with {response})" if response and not context.error else "",
    }


def _describe_backups(reason: Reason, context: ReasonContext) -> dict[str, object]:
    """Returns the words that depend on backups."""
    facts, wording, now = reason.facts, context.wording, parse_time(reason.at) or context.now
    backup = {"id": facts.get("backup_id"), "created_at": facts.get("taken_at")}
    taken, before = taken_at(backup), parse_time(facts.get("before"))
    age, allow = "of unknown age", f"Leave out {wording.option('max_age')} to restore it all the same."
    if taken and is_in_future(taken, now):
        age = f"dated {format_duration(taken - now)} in the future"
    elif taken:
        hours = math.ceil((context.now - taken) / timedelta(hours=1))
        age = f"{format_duration(now - taken)} old"
        allow = f"Set {wording.option('max_age', f'{hours + 1}h')} to accept it."
    otherwise = "Without a backup, only a rebuild in the dashboard remains."
    if facts.get("left_out"):
        otherwise = f"To try one of those left out, restore it{wording.alone} with its id as {wording.backup()}."
    if facts.get("skipped"):
        without = wording.option("before")
        otherwise = f"If the newer ones do not hold the damage, restore it{wording.alone} without {without}."
    return {
        "backup": one_line(facts.get("backup_id"), 20),
        "before": f" (from before {format_time(before)})" if before else "",
        "left_out": format_left_out(facts.get("left_out") or (), lambda one: explain_left_out(one, now)),
        "without_before": _advise_on_status(context) if is_busy(context.instance) else otherwise,
        "taken": format_taken(backup),
        "age": age,
        "limit": format_duration(timedelta(seconds=facts.get("max_age", 0))),
        "interval": format_duration(timedelta(seconds=facts.get("min_interval", 0))),
        "allow_age": allow,
    }


def format_holder(holder: Holder | None, now: datetime) -> str:
    """Returns who works on an instance, how long and for which incident, as far as that is known."""
    if holder is None:
        return "another run"
    incident = f", for incident {one_line(holder.name)}" if holder.name else ""
    return f"{holder.format(now.timestamp())}{incident}"


def _describe_facts(instance: t.Mapping[str, t.Any]) -> str:
    """Returns the name, the status and the health of an instance, as far as the service shows them."""
    return ", ".join(describe_instance(dict(instance), with_health="health_status" in instance))


# Advice


def _force(wording: Wording) -> str:
    """Returns the option that sends a restore again, or from any status."""
    return wording.option("force", "true")


def _advise_on_status(context: ReasonContext) -> str:
    """Returns what to do about a status from which nothing can be restored; empty for any other.

    ``force`` is no answer to these: what works on the instance may be a restore, and the others have no server.
    """
    status, again = get_status(context.instance), context.wording.again
    if status == "deleting":
        return f"{REMEDIES[status]}."
    if status in ("paused", "pending_configuration"):
        return f"{REMEDIES[status]}, then {again}."
    busy = f"Something works on it: look at it in the dashboard first, then {again}."
    return busy if is_busy(context.instance) else ""


def _advise_in_status(reason: Reason, context: ReasonContext) -> str:
    """Returns what to do about an instance that could not be restored in its status."""
    wording = context.wording
    # One that was not looked at since may have another status now.
    is_unread = "status" in reason.facts and not get_status(context.instance)
    if is_unread or find_state(context.instance) in RESTORABLE:
        return f"{wording.again}."
    if is_undocumented(context.instance):
        return f"The service does not document this status: look at it in the dashboard, then {wording.again}."
    if get_status(context.instance) not in ("error", "deploy_failed"):
        return _advise_on_status(context) or f"Look at it in the dashboard, then {wording.again}."
    return f"To try it in this status, {wording.restore_with(_force(wording))}; each such run sends it again."


def _advise_failed(reason: Reason, context: ReasonContext) -> str:
    """Returns what to do after a restore that failed, perhaps by the fault of the instance: an older backup would lose
    more, and fail as well."""
    wording, state = context.wording, context.state
    used = reason.facts.get("backup_id") or (state.facts.get("backup_id") if state else None)
    backup = [wording.backup(one_line(used, 20))] if used else []
    older = f"; the one before it is {_name_older(context)}" if context.older else ""
    sent = wording.restore_with(*backup, _force(wording))
    return _advise_on_status(context) or (
        f"Check it in the dashboard, and rebuild it there if it has failed; then {sent}, which sends it again{older}."
    )


def _advise_unknown(reason: Reason, context: ReasonContext) -> str:
    """Returns what to do about a restore that was sent, and may have been executed."""
    wording, state = context.wording, context.state
    taken = parse_time(reason.facts.get("taken_at") or (state.facts.get("taken_at") if state else None))
    data = f" (it was not, if it has data from after {format_time(taken)})" if taken else ""
    return _advise_on_status(context) or (
        f"Check whether it was restored{data}; if not, {wording.restore_with(_force(wording))}, which sends it again."
    )


def _advise_unhealthy(context: ReasonContext) -> str:
    """Returns what to do about an instance that was restored, and is not healthy."""
    wording = context.wording
    alone = "a run for it alone" if wording.alone else "a run"
    return _advise_on_status(context) or (
        f"Check it in the dashboard, then {wording.again}, which restores nothing twice; {alone} with another "
        f"{wording.option('incident')} sends it again from an older backup, with {_name_older(context)}."
    )


def _name_older(context: ReasonContext) -> str:
    """Returns the option that selects the next older backup. A plan that chose the backup has read the others."""
    if context.older is None:
        return f"its id as {context.wording.backup()}"
    older = context.older
    return f"{context.wording.backup(one_line(older['id'], 20))}, {format_taken(older)}"
