# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields with names like key, token, secret, password are redacted at any depth, others are not (contract 6)."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._secret_fields import find_secrets, redact
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import MASK

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


def test_yes_no_and_nothing_are_no_secrets():
    assert redact({"key": True, "token": None}) == {"key": True, "token": None}


def test_what_can_only_be_written_is_hidden_as_a_whole_and_only_at_the_top():
    value = {"mode": {"a": "long enough", "b": 5}, "x": {"mode": "seen"}, "on": True}
    assert redact(value, ["mode", "on"]) == {"mode": MASK, "x": {"mode": "seen"}, "on": MASK}
    assert find_secrets(value, ["mode", "on"]) == {"long enough"}


def test_what_is_too_short_is_hidden_only_where_it_stands():
    assert redact({"password": "abc"}) == {"password": MASK}
    assert find_secrets({"password": "abc"}) == set()


@pytest.mark.parametrize("value", [None, 5, "text", [], {}])
def test_what_has_no_names_is_as_it_was(value):
    assert redact(value) == value
    assert find_secrets(value) == set()
