# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds misspelt names of variables (interface 5). Ansible ignores variables that nothing reads. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t

from ..module_utils._errors import one_line
from ._formatting import NAME_LIMIT


def find_misspelt(given: t.Iterable[object], owners: t.Mapping[str, str]) -> dict[str, str]:
    """Returns the names in ``given`` that are similar to a known one, sorted, each with the known name.

    ``owners`` maps known names to the role or playbook they belong to. Names that are not text are skipped.
    """
    found = {}
    names = {str(name) for name in given if isinstance(name, str)}
    for name in sorted(names - owners.keys()):
        near = [known for known in owners if _is_similar(name, known) and not _is_loop_variable(name, known, names)]
        if near:
            found[name] = difflib.get_close_matches(name, near, n=1, cutoff=0)[0]
    return found


def format_misspelt(given: t.Iterable[object], owners: t.Mapping[str, str]) -> str:
    """Returns the error message for misspelt names in ``given``, empty if there are none. It shows no values."""
    sentences = [
        f"{one_line(name, NAME_LIMIT)} is not a variable of the {owners[meant]}. Did you mean {meant}?"
        for name, meant in find_misspelt(given, owners).items()
    ]
    return " ".join([*sentences, "Nothing was sent."]) if sentences else ""


def _is_loop_variable(name: str, known: str, names: t.Container[str]) -> bool:
    """Returns True for ``restore_instance`` if ``restore_instances`` is set too: then it is a loop variable."""
    return known == f"{name}s" and known in names and known.endswith(("_instances", "_instance_ids"))


def _is_similar(name: str, known: str) -> bool:
    """Returns True if the names differ by one typo, or only in case, underscores and dashes.

    difflib's ratio is too lenient for long names with a common prefix: it would take a user's own
    ``restore_incident_id`` for ``restore_incident``.
    """
    one, other = _normalize(name), _normalize(known)
    # A double underscore marks internal variables: restore__backups is no typo of restore_backup.
    return one == other or ("__" not in name and _is_one_typo_apart(one, other))


def _normalize(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _is_one_typo_apart(one: str, other: str) -> bool:
    """Returns True if the names differ by one letter added, removed or replaced, or by two adjacent ones swapped.

    An added digit is no typo: ``fleet_instances_2`` is another name.
    """
    one, other = _strip_common_prefix(one, other)
    one, other = _strip_common_prefix(one[::-1], other[::-1])
    is_swap = len(one) == 2 and one == other[::-1]
    return is_swap or (len(one) <= 1 and len(other) <= 1 and (one + other).isalpha())


def _strip_common_prefix(one: str, other: str) -> tuple[str, str]:
    while one and one[:1] == other[:1]:
        one, other = one[1:], other[1:]
    return one, other
