# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands under names like key, token, secret, password is hidden, in any depth; the rest is not (contract 6)."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import MASK
from ansible_collections.clawhosters.cloud.plugins.module_utils._secret_fields import masked, secrets_in

SECRET = "sk-12345"


@pytest.mark.parametrize(
    "name",
    ["key", "api_key", "apiKey", "APIKEY", "X-Api-Key", "keys", "provider_key_2", "token", "accessToken", "token_value",
     "tokens", "secret", "client_secret", "webSecrets", "password", "gateway_password", "passwd", "db_passphrase",
     "credentials"],
)  # fmt: skip
def test_texts_under_names_of_secrets(name):
    assert masked({name: SECRET}) == {name: MASK}
    assert masked({"a": [{name: {"value": SECRET, "set": True}}]}) == {"a": [{name: {"value": MASK, "set": True}}]}
    assert masked({name: [SECRET, None, ""]}) == {name: [MASK, None, ""]}
    assert secrets_in({"x": [{name: [SECRET]}]}) == {SECRET}


@pytest.mark.parametrize("name", ["tier", "usage_limit", "keyboard", "tokenizer", "secretary", "model", ""])
def test_other_names(name):
    assert masked({name: "eco"}) == {name: "eco"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [("password", MASK), ("pin_token", MASK), ("token_limit", 1234), ("tokens", 1234), ("tokens_used", 1234)],
)
def test_a_number_is_a_secret_only_where_it_does_not_count_something(name, shown):
    assert masked({name: 1234}) == {name: shown}


def test_yes_no_and_nothing_are_no_secrets():
    assert masked({"key": True, "token": None}) == {"key": True, "token": None}


def test_what_can_only_be_written_is_hidden_as_a_whole_and_only_at_the_top():
    value = {"mode": {"a": "long enough", "b": 5}, "x": {"mode": "seen"}, "on": True}
    assert masked(value, ["mode", "on"]) == {"mode": MASK, "x": {"mode": "seen"}, "on": MASK}
    assert secrets_in(value, ["mode", "on"]) == {"long enough"}


def test_what_is_too_short_is_hidden_only_where_it_stands():
    assert masked({"password": "abc"}) == {"password": MASK}
    assert secrets_in({"password": "abc"}) == set()


@pytest.mark.parametrize("value", [None, 5, "text", [], {}])
def test_what_has_no_names_is_as_it_was(value):
    assert masked(value) == value
    assert secrets_in(value) == set()
