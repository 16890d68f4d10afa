# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Responses: payments are redacted, and bodies decompressed."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.payment_redaction import redact_payment
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import (
    MAX_BODY_BYTES,
    Response,
    decompress,
    is_gzip,
    replace_json_controls,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import MASK, map_texts
from support.controls import CONTROLS, as_shown, find_controls


@pytest.mark.parametrize("number", [1, 100, 5000])
def test_secrets_of_a_payment_are_redacted_wherever_they_are_repeated(number):
    links = {f"url_{one}": f"pay-{one:05}" for one in range(number)}
    error = {"code": "payment", "message": f"Pay at pay-{number - 1:05}.", **links}
    shown = redact_payment(Response(402, {"X-Request-Id": "pay-00000"}, json.dumps({"error": error})))
    assert "pay-0" not in shown.text
    assert shown.headers["X-Request-Id"] == MASK
    # The search for thousands of secrets would take minutes.
    assert (shown.text == MASK) is (number == 5000)


# Decompression of response bodies, and the control characters in them


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(0, 20))
def test_a_body_of_any_members_is_decompressed_whole(parts, padding):
    assert decompress(b"".join(map(gzip.compress, parts)) + bytes(padding if parts else 0)) == b"".join(parts)


def test_what_is_decompressed_has_a_bounded_size():
    bomb = gzip.compress(bytes(MAX_BODY_BYTES * 3))
    assert len(decompress(bomb)) == MAX_BODY_BYTES + 1


@pytest.mark.parametrize("cut", [1, 3, 8, 20, 90])
def test_gzip_without_its_end_is_noticed(cut):
    body = gzip.compress(b"".join(bytes([number]) for number in range(100)))
    with pytest.raises(requests.exceptions.ContentDecodingError, match="its end is missing"):
        decompress(body[:-cut])


@pytest.mark.parametrize(
    ("encoding", "expected"), [(" GZIP ", True), ("x-gzip", True), ("identity, gzip", True), ("", False)]
)
def test_gzip_is_recognized_in_each_spelling(encoding, expected):
    assert is_gzip(encoding) is expected


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,identity,gzip", "br", "deflate", "zstd", "gzip\u00e9"])
def test_more_than_one_coding_and_others_than_gzip_are_refused(encoding):
    with pytest.raises(requests.exceptions.ContentDecodingError, match="Content-Encoding"):
        is_gzip(encoding)


WHOLE = gzip.compress(b"x" * 100, mtime=0)


@pytest.mark.parametrize(
    "body", [b"no gzip", zlib.compress(b"x"), WHOLE[:12] + b"\xff" * 9 + WHOLE[12:], WHOLE + b"rest"]
)
def test_what_is_no_gzip_is_refused(body):
    with pytest.raises(requests.exceptions.ContentDecodingError, match="invalid gzip"):
        decompress(body)


TEXTS = st.text(st.sampled_from([*sorted(CONTROLS), *'ab \t\n"\\/u09', "\u00e9", "\U0001f511"]))
VALUES = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


@given(value=VALUES, is_ascii=st.booleans(), indent=st.sampled_from([None, "\t", "\n", "\r\n", "\r"]))
def test_control_characters_of_json_are_replaced_however_they_are_written(value, is_ascii, indent):
    body = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    assert json.loads(replace_json_controls(body)) == map_texts(value, as_shown)


def test_each_escape_of_a_control_character_is_replaced():
    for character in CONTROLS - {"\r"}:
        for spelling in (f"\\u{ord(character):04x}", f"\\u{ord(character):04X}", json.dumps(character)[1:-1]):
            assert json.loads(replace_json_controls(f'["a{spelling}b"]')) == ["a\ufffdb"]
            # A backslash before it makes it plain text.
            assert json.loads(replace_json_controls(f'["\\\\{spelling[1:]}"]')) == [f"\\{spelling[1:]}"]
    assert json.loads(replace_json_controls(r'["\r \u000d\r\n\u000D\u000a"]')) == ["\ufffd \ufffd\r\n\r\n"]


@given(st.text())
def test_a_body_that_is_no_json_has_no_control_character_either(body):
    assert find_controls(replace_json_controls(body)) == set()
