# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person reads when a connection does not come about, and how a body is unpacked."""

from __future__ import annotations

import gzip
import itertools
import zlib

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils.errors import SettingsError, TlsError, TransportError
from ansible_collections.clawhosters.cloud.plugins.module_utils.transport import PIECE, _failure, _unpacker

POOL = "HTTPSConnectionPool(host='clawhosters.example', port=443): Max retries exceeded with url: /api/v1/account "


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (
            "SSLCertVerificationError(1, '[SSL: X] certificate verify failed: self-signed certificate (_ssl.c:1006)')",
            "self-signed certificate",
        ),
        (
            "SSLCertVerificationError(1, \"[SSL: X] certificate verify failed: not valid for 'h'. (_ssl.c:1006)\")",
            "not valid for 'h'",
        ),
    ],
)
def test_why_a_certificate_is_not_trusted(cause, reason):
    failure = _failure("GET /x", "h", 30, requests.exceptions.SSLError(f"{POOL}(Caused by SSLError({cause}))"))
    assert isinstance(failure, TlsError)
    assert str(failure).startswith(f"GET /x was not sent: no trusted connection to h ({reason}). If it has a private")


def test_https_where_http_is_spoken():
    cause = "SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)'))"
    failure = _failure("GET /x", "h", 30, requests.exceptions.SSLError(f"{POOL}(Caused by {cause})"))
    assert isinstance(failure, TlsError)
    assert "h does not speak https. Check api_url." in str(failure)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("OSError('Tunnel connection failed: 407 Proxy Authentication Required')", "407 Proxy Authentication Required"),
        ("NewConnectionError('<x>: Failed to establish a new connection: [Errno 111] Connection refused')", "refused"),
    ],
)
def test_why_a_proxy_can_not_be_used(cause, reason):
    error = requests.exceptions.ProxyError(f"{POOL}(Caused by ProxyError('Unable to connect to proxy', {cause}))")
    failure = _failure("GET /x", "h", 30, error)
    assert isinstance(failure, TransportError)
    assert not failure.sent
    assert "the proxy for h can't be used (" in str(failure)
    assert reason in str(failure)
    assert "<x>" not in str(failure)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://us3r:pa55#w0rd@proxy.example:3128",
        "http://us3r:pa55/w0rd@proxy.example:3128",
        "http://us3r:pa55w0rd@proxy.example:99999",
        "us3r:pa55w0rd@proxy.example",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "Failed to parse: {proxy}",
        "Failed to parse: us3r:pa55",
        "Unable to connect to proxy: Tunnel connection failed: 407 no, {proxy}",
    ],
)
def test_no_message_holds_the_password_of_a_proxy(proxy, text):
    said = text.replace("{proxy}", proxy)
    kind = requests.exceptions.InvalidURL if "parse" in said else requests.exceptions.ProxyError
    failure = _failure("GET /x", "h", 30, kind(said), sent=False, proxy=proxy)
    assert isinstance(failure, SettingsError) or not failure.sent
    assert "proxy" in str(failure)
    assert not [part for part in ("us3r", "pa55", "w0rd") if part in str(failure)]


def test_without_a_proxy_it_is_api_url_that_is_to_be_checked():
    failure = _failure("GET /x", "h", 30, UnicodeError("label empty or too long"), sent=False)
    assert isinstance(failure, SettingsError)
    assert str(failure) == "GET /x was not sent: api_url can't be used (label empty or too long)."


@pytest.mark.parametrize("error", [requests.exceptions.ConnectionError("reset"), OSError("reset")])
def test_a_connection_that_was_lost_before_it_was_made_has_sent_nothing(error):
    failure = _failure("GET /x", "h", 30, error, sent=False)
    assert isinstance(failure, TransportError)
    assert not failure.sent
    assert "was not sent" in str(failure)
    assert _failure("GET /x", "h", 30, error).sent


@given(parts=st.lists(st.binary(max_size=300), max_size=4), cuts=st.lists(st.integers(0, 2000), max_size=5))
@pytest.mark.parametrize("encoding", ["gzip", " GZIP ", "x-gzip", "identity, gzip", "", "identity"])
def test_a_body_in_any_pieces_is_unpacked_whole(encoding, parts, cuts):
    packed = b"".join(parts) if encoding in ("", "identity") else b"".join(map(gzip.compress, parts))
    places = sorted({0, len(packed), *(cut for cut in cuts if cut < len(packed))})
    unpack = _unpacker(encoding)
    pieces = [packed[begin:end] for begin, end in itertools.pairwise(places)]
    assert b"".join(part for piece in pieces for part in unpack(piece)) == b"".join(parts)
    assert not unpack.is_cut_off


def test_what_is_unpacked_comes_in_parts_of_a_bounded_size():
    unpack = _unpacker("gzip")
    bomb = gzip.compress(bytes(PIECE * 50))
    assert len(bomb) < PIECE
    assert {len(part) for part in unpack(bomb)} <= {PIECE, 0}


def test_gzip_without_its_end_is_noticed():
    unpack = _unpacker("gzip")
    list(unpack(gzip.compress(b"x" * 100)[:-3]))
    assert unpack.is_cut_off


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,identity,gzip", "br", "deflate", "zstd", "gzip\u00e9"])
def test_more_than_one_coding_and_others_than_gzip_are_refused(encoding):
    with pytest.raises(requests.exceptions.ContentDecodingError, match="Content-Encoding"):
        _unpacker(encoding)


@pytest.mark.parametrize("body", [b"no gzip", zlib.compress(b"x")])
def test_what_is_no_gzip_is_refused(body):
    with pytest.raises(requests.exceptions.ContentDecodingError, match="no valid gzip"):
        list(_unpacker("gzip")(body))


def test_what_follows_a_whole_gzip_is_passed_over():
    unpack = _unpacker("gzip")
    assert b"".join(unpack(gzip.compress(b"x") + b"rest")) == b"x"
    assert list(unpack(b"more")) == []
    assert not unpack.is_cut_off
