# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns errors of ``requests`` into errors of this collection, without secrets in their messages."""

from __future__ import annotations

import contextlib
import re
import socket
from urllib.parse import unquote

from .._errors import ClawHostersError, SettingsError, TlsError, TransportError, one_line
from .._redaction import Redactor

# transport.py says, before anything is sent, that they are missing.
with contextlib.suppress(ImportError):
    import requests
    from urllib3.exceptions import NewConnectionError, ReadTimeoutError

_UNTRUSTED = re.compile(r"certificate verify failed: (.*?)\.?( \(_ssl\.c:\d+\))?['\")]*$", re.DOTALL)
SHORTEST_PROXY_SECRET = 4
"""Characters. A shorter password of a proxy is not replaced in messages."""


def build_transport_error(
    request: str, host: str, timeout: float, error: Exception, *, sent: bool = True, proxy: str | None = None
) -> ClawHostersError:
    """Returns the error to raise for one that ``requests`` raised. It says if the service was reached, and what to do.

    ``sent``: a part of the request may have reached the service. ``proxy``: the URL of the proxy, if there is one.
    """
    if isinstance(error, requests.exceptions.SSLError) and (untrusted := _UNTRUSTED.search(str(error))):
        return TlsError(
            f"{request} was not sent: no trusted connection to {host} ({one_line(untrusted[1])}). "
            "If it has a private certificate, give its CA with ca_path."
        )
    if isinstance(error, requests.exceptions.SSLError) and "WRONG_VERSION_NUMBER" in str(error):
        return TlsError(f"{request} was not sent: {host} does not speak https. Check api_url.")
    if isinstance(error, requests.exceptions.ProxyError):
        return TransportError(
            f"{request} was not sent: the proxy for {host} can't be used ({_innermost_message(error, proxy)}). "
            "Check https_proxy and no_proxy.",
            sent=False,
        )
    if isinstance(error, (requests.exceptions.Timeout, ReadTimeoutError)):
        if sent:
            return TransportError(f"{request}: {host} gave no whole answer within {timeout:g} s (timeout).", sent=True)
        return TransportError(
            f"{request} was not sent: {host} did not take the connection within {timeout:g} s (timeout).", sent=False
        )
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return TransportError(f"{request}: the answer of {host} is of no use ({one_line(error)}).", sent=True)
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, NewConnectionError) and _is_unknown_host(cause):
        return TransportError(
            f"{request} was not sent: the host {host} is unknown. Check api_url and the network.", sent=False
        )
    if isinstance(cause, NewConnectionError):
        return TransportError(
            f"{request} was not sent: no connection to {host} ({_system_error(cause)}). "
            "Check that the service runs, and api_url.",
            sent=False,
        )
    if not sent and isinstance(error, (ValueError, TypeError)):
        return SettingsError(f"{request} was not sent: {_unusable_address(host, error, proxy)}")
    if not sent:
        return TransportError(f"{request} was not sent: the connection to {host} was lost at its start.", sent=False)
    return TransportError(f"{request}: the connection to {host} was lost before the whole answer came.", sent=True)


def _is_unknown_host(error: BaseException) -> bool:
    """Returns True if the name look-up failed. urllib3 1.26 has no exception of its own for it, as version 2 has."""
    return isinstance(error.__cause__ or error.__context__, socket.gaierror)


def _system_error(reason: Exception) -> str:
    """The operating system's words in a urllib3 message such as ``...: [Errno 111] Connection refused``."""
    return one_line(re.sub(r"^.*\[Errno -?\d+\] ", "", str(reason)))


def _unusable_address(host: str, error: Exception, proxy: str | None) -> str:
    """Says which address can't be used. A parser quotes what it can't read, which may be a part of a password."""
    if proxy is None:
        return f"api_url can't be used ({one_line(error)})."
    if isinstance(error, requests.exceptions.InvalidSchema):
        return f"the proxy for {host} can't be used ({one_line(error)}). Check https_proxy and no_proxy."
    return (
        f"the proxy for {host}, or api_url, is no address that can be used. Check https_proxy and no_proxy; in a "
        "password, special characters are written as in %23 for #."
    )


def _innermost_message(error: Exception, proxy: str | None) -> str:
    """The innermost reason in the text of an error that holds others, without the password of the proxy."""
    _scheme, separator, rest = (proxy or "").partition("://")
    login = (rest if separator else proxy or "").rpartition("@")[0]
    password = login.partition(":")[2]
    secrets = {login, unquote(login), password, unquote(password)}
    text = Redactor(secrets, SHORTEST_PROXY_SECRET)(str(error))
    words = re.split(r"[('\"]", re.sub(r"['\")]+$", "", text))[-1]
    return one_line(words.rpartition(": ")[2])
