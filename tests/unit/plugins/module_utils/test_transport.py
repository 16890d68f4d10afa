# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person reads when a connection does not come about."""

from __future__ import annotations

import pytest
import requests

from ansible_collections.clawhosters.cloud.plugins.module_utils.errors import TlsError, TransportError
from ansible_collections.clawhosters.cloud.plugins.module_utils.transport import _failure

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
