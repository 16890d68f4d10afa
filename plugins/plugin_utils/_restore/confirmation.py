# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requires that the user confirms what the role ``restore`` will overwrite: with a variable, or at the terminal.

The answer is the name of the instance, or its id if the name is ambiguous.
"""

from __future__ import annotations

import functools
import typing as t
import unicodedata
from itertools import zip_longest

from ...module_utils._errors import ClawHostersError
from ...module_utils._model.resource import Resource
from ...module_utils._names import find_invisible
from ...module_utils._text import format_count, one_line
from .._formatting import SCREEN_WIDTH, wrap
from .run import RolePlan

_TYPABLE_LIMIT = 255
"""Longest name, in characters, that a user is asked to type."""

_CONTROL = "\N{REPLACEMENT CHARACTER}"
"""Stands for each control character of a name."""

_SHOWN_WHOLE = 160
"""Characters of a given and a needed answer up to which both are shown."""

_CONFUSABLES = str.maketrans("I1|O", "lll0")

_CACHED_GROUPS = 512
"""Groups of texts that are kept: most accounts have a few, for each length of a name and its non-ASCII letters."""

Places: t.TypeAlias = "tuple[int, ...]"

TRIES = 3
"""Answers that are accepted at the terminal before the run ends."""


class PromptInterruptedError(ClawHostersError):
    """Ctrl-C was pressed at the prompt."""


class NotConfirmedError(ClawHostersError):
    """The restores were not confirmed. ``failure`` is the kind of the failure."""

    failure = "not_confirmed"


class NoTerminalError(NotConfirmedError):
    """There is no terminal to ask at."""

    failure = "no_terminal"


class PictureChangedError(NotConfirmedError):
    """A backup of the plan, or the account, has changed since it was shown."""

    failure = "picture_changed"


class Confirmation(t.NamedTuple):
    """The ``answer`` to type. ``id_reason`` says why that is the id; empty if it is the name."""

    answer: str
    id_reason: str


class _Seen(t.NamedTuple):
    """A name, or an id if ``is_id``, as a reader sees it. ``position`` is that of its instance in the list."""

    position: int
    is_id: bool
    instance_id: str
    looks: str


class Names:
    """The names and ids of the instances that are known, by how they look to a reader.

    Each is looked at once, so that the plans of a large account cost little more than its size.
    """

    def __init__(self, instances: t.Iterable[Resource]) -> None:
        self._shapes: dict[int, dict[Places, list[_Seen]]] = {}
        for position, instance in enumerate(instances):
            instance_id = str(instance["id"])
            for is_name, text in ((True, str(instance.get("name") or "")), (False, instance_id)):
                looks = _skeleton(text)
                shapes = self._shapes.setdefault(len(looks), {})
                shapes.setdefault(_find_wildcards(looks), []).append(_Seen(position, not is_name, instance_id, looks))
        self._by_letters = functools.lru_cache(_CACHED_GROUPS)(self._group)

    def find_alike(self, name: str, own_id: str) -> _Seen | None:
        """Returns the first name or id of another instance that a reader could take for ``name``; None without one.

        A non-ASCII letter is assumed to look like any letter.
        """
        looks = _skeleton(name)
        wildcards = _find_wildcards(looks)
        found: list[_Seen] = []
        for places in self._shapes.get(len(looks), ()):
            hidden = tuple(sorted({*wildcards, *places}))
            alike = self._by_letters(len(looks), places, hidden).get(_hide(looks, hidden), ())
            found += (one for one in alike if one.instance_id != own_id)
        return min(found, default=None)

    def _group(self, length: int, places: Places, hidden: Places) -> dict[str, list[_Seen]]:
        """Returns the texts of a length with wildcards at ``places``, by their letters but those at ``hidden``.

        Of those that are alike, the first of two instances are enough: one may be the instance that is asked about.
        """
        groups: dict[str, list[_Seen]] = {}
        for one in self._shapes[length][places]:
            alike = groups.setdefault(_hide(one.looks, hidden), [])
            if len(alike) < 2 and one.instance_id not in (other.instance_id for other in alike):
                alike.append(one)
        return groups


def build_confirmation(
    instance: Resource,
    names: Names,
    *,
    is_only_one: bool = True,
    is_whole: bool = True,
    is_given_by_id: bool = False,
) -> Confirmation:
    """Returns the answer that identifies ``instance`` among those whose ``names`` are known.

    With ``is_only_one=False`` it is part of a comma-separated answer, so it can't hold a comma. With ``is_whole=False``
    the account may have other instances. No other has the name that the user gave, since it was looked up; it confirms
    if it can't be misread for another one. Of an instance that was given by its id, others may have the name.
    """
    name = "" if instance.get("name") is None else str(instance["name"])
    id_reason = _find_id_reason(name, str(instance["id"]), names, is_only_one=is_only_one)
    if not (id_reason or is_whole) and is_given_by_id:
        id_reason = "Not all names of the account were read"
    elif not (id_reason or is_whole or _is_plain(name)):
        id_reason = "Its name has unusual characters, and not all names of the account were read"
    return Confirmation(str(instance["id"]) if id_reason else name.strip(), id_reason)


def _find_id_reason(name: str, own_id: str, names: Names, *, is_only_one: bool) -> str:
    if not _is_typable(name):
        return "Its name can't be typed"
    if "," in name and not is_only_one:
        return "Its name contains a comma"
    alike = names.find_alike(name, own_id)
    if alike is None:
        return ""
    if alike.is_id:
        return "Its name looks like the id of another instance"
    return f"Its name looks like the name of id {alike.instance_id}"


def _is_plain(name: str) -> bool:
    """Returns True if the name, typed exactly, can't be taken for a name that looks alike.

    It is printable ASCII without white space that hides, and no number, which could be an id.
    """
    is_ascii = name.isascii() and name.isprintable() and name == " ".join(name.split())
    return is_ascii and any(letter.isalpha() and letter not in "IlO" for letter in name)


def _is_typable(name: str) -> bool:
    is_visible = find_invisible(name) is None and _CONTROL not in name
    return is_visible and bool(_skeleton(name)) and len(name) <= _TYPABLE_LIMIT


def _skeleton(text: str) -> str:
    """Returns ``text`` as a reader sees it: without white space and invisible characters, and with one letter for those
    ASCII letters that look alike."""
    text = text[: 4 * _TYPABLE_LIMIT]
    if text.isascii() and text.isprintable():
        return text.replace(" ", "").translate(_CONFUSABLES)
    letters = unicodedata.normalize("NFKC", text)
    # M: combining marks.
    visible = (one for one in letters if one != " " and unicodedata.category(one)[0] != "M" and not find_invisible(one))
    return "".join(visible).translate(_CONFUSABLES)


def _find_wildcards(looks: str) -> Places:
    """Returns the places of the non-ASCII letters."""
    return () if looks.isascii() else tuple(place for place, one in enumerate(looks) if not one.isascii())


def _hide(looks: str, hidden: Places) -> str:
    """Returns the letters but those at the places ``hidden``, which are in order."""
    starts, ends = (0, *(place + 1 for place in hidden)), (*hidden, len(looks))
    return "".join(looks[start:end] for start, end in zip(starts, ends, strict=True))


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
    """Returns how the plans were confirmed: by ``given``, the variable, or at the terminal.

    ``ask`` asks at the terminal. It raises NoTerminalError or PromptInterruptedError. ``shown`` are the lines of the
    plan. Raises NotConfirmedError, and NoTerminalError with the answer that is needed.
    """
    if given:
        if not is_confirmed(given, plans, in_advance=True):
            raise NotConfirmedError(explain_wrong_answer("restore_confirm is", given, plans))
        return "The answer was given as restore_confirm."
    prompt = "\n".join([*shown, *format_question(plans)])
    problem = ""
    for _attempt in range(TRIES):
        answer = _ask(ask, prompt, plans)
        if not answer:
            raise NotConfirmedError("Nothing was typed.")
        if is_confirmed(answer, plans):
            return "The answer was typed at the terminal."
        problem = explain_wrong_answer("You typed", answer, plans)
        prompt = "\n".join([*wrap(problem, SCREEN_WIDTH), *format_question(plans, is_repeated=True)])
    raise NotConfirmedError(problem)


def _ask(ask: t.Callable[[str], str], prompt: str, plans: list[RolePlan]) -> str:
    try:
        return ask(prompt).strip()
    except NoTerminalError:
        raise NoTerminalError(
            "restore_confirm is empty, and no name was typed. There is no terminal to ask at: "
            f"set restore_confirm to {expected_answer(plans)}."
        ) from None
    except PromptInterruptedError:
        raise NotConfirmedError("Interrupted at the prompt.") from None
