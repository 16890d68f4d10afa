# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a person confirms a restore: by the name of the instance, or by its id where the name is not enough. Pure."""

from __future__ import annotations

import functools
import typing as t
import unicodedata

from ...module_utils._model.resource import Resource

Data = dict[str, t.Any]

_TYPABLE_LIMIT = 255
"""Characters of a name that a human can be asked to type."""

_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Fillers, which are letters or symbols by their category and show nothing."""

_SAME_LOOK = str.maketrans("I1|O", "lll0")


class Confirmation(t.NamedTuple):
    """``answer`` is what has to be typed. ``why_id`` says why that is the id; empty where it is the name."""

    answer: str
    why_id: str


def build_confirmation(
    instance: Resource, instances: t.Iterable[Resource], *, is_only_one: bool = True
) -> Confirmation:
    """Returns what confirms the restore of ``instance``, so that no other of all ``instances`` can be meant.

    With ``is_only_one=False`` it is one answer of several, which are joined by commas.
    """
    name = "" if instance.get("name") is None else str(instance["name"])
    why_id = _why_id(name, str(instance["id"]), instances, is_only_one=is_only_one)
    return Confirmation(str(instance["id"]) if why_id else name.strip(), why_id)


def _why_id(name: str, own_id: str, instances: t.Iterable[Resource], *, is_only_one: bool) -> str:
    if not _is_typable(name):
        return "Its name can't be typed"
    if "," in name and not is_only_one:
        return "Its name holds a comma"
    for other in instances:
        if str(other["id"]) == own_id:
            continue
        if _look_alike(name, str(other.get("name") or "")):
            return f"Its name could be taken for that of id {other['id']}"
        if _look_alike(name, str(other["id"])):
            return "Its name reads as the id of another instance"
    return ""


def _is_typable(name: str) -> bool:
    is_shown = name.isprintable() and not any(letter in name for letter in _BLANK_LETTERS)
    return is_shown and bool(_visible(name)) and len(name) <= _TYPABLE_LIMIT


@functools.lru_cache(maxsize=4096)
def _visible(text: str) -> str:
    """Returns what a person sees of ``text``: no white space, nothing invisible, and one letter for those that look
    the same in ASCII."""
    letters = unicodedata.normalize("NFKC", text[: 4 * _TYPABLE_LIMIT])
    # Z is white space, C is control and format characters, M is accents and other marks.
    seen = (one for one in letters if unicodedata.category(one)[0] not in "ZCM" and one not in _BLANK_LETTERS)
    return "".join(seen).translate(_SAME_LOOK)


def _look_alike(one: str, other: str) -> bool:
    """Returns True if one text could be taken for the other. Of letters beyond ASCII, any may look like any letter."""
    first, second = _visible(one), _visible(other)
    return len(first) == len(second) and all(
        a == b or not (a.isascii() and b.isascii()) for a, b in zip(first, second, strict=True)
    )


def is_confirmed(answer: str, plans: list[Data]) -> bool:
    """Returns True if ``answer`` confirms each plan that ``sends``, in order; the others may stand in it, too.

    White space around an answer does not count: no two instances that are confirmed by name differ in that alone.
    """
    parts = [answer] if len(plans) == 1 else answer.split(",")
    given = [part.strip() for part in parts]
    if not all(given):
        return False
    # How many parts may be used up after each plan.
    used = {0}
    for plan in plans:
        after = {count + 1 for count in used if count < len(given) and given[count] in _answers(plan)}
        used = after if plan["sends"] else used | after
    return len(given) in used


def _answers(plan: Data) -> set[str]:
    """Returns the answers that confirm a plan. One that sends nothing may be named by its name or its id."""
    if plan["sends"] or not plan["instance"]:
        return {plan["to_type"]}
    return {plan["to_type"], plan["name"].strip(), str(plan["instance"]["id"])}


def answers_to(plans: list[Data]) -> str:
    """Returns what has to be typed to confirm all that would be sent."""
    return ",".join(plan["to_type"] for plan in plans if plan["sends"])
