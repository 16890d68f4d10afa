# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the formatting of untrusted text for screens and file names."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import EMPTY, format_value, slugify


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
