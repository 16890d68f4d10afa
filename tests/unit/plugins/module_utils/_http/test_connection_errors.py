# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of connection errors."""

from __future__ import annotations

import pytest
import requests

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError, TlsError, TransportError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.connection_errors import (
    Connection,
    build_transport_error,
)

POOL = "HTTPSConnectionPool(host='clawhosters.example', port=443): Max retries exceeded with url: /api/v1/account "
NOT_SENT = Connection("h", 30, may_have_sent=False)


def test_why_a_certificate_is_not_trusted():
    cause = "SSLCertVerificationError(1, \"[SSL: X] certificate verify failed: not valid for 'h'. (_ssl.c:1006)\")"
    error = requests.exceptions.SSLError(f"{POOL}(Caused by SSLError({cause}))")
    failure = build_transport_error("GET /x", NOT_SENT, error)
    assert isinstance(failure, TlsError)
    assert str(failure).startswith("GET /x was not sent: no trusted connection to h (not valid for 'h'). If it has a")


def test_https_where_http_is_spoken():
    cause = "SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)'))"
    failure = build_transport_error("GET /x", NOT_SENT, requests.exceptions.SSLError(f"{POOL}(Caused by {cause})"))
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
    failure = build_transport_error("GET /x", NOT_SENT, error)
    assert isinstance(failure, TransportError)
    assert not failure.may_have_been_sent
    assert "the proxy for h can't be used (" in str(failure)
    assert reason in str(failure)
    assert "<x>" not in str(failure)


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ProxyError(
            f"{POOL}(Caused by ProxyError('Unable to connect to proxy', RemoteDisconnected('closed')))"
        ),
        requests.exceptions.SSLError(f"{POOL}(Caused by SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version'))"),
    ],
)
def test_what_fails_after_the_request_may_have_been_sent_whatever_is_blamed(error):
    failure = build_transport_error("POST /x", Connection("h", 30, "http://proxy:3128"), error)
    assert isinstance(failure, TransportError)
    assert failure.may_have_been_sent


@pytest.mark.parametrize(
    "proxy",
    [
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
    failure = build_transport_error("GET /x", Connection("h", 30, proxy, may_have_sent=False), kind(said))
    assert isinstance(failure, SettingsError) or not failure.may_have_been_sent
    assert "proxy" in str(failure)
    assert not [part for part in ("us3r", "pa55", "w0rd") if part in str(failure)]


def test_without_a_proxy_it_is_api_url_that_is_to_be_checked():
    failure = build_transport_error("GET /x", NOT_SENT, UnicodeError("label empty or too long"))
    assert isinstance(failure, SettingsError)
    assert str(failure) == "GET /x was not sent: api_url can't be used (label empty or too long)."


@pytest.mark.parametrize("error", [requests.exceptions.ConnectionError("reset"), OSError("reset")])
def test_a_connection_that_was_lost_before_it_was_made_has_sent_nothing(error):
    failure = build_transport_error("GET /x", NOT_SENT, error)
    assert isinstance(failure, TransportError)
    assert not failure.may_have_been_sent
    assert "was not sent" in str(failure)
    assert build_transport_error("GET /x", Connection("h", 30), error).may_have_been_sent
