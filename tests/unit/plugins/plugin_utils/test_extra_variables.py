# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that -e lost at a space is found with its variable, and lists in text are read or refused."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml
from ansible.parsing.splitter import parse_kv
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._extra_variables import (
    LostText,
    find_list_problem,
    find_lost,
    format_lost,
    parse_list,
)

WORDS = st.lists(st.from_regex(r"[a-z0-9,.:-]{1,8}", fullmatch=True), max_size=4)
SETTINGS = st.lists(st.tuples(st.sampled_from(["restore_before", "note"]), WORDS), max_size=3)


def set_by(option: str) -> dict[str, object]:
    """Returns the variables that Ansible reads of an option as it is typed in a shell."""
    flag, value = shlex.split(option)
    assert flag == "-e"
    return yaml.safe_load(value) if value.startswith("{") else parse_kv(value)


@pytest.mark.parametrize(
    ("option", "lost"),
    [
        ("a=1 names=web-bot, b-bot, c-bot b=2", [LostText("names", "web-bot,", "b-bot, c-bot")]),
        ("a=1 one b=2 two", [LostText("a", "1", "one"), LostText("b", "2", "two")]),
        ("support-bot", [LostText(None, "", "support-bot")]),
        ('names="web-bot, support-bot"', []),
        ("text='{{ a b }}'", []),
        ("@file with spaces.yml", []),
        ('{"names": ["a b", "c"]}', []),
        ("", []),
    ],
)
def test_lost_text_is_found_with_its_variable(option: str, lost: list[LostText]) -> None:
    assert find_lost([option]) == lost


@given(SETTINGS)
def test_all_that_ansible_loses_is_found(settings: list[tuple[str, list[str]]]) -> None:
    option = " ".join(f"{name}={' '.join(words)}" for name, words in settings)
    assert " ".join(cut.lost for cut in find_lost([option])) == parse_kv(option).get("_raw_params", "")


@pytest.mark.parametrize(
    ("cut", "is_list", "value"),
    [
        (LostText("names", "web-bot,", "support bot, c"), True, ["web-bot", "support bot", "c"]),
        (LostText("ids", "[7,", "8]"), True, "7,8"),
        (LostText("fleet", '[{"name":', '"a b\'c"}]'), True, [{"name": "a b'c"}]),
        (LostText("request", '{"quantity":', "2}"), False, {"quantity": 2}),
        (LostText("before", "2026-11-27", "08:30"), False, "2026-11-27T08:30"),
        (LostText("confirm", "web-bot,", "support-bot"), False, "web-bot, support-bot"),
        (LostText("title", "It's", "{{ May }}"), False, "It's {{ May }}"),
    ],
)
def test_the_command_that_is_printed_sets_the_whole_value(cut: LostText, is_list: bool, value: object) -> None:
    printed = format_lost(cut, is_list=is_list)
    assert f"cut {cut.name} at a space" in printed
    option, _separator, quoted = (
        re.split(r" Write | Quote it twice: ", printed)[1].removesuffix(".").partition(", or quote it twice: ")
    )
    yaml.SafeLoader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
    assert set_by(option) == {cut.name: value}
    assert not quoted or set_by(quoted) == {cut.name: cut.value}


def test_a_secret_that_was_cut_is_not_shown() -> None:
    assert "hunter" not in format_lost(LostText("db_password", "hunter", "hunter2"), is_list=False)


def test_a_file_without_its_sign_is_told() -> None:
    assert format_lost(LostText(None, "", "fleet.yml"), is_list=False).endswith("A file is -e @fleet.yml.")
    assert "Write NAME=VALUE" in format_lost(LostText(None, "", "web-bot"), is_list=False)


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        (None, []),
        (7, [7]),
        ([" a ", 1], [" a ", 1]),
        (" a , b c,", ["a", "b c"]),
        ("[1,5]", [1, 5]),
        ('["a", "b, c"]', ["a", "b, c"]),
        ('{"a": 1}', ['{"a": 1}']),
    ],
)
def test_a_list_is_read_of_text(value: object, entries: list[object]) -> None:
    assert parse_list(value) == entries


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a,b", ""),
        (["a,"], ""),
        (None, ""),
        ("a, ", "names ends in a comma: 'a,'. Write -e names=a."),
        ("[a,b", "names looks like JSON but is not a list: '[a,b'. Write -e names=a,b."),
        (
            "[prod] bot",
            "names looks like JSON but is not a list: '[prod] bot'. Write -e '{names: ['\\''[prod] bot'\\'']}'.",
        ),
        (
            '{"a": 1}',
            "names looks like JSON but is not a list: '{\"a\": 1}'. Write a list into a file, and give -e @FILE.",
        ),
    ],
)
def test_text_that_is_no_list_is_refused_with_one_that_is(value: object, problem: str) -> None:
    assert find_list_problem("names", value) == problem


@pytest.mark.parametrize("closing", ["", "]"])
def test_text_that_is_nested_too_deeply_is_no_list(closing: str) -> None:
    # Python 3.14 reads lists that fill its stack: 50,000 of them are a list.
    depth = 1_000_000
    problem = find_list_problem("names", "[" * depth + closing * depth)
    assert problem.startswith("names looks like JSON but is not a list: '[[[")
    assert problem.endswith("…'. Write a list into a file, and give -e @FILE.")
    assert len(problem) < 400
