# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of others on screens, in file names and in commands."""

from __future__ import annotations

import shlex
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils.texts import (
    NONE,
    extra_variable,
    label,
    shown,
    slug,
)


@given(st.text(max_size=300))
def test_a_slug_is_one_plain_name(text):
    name = slug(text)
    assert Path(name).name == name
    assert name not in ("", ".", "..")
    assert name.isascii()
    assert len(name) <= 80


def test_plain_names_stay_and_others_differ():
    assert slug("INC-2041.b") == "INC-2041.b"
    assert slug("../../etc/passwd") != slug(".. .. etc passwd")
    assert "/" not in slug("../../etc/passwd")
    assert slug("..").startswith("unnamed-")


@given(st.text(max_size=40), st.integers())
def test_labels_are_one_printable_line(name, identity):
    assert label(name, identity).isprintable()


def test_what_is_not_there_is_a_dash():
    assert shown(None) == shown("") == NONE
    assert shown(0) == "0"
    assert len(shown("x" * 1_000_000)) <= 80


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), min_size=1, max_size=30)
)
def test_a_variable_survives_the_shell_and_ansible(value):
    flag, text = shlex.split(extra_variable("name", value))
    assert flag == "-e"
    if text.startswith("{"):
        # Words such as `no` and numbers are not text to YAML; they are plain to the shell and go the other way.
        assert str(yaml.safe_load(text)["name"]) == value.strip() or yaml.safe_load(text)["name"] == value
    else:
        assert text == f"name={value}"


@given(st.text(min_size=1, max_size=20))
def test_no_text_makes_a_command_that_a_terminal_would_obey(value):
    command = extra_variable("name", [value, "x"])
    assert command.isprintable()
    _flag, text = shlex.split(command)
    if not value.isprintable():
        assert yaml.safe_load(text)["name"] == [value, "x"]


def test_ordinary_commands_need_no_double_quotes():
    assert extra_variable("names", ["a-b", "c"]) == "-e names=a-b,c"
    assert extra_variable("names", ["my bot"]) == "-e '{names: [my bot]}'"
    assert extra_variable("force", True) == "-e force=true"
