# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of a run of the role ``restore``: its variables, its plans, and the answers that confirm them. Pure.

An answer has the names of instances, their ids where a name is not enough, or how many they are and the incident.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from ...module_utils._errors import ClawHostersError, ForbiddenError, PartialError, SettingsError, UnauthorizedError
from ...module_utils._model.backup import is_in_future, taken_at
from ...module_utils._service.restore.options import ROLE
from ...module_utils._service.restore.reason import Reason, ReasonError, ReasonKind
from ...module_utils._service.restore.target_plan import TargetPlan
from ...module_utils._text import one_line
from ...module_utils._times import parse_time
from .._formatting import format_clock, format_label, slugify

if t.TYPE_CHECKING:
    from ...module_utils._model.plan_scope import PlanScope
    from ...module_utils._model.resource import Resource
    from ...module_utils._service.restore.options import Wording
    from ...module_utils._service.restore.plan_remarks import Remark
    from ...module_utils._service.restore.reason_texts import ReasonText
    from ...module_utils._service.restore.restore_job import RestoreJob
    from ...module_utils._service.restore.target_plan import Target
    from ...module_utils._state.journal import OperationState

Data = dict[str, t.Any]
OLD = timedelta(days=1)
"""Age of a restore from which a run for the same incident may be a mistake."""
UNHEALTHY = "restore_unhealthy"
"""The playbook that restores unhealthy instances."""
TYPED, GIVEN, NOT_ASKED = "typed", "restore_confirm", "not_asked"
"""How a run was confirmed; otherwise by the playbook that is named."""
FEW = 5
"""Restores up to which the answer has to name each."""
_NAME_LIMIT = 255
"""Longest name, in characters, that a user is asked to type."""


@dataclass
class RoleTargetPlan(TargetPlan):
    """A plan as the role shows it and lets the user confirm it, and what has come of it."""

    planned_at: datetime = field(kw_only=True)
    remarks: list[Remark] = field(default_factory=list)
    """Facts to know before confirming, such as a restore for another incident."""
    answer: str = ""
    """The text that confirms this restore."""
    needs_id: bool = False
    """True if the user has to type the id, since the name will not do."""
    told: ReasonText | None = None
    """The reason that prevents it, in the words of the role."""
    restore: RestoreJob | None = None
    """The restore, once its batch may begin."""

    @property
    def shown_name(self) -> object:
        """The name that the user gave, or that the instance has; None without either."""
        return (self.instance or {}).get("name") if self.target.name is None else self.target.name

    @property
    def name(self) -> str:
        """The same, or else the id."""
        return str(self.target.instance_id if self.shown_name is None else self.shown_name)

    @property
    def found_id(self) -> t.Any:
        """The id of the instance, or the one that the user gave; None without either."""
        return (self.instance or {}).get("id", self.target.instance_id)

    @property
    def label(self) -> str:
        return format_label(self.shown_name, self.found_id)

    @property
    def taken_at(self) -> datetime | None:
        """The time of the backup; None without a backup or a valid time."""
        return taken_at(self.backup or {})

    @property
    def age(self) -> timedelta | None:
        """How old the backup was at the time of the plan. As in the modules, one of the future has no known age."""
        taken = self.taken_at
        if taken is None or is_in_future(taken, self.planned_at):
            return None
        return max(self.planned_at - taken, timedelta(0))


