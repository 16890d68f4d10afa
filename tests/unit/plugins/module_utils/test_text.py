# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one spelling that a name has, and the fields that hold secrets."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._names import find_invisible, normalize_name
from ansible_collections.clawhosters.cloud.plugins.module_utils._secret_fields import find_secrets, redact
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import MASK

HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\xad\u034f\u061c\u115f\u202e\u2066\u2800\u3164\ufe0f\ufff0\U000e0100\U000e0041"
BLANKS = "\t\n\x0b\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000"
CONTROLS = "\0\x07\x1b\x7f\x9b\ud83d\ue000\U0010fffd"


@pytest.mark.parametrize("character", HIDDEN + BLANKS + CONTROLS, ids=lambda one: f"U+{ord(one):04X}")
def test_a_character_that_leaves_no_mark_is_found(character):
    assert find_invisible(f"INC{character}-1") == character


@pytest.mark.parametrize(
    "name", ["INC-1", "inc 2041/a_b", "St\xf6rung 7", "\u969c\u5bb3", "INC-e\u0301", "\U0001f525 7"]
)
def test_a_visible_name_has_no_such_character(name):
    assert find_invisible(name) is None


@given(st.text())
def test_a_normalized_name_is_visible_and_stays_as_it_is(text):
    name = normalize_name(text)
    assert find_invisible(name) is None
    assert normalize_name(name) == name == name.strip()
    assert unicodedata.is_normalized("NFC", name)


@given(st.text().filter(lambda text: find_invisible(text) is None))
def test_compositions_of_a_visible_name_are_one_name(text):
    spellings = {normalize_name(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert spellings == {normalize_name(text)} == {unicodedata.normalize("NFC", text).strip()}


@given(
    st.text(st.sampled_from("INC-e\u0301\xe9 "), max_size=8), st.text(st.sampled_from(HIDDEN), max_size=3), st.data()
)
def test_hidden_characters_make_no_other_name(text, hidden, data):
    cut = data.draw(st.integers(0, len(text)))
    assert normalize_name(text[:cut] + hidden + text[cut:]) == normalize_name(text)


# Fields with names like key, token, secret, password are redacted at any depth, others are not (contract 6)

SECRET = "sk-12345"


@pytest.mark.parametrize(
    "name",
    ["key", "api_key", "apiKey", "APIKEY", "X-Api-Key", "keys", "provider_key_2", "token", "accessToken", "token_value",
     "tokens", "secret", "client_secret", "webSecrets", "password", "gateway_password", "passwd", "db_passphrase",
     "credentials"],
)  # fmt: skip
def test_texts_under_names_of_secrets(name):
    assert redact({name: SECRET}) == {name: MASK}
    assert redact({"a": [{name: {"value": SECRET, "set": True}}]}) == {"a": [{name: {"value": MASK, "set": True}}]}
    assert redact({name: [SECRET, None, ""]}) == {name: [MASK, None, ""]}
    assert find_secrets({"x": [{name: [SECRET]}]}) == {SECRET}


@pytest.mark.parametrize("name", ["tier", "usage_limit", "keyboard", "tokenizer", "secretary", "model", ""])
def test_other_names(name):
    assert redact({name: "eco"}) == {name: "eco"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [("password", MASK), ("pin_token", MASK), ("token_limit", 1234), ("tokens", 1234), ("tokens_used", 1234)],
)
def test_a_number_is_a_secret_only_where_it_does_not_count_something(name, shown):
    assert redact({name: 1234}) == {name: shown}


def test_what_can_only_be_written_is_hidden_as_a_whole_and_only_at_the_top():
    value = {"mode": {"a": "long enough", "b": 5}, "x": {"mode": "seen"}, "on": True}
    assert redact(value, ["mode", "on"]) == {"mode": MASK, "x": {"mode": "seen"}, "on": MASK}
    assert find_secrets(value, ["mode", "on"]) == {"long enough"}
