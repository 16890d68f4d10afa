# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes given and shown: the same or not, and what to send."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.dict_transformations import dict_merge
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model import addon as addons

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_what_was_taken_is_the_same_and_needs_no_second_sending(shown, given_value):
    merged = dict_merge({"x": shown}, {"x": given_value})
    assert addons.is_same({"x": given_value}, merged)
    assert addons.find_differences(merged, {"x": given_value}, ()) == {}


@pytest.mark.parametrize(
    ("given_value", "shown", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        ([True], [1], False),
        (None, "", False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ([1], [1, 2], False),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        ({}, [], False),
        ("eco", "ECO", False),
        ("a\x9bb", "a\ufffdb", True),
    ],
)
def test_what_is_the_same(given_value, shown, same):
    assert addons.is_same(given_value, shown) is same


@pytest.mark.parametrize(
    ("given_value", "shown", "typed"),
    [
        ("5", 1, 5),
        ("-5.5", 1, -5.5),
        ("5", "1", "5"),
        ("5", True, "5"),
        ("True", False, True),
        ("1_000", 1, "1_000"),
        ("1e5", 1, "1e5"),
        ({"a": "5", "b": "5"}, {"a": 1}, {"a": 5, "b": "5"}),
    ],
)
def test_a_text_takes_the_type_of_what_is_shown_where_it_stands_for_one(given_value, shown, typed):
    result = addons.convert_like(given_value, shown)
    assert result == typed
    assert type(result) is type(typed)


def test_only_what_differs_is_sent_and_what_can_only_be_written_always():
    shown = {"tier": "eco", "limit": 5, "seen": "x"}
    config = {"tier": "eco", "limit": 6, "new": None, "seen": "x", "key": "k"}
    assert addons.find_differences(shown, config, ["seen", "key"]) == {"limit": 6, "new": None, "seen": "x", "key": "k"}


def test_what_did_not_take_is_told_without_secrets():
    changes = {"tier": "eco", "api_key": "sk-new", "gone": 1, "hidden": "h", "limit": 5}
    now = {"tier": "x" * 99, "api_key": "sk-old", "limit": 5}
    text = addons.format_unchanged(now, changes, ["hidden"])
    assert text.startswith('tier is "xxxxx')
    assert text.endswith('… instead of "eco", api_key is "********" instead of "********", gone is not shown')
    assert addons.format_unchanged({"limit": 5}, {"limit": 5}, ()) == ""
