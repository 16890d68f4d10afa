# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A value of another type than a variable takes is a sentence, and so is a number that YAML reads as another one."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._variable_values import (
    find_misread_numbers,
    find_value_problem,
)

NAMES: dict[str, t.Any] = {"type": "list", "elements": "str"}
IDS: dict[str, t.Any] = {"type": "list", "elements": "raw"}
ENTRIES: dict[str, t.Any] = {"type": "list", "elements": "dict"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ({"type": "int"}, "600"),
        ({"type": "str"}, 2041),
        ({"type": "str", "choices": ["started", "absent"]}, "absent"),
        (NAMES, "web-bot, 007"),
        (NAMES, ["007", "no"]),
        ({**NAMES, "choices": ["a", "b"]}, "a, b"),
        (IDS, [7, "8", "100%", "0"]),
        (ENTRIES, [{"name": "a"}, "name=a"]),
        ({"type": "int"}, None),
    ],
)
def test_a_value_of_its_type_is_none(option: dict[str, t.Any], value: object) -> None:
    assert find_value_problem("any", value, option) == ""


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ({"type": "int"}, "10m", "any is '10m', but must be a whole number."),
        ({"type": "int"}, True, "any is true, but must be a whole number."),
        ({"type": "int"}, "-1", "any is '-1', but must be 0 or more."),
        ({"type": "str"}, 1.5, "any is 1.5, which is no text: YAML reads"),
        ({"type": "str", "no_log": True}, ["a"], "any is a value that is not shown, but must be text."),
        ({"type": "str", "choices": ["a", "b"]}, "c", "any is 'c', but must be one of a, b."),
        (NAMES, [10**5000], "any has a value of type int, which is no text: YAML reads"),
        ({**NAMES, "choices": ["a", "b"]}, "a, c", "any has 'c', which is none of a, b."),
        (NAMES, ["a", 7], "any has 7, which is no text: YAML reads"),
        (ENTRIES, ["a"], "any has 'a', but must be a list of dictionaries."),
        (IDS, [False], "any has false, which is neither text nor a whole number: YAML reads"),
        (IDS, ["007"], "any has '007'. In a file, YAML reads 010 as 8: write it without zeros in front."),
    ],
)
def test_a_value_of_another_type_is_told(option: dict[str, t.Any], value: object, problem: str) -> None:
    assert find_value_problem("any", value, option).startswith(problem)


@given(st.integers(0, 10**6), st.sampled_from(["{}", "0{}", "0x{:x}", "{:_}", "'{}'", "1:{}"]))
def test_a_number_is_told_if_yaml_reads_another_one(number: int, form: str) -> None:
    written = form.format(number)
    read = yaml.safe_load(written)
    is_told = bool(find_misread_numbers(f"own: {written}\nids: [5, {written}]", ["ids"]))
    assert is_told == (isinstance(read, int) and str(read) != written)
