# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits the total time of a request: the timeouts of ``requests`` are only for each single read."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import threading
import time
import typing as t

try:
    from requests.adapters import HTTPAdapter
except ImportError:
    if not t.TYPE_CHECKING:
        HTTPAdapter = object

PROGRESS_INTERVAL = 10.0
"""Seconds between two progress messages."""

_current = threading.local()


class TimeLimit:
    """Context manager that ends the request of its thread after ``seconds``.

    Calls ``report_progress`` every ten seconds with the seconds so far, in another thread. Afterwards ``has_expired``
    is True if the request was ended, and ``may_have_sent`` if a connection to the service was made, so that a part of
    the request may have reached it.
    """

    def __init__(self, seconds: float, report_progress: t.Callable[[float], None] = lambda _seconds: None) -> None:
        self.has_expired = False
        self.may_have_sent = False
        self._started = time.monotonic()
        self._seconds = seconds
        self._report_progress = report_progress
        self._lock = threading.Lock()
        self._is_over = False
        self._timer: threading.Timer
        self._connection: socket.socket | None = None

    def __enter__(self) -> TimeLimit:
        _current.limit = self
        self._act_after(min(PROGRESS_INTERVAL, self._seconds))
        return self

    def __exit__(self, *_exception: object) -> None:
        _current.limit = None
        with self._lock:
            self._is_over = True
            self._timer.cancel()
            if self._connection:
                self._connection.close()

    def watch(self, connection: t.Any) -> None:
        """Sets the connection of the request. It keeps a duplicate, since TLS detaches the socket."""
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = duplicate
            self._end_if_expired()

    def _act_after(self, seconds: float) -> None:
        due = self._started + seconds - time.monotonic()
        self._timer = threading.Timer(due, self._act, [seconds])
        self._timer.daemon = True
        self._timer.start()

    def _act(self, seconds: float) -> None:
        """Reports progress, or ends the request after its time."""
        with self._lock:
            if self._is_over:
                return
            self.has_expired = seconds >= self._seconds
            self._end_if_expired()
            if self.has_expired:
                return
            # Before the report, which may be slow.
            self._act_after(min(seconds + PROGRESS_INTERVAL, self._seconds))
        self._report_progress(seconds)

    def _end_if_expired(self) -> None:
        if self.has_expired and self._connection:
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
            if limit := _current_limit():
                limit.watch(connection)
            return connection

        def putrequest(self, *args: t.Any, **kwargs: t.Any) -> None:
            limit = _current_limit()
            if self.sock is None:
                self.connect()
            elif limit:
                limit.watch(self.sock)
            if limit:
                limit.may_have_sent = True
            super().putrequest(*args, **kwargs)

    return type(pool.__name__, (pool,), {"ConnectionCls": TimedConnection, "is_timed": True})


def _current_limit() -> TimeLimit | None:
    """Returns the time limit of the request of this thread, or None."""
    return getattr(_current, "limit", None)
