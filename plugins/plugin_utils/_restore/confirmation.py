# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requires that the user confirms what the role ``restore`` will overwrite: with a variable, or at the terminal.

Above the question, and in the plan, each instance is shown with what is overwritten and lost.
"""

from __future__ import annotations

import typing as t

from ...module_utils._errors import ClawHostersError
from ...module_utils._model.account_identity import format_scope
from ...module_utils._model.instance import get_status
from ...module_utils._service.restore.words import format_moment
from ...module_utils._state.journal import UNSEEN
from ...module_utils._times import format_duration, format_time, parse_time
from .._formatting import SCREEN_WIDTH, format_clock, format_value, wrap
from .answers import explain_wrong_answer, format_question, is_confirmed
from .failures import FailureKind

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._state.journal import OperationState
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
    named = f"{plan.label}, {format_condition(plan)}"
    if plan.outcome == "completed":
        ago = _format_ago(plan)
        return [f"{named}: {format_completed(plan, backup_id)}{ago}; no restore will be sent."]
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
        when = format_sent_and_completed(t.cast("OperationState", plan.earlier))
        return [f"{when[:1].upper()}{when[1:]}.", *notes]
    if plan.outcome == "in_flight":
        return ["This run waits for it.", *notes]
    asked = [f"{plan.id_reason}.", f"Confirm with its id instead: {plan.answer}."]
    return [*notes, *(asked if plan.id_reason and plan.asks else [])]


def format_completed(plan: RolePlan, backup_id: object = None) -> str:
    """Returns that an instance is restored already, or what is known of a restore that was not seen."""
    if plan.is_unseen:
        return f"a restore{f' of backup {backup_id}' if backup_id else ''} {UNSEEN}"
    return f"already restored{f' from backup {backup_id}' if backup_id else ''}"


def format_sent_and_completed(state: OperationState) -> str:
    """Returns ``sent at … by alice@node2, seen restored at …``, without what is not known."""
    completed = "" if state.is_unseen else state.completed_at
    moments = (("sent", state.sent_at, state.by and f" by {state.by}"), ("seen restored", completed, ""))
    known = [(verb, parse_time(at), who) for verb, at, who in moments]
    return ", ".join(f"{verb} at {format_clock(moment)}{who}" for verb, moment, who in known if moment)


def _format_taken(plan: RolePlan) -> str:
    return format_clock(plan.taken_at) if plan.taken_at else "the backup, at an unknown time"


def _format_ago(plan: RolePlan) -> str:
    """Returns how long ago a restore was sent; empty if its time lies ahead."""
    sent = parse_time(plan.sent_at)
    return f", {format_duration(plan.planned_at - sent)} ago" if sent and sent <= plan.planned_at else ""


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


class PictureChangedError(NotConfirmedError):
    """A backup of the plan, or the account, has changed since it was shown."""

    failure = FailureKind.PICTURE_CHANGED


def require_confirmation(run: Run, given: str, ask: t.Callable[[str], str], shown: t.Sequence[str]) -> str:
    """Returns how the plans were confirmed: ``TYPED`` at the terminal, or ``GIVEN`` in the variable.

    ``ask`` asks at the terminal. It raises NoTerminalError or PromptInterruptedError. ``shown`` are the lines of the
    plan. Raises NotConfirmedError.
    """
    plans, incident = run.plans, run.incident
    if given:
        if not is_confirmed(given, plans, incident, in_advance=True):
            raise NotConfirmedError(explain_wrong_answer("restore_confirm is", given, plans, incident))
        return GIVEN
    question, above = format_question(plans, incident), list(shown)
    for _attempt in range(TRIES):
        answer = _ask(ask, "\n".join([*above, *question]))
        if not answer:
            raise NotConfirmedError("Nothing was typed.")
        if is_confirmed(answer, plans, incident):
            return TYPED
        problem = explain_wrong_answer("You typed", answer, plans, incident)
        above = wrap(problem, SCREEN_WIDTH)
    raise NotConfirmedError(problem)


def _ask(ask: t.Callable[[str], str], prompt: str) -> str:
    try:
        return ask(prompt).strip()
    except NoTerminalError:
        raise NoTerminalError("restore_confirm is empty, and there is no terminal to ask at.") from None
    except PromptInterruptedError:
        raise NotConfirmedError("Interrupted at the prompt.") from None
