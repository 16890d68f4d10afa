# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides if a name of a variable is a misspelling of another one. Pure."""

from __future__ import annotations

import re


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
