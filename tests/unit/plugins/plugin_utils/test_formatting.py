# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the formatting of untrusted text for screens, file names and commands."""

from __future__ import annotations

import shlex
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import (
    EMPTY,
    format_extra_variable,
    format_value,
    slugify,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._table import format_row, measure_columns, wrap_row
from support.restores import TRICKY_NAMES


@given(st.text(max_size=300))
def test_a_slug_is_one_plain_name(text):
    name = slugify(text)
    assert Path(name).name == name
    assert name not in ("", ".", "..")
    assert name.isascii()
    assert len(name) <= 80


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=70))
def test_no_two_texts_have_the_same_slug(text):
    assert slugify(slugify(text)) != slugify(text) or slugify(text) == text
    assert slugify(text + "\ud800") != slugify(text + "?")
    assert slugify("disk full") != slugify("disk-full-8c96d76f") == "disk-full-8c96d76f"


def test_what_is_not_there_is_a_dash():
    assert format_value(None) == format_value("") == EMPTY
    assert format_value(0) == "0"
    assert len(format_value("x" * 1_000_000)) <= 80


def loaded(text: str) -> t.Any:
    """Returns the value that Ansible reads from a variable in YAML."""
    return DataLoader().load(text)["name"]


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), min_size=1, max_size=30)
)
def test_a_variable_survives_the_shell_and_ansible(value):
    flag, text = shlex.split(format_extra_variable("name", value))
    assert flag == "-e"
    if text.startswith("{"):
        assert loaded(text) == value
    else:
        assert text == f"name={value}"


@given(st.text(min_size=1, max_size=20))
def test_no_text_makes_a_command_that_a_terminal_would_obey(value):
    command = format_extra_variable("name", [value, "x"])
    assert command.isprintable()
    _flag, text = shlex.split(command)
    if not value.isprintable():
        assert loaded(text) == [value, "x"]


def test_ordinary_commands_need_no_double_quotes():
    assert format_extra_variable("names", ["a-b", "c"]) == "-e names=a-b,c"
    assert format_extra_variable("names", ["my bot"]) == "-e '{names: [my bot]}'"
    assert format_extra_variable("force", True) == "-e force=true"


@pytest.mark.parametrize("word", ["no", "True", "123", "0x10", "1e3", ".5", "null", "~", "2026-99-99", "=", "<<", ""])
def test_a_word_with_a_meaning_in_yaml_stays_text_beside_a_quoted_one(word):
    _flag, text = shlex.split(format_extra_variable("name", [word, "my bot"]))
    assert loaded(text) == [word, "my bot"]


@pytest.mark.parametrize(
    "text",
    TRICKY_NAMES,
)
def test_a_real_shell_hands_on_the_very_text(text, tmp_path):
    command = f"printf '%s\\0' {format_extra_variable('name', text)}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    flag, given_text, _end = done.stdout.split("\0")
    assert flag == "-e"
    assert loaded(given_text) == text
    assert not list(tmp_path.iterdir())


# Tables for a terminal

ROWS = [("NAME", "ID"), ("\N{HIRAGANA LETTER A}" * 3, "12"), ("b", "3")]


def test_columns_are_as_wide_on_the_screen_as_their_longest_cell() -> None:
    widths = measure_columns(ROWS)
    assert widths == [6, 2]
    assert [format_row(row, widths) for row in ROWS] == [
        "NAME    ID",
        "\N{HIRAGANA LETTER A}" * 3 + "  12",
        "b       3",
    ]


def test_a_cell_that_is_too_wide_is_cut_or_wrapped() -> None:
    assert format_row(("abcdef", "x"), (4, 1)) == "abc…  x"
    assert wrap_row(("a", "one two three"), (3, 7)) == ["a    one two", "     three"]
    assert wrap_row(("bcdef", ""), (3, 7)) == ["bcd", "ef"]