@dataclass
class RoleRun:
    """One run of the role so far. A playbook that has chosen an instance by its name sets name and id of a target."""

    variables: Data
    targets: list[Target]
    approved: PlanScope | None = None
    """The plan that it restores exactly."""
    check: bool = False
    plans: list[RoleTargetPlan] = field(default_factory=list)
    service: str = ""
    """Host and port of the service; empty before the first request."""
    account: str = ""
    """The account of the key; empty before it was read."""
    reason: Reason | None = None
    """Why the whole run has stopped; None while it goes on."""
    cause: ClawHostersError | None = None
    """The error that has stopped it."""
    is_history_known: bool = True
    """False if the run has failed, and the journal can't be read."""
    again: str = "run the same command again"
    """How to go on with it."""

    @property
    def wording(self) -> Wording:
        """The words of the role for this run."""
        again = (
            f"run the playbook restore for it, with restore_incident={self.incident}" if self.chosen_by else self.again
        )
        wording = replace(ROLE, again=again, alone="" if len(self.targets) == 1 else " alone")
        return wording.for_task(force=bool(self.variables["restore_force"]))

    def stop(self, error: Exception, kind: ReasonKind) -> None:
        """Sets why the run has stopped: of this kind, unless the error says of which. Others than ours are bugs."""
        if not isinstance(error, ClawHostersError):
            kind, bug = ReasonKind.INTERRUPTED, f"{type(error).__name__}: {one_line(error)}."
            error = ClawHostersError(f"Bug in the collection, please report it: {bug}")
        elif isinstance(error, ReasonError):
            kind = error.reason_kind
        elif kind is ReasonKind.NOT_PLANNED and isinstance(error, (SettingsError, UnauthorizedError, ForbiddenError)):
            kind = ReasonKind.BAD_KEY
        # The cause says what happened.
        told = error.cause if isinstance(error, PartialError) and error.cause else error
        facts = (
            {"answer": expected_answer(self.plans, self.incident)} if kind is ReasonKind.NOT_CONFIRMED else told.facts
        )
        self.reason, self.cause = Reason(kind, facts), told

    @property
    def chosen_by(self) -> str:
        """The playbook that chose the instance, and confirms it; empty if the user did."""
        return str(self.variables.get("restore_chosen_by") or "")

    @property
    def incident(self) -> str:
        return str(self.variables["restore_incident"])

    @property
    def report_path(self) -> str:
        """The absolute path of the page."""
        return str(Path(self.variables["restore_report_dir"]).absolute() / f"{slugify(self.incident)}.html")


def format_sent(state: OperationState) -> str:
    """Returns ``sent at 2026-02-01 10:00 UTC by alice@node2``, without a user that is not known."""
    return f"sent at {format_clock(parse_time(state.sent_at))}{f' by {state.by}' if state.by else ''}"


# Answers


def set_answers(plans: t.Sequence[RoleTargetPlan], instances: t.Iterable[Resource], *, is_whole: bool) -> None:
    """Sets the answer that confirms each plan: a name that could be taken for another's confirms nothing.

    ``instances`` are those that are known, ``is_whole`` if they are all of the account.
    """
    # Names that differ in white space alone count as one.
    names: Counter[str] = Counter()
    for one in instances:
        names.update({_remove_spaces(str(one.get("name") or "")), _remove_spaces(str(one["id"]))})
    for plan in plans:
        plan.answer = one_line(plan.name)
        if plan.instance:
            name = str(plan.instance.get("name") or "")
            is_typed = name.isascii() and name.isprintable() and bool(name.strip()) and len(name) <= _NAME_LIMIT
            is_unclear = "," in name and len(plans) > 1
            plan.needs_id = not (is_typed and is_whole) or is_unclear or names[_remove_spaces(name)] > 1
            plan.answer = str(plan.instance["id"]) if plan.needs_id else name.strip()


def is_confirmed(answer: str, plans: list[RoleTargetPlan], incident: str, *, in_advance: bool = False) -> bool:
    """Returns True if ``answer`` names each plan that ``sends``, in order. It may name the other plans, too.

    Of more than a few, their number and the incident do as well. An answer that was given ``in_advance`` of the plan
    may always name an instance by the id that the user gave.
    """
    # The number may count what the incident has sent already, so that it can be given again.
    counts = {sum(plan.sends for plan in plans), sum(not plan.reason or plan.earlier is not None for plan in plans)}
    if _collapse_spaces(answer) in {f"{count} {_collapse_spaces(incident)}" for count in counts if count > FEW}:
        return True
    parts = [answer] if len(plans) == 1 else re.split("[,\n]", answer.strip())
    given = list(map(_collapse_spaces, parts))
    for plan in plans:
        if given and given[0] in _accepted_answers(plan, in_advance=in_advance):
            del given[0]
        elif plan.sends:
            return False
    return not given


def _accepted_answers(plan: RoleTargetPlan, *, in_advance: bool) -> set[str]:
    """Returns the answers that name a plan. A plan that sends nothing may be named by its name or its id."""
    answers = {plan.answer}
    if in_advance and plan.target.instance_id is not None:
        answers.add(str(plan.target.instance_id))
    if plan.instance and not plan.sends:
        answers |= {plan.name, str(plan.instance["id"])}
    return set(map(_collapse_spaces, answers))


def expected_answer(plans: list[RoleTargetPlan], incident: str) -> str:
    """Returns the text that confirms every restore that would be sent."""
    sends = [plan.answer for plan in plans if plan.sends]
    return f"{len(sends)} {incident}" if len(sends) > FEW else ",".join(sends)


def _collapse_spaces(text: str) -> str:
    """Returns a text with single spaces: no two instances that are confirmed by name differ in white space alone."""
    return " ".join(text.split())


def _remove_spaces(text: str) -> str:
    return "".join(text.split())
