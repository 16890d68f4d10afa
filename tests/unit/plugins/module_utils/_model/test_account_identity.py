# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which account is meant, and how an account is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.account_identity import (
    find_email,
    find_id,
    format_account,
    is_account,
)

OPS = {"id": 7, "email": "Ops@Example.com"}
values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)


@pytest.mark.parametrize(
    ("account", "wanted", "expected"),
    [
        (OPS, "7", True),
        (OPS, " 7 ", True),
        ({"id": "a-7"}, "a-7", True),
        (OPS, "ops@example.com", True),
        (OPS, " OPS@example.COM\n", True),
        ({"email": " ops@example.com "}, "ops@example.com", True),
        (OPS, "8", False),
        (OPS, "07", False),
        ({"id": "a-7"}, "A-7", False),
        (OPS, "root@example.com", False),
        (OPS, "ops", False),
        ({"id": True}, "True", None),
        ({"id": 1, "name": "Ops"}, "ops@example.com", None),
        ({"email": "ops@example.com"}, "7", None),
        ({"id": " ", "email": ""}, "7", None),
        ({"id": [7], "email": {"work": "ops@example.com"}}, "7", None),
        ({}, "ops@example.com", None),
    ],
)
def test_an_account_is_the_one_of_its_id_or_its_email(account, wanted, expected):
    assert is_account(account, wanted) is expected


@given(st.fixed_dictionaries({}, optional={"id": values, "email": values, "name": values}), st.text(max_size=8))
def test_only_an_id_or_an_email_that_is_shown_can_match(account, wanted):
    if find_id(account) is None and find_email(account) is None:
        assert is_account(account, wanted) is None
    assert format_account(account).isprintable()


@pytest.mark.parametrize(
    ("account", "shown"),
    [
        ({"id": 7, "email": "ops@example.com", "name": "Ops"}, "ops@example.com (id 7)"),
        ({"id": "a-7", "name": "Ops\x1b[2J\nroot"}, "Ops [2J root (id a-7)"),
        ({"id": 7, "email": {"work": "x"}}, "id 7"),
        ({"id": None, "email": None}, ""),
        ({}, ""),
    ],
)
def test_an_account_is_shown_by_what_the_service_tells_of_it(account, shown):
    assert format_account(account) == shown
