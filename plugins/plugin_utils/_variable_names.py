# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds variables that Ansible would ignore or cut: misspelt names, and values that lost a part. Pure."""

from __future__ import annotations

import difflib
import typing as t

from ..module_utils._text import one_line
from ..module_utils._typos import is_misspelling
from ._extra_variables import find_list_problem, find_lost, format_lost
from ._formatting import NAME_LIMIT


class KnownVariable(t.NamedTuple):
    """A variable of the collection: the role or playbook it belongs to, and whether it is a list."""

    owner: str
    is_list: bool = False


def find_misspelt(given: t.Iterable[object], known_names: t.Collection[str]) -> dict[str, str]:
    """Returns the names in ``given`` that are similar to a known one, sorted, each with the known name.

    Names that are not text are skipped.
    """
    found = {}
    names = {str(name) for name in given if isinstance(name, str)}
    for name in sorted(names - set(known_names)):
        near = [
            known for known in known_names if is_misspelling(name, known) and not _is_loop_variable(name, known, names)
        ]
        if near:
            found[name] = difflib.get_close_matches(name.lower(), near, n=1, cutoff=0)[0]
    return found


def format_problems(
    given: t.Iterable[object],
    known: t.Mapping[str, KnownVariable],
    options: t.Iterable[str] = (),
    lists: t.Mapping[str, t.Any] | None = None,
    *,
    is_strict: bool = False,
) -> str:
    """Returns one error message for all problems, empty if there are none.

    ``given`` are the names of all variables, ``options`` the values of ``-e``, ``lists`` the values of lists. Of
    misspelt names no values are shown. What ``-e`` cut of other variables counts with ``is_strict`` only.
    """
    cuts = [cut for cut in find_lost(options) if is_strict or cut.name in known]
    sentences = [
        format_lost(cut, is_list=known.get(cut.name or "", KnownVariable("")).is_list, is_known=cut.name in known)
        for cut in cuts
    ]
    cut_names = {cut.name for cut in cuts}
    sentences += [find_list_problem(name, value) for name, value in (lists or {}).items() if name not in cut_names]
    sentences += [
        f"{one_line(name, NAME_LIMIT)} is not a variable of the {known[meant].owner}. Did you mean {meant}?"
        for name, meant in find_misspelt(given, known).items()
    ]
    sentences = [sentence for sentence in sentences if sentence]
    return " ".join([*sentences, "Nothing was sent."]) if sentences else ""


def _is_loop_variable(name: str, known: str, names: t.Container[str]) -> bool:
    """Returns True for ``restore_instance`` if ``restore_instances`` is set too: then it is a loop variable."""
    return known == f"{name}s" and known in names and known.endswith(("_instances", "_instance_ids"))
