# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decompression of response bodies."""

from __future__ import annotations

import gzip
import itertools
import zlib

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.decoding import CHUNK_SIZE, build_decoder


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
