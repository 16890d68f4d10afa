# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decompression of response bodies, and the control characters in them."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.decoding import (
    CHUNK_SIZE,
    build_decoder,
    replace_json_controls,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import map_texts
from support.controls import CONTROLS, as_shown, find_controls


@given(parts=st.lists(st.binary(max_size=300), max_size=4), cuts=st.lists(st.integers(0, 2000), max_size=5))
@pytest.mark.parametrize("encoding", ["gzip", " GZIP ", "x-gzip", "identity, gzip", "", "identity"])
def test_a_body_in_any_pieces_is_unpacked_whole(encoding, parts, cuts):
    packed = b"".join(parts) if encoding in ("", "identity") else b"".join(map(gzip.compress, parts))
    places = sorted({0, len(packed), *(cut for cut in cuts if cut < len(packed))})
    unpack = build_decoder(encoding)
    pieces = [packed[begin:end] for begin, end in itertools.pairwise(places)]
    assert b"".join(part for piece in pieces for part in unpack(piece)) == b"".join(parts)
    assert not unpack.is_truncated


def test_what_is_unpacked_comes_in_parts_of_a_bounded_size():
    unpack = build_decoder("gzip")
    bomb = gzip.compress(bytes(CHUNK_SIZE * 50))
    assert len(bomb) < CHUNK_SIZE
    assert {len(part) for part in unpack(bomb)} <= {CHUNK_SIZE, 0}


def test_gzip_without_its_end_is_noticed():
    unpack = build_decoder("gzip")
    list(unpack(gzip.compress(b"x" * 100)[:-3]))
    assert unpack.is_truncated


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,identity,gzip", "br", "deflate", "zstd", "gzip\u00e9"])
def test_more_than_one_coding_and_others_than_gzip_are_refused(encoding):
    with pytest.raises(requests.exceptions.ContentDecodingError, match="Content-Encoding"):
        build_decoder(encoding)


@pytest.mark.parametrize("body", [b"no gzip", zlib.compress(b"x")])
def test_what_is_no_gzip_is_refused(body):
    with pytest.raises(requests.exceptions.ContentDecodingError, match="invalid gzip"):
        list(build_decoder("gzip")(body))


def test_what_follows_a_whole_gzip_is_passed_over():
    unpack = build_decoder("gzip")
    assert b"".join(unpack(gzip.compress(b"x") + b"rest")) == b"x"
    assert list(unpack(b"more")) == []
    assert not unpack.is_truncated


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
