# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds misspelt names of variables. Ansible ignores variables that nothing reads. Pure."""

from __future__ import annotations

import difflib
import typing as t

from ..module_utils._text import one_line
from ..module_utils._typos import is_misspelling
from ._formatting import NAME_LIMIT


def find_misspelt(given: t.Iterable[object], owners: t.Mapping[str, str]) -> dict[str, str]:
    """Returns the names in ``given`` that are similar to a known one, sorted, each with the known name.

    ``owners`` maps known names to the role or playbook they belong to. Names that are not text are skipped.
    """
    found = {}
    names = {str(name) for name in given if isinstance(name, str)}
    for name in sorted(names - owners.keys()):
        near = [known for known in owners if is_misspelling(name, known) and not _is_loop_variable(name, known, names)]
        if near:
            found[name] = difflib.get_close_matches(name.lower(), near, n=1, cutoff=0)[0]
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
