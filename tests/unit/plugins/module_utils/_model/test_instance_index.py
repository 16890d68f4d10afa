# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which instance is meant by an id, a name or an owner (contract 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.ownership import find_owner
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.account_check import (
    find_email,
    find_id,
    format_account,
    is_account,
)

TWINS = InstanceIndex([{"id": 1, "name": "web"}, {"id": "2", "name": "twin"}, {"id": 3, "name": "twin"}, {"id": 4}])


@pytest.mark.parametrize(
    ("item", "owner"),
    [
        ({"instance_id": 2}, "2"),
        ({"instance_id": "3", "instance_name": "web"}, 3),
        ({"instance": {"name": "web"}}, 1),
        ({"instance_name": "twin"}, None),
        ({"instance_name": "nobody"}, None),
        ({"instance_id": 9, "instance_name": "web"}, None),
        ({}, None),
    ],
)
def test_the_owner_is_found_by_id_or_unique_name(item, owner):
    assert (find_owner(item, TWINS) or {}).get("id") == owner


@pytest.mark.parametrize(
    ("instance_id", "name", "found"),
    [(2, None, "2"), (2, "twin", "2"), (None, "web", 1), (9, "x", None), (None, "x", None)],
)
def test_which_instance_is_meant(instance_id, name, found):
    assert (TWINS.resolve(instance_id, name) or {}).get("id") == found


@pytest.mark.parametrize(
    ("instance_id", "name", "words"),
    [
        (None, "twin", r"2 instances are named twin \(ids 2, 3\)"),
        (1, "twin", "The instance with id 1 is named web, not twin"),
        (4, "x", "no name for the instance with id 4, so it may not be x"),
        (None, "", "name is empty"),
    ],
)
def test_an_ambiguous_or_contradictory_instance_is_refused(instance_id, name, words):
    with pytest.raises(ClawHostersError, match=words):
        TWINS.resolve(instance_id, name)


@pytest.mark.parametrize(
    ("name", "listed", "similar"),
    [
        ("wroker-1", ["wroker-1", "web"], "worker-1"),
        # A name that is listed is meant by itself, and one of other digits is another one.
        ("wroker-1", ["wroker-1", "worker-1"], None),
        ("worker-2", [], None),
        ("porter-1", [], None),
        (None, [], None),
    ],
)
def test_a_misspelt_name_is_told_from_another_one(name, listed, similar):
    assert InstanceIndex([{"id": 1, "name": "worker-1"}]).find_similar_name(name, listed) == similar


# Which account is meant, and how an account is shown

OPS = {"id": 7, "email": "Ops@Example.com"}
values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)


@pytest.mark.parametrize(
    ("account", "wanted", "expected"),
    [
        (OPS, "7", True),
        ({"id": "a-7"}, "a-7", True),
        (OPS, " OPS@example.COM\n", True),
        ({"email": " ops@example.com "}, "ops@example.com", True),
        (OPS, "8", False),
        (OPS, "07", False),
        (OPS, "ops", False),
        ({"id": True}, "True", None),
        ({"id": " ", "email": ""}, "7", None),
        ({"id": [7], "email": {"work": "ops@example.com"}}, "7", None),
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
        ({"id": 7, "email": {"work": "x"}}, "id 7"),
        ({"id": None, "email": None}, ""),
    ],
)
def test_an_account_is_shown_by_what_the_service_tells_of_it(account, shown):
    assert format_account(account) == shown
