# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of connection errors."""

from __future__ import annotations

import ssl

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError, TlsError, TransportError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.connection_errors import (
    Connection,
    build_transport_error,
)

NOT_SENT = Connection("h", 30, may_have_sent=False)


def caused_by(kind: type[requests.RequestException], cause: Exception) -> requests.RequestException:
    """An error as requests makes one of what urllib3 raises."""
    error = MaxRetryError(None, "/api/v1/account", cause)
    error.__cause__ = cause
    return kind(error)


def verification_error(reason: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: X] certificate verify failed: {reason} (_ssl.c:1006)")
    error.verify_message = reason
    return error


@pytest.mark.parametrize("cause", [verification_error("not valid for 'h'."), ValueError("not valid for 'h'")])
def test_why_a_certificate_is_not_trusted(cause):
    failure = build_transport_error("GET /x", NOT_SENT, caused_by(requests.exceptions.SSLError, SSLError(cause)))
    assert isinstance(failure, TlsError)
    assert str(failure).startswith("GET /x was not sent: no trusted connection to h (not valid for 'h'). If it has a")


def test_https_where_http_is_spoken():
    cause = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    cause.reason = "WRONG_VERSION_NUMBER"
    failure = build_transport_error("GET /x", NOT_SENT, caused_by(requests.exceptions.SSLError, SSLError(cause)))
    assert isinstance(failure, TlsError)
    assert "h does not speak https. Check api_url." in str(failure)


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        (OSError("Tunnel connection failed: 407 no, us3r:pa55w0rd"), "407 Proxy Authentication Required"),
        (OSError("Tunnel connection failed: 499 no, us3r:pa55w0rd"), "it broke the connection"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ConnectionError("us3r:pa55w0rd"), "it broke the connection"),
    ],
)
def test_why_a_proxy_can_not_be_used(cause, found):
    error = caused_by(requests.exceptions.ProxyError, cause)
    failure = build_transport_error("GET /x", Connection("h", 30, has_proxy=True, may_have_sent=False), error)
    assert isinstance(failure, TransportError)
    assert not failure.may_have_been_sent
    assert str(failure) == (
        f"GET /x was not sent: the proxy for h can't be used ({found}). Check https_proxy and no_proxy."
    )


@pytest.mark.parametrize("kind", [requests.exceptions.ProxyError, requests.exceptions.SSLError])
def test_what_fails_after_the_request_may_have_been_sent_whatever_is_blamed(kind):
    failure = build_transport_error("POST /x", Connection("h", 30, has_proxy=True), kind("closed"))
    assert isinstance(failure, TransportError)
    assert failure.may_have_been_sent


def test_the_words_of_a_parser_of_the_proxys_address_are_not_shown():
    error = requests.exceptions.InvalidURL("Failed to parse: us3r:pa55")
    failure = build_transport_error("GET /x", Connection("h", 30, has_proxy=True, may_have_sent=False), error)
    assert isinstance(failure, SettingsError)
    assert "the URL of the proxy for h" in str(failure)
    assert "us3r" not in str(failure)


def test_without_a_proxy_it_is_api_url_that_is_to_be_checked():
    failure = build_transport_error("GET /x", NOT_SENT, UnicodeError("label empty or too long"))
    assert isinstance(failure, SettingsError)
    assert str(failure) == "GET /x was not sent: api_url can't be used (label empty or too long)."


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (requests.exceptions.ConnectionError("reset"), "it broke while it was set up"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (caused_by(requests.exceptions.ConnectionError, NewConnectionError(None, "x")), "it broke while it was set up"),
    ],
)
def test_a_connection_that_was_lost_before_it_was_made_has_sent_nothing(error, found):
    failure = build_transport_error("GET /x", NOT_SENT, error)
    assert isinstance(failure, TransportError)
    assert not failure.may_have_been_sent
    assert f"GET /x was not sent: no connection to h ({found})." in str(failure)
    assert build_transport_error("GET /x", Connection("h", 30), error).may_have_been_sent
