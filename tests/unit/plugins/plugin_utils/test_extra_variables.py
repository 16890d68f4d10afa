# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that -e lost at a space is found with its variable, and lists in text are read or refused."""

from __future__ import annotations

import shlex

import pytest
from ansible.parsing.splitter import parse_kv
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.lookup.internal_misspelt_variables import (
    find_list_problem,
    find_lost,
    format_lost,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._extra_variables import parse_list

WORDS = st.lists(st.from_regex(r"[a-z0-9,.:-]{1,8}", fullmatch=True), max_size=4)
FILE = "the list in a file: -e @FILE."
SETTINGS = st.lists(st.tuples(st.sampled_from(["restore_before", "note"]), WORDS), max_size=3)


@pytest.mark.parametrize(
    ("option", "lost"),
    [
        ("a=1 names=web-bot, b-bot, c-bot b=2", [("names", ["web-bot,", "b-bot,", "c-bot"])]),
        ("a=1 one b=2 two", [("a", ["1", "one"]), ("b", ["2", "two"])]),
        ("support-bot", [("", ["", "support-bot"])]),
        ('names="web-bot, support-bot"', []),
        ("text='{{ a b }}'", []),
        ("@file with spaces.yml", []),
        ('{"names": ["a b", "c"]}', []),
        ("", []),
    ],
)
def test_lost_text_is_found_with_its_variable(option: str, lost: list[tuple[str, list[str]]]) -> None:
    assert find_lost(option) == lost


@given(SETTINGS)
def test_all_that_ansible_loses_is_found(settings: list[tuple[str, list[str]]]) -> None:
    option = " ".join(f"{name}={' '.join(words)}" for name, words in settings)
    lost = [word for _name, words in find_lost(option) for word in words[1:]]
    assert " ".join(lost) == parse_kv(option).get("_raw_params", "")


@pytest.mark.parametrize(
    "value", ["web-bot, support-bot", "[7, 8]", "2026-11-27 08:30", "two words", "Büro $(x) {{ y }}"]
)
def test_the_quoting_that_is_advised_keeps_the_whole_value(value: str) -> None:
    told = format_lost("names", value.split(" "))
    assert told.startswith(f"-e cut names at a space, and '{value.partition(' ')[2]}' was lost. Quote it twice: -e ")
    option, text = shlex.split(told.partition("Quote it twice: ")[2].removesuffix("."))
    assert (option, parse_kv(text)) == ("-e", {"names": value})


@pytest.mark.parametrize("lost", ["it's", '"May"', "a\\b", "two\nlines"])
def test_what_needs_more_quotes_belongs_into_a_file(lost: str) -> None:
    assert format_lost("title", ["x", lost]).endswith(" was lost. Put it into a file: -e @FILE.")


def test_a_secret_that_was_cut_is_not_shown() -> None:
    for name, words in (("db_password", ["", "hunter"]), ("x_pw", ["a", "hunter"]), ("", ["", "oc_live_hunter"])):
        assert "hunter" not in format_lost(name, words)


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        ([" a ", 1], [" a ", 1]),
        (" a , b c,", ["a", "b c"]),
        ("web-bot\r\ndocs bot\n\n demo-bot", ["web-bot", "docs bot", "demo-bot"]),
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
        ("a, ", "names ends in a comma: 'a,'. Separate the entries by commas, or give the list in a file: -e @FILE."),
        *(
            (text, f"names looks like JSON but is not a list: '{text}'. Separate the entries by commas, or give {FILE}")
            for text in ("[a,b", "[prod] bot", '["a" "b"]', '{"a": 1}')
        ),
    ],
)
def test_text_that_is_no_list_is_refused(value: object, problem: str) -> None:
    assert find_list_problem("names", value) == problem


@pytest.mark.parametrize("closing", ["", "]"])
def test_text_that_is_nested_too_deeply_is_no_list(closing: str) -> None:
    # Python 3.14 reads lists that fill its stack: 50,000 of them are a list.
    depth = 1_000_000
    problem = find_list_problem("names", "[" * depth + closing * depth)
    assert problem.startswith("names looks like JSON but is not a list: '[[[")
    assert problem.endswith(f"…'. Separate the entries by commas, or give {FILE}")
    assert len(problem) < 400
