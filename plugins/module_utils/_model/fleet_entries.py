# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of ``claw_fleet`` and ``claw_fleet_restore``, and the faults that a list of them can have. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import PartialError
from .._text import MESSAGE_LIMIT, find_similar, format_list, one_line
from .instance import NAME_LIMIT, STATES, label
from .resource import Resource

FLEET_KEYS = ("id", "name", "state")
RESTORE_KEYS = ("id", "name", "backup_id")
NUMBERS = ("id", "backup_id")
"""Keys whose values are numbers."""


@dataclass(frozen=True)
class InstanceEntry:
    """One entry of the option ``instances``; ``number`` is its position, from 1."""

    number: int
    instance_id: int | None
    name: str | None

    @property
    def label(self) -> str:
        """``entry 3, support-bot``, for messages."""
        return _format_entry(self.number, self.instance_id, self.name)


@dataclass(frozen=True)
class Entry(InstanceEntry):
    """An entry of ``claw_fleet``."""

    wanted: str


@dataclass(frozen=True)
class RestoreEntry(InstanceEntry):
    """An entry of ``claw_fleet_restore``. Without a ``backup_id`` the newest usable backup is meant."""

    backup_id: int | None = None


class FaultyListError(PartialError):
    """The list of entries is wrong, so nothing was changed. The ``report`` of the result has a line for each fault."""

    def __init__(self, faults: list[str]) -> None:
        number = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(
            f"The list of instances has {number}, and nothing was changed: {'; '.join(faults)}",
            {"report": [one_line(fault, MESSAGE_LIMIT) for fault in faults]},
        )


def require_valid_entries(
    entries: object, keys: tuple[str, ...] = FLEET_KEYS, *, allows_duplicates: bool = False
) -> None:
    """Raises FaultyListError for unknown keys, wrong states and ids, entries without a name, and duplicates.

    ``entries`` is the option as it was given, ``keys`` are the known keys. The argument spec rejects what is not a
    list of dictionaries.
    """
    faults = []
    first: dict[tuple[str, str], int] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        if isinstance(entry, dict):
            place = _format_entry(number, entry.get("id"), entry.get("name"))
            found = list(_find_faults(entry, keys))
            if not allows_duplicates:
                found += _find_duplicate(entry, number, first)
            faults += [f"{place}: {fault}" for fault in found]
    if faults:
        raise FaultyListError(faults)


def find_duplicates(
    entries: t.Sequence[InstanceEntry], found: t.Iterable[Resource | None]
) -> t.Iterator[tuple[int, str]]:
    """Yields the index of each entry that means the same instance as one before it, and a message.

    ``found`` has the instance of each entry, None if there is none.
    """
    first: dict[str, InstanceEntry] = {}
    for index, (entry, instance) in enumerate(zip(entries, found, strict=True)):
        if instance is not None:
            earlier = first.setdefault(str(instance["id"]), entry)
            if earlier is not entry:
                yield index, f"{label(instance)} is listed already, in entry {earlier.number}"


def _find_faults(entry: dict[str, t.Any], keys: tuple[str, ...]) -> t.Iterator[str]:
    for key in entry:
        if key not in keys:
            yield f"unknown key {_quote(key)}{_suggest(key, keys)}"
    state, identity, name = (entry.get(key) for key in ("state", "id", "name"))
    if "state" in keys and state is not None and state not in STATES:
        yield f"unknown state {_quote(state)}{_suggest(state, STATES)}"
    for key in NUMBERS:
        value = entry.get(key) if key in keys else None
        if value is not None and not str(value).strip().lstrip("-").isdecimal():
            yield f"{key} must be a number, not {_quote(value)}"
    if name is not None and not str(name).strip():
        yield "name is empty"
    elif identity is None and name is None:
        yield "it has neither id nor name"


def _find_duplicate(entry: dict[str, t.Any], number: int, first: dict[tuple[str, str], int]) -> t.Iterator[str]:
    """Yields a fault if an entry in ``first`` has the same id or, without an id, the same name. Adds this one."""
    key = next((key for key in ("id", "name") if entry.get(key) is not None), None)
    if key is not None:
        earlier = first.setdefault((key, str(entry[key]).strip() if key == "id" else str(entry[key])), number)
        if earlier != number:
            yield f"it is listed already, in entry {earlier}"


def _suggest(given: object, known: tuple[str, ...]) -> str:
    similar = find_similar(str(given), known)
    return f"; did you mean {similar}?" if similar else f" (known: {format_list(known, len(known))})"


def _format_entry(number: int, identity: object, name: object) -> str:
    given = str(name or "").strip() or ("" if identity is None else f"id {identity}")
    return f"entry {number}, {_quote(given)}" if given else f"entry {number}"


def _quote(text: object) -> str:
    return one_line(text, NAME_LIMIT)
