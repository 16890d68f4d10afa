# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer that confirms restores: names, or ids where a name is not enough, or how many and the incident. Pure."""

from __future__ import annotations

import re
import typing as t
from collections import Counter

from ...module_utils._text import one_line

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Resource
    from .run import RolePlan

TYPED, GIVEN, NOT_ASKED = "typed", "restore_confirm", "not asked"
"""How a run was confirmed; otherwise by the playbook that is named."""
FEW = 5
"""Restores up to which the answer has to name each."""
_NAME_LIMIT = 255
"""Longest name, in characters, that a user is asked to type."""


def set_answers(plans: t.Sequence[RolePlan], instances: t.Iterable[Resource], *, is_whole: bool) -> None:
    """Sets the answer that confirms each plan: a name that could be taken for another's confirms nothing.

    ``instances`` are those that are known, ``is_whole`` if they are all of the account.
    """
    # Names that differ in white space alone count as one.
    names: Counter[str] = Counter()
    for one in instances:
        names.update({_squash(str(one.get("name") or "")), _squash(str(one["id"]))})
    for plan in plans:
        plan.answer, plan.id_reason = one_line(plan.name), ""
        if plan.instance:
            name = str(plan.instance.get("name") or "")
            plan.id_reason = _find_id_reason(name, names, is_only_one=len(plans) == 1, is_whole=is_whole)
            plan.answer = str(plan.instance["id"]) if plan.id_reason else name.strip()


def _find_id_reason(name: str, names: Counter[str], *, is_only_one: bool, is_whole: bool) -> str:
    """Returns why an instance is confirmed by its id; empty if its name confirms it."""
    if not (name.isascii() and name.isprintable() and len(_squash(name)) > 0 and len(name) <= _NAME_LIMIT):
        return "Its name is blank, too long, or no plain ASCII"
    if "," in name and not is_only_one:
        return "Its name contains a comma"
    if names[_squash(name)] > 1:
        return "Another instance has the same name, or that id"
    return "" if is_whole else "Not all names of the account were read"


def is_confirmed(answer: str, plans: list[RolePlan], incident: str, *, in_advance: bool = False) -> bool:
    """Returns True if ``answer`` names each plan that ``sends``, in order. It may name the other plans, too.

    Of more than a few, their number and the incident do as well. An answer that was given ``in_advance`` of the plan
    may always name an instance by the id that the user gave.
    """
    if _collapse(answer) in _count_answers(plans, incident):
        return True
    parts = [answer] if len(plans) == 1 else re.split("[,\n]", answer.strip())
    given = list(map(_collapse, parts))
    for plan in plans:
        if given and given[0] and given[0] in _accepted_answers(plan, in_advance=in_advance):
            del given[0]
        elif plan.sends:
            return False
    return not given


def _count_answers(plans: list[RolePlan], incident: str) -> set[str]:
    """Returns ``15 INC-2041``. It may count what the incident has restored already, so that it can be given again."""
    counts = {sum(plan.sends for plan in plans), sum(plan.ready for plan in plans)}
    return {f"{count} {_collapse(incident)}" for count in counts if count > FEW}


def _accepted_answers(plan: RolePlan, *, in_advance: bool) -> set[str]:
    """Returns the answers that name a plan. A plan that sends nothing may be named by its name or its id."""
    answers = {plan.answer}
    if in_advance and plan.target.instance_id is not None:
        answers.add(str(plan.target.instance_id))
    if plan.instance and not plan.sends:
        answers |= {plan.name, str(plan.instance["id"])}
    return set(map(_collapse, answers))


def expected_answer(plans: list[RolePlan], incident: str) -> str:
    """Returns the text that confirms every restore that would be sent."""
    sends = [plan.answer for plan in plans if plan.sends]
    return f"{len(sends)} {incident}" if len(sends) > FEW else ",".join(sends)


def _collapse(text: str) -> str:
    """Returns a text with single spaces: no two instances that are confirmed by name differ in white space alone."""
    return " ".join(text.split())


def _squash(text: str) -> str:
    return "".join(text.split())
