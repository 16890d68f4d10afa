# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.resource import parse_id


@pytest.mark.parametrize(
    ("shown", "identity"),
    [
        (1, 1),
        (1.0, 1),
        (" 01\n", 1),
        ("9" * 100, int("9" * 100)),
        (2.0**53 - 1, 2**53 - 1),
        (2.0**53, None),
        ("4f0c2a1e-9D3B-4c55-8f00-0a1b2c3d4e5f", "4f0c2a1e-9D3B-4c55-8f00-0a1b2c3d4e5f"),
        ("1.0", None),
        (-1, None),
        (0, None),
        ("00", None),
        ("9" * 5000, None),
        ("a" * 101, None),
        ("a/b", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_an_id_has_one_spelling_or_is_none(shown: object, identity: object) -> None:
    assert parse_id(shown) == identity
    assert isinstance(parse_id(shown), type(identity))
