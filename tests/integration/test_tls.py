# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificate authorities verify the service: ``ca_path``, or else those of the environment (interface 1)."""

from __future__ import annotations

import socket
import ssl
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import TlsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from support import KEY
from support.certificates import make_certificates
from support.raw_service import raw_service

HOST = "clawhosters.example"
"""Not a name of this machine, for which the environment would not count."""
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def right_ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The CA that has signed the certificate of the service."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "right").mkdir()
    return make_certificates(tmp_path / "right", HOST)[0]


@pytest.fixture
def wrong_ca(tmp_path: Path) -> Path:
    (tmp_path / "wrong").mkdir()
    return make_certificates(tmp_path / "wrong", HOST)[0]


@pytest.fixture
def api_url(right_ca: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(right_ca.with_name("server.pem"), right_ca.with_name("server.key"))
    resolve = socket.getaddrinfo

    def resolve_here(host: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        return resolve("127.0.0.1" if host == HOST else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    with raw_service(lambda _method, _path: (200, {}, b'{"data": {"id": 1}}'), tls) as options:
        yield f"https://{HOST}:{urlsplit(options['api_url']).port}"


@pytest.mark.parametrize(
    ("ca_path", "bundle", "is_verified"),
    [
        ("right_ca", None, True),
        ("right_ca", "wrong_ca", True),
        ("wrong_ca", "right_ca", False),
        (None, "right_ca", True),
        (None, "wrong_ca", False),
        (None, None, False),
    ],
)
def test_ca_path_comes_before_the_environment(
    api_url: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    ca_path: str | None,
    bundle: str | None,
    is_verified: bool,
) -> None:
    if bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(request.getfixturevalue(bundle)))
    options: dict[str, t.Any] = {"api_key": KEY, "api_url": api_url, "retry_timeout": 0.0}
    if ca_path:
        options["ca_path"] = str(request.getfixturevalue(ca_path))
    client = Client(parse_settings(options, pytest.fail))
    if is_verified:
        assert client.fetch_object("/account") == {"id": 1}
    else:
        with pytest.raises(TlsError):
            client.fetch_object("/account")
