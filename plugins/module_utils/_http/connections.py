# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections of ``requests``: the time that a whole request may take, and why one has failed, without secrets."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import ssl
import sys
import threading
import time
import typing as t
from urllib.request import getproxies_environment

from .._errors import ClawHostersError, SettingsError, TlsError, TransportError
from .._text import one_line

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError
except ImportError as error:
    REQUESTS_IMPORT_ERROR: ImportError | None = error
    if not t.TYPE_CHECKING:
        HTTPAdapter = object
else:
    REQUESTS_IMPORT_ERROR = None

PROGRESS_INTERVAL = 10.0
"""Seconds between two progress messages."""
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3}) ")
"""Python's error for a proxy's answer. The rest of the line is the proxy's, and may repeat its password."""


class _Thread(threading.local):
    limit: TimeLimit | None = None
    """The time limit of the request of this thread."""


_current = _Thread()


def require_library() -> None:
    """Raises ClawHostersError if ``requests`` can't be used. Called before the settings are validated."""
    found = f"none that can be imported ({one_line(REQUESTS_IMPORT_ERROR)})"
    if REQUESTS_IMPORT_ERROR is None:
        versions = [vars(library)["__version__"] for library in (requests, urllib3)]
        given = [tuple(map(int, re.findall(r"\d+", version)[:2])) for version in versions]
        if given[0] >= (2, 28) and given[1] >= (1, 26):
            return
        found = " with urllib3 ".join(versions)
    raise ClawHostersError(
        "The Python library requests 2.28 or newer, with urllib3 1.26 or 2, is needed where Ansible runs; "
        f"{sys.executable} has {found}. Install or upgrade both for that Python: "
        "pip install requests urllib3, or as pipx, uv or your system do it."
    )


def find_proxies(url: str) -> dict[str, str]:
    """Returns the proxies that the environment names for ``url``, by scheme.

    Without one there, macOS would be asked for the proxies of its settings, which crashes a forked process at times.
    """
    return requests.utils.get_environ_proxies(url) if getproxies_environment() else {}


class TimeLimit:
    """Context manager that ends the request of its thread after ``seconds``: the timeouts of ``requests`` are only for
    each single read. A request that was ended raises Timeout, since a response that was cut off can look complete.

    Calls ``report`` every ten seconds with the seconds so far, in another thread. ``may_have_sent`` is True once a
    connection to the service was made, so that a part of the request may have reached it.
    """

    def __init__(self, seconds: float, report: t.Callable[[float], None] = lambda _seconds: None) -> None:
        self.may_have_sent = False
        self.seconds = seconds
        self._report = report
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._has_expired = False
        self._connection: socket.socket | None = None

    def __enter__(self) -> TimeLimit:
        _current.limit = self
        threading.Thread(target=self._watch_clock, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        _current.limit = None
        self._is_over.set()
        with self._lock:
            if self._connection:
                self._connection.close()
            if self._has_expired and (kind is None or issubclass(kind, Exception)):
                raise requests.exceptions.Timeout

    def watch(self, connection: t.Any) -> None:
        """Sets the connection of the request. It keeps a duplicate, since TLS detaches the socket."""
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = duplicate
            self._end_if_expired()

    def _watch_clock(self) -> None:
        started, shown = time.monotonic(), 0.0
        while (elapsed := time.monotonic() - started) < self.seconds:
            if elapsed - shown >= PROGRESS_INTERVAL:
                shown += PROGRESS_INTERVAL
                self._report(shown)
            if self._is_over.wait(min(shown + PROGRESS_INTERVAL, self.seconds) - elapsed):
                return
        with self._lock:
            self._has_expired = not self._is_over.is_set()
            self._end_if_expired()

    def _end_if_expired(self) -> None:
        if self._has_expired and self._connection:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)


class TimedAdapter(HTTPAdapter):
    """An adapter whose connections, also those through a proxy, can be ended by a :class:`TimeLimit`."""

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Replaces the pools of the base class."""
        super().init_poolmanager(*args, **kwargs)
        _time_pools(self.poolmanager)

    def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Replaces the pools of the base class."""
        manager = super().proxy_manager_for(*args, **kwargs)
        _time_pools(manager)
        return manager


def _time_pools(manager: t.Any) -> None:
    # Derived from the pools of this manager: one for SOCKS has its own.
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _timed_pool(pool) for scheme, pool in pools.items()}


