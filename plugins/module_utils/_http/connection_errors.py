# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explains why a request failed, or can't be sent at all, without secrets in the messages."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import socket
import sys
from dataclasses import dataclass
from urllib.parse import unquote

from .._errors import ClawHostersError, SettingsError, TlsError, TransportError
from .._installation import install_command
from .._redaction import Redactor
from .._text import one_line
from .settings import find_bundle_fault

# transport.require_library reports missing libraries before anything is sent.
with contextlib.suppress(ImportError):
    import requests
    from urllib3.exceptions import NewConnectionError, ReadTimeoutError

_UNTRUSTED = "certificate verify failed: "
_CLOSING = "'\")"
"""Ends of nested errors in the text of an error."""
MIN_PROXY_SECRET_LENGTH = 4
"""Characters. A shorter proxy password is not redacted."""


def build_library_error(min_version: tuple[int, ...], reason: ImportError | None) -> ClawHostersError:
    """Returns the error for a Python without ``requests``, or with one that is too old or can't be imported."""
    version = _installed("requests")
    if reason is not None and version:
        version += f" with urllib3 {_installed('urllib3')}, which can't be imported: {one_line(reason)}"
    return ClawHostersError(
        f"The Python library requests {'.'.join(map(str, min_version))} or newer, with urllib3 1.26 or 2, is needed "
        f"where Ansible runs; {sys.executable} has {version or 'none'}. Install or upgrade it: "
        f"{install_command('requests')}"
    )


def _installed(library: str) -> str:
    """Returns the version of an installed library, or an empty string."""
    try:
        return str(importlib.metadata.version(library))
    except importlib.metadata.PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class Connection:
    """The connection on which a request failed. ``proxy``: its URL, with the password, if there is one.

    ``may_have_sent``: a part of the request may have reached the service.
    """

    host: str
    timeout: float
    proxy: str | None = None
    may_have_sent: bool = True
    bundle: tuple[str, str] | None = None
    """The variable that names the CA certificates, and their path, if it counts."""


def build_transport_error(request: str, connection: Connection, error: Exception) -> ClawHostersError:
    """Returns the error to raise for one of ``requests``. Its message says if anything was sent, and what to do."""
    host, timeout = connection.host, connection.timeout
    is_unusable = isinstance(error, requests.exceptions.ContentDecodingError)
    if not (connection.may_have_sent or is_unusable):
        return _build_unsent_error(request, connection, error)
    if is_unusable:
        text = f"{request}: the response of {host} can't be used ({one_line(error)})."
        reason = "unusable response"
    elif isinstance(error, (requests.exceptions.Timeout, ReadTimeoutError)):
        text = f"{request}: {host} sent no complete response within {timeout:g} s (timeout)."
        reason = f"no complete response within {timeout:g} s"
    else:
        # Behind a proxy, urllib3 blames the proxy, although the request went through its tunnel.
        text = f"{request}: the connection to {host} broke before the response was complete."
        reason = "the connection broke"
    return TransportError(text, sent=True, reason=reason)


def _build_unsent_error(request: str, connection: Connection, error: Exception) -> ClawHostersError:
    host, timeout = connection.host, connection.timeout
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.exceptions.SSLError) and (text := _explain_tls(request, host, str(error))):
        return TlsError(text)
    if isinstance(error, requests.exceptions.ProxyError):
        found = _innermost_message(error, connection.proxy)
        text = f"{request} was not sent: the proxy for {host} can't be used ({found}). Check https_proxy and no_proxy."
        reason = "the proxy can't be used"
    elif isinstance(error, (requests.exceptions.Timeout, ReadTimeoutError)):
        text = f"{request} was not sent: {host} did not accept the connection within {timeout:g} s (timeout)."
        reason = f"no connection within {timeout:g} s"
    elif isinstance(cause, NewConnectionError) and _is_unknown_host(cause):
        text = f"{request} was not sent: the host {host} is unknown. Check api_url and the network."
        reason = "unknown host"
    elif isinstance(cause, NewConnectionError):
        found = _system_error(cause)
        text = f"{request} was not sent: no connection to {host} ({found}). Check that the service runs, and api_url."
        reason = found.lower()
    elif fault := _find_settings_fault(connection, error):
        return SettingsError(f"{request} was not sent: {fault}")
    else:
        text = f"{request} was not sent: the connection to {host} broke while it was set up."
        reason = "the connection broke"
    return TransportError(text, sent=False, reason=reason)


def _explain_tls(request: str, host: str, error: str) -> str:
    """Returns why there is no trusted connection; empty for another error."""
    _before, is_untrusted, reason = error.partition(_UNTRUSTED)
    if is_untrusted:
        reason = one_line(reason.partition(" (_ssl.c:")[0].rstrip(_CLOSING).rstrip("."))
        return (
            f"{request} was not sent: no trusted connection to {host} ({reason}). "
            "If it has a private certificate, give its CA with ca_path."
        )
    if "WRONG_VERSION_NUMBER" in error:
        return f"{request} was not sent: {host} does not speak https. Check api_url."
    return ""


def _find_settings_fault(connection: Connection, error: Exception) -> str:
    """Returns which option or variable can't be used; empty if it is none of them."""
    if isinstance(error, (ValueError, TypeError)):
        return _describe_bad_address(connection, error)
    if "CA certificate bundle" in str(error):
        return "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that is not there."
    if connection.bundle and isinstance(error, requests.exceptions.SSLError):
        variable, path = connection.bundle
        if fault := find_bundle_fault(path):
            return f"{variable} {one_line(path)} {fault}."
    return ""


def _is_unknown_host(error: BaseException) -> bool:
    """Returns True if the DNS lookup failed. Only urllib3 2 has a separate exception for it."""
    return isinstance(error.__cause__ or error.__context__, socket.gaierror)


def _system_error(reason: Exception) -> str:
    """Returns the reason in a urllib3 message such as ``...: [Errno 111] Connection refused``."""
    return one_line(re.sub(r"^.*\[Errno -?\d+\] ", "", str(reason)))


def _describe_bad_address(connection: Connection, error: Exception) -> str:
    """Returns which address is invalid, without the parser's message, which may quote a part of a password."""
    host = connection.host
    if connection.proxy is None:
        return f"api_url can't be used ({one_line(error)})."
    if isinstance(error, requests.exceptions.InvalidSchema):
        return f"the proxy for {host} can't be used ({one_line(error)}). Check https_proxy and no_proxy."
    return (
        f"the URL of the proxy for {host}, or api_url, is not valid. Check https_proxy and no_proxy; in a password, "
        "percent-encode special characters, for example # as %23."
    )


def _innermost_message(error: Exception, proxy: str | None) -> str:
    """Returns the innermost reason in the text of a nested error, with the password of the proxy redacted."""
    _scheme, separator, rest = (proxy or "").partition("://")
    login = (rest if separator else proxy or "").rpartition("@")[0]
    password = login.partition(":")[2]
    secrets = {login, unquote(login), password, unquote(password)}
    text = Redactor(secrets, MIN_PROXY_SECRET_LENGTH)(str(error))
    words = re.split(r"[('\"]", text.rstrip(_CLOSING))[-1]
    return one_line(words.rpartition(": ")[2])
