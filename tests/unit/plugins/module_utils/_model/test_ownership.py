# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a backup or an add-on is, in every way that it may say so, and in none (contract 6, 7)."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ResponseError, SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.ownership import may_belong, parse_owner
from ansible_collections.clawhosters.cloud.plugins.module_utils._names import require_names
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.owner_filter import (
    filter_by_instance,
    require_owners,
)

NOTHING = [{}, {"instance": None}, {"instance": 7}, {"instance_id": None}, {"instance_name": ""}, {"instance_id": True}]


@pytest.mark.parametrize(
    ("item", "owner"),
    [
        ({"instance_id": "7", "instance_name": "x"}, ("7", "x")),
        ({"instance": {"id": 7, "name": "x"}}, ("7", "x")),
        ({"instance": {"id": 8, "name": "y"}, "instance_id": 7}, ("7", "y")),
        ({"instance_id": 0}, (None, None)),
        ({"instance_id": [7], "instance_name": {"x": 1}}, (None, None)),
    ],
)
def test_what_an_item_shows_of_its_instance(item, owner):
    assert parse_owner(item) == owner


@pytest.mark.parametrize("item", NOTHING)
def test_what_shows_nothing_is_never_guessed(item):
    with pytest.raises(ResponseError, match="does not show the instance of this backup"):
        require_owners([{"id": 1, "instance_id": 7}, {"id": 2, **item}], "backup")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"instance_id": "7", "instance_name": "other"}, True),
        ({"instance_id": 8, "instance_name": "web"}, False),
        ({"instance_name": "web"}, True),
        ({"instance_name": "other"}, False),
        ({}, False),
    ],
)
def test_what_may_belong_to_an_instance_shows_its_id_or_only_its_name(item, expected):
    assert may_belong(item, {"id": 7, "name": "web"}) is expected
    # The name may be unknown.
    assert may_belong(item, {"id": 7}) is (expected and "instance_id" in item)


@pytest.mark.parametrize("name", ["a\x1bb", "a\x9b", "\u202ea", "a\rb"])
def test_a_name_with_a_control_character_can_not_be_searched(name):
    with pytest.raises(SettingsError, match="instance_name has control characters"):
        require_names(instance_name=name)
    require_names(instance_name="a\tb\r\n\ufffd")


INSTANCES = [{"id": 7, "name": "web"}, {"id": 8, "name": "spare"}, {"id": 9, "name": "two"}, {"id": 10, "name": "two"}]
BY_ID = [{"id": 1, "instance_id": 7}, {"id": 2, "instance_id": "8"}, {"id": 3, "instance_id": 11}]
BY_NAME = [{"id": 4, "instance_name": "web"}, {"id": 5, "instance_name": "spare"}]
BY_BOTH = [{"id": 6, "instance_id": 7, "instance_name": "web"}, {"id": 7, "instance_id": 8, "instance_name": "web"}]


@pytest.mark.parametrize(
    ("items", "instance_id", "instance_name", "ids", "lists"),
    [
        (BY_ID + BY_NAME, None, None, [1, 2, 3, 4, 5], 0),
        (BY_ID, 8, None, [2], 0),
        (BY_NAME, None, "web", [4], 0),
        (BY_BOTH, 7, "web", [6], 0),
        (BY_BOTH, 7, "spare", [], 0),
        # What an item does not show itself, the instances tell.
        (BY_ID, None, "web", [1], 1),
        (BY_NAME, 7, None, [4], 1),
        (BY_NAME + BY_ID, 7, "web", [4, 1], 1),
        # Of several with this name none is taken, unless the one that is meant is another.
        ([{"id": 8, "instance_name": "two"}, *BY_NAME], 7, None, [4], 1),
    ],
)
def test_which_items_are_of_an_instance(items, instance_id, instance_name, ids, lists):
    read = []
    found = filter_by_instance(
        items, instance_id, instance_name, "backup", lambda: read.append(1) or InstanceIndex(INSTANCES)
    )
    assert [item["id"] for item in found] == ids
    assert len(read) == lists


def test_an_instance_without_a_text_as_its_name_owns_nothing_by_name():
    instances = [{"id": 5, "name": None}, {"id": 6, "name": {"x": ["y"]}}, {"id": 7, "name": "web"}]
    items = [{"id": 1, "instance_name": "None"}, {"id": 2, "instance_name": "web"}]
    assert filter_by_instance(items, 5, None, "backup", lambda: InstanceIndex(instances)) == []
    assert filter_by_instance(items, 7, None, "backup", lambda: InstanceIndex(instances)) == items[1:]
