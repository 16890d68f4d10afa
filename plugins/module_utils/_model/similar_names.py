# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the name that is probably meant by a misspelt one. Pure."""

from __future__ import annotations

import difflib
import functools
import typing as t

from .._text import one_line

_SIMILAR_NAME = 0.8
"""Ratio of difflib from which a name counts as a misspelling: 0.75 would take ``demo-bot`` for ``docs-bot``."""

_SIMILAR_FIELD = 0.6
"""The same for fields and options, which are few and chosen to differ."""
_SIMILAR_INCIDENT = 0.7
"""The same for incidents, whose digits are typed, too: ``INC-2014`` is often meant to be ``INC-2041``."""


def with_suggestion(field: str, known: t.Iterable[str]) -> str:
    """Returns ``field``, with a similar one of the ``known`` fields if there is one: ``tire (did you mean tier?)``."""
    similar = find_similar(field, known, _SIMILAR_FIELD)
    return f"{field} (did you mean {similar}?)" if similar else field


def format_similar_incidents(name: str, known: t.Iterable[str]) -> str:
    """Returns a sentence with the incidents that ``name`` may be a misspelling of; empty if there is none."""
    by_folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, cutoff=_SIMILAR_INCIDENT)
    return f"Similar ones are {one_line(', '.join(by_folded[one] for one in near))}." if near else ""


def find_similar(name: str, known: t.Iterable[str], cutoff: float = _SIMILAR_NAME) -> str | None:
    """Returns the name in ``known`` that ``name`` is probably a misspelling of; None if there is none.

    Names with other digits are other names: ``worker-2`` is not a misspelling of ``worker-1``.
    """
    digits = _extract_digits(name)
    by_folded = {one.casefold(): one for one in known if _extract_digits(one) == digits}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[near[0]] if near else None


# Cached: the names of a fleet are compared with each misspelt one.
@functools.lru_cache(maxsize=4096)
def _extract_digits(name: str) -> str:
    return "".join(filter(str.isdigit, name))
