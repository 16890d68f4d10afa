# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds misspelt names of variables (interface 5): Ansible ignores a variable that nothing reads. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t

from ..module_utils._errors import one_line
from ._formatting import NAME_LIMIT


def misspelt(given: t.Iterable[object], owners: t.Mapping[str, str]) -> dict[str, str]:
    """Returns each name of ``given`` that is nearly one of ``owners``, with the name that was meant, sorted.

    ``owners`` says for each known name to what it belongs. Keys of extra variables need not be text.
    """
    found = {}
    names = {str(name) for name in given if isinstance(name, str)}
    for name in sorted(names - owners.keys()):
        near = [known for known in owners if _is_nearly(name, known) and not _is_one_of(name, known, names)]
        if near:
            found[name] = difflib.get_close_matches(name, near, n=1, cutoff=0)[0]
    return found


def misspelt_text(given: t.Iterable[object], owners: t.Mapping[str, str]) -> str:
    """Returns the message for the misspelt names of ``given``; empty when there are none. It shows no values."""
    sentences = [
        f"{one_line(name, NAME_LIMIT)} is no variable of the {owners[meant]}; did you mean {meant}?"
        for name, meant in misspelt(given, owners).items()
    ]
    return " ".join([*sentences, "Nothing was sent."]) if sentences else ""


def _is_one_of(name: str, known: str, names: t.Container[str]) -> bool:
    """Returns True for ``restore_instance`` where ``restore_instances`` is set, too: it is the variable of a loop."""
    return known == f"{name}s" and known in names and known.endswith(("_instances", "_instance_ids"))


def _is_nearly(name: str, known: str) -> bool:
    """Returns True if ``name`` is ``known`` but for one letter, two swapped ones, case, underscores and dashes.

    A similarity ratio won't do: with the common prefix it lets two or three letters pass in a long name, so that
    ``restore_incident_id``, a fine name of the user's own, would count as ``restore_incident``.
    """
    one, other = _letters(name), _letters(known)
    # A double underscore marks what the collection uses itself: restore__backups is not meant to be restore_backup.
    return one == other or ("__" not in name and _is_one_slip_apart(one, other))


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _is_one_slip_apart(one: str, other: str) -> bool:
    """Returns True if a letter too many, missing, wrong, or swapped with the next makes one name of the other.

    A digit is no slip: ``fleet_instances_2`` is meant to be another name.
    """
    one, other = _without_common_start(one, other)
    one, other = _without_common_start(one[::-1], other[::-1])
    is_swap = len(one) == 2 and one == other[::-1]
    return is_swap or (len(one) <= 1 and len(other) <= 1 and (one + other).isalpha())


def _without_common_start(one: str, other: str) -> tuple[str, str]:
    while one and one[:1] == other[:1]:
        one, other = one[1:], other[1:]
    return one, other
