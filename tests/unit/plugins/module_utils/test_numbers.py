# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._numbers import parse_number, to_json


@pytest.mark.parametrize(
    ("shown", "number", "json"),
    [
        (12, 12, 12),
        (12.5, Decimal("12.5"), 12.5),
        ("12.50", Decimal("12.50"), 12.5),
        ("-0.1", Decimal("-0.1"), -0.1),
        ("1500", 1500, 1500),
        ("1500.00", 1500, 1500),
        (1e-300, Decimal("1e-300"), 1e-300),
    ],
)
def test_a_number_is_read_exactly(shown, number, json):
    read = parse_number(shown)
    assert (read, type(read), to_json(read)) == (number, type(number), json)


@pytest.mark.parametrize(
    "shown", ["", "12,50", "1e3", "0x10", "NaN", "\uff11", "1" * 16, 10**16, math.inf, math.nan, True, None, [1], {}]
)
def test_what_is_no_number_is_none(shown):
    assert parse_number(shown) is None
