# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer that confirms a restore: the name of the instance, or its id if the name is ambiguous. Pure."""

from __future__ import annotations

import functools
import typing as t
import unicodedata

from ...module_utils._names import find_invisible

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Resource

_TYPABLE_LIMIT = 255
"""Longest name, in characters, that a user is asked to type."""
_CONTROL = "\N{REPLACEMENT CHARACTER}"
"""Stands for each control character of a name."""
_CONFUSABLES = str.maketrans("I1|O", "lll0")
_CACHED_GROUPS = 512
"""Groups of texts that are kept: most accounts have a few, for each length of a name and its non-ASCII letters."""

Places: t.TypeAlias = "tuple[int, ...]"


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
    instance: Resource, names: Names, *, is_only_one: bool = True, is_whole: bool = True
) -> Confirmation:
    """Returns the answer that identifies ``instance`` among those whose ``names`` are known.

    With ``is_only_one=False`` it is part of a comma-separated answer, so it can't hold a comma. With ``is_whole=False``
    the account may have other instances, one of which may have the name.
    """
    name = "" if instance.get("name") is None else str(instance["name"])
    id_reason = _find_id_reason(name, str(instance["id"]), names, is_only_one=is_only_one)
    if not (id_reason or is_whole):
        id_reason = "Not all names of the account were read"
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
