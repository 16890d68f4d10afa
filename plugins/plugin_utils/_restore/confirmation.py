# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requires that the user confirms what the role ``restore`` will overwrite: with a variable, or at the terminal.

Above the question, and in the plan, each instance is shown with what is overwritten and lost.
"""

from __future__ import annotations

import typing as t
import unicodedata
from itertools import zip_longest

from ...module_utils._errors import ClawHostersError
from ...module_utils._model.account_identity import format_scope
from ...module_utils._model.instance import get_status
from ...module_utils._service.restore.surfaces import format_moment
from ...module_utils._text import format_count, one_line
from ...module_utils._times import format_duration, format_time, parse_time
from .._formatting import SCREEN_WIDTH, format_clock, format_value, wrap
from .failures import FailureKind

if t.TYPE_CHECKING:
    from datetime import datetime

    from .run import RolePlan, Run


def summarize_plan(run: Run, now: datetime) -> list[str]:
    """Returns the lines above the question: the plan may have scrolled away, or was not shown by a callback plugin."""
    sends = [plan for plan in run.plans if plan.sends]
    lines = plan_lines((sends or run.plans)[0], now)[:2]
    if len(sends) > 1:
        lines = [f"{len(sends)} instances lose all changes since {format_range(sends)}."]
    return [part for line in [format_scope(run.service, run.account), *lines] for part in wrap(line, SCREEN_WIDTH)]


def plan_lines(plan: RolePlan, now: datetime) -> list[str]:
    """Returns the plan of one instance."""
    return [*headlines(plan, now), *(f"    {line}" for line in detail_lines(plan))]


def headlines(plan: RolePlan, now: datetime) -> list[str]:
    """Returns what will be done with an instance, and what that costs."""
    backup_id = plan.backup_id
    if plan.kind:
        return [f"{plan.label}: CAN'T BE RESTORED."]
    if plan.outcome == "completed":
        return [f"{plan.label}: already restored from backup {backup_id}; no restore will be sent."]
    named = f"{plan.label}, {format_condition(plan)}"
    if plan.outcome == "in_flight":
        return [f"{named}: a restore of backup {backup_id} is under way since {format_moment(plan.sent_at, now)}."]
    restore = f"{named}: restore backup {backup_id}, {_format_age(plan)}."
    return [restore, f"    DATA LOSS: all changes since {_format_taken(plan)}."]


def detail_lines(plan: RolePlan, *, of_many: bool = False) -> list[str]:
    """Returns what else is to be known of an instance. ``of_many``: of all that are alike."""
    notes = [note.plural if of_many and note.plural else note.text for note in plan.notes]
    if plan.kind:
        return [plan.failed.message if plan.failed else "", *notes]
    if plan.outcome == "completed":
        when = format_sent_and_completed(plan.sent_at, plan.completed_at, plan.sent_by)
        return [f"{when[:1].upper()}{when[1:]}.", *notes]
    if plan.outcome == "in_flight":
        return ["This run waits for it.", *notes]
    asked = [f"{plan.id_reason}.", f"Confirm with its id instead: {plan.answer}."]
    return [*notes, *(asked if plan.id_reason and plan.asks else [])]


def format_sent_and_completed(sent_at: t.Any, completed_at: t.Any, by: str = "") -> str:
    """Returns ``sent at … by alice@node2, seen restored at …``, without what is not known."""
    moments = (("sent", parse_time(sent_at), by and f" by {by}"), ("seen restored", parse_time(completed_at), ""))
    return ", ".join(f"{verb} at {format_clock(moment)}{who}" for verb, moment, who in moments if moment)


def _format_taken(plan: RolePlan) -> str:
    return format_clock(plan.taken_at) if plan.taken_at else "the backup, at an unknown time"


def _format_age(plan: RolePlan) -> str:
    if plan.age is not None:
        return f"{format_duration(plan.age)} old"
    return "dated in the future" if plan.taken_at else "of unknown age"


def format_condition(plan: RolePlan) -> str:
    """Returns the status and the health that the instance had at the time of the plan."""
    instance = plan.instance or {}
    health = instance.get("health_status")
    # Only a running instance has a health.
    values = (instance.get("status"), None if get_status(instance) != "running" and health == "unknown" else health)
    return ", ".join(format_value(value, 20) for value in values if value) or "status unknown"


def format_range(group: list[RolePlan]) -> str:
    times = sorted(plan.taken_at for plan in group if plan.taken_at)
    if len(times) < len(group):
        return "the backups, some at an unknown time"
    first, last = times[0], times[-1]
    return format_time(first) if first == last else f"{format_time(first)} to {format_time(last, first)}"


_SHOWN_WHOLE = 160
"""Characters of a given and a needed answer up to which both are shown."""

TYPED, GIVEN, NOT_ASKED = "typed", "restore_confirm", "not asked"
"""How a run was confirmed; otherwise by the playbook that is named."""

TRIES = 3
"""Answers that are accepted at the terminal before the run ends."""


class PromptInterruptedError(ClawHostersError):
    """Ctrl-C was pressed at the prompt."""


class NotConfirmedError(ClawHostersError):
    """The restores were not confirmed. ``failure`` is the kind of the failure."""

    failure = FailureKind.NOT_CONFIRMED


class NoTerminalError(NotConfirmedError):
    """There is no terminal to ask at."""

    failure = FailureKind.NO_TERMINAL


class PictureChangedError(NotConfirmedError):
    """A backup of the plan, or the account, has changed since it was shown."""

    failure = FailureKind.PICTURE_CHANGED


def is_confirmed(answer: str, plans: list[RolePlan], *, in_advance: bool = False) -> bool:
    """Returns True if ``answer`` names each plan that ``sends``, in order. It may name the other plans, too.

    White space around a name and the composition of its letters are ignored: no two instances that are confirmed by
    name differ in that alone. An answer that was given ``in_advance`` of the plan may always name an instance by the id
    that the user gave.
    """
    given = [_normalize(answer)] if len(plans) == 1 else _split_answer(answer)
    if not all(given):
        return False
    # The possible numbers of parts that the plans so far account for.
    used = {0}
    for plan in plans:
        accepted = _accepted_answers(plan, in_advance=in_advance)
        after = {count + 1 for count in used if count < len(given) and given[count] in accepted}
        used = after if plan.sends else used | after
    return len(given) in used


def _accepted_answers(plan: RolePlan, *, in_advance: bool) -> set[str]:
    """Returns the answers that name a plan. A plan that sends nothing may be named by its name or its id."""
    answers = {plan.answer}
    if in_advance and plan.given_id is not None:
        answers.add(str(plan.given_id))
    if plan.instance and not plan.sends:
        answers |= {plan.name.strip(), str(plan.instance["id"])}
    return set(map(_normalize, answers))


def _split_answer(answer: str) -> list[str]:
    return [_normalize(part) for part in answer.split(",")]


def _normalize(answer: str) -> str:
    return unicodedata.normalize("NFC", answer.strip())


def expected_answer(plans: list[RolePlan]) -> str:
    """Returns the text that confirms every restore that would be sent."""
    return ",".join(plan.answer for plan in plans if plan.sends)


def format_question(plans: list[RolePlan], *, is_repeated: bool = False) -> list[str]:
    """Returns the lines that say what to type. A repeated question shows an answer of many names no more."""
    needs_id = any(plan.id_reason for plan in plans if plan.sends)
    backups = "this backup" if sum(plan.sends for plan in plans) == 1 else "these backups"
    hint = " (the id where a name is not enough; see the plan)" if needs_id else ""
    needed = expected_answer(plans)
    if is_repeated and len(needed) > _SHOWN_WHOLE:
        return [f"To overwrite with {backups}, type exactly the answer that is shown above:"]
    return [
        "An empty answer or Ctrl-C sends nothing.",
        f"To overwrite with {backups}, type exactly: {needed}{hint}",
    ]


def explain_wrong_answer(source: str, answer: str, plans: list[RolePlan]) -> str:
    """Returns a sentence that shows an answer against the one that is needed: the first difference of a long one."""
    needed = expected_answer(plans) or ",".join(plan.answer for plan in plans)
    if len(plans) == 1 or len(answer) + len(needed) <= _SHOWN_WHOLE:
        return f"{source}: {one_line(answer)}. It must be: {needed}.{_explain_alike(answer, needed)}"
    wanted = _split_answer(needed)
    optional = {name for plan in plans for name in _accepted_answers(plan, in_advance=True)} - set(wanted)
    given = [name for name in _split_answer(answer) if name not in optional]
    pairs = enumerate(zip_longest(given, wanted, fillvalue="nothing"), start=1)
    differences = (
        f"number {number} is {one_line(name) or 'empty'}, and must be {right}.{_explain_alike(name, right)}"
        for number, (name, right) in pairs
        if name != right
    )
    count = f"{format_count(len(given), 'name')}{'' if len(given) == len(wanted) else f', not {len(wanted)}'}"
    return f"{source} {count}: {next(differences, 'they are not in the order of the plan.')}"


def _explain_alike(given: str, needed: str) -> str:
    """Returns a sentence for texts that look the same in a message, which collapses white space; empty for others."""
    return " They differ in white space." if given.split() == needed.split() else ""


# The question


def require_confirmation(plans: list[RolePlan], given: str, ask: t.Callable[[str], str], shown: t.Sequence[str]) -> str:
    """Returns how the plans were confirmed: ``TYPED`` at the terminal, or ``GIVEN`` in the variable.

    ``ask`` asks at the terminal. It raises NoTerminalError or PromptInterruptedError. ``shown`` are the lines of the
    plan. Raises NotConfirmedError.
    """
    if given:
        if not is_confirmed(given, plans, in_advance=True):
            raise NotConfirmedError(explain_wrong_answer("restore_confirm is", given, plans))
        return GIVEN
    prompt = "\n".join([*shown, *format_question(plans)])
    problem = ""
    for _attempt in range(TRIES):
        answer = _ask(ask, prompt)
        if not answer:
            raise NotConfirmedError("Nothing was typed.")
        if is_confirmed(answer, plans):
            return TYPED
        problem = explain_wrong_answer("You typed", answer, plans)
        prompt = "\n".join([*wrap(problem, SCREEN_WIDTH), *format_question(plans, is_repeated=True)])
    raise NotConfirmedError(problem)


def _ask(ask: t.Callable[[str], str], prompt: str) -> str:
    try:
        return ask(prompt).strip()
    except NoTerminalError:
        raise NoTerminalError("restore_confirm is empty, and there is no terminal to ask at.") from None
    except PromptInterruptedError:
        raise NotConfirmedError("Interrupted at the prompt.") from None