@functools.cache
def _timed_pool(pool: t.Any) -> t.Any:
    """Returns a subclass of ``pool`` whose connections are watched by the time limit of their request."""
    if hasattr(pool, "is_timed"):
        return pool

    class TimedConnection(pool.ConnectionCls):
        timeout: float

        def _new_conn(self) -> t.Any:
            timeout: float = self.timeout
            # Each address of the host gets its share of the time, or the first one that is dead would use up all.
            # With a SOCKS proxy, only the proxy may look up the host.
            with contextlib.suppress(OSError, ValueError):
                if not hasattr(self, "_socks_options"):
                    self.timeout = timeout / len(socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM))
            try:
                connection = super()._new_conn()
            finally:
                self.timeout = timeout
            # The response of a proxy and the TLS handshake are still to come.
            connection.settimeout(timeout)
            if _current.limit:
                _current.limit.watch(connection)
            return connection

        def putrequest(self, *args: t.Any, **kwargs: t.Any) -> None:
            limit = _current.limit
            if self.sock is None:
                self.connect()
            elif limit:
                limit.watch(self.sock)
            if limit:
                limit.may_have_sent = True
            super().putrequest(*args, **kwargs)

    return type(pool.__name__, (pool,), {"ConnectionCls": TimedConnection, "is_timed": True})


@contextlib.contextmanager
def explained(request: str, host: str, limit: TimeLimit) -> t.Iterator[None]:
    """Sends a request in the block, within ``limit``, and says why it failed, if anything was sent, and what to do.

    Raises TransportError, TlsError or SettingsError instead of an error of ``requests``.
    """
    try:
        with limit:
            yield
    # requests raises TypeError for a proxy without a host.
    except (requests.RequestException, HTTPError, ValueError, OSError, TypeError) as error:
        if not limit.may_have_sent:
            raise _explain_unsent(f"{request} was not sent:", host, limit, error) from None
        if isinstance(error, TypeError):
            raise
        if isinstance(error, (requests.exceptions.ContentDecodingError, DecodeError)):
            found = "invalid gzip" if isinstance(error, DecodeError) else one_line(error)
            text, reason = f"the response of {host} can't be used ({found})", "unusable response"
        elif _is_late(error):
            reason = f"no complete response within {limit.seconds:g} s"
            text = f"{host} sent {reason} (timeout)"
        else:
            # Behind a proxy, urllib3 blames the proxy, although the request went through its tunnel.
            text, reason = f"the connection to {host} broke before the response was complete", "the connection broke"
        raise TransportError(f"{request}: {text}.", sent=True, reason=reason) from None


def _explain_unsent(unsent: str, host: str, limit: TimeLimit, error: Exception) -> ClawHostersError:
    """Returns the error to raise for one of ``requests`` before there was a connection to the service."""
    causes = list(_iter_causes(error))
    if isinstance(error, (ValueError, TypeError)):
        # The words of a parser may repeat a part of the password.
        return SettingsError(
            f"{unsent} the URL of the proxy for {host}, or api_url, is not valid. Check https_proxy and no_proxy; in a "
            "password, percent-encode special characters, for example # as %23. A SOCKS proxy needs PySocks."
        )
    if isinstance(error, requests.exceptions.SSLError) and (fault := _find_tls_fault(causes)):
        advice = "Check api_url; if its certificate is private, give its CA with ca_path."
        if "expired" in fault or "not yet valid" in fault:
            advice = "Its certificate must be renewed, or the clock of this machine is wrong."
        return TlsError(f"{unsent} no trusted connection to {host} ({fault}). {advice}")
    if isinstance(error, requests.exceptions.ProxyError):
        found = _find_words(causes) or "it broke the connection"
        text = f"the proxy for {host} can't be used ({found}). Check https_proxy and no_proxy."
        reason = "the proxy can't be used"
    elif _is_late(error):
        text = f"{host} did not accept the connection within {limit.seconds:g} s (timeout)."
        reason = f"no connection within {limit.seconds:g} s"
    else:
        found = _find_words(causes) or "it broke while it was set up"
        text, reason = f"no connection to {host} ({found}). Check that the service runs, and api_url.", found.lower()
    return TransportError(f"{unsent} {text}", sent=False, reason=reason)


def _is_late(error: Exception) -> bool:
    return isinstance(error, (requests.exceptions.Timeout, ReadTimeoutError))


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


def _find_tls_fault(causes: t.Iterable[BaseException]) -> str:
    """Returns why there is no trusted connection; empty for another error of TLS, which may pass."""
    for cause in causes:
        # urllib3 1.26 compares the name itself, and has an error of its own for that.
        if isinstance(cause, ValueError):
            return one_line(getattr(cause, "verify_message", cause)).rstrip(".")
        if isinstance(cause, ssl.SSLError) and cause.reason in ("WRONG_VERSION_NUMBER", "NO_CERTIFICATE_OR_CRL_FOUND"):
            return cause.reason.replace("_", " ").lower()
    return ""


def _find_words(causes: t.Iterable[BaseException]) -> str:
    """Returns the words of the system, or the status with which a proxy refuses a tunnel."""
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "unknown host"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
            return one_line(cause.strerror)
        if refusal := _TUNNEL_REFUSED.search(str(cause)):
            return f"status {refusal[1]}"
    return ""
