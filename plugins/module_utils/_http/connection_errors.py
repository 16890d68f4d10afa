# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explains why a request failed, or can't be sent at all, without secrets in the messages."""

from __future__ import annotations

import contextlib
import http
import importlib.metadata
import re
import socket
import ssl
import sys
import typing as t
from dataclasses import dataclass

from .._errors import ClawHostersError, SettingsError, TlsError, TransportError
from .._text import one_line
from .settings import find_bundle_fault

# transport.require_library reports missing libraries before anything is sent.
with contextlib.suppress(ImportError):
    import requests
    from urllib3.exceptions import DecodeError, ReadTimeoutError

_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3}) ")
"""Python's error for a proxy's answer. The rest of the line is the proxy's, and may repeat its password."""


def build_library_error(min_version: tuple[int, ...], reason: ImportError | None) -> ClawHostersError:
    """Returns the error for a Python without ``requests``, or with one that is too old or can't be imported."""
    version = _installed("requests")
    if reason is not None and version:
        version += f" with urllib3 {_installed('urllib3')}, which can't be imported: {one_line(reason)}"
    return ClawHostersError(
        f"The Python library requests {'.'.join(map(str, min_version))} or newer, with urllib3 1.26 or 2, is needed "
        f"where Ansible runs; {sys.executable} has {version or 'none'}. Install or upgrade it for that Python: "
        "pip install requests, or as pipx, uv or your system do it."
    )


def _installed(library: str) -> str:
    """Returns the version of an installed library, or an empty string."""
    try:
        return str(importlib.metadata.version(library))
    except importlib.metadata.PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class Connection:
    """The connection on which a request failed. ``may_have_sent``: a part of it may have reached the service."""

    host: str
    timeout: float
    has_proxy: bool = False
    may_have_sent: bool = True
    bundle: tuple[str, str] | None = None
    """The variable that names the CA certificates, and their path, if it counts."""


def build_transport_error(request: str, connection: Connection, error: Exception) -> ClawHostersError:
    """Returns the error to raise for one of ``requests``. Its message says if anything was sent, and what to do."""
    host, timeout = connection.host, connection.timeout
    is_late = isinstance(error, (requests.exceptions.Timeout, ReadTimeoutError))
    if isinstance(error, (requests.exceptions.ContentDecodingError, DecodeError)):
        found = "invalid gzip" if isinstance(error, DecodeError) else one_line(error)
        text, reason = f"{request}: the response of {host} can't be used ({found}).", "unusable response"
    elif not connection.may_have_sent:
        return _build_unsent_error(request, connection, error, is_late=is_late)
    elif is_late:
        text = f"{request}: {host} sent no complete response within {timeout:g} s (timeout)."
        reason = f"no complete response within {timeout:g} s"
    else:
        # Behind a proxy, urllib3 blames the proxy, although the request went through its tunnel.
        text = f"{request}: the connection to {host} broke before the response was complete."
        reason = "the connection broke"
    return TransportError(text, sent=True, reason=reason)


def _build_unsent_error(request: str, connection: Connection, error: Exception, *, is_late: bool) -> ClawHostersError:
    host, timeout = connection.host, connection.timeout
    causes = list(_iter_causes(error))
    unsent = f"{request} was not sent:"
    if isinstance(error, requests.exceptions.SSLError) and (fault := _find_tls_fault(host, causes)):
        return TlsError(f"{unsent} {fault}")
    if isinstance(error, requests.exceptions.ProxyError):
        found = _find_words(causes) or "it broke the connection"
        text = f"{unsent} the proxy for {host} can't be used ({found}). Check https_proxy and no_proxy."
        reason = "the proxy can't be used"
    elif is_late:
        text = f"{unsent} {host} did not accept the connection within {timeout:g} s (timeout)."
        reason = f"no connection within {timeout:g} s"
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        text, reason = f"{unsent} the host {host} is unknown. Check api_url and the network.", "unknown host"
    elif fault := _find_settings_fault(connection, error):
        return SettingsError(f"{unsent} {fault}")
    else:
        found = _find_words(causes) or "it broke while it was set up"
        text = f"{unsent} no connection to {host} ({found}). Check that the service runs, and api_url."
        reason = found.lower()
    return TransportError(text, sent=False, reason=reason)


def _iter_causes(error: BaseException) -> t.Iterator[BaseException]:
    """Yields the error and all behind it, the innermost ones last. urllib3 holds some in the arguments of others."""
    waiting, seen = [error], set()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            behind = (cause.__cause__, cause.__context__, *cause.args)
            waiting += [one for one in behind if isinstance(one, BaseException)]


def _find_tls_fault(host: str, causes: t.Iterable[BaseException]) -> str:
    """Returns why there is no trusted connection; empty for another error of TLS."""
    for cause in causes:
        # urllib3 1.26 compares the name itself, and has an error of its own for that.
        if isinstance(cause, ValueError):
            found = one_line(getattr(cause, "verify_message", cause)).rstrip(".")
            return (
                f"no trusted connection to {host} ({found}). If it has a private certificate, give its CA with ca_path."
            )
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return f"{host} does not speak https. Check api_url."
    return ""


def _find_words(causes: t.Iterable[BaseException]) -> str:
    """Returns the words of the system, or of HTTP for the status with which a proxy refuses a tunnel."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
            return one_line(cause.strerror)
        if refusal := _TUNNEL_REFUSED.search(str(cause)):
            with contextlib.suppress(ValueError):
                status = http.HTTPStatus(int(refusal[1]))
                return f"{status.value} {status.phrase}"
    return ""


def _find_settings_fault(connection: Connection, error: Exception) -> str:
    """Returns which option or variable can't be used; empty if it is none of them."""
    if connection.bundle and (fault := find_bundle_fault(connection.bundle[1])):
        variable, path = connection.bundle
        return f"{variable} {one_line(path)} {fault}."
    if not isinstance(error, (ValueError, TypeError)):
        return ""
    if not connection.has_proxy:
        return f"api_url can't be used ({one_line(error)})."
    # The words of a parser may repeat a part of the password.
    return (
        f"the URL of the proxy for {connection.host}, or api_url, is not valid. Check https_proxy and no_proxy; in a "
        "password, percent-encode special characters, for example # as %23. A SOCKS proxy needs the library PySocks."
    )
