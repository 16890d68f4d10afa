# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the numbers of the service exactly: balance, costs and days. Pure."""

from __future__ import annotations

import re
import typing as t
from decimal import Decimal

Number: t.TypeAlias = "int | Decimal"

_TEXT = re.compile(r"-?\d{1,15}(\.\d{1,30})?", re.ASCII)
_MAX = 10**15
"""A balance or a cost that is larger is an error, and no computation with it would be exact."""


def parse_number(value: object) -> Number | None:
    """Returns a number, exactly, also one that is written as text; None for any other value. Whole ones are int."""
    is_text = isinstance(value, str) and _TEXT.fullmatch(value)
    if not is_text and (isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _MAX):
        return None
    number = Decimal(str(value))
    return int(number) if number == int(number) else number


def to_json(value: Number | None) -> float | None:
    """Returns a number as JSON has it."""
    return float(value) if isinstance(value, Decimal) else value
