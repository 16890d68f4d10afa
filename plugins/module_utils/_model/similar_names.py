# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the name that was probably meant by a misspelt one. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t
from collections import Counter, defaultdict

from .._text import one_line

_SIMILAR_NAME = 0.8
"""Ratio of difflib from which a name counts as a misspelling: 0.75 would take ``demo-bot`` for ``docs-bot``."""

_SIMILAR_FIELD = 0.6
"""The same for fields and options, which are few and chosen to differ."""
_SIMILAR_INCIDENT = 0.7
"""The same for incidents, whose digits are typed, too: ``INC-2014`` is often meant to be ``INC-2041``."""
_FEW = 50
"""Names that are all compared. Of more names, only those that share rare pieces with the misspelt one are."""
_PIECE = 4
"""Characters of a piece: a typo changes as many pieces."""
_BEARERS = 1000
"""Names looked up by their pieces, the rarest piece first."""


class SimilarNames:
    """Names by their pieces, so that their number hardly changes the cost of a search.

    The pieces of a name are those of its letters, and tell names of other digits apart.
    """

    def __init__(self, names: t.Iterable[str]) -> None:
        self._names = list(names)
        self._by_piece: dict[tuple[str, str], list[str]] = defaultdict(list)
        if len(self._names) > _FEW:
            for name in self._names:
                for piece in _find_pieces(name):
                    self._by_piece[piece].append(name)

    def find(self, name: str) -> str | None:
        """Returns the name that ``name`` is probably a misspelling of; None if there is none.

        Of many names, one that shares no rare piece with ``name`` may be missed.
        """
        return find_similar(name, self._choose_candidates(name) if len(self._names) > _FEW else self._names)

    def _choose_candidates(self, name: str) -> list[str]:
        shared: Counter[str] = Counter()
        looked_up = 0
        for bearers in sorted((self._by_piece.get(piece, []) for piece in _find_pieces(name)), key=len):
            looked_up += len(bearers)
            if looked_up > _BEARERS:
                break
            shared.update(bearers)
        return [candidate for candidate, _pieces in shared.most_common(_FEW)]


def _find_pieces(name: str) -> set[tuple[str, str]]:
    """Returns the pieces of the folded name, each with the digits of the whole name."""
    digits, text = extract_digits(name), f" {name.casefold()} "
    shifted = (text[shift:] for shift in range(_PIECE))
    return {(digits, "".join(piece)) for piece in zip(*shifted, strict=False)} or {(digits, text)}


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
    digits = extract_digits(name)
    by_folded = {one.casefold(): one for one in known if extract_digits(one) == digits}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[near[0]] if near else None


def extract_digits(name: str) -> str:
    """Returns the digits of a name, which tell it from names that are not meant."""
    return "".join(filter(str.isdigit, name))


def is_misspelling(name: str, known: str) -> bool:
    """Returns True if the names differ by one typo, or only in case, underscores and dashes.

    difflib's ratio is too lenient for long names with a common prefix: it would take a user's own
    ``restore_incident_id`` for ``restore_incident``.
    """
    one, other = _normalize(name), _normalize(known)
    # A double underscore marks internal variables: restore__backups is not a typo of restore_backup.
    return one == other or ("__" not in name and _is_one_typo_apart(one, other))


def _normalize(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _is_one_typo_apart(one: str, other: str) -> bool:
    """Returns True if the names differ by one letter added, removed or replaced, or by two adjacent ones swapped.

    An added digit is not a typo: ``fleet_instances_2`` is another name.
    """
    one, other = _strip_common_prefix(one, other)
    one, other = _strip_common_prefix(one[::-1], other[::-1])
    is_swap = len(one) == 2 and one == other[::-1]
    return is_swap or (len(one) <= 1 and len(other) <= 1 and (one + other).isalpha())


def _strip_common_prefix(one: str, other: str) -> tuple[str, str]:
    while one and one[:1] == other[:1]:
        one, other = one[1:], other[1:]
    return one, other
