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
SHUTDOWN_RETRY_INTERVAL = 0.1
"""Seconds between two attempts to end a request: at the first one it may have no connection yet."""

_current = threading.local()


class RequestWatchdog:
    """Context manager that ends the request of its thread after ``seconds``.

    Calls ``report_progress`` every ten seconds with the seconds so far, in another thread. Afterwards ``has_timed_out``
    is True if the request was ended, and ``may_have_sent`` if a connection to the service was made, so that a part of
    the request may have reached it.
    """

    def __init__(self, seconds: float, report_progress: t.Callable[[float], None]) -> None:
        self.has_timed_out = False
        self.may_have_sent = False
        self._started = time.monotonic()
        self._seconds = seconds
        self._due_after = min(PROGRESS_INTERVAL, seconds)
        self._report_progress = report_progress
        self._socket: socket.socket | None = None
        self._handles: list[socket.socket] = []

    def __enter__(self) -> None:
        _current.watchdog = self
        _checker().add(self)

    def __exit__(self, *_exception: object) -> None:
        _current.watchdog = None
        _checker().remove(self)
        for handle in self._handles:
            handle.close()

    def watch(self, connection: socket.socket) -> None:
        """Sets the connection that the request waits for."""
        self._socket = connection

    def watch_start(self, connection: socket.socket) -> None:
        """Like ``watch``, with a duplicate of the socket: TLS detaches the original one."""
        handle = socket.socket(fileno=os.dup(connection.fileno()))
        self._handles.append(handle)
        self.watch(handle)

    @property
    def due_at(self) -> float:
        """When to call :meth:`act`, by the monotonic clock."""
        return self._started + self._due_after

    def act(self) -> None:
        """Reports progress, or ends the request after its time. Never blocks."""
        if self._due_after < self._seconds:
            # A slow callback must not delay the end of any request.
            threading.Thread(target=self._report_progress, args=(self._due_after,), daemon=True).start()
            self._due_after = min(self._due_after + PROGRESS_INTERVAL, self._seconds)
        else:
            self._shut_down()
            self._due_after = time.monotonic() - self._started + SHUTDOWN_RETRY_INTERVAL

    def _shut_down(self) -> None:
        if self._socket is not None:
            self.has_timed_out = True
            with contextlib.suppress(OSError):
                # Not the method of SSLSocket, which is not safe while another thread reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Checker:
    """Calls the watchdogs of all requests under way when they are due, in one thread that ends with the last of them.

    A thread for each request would cost more processor time: a large list takes hundreds of requests.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watchdogs: set[RequestWatchdog] = set()
        self._is_running = False
        self._wakes_at = 0.0

    def add(self, watchdog: RequestWatchdog) -> None:
        with self._changed:
            self._watchdogs.add(watchdog)
            if not self._is_running:
                threading.Thread(target=self._run, name="clawhosters-watchdog", daemon=True).start()
                self._is_running = True
            elif watchdog.due_at < self._wakes_at:
                self._changed.notify()

    def remove(self, watchdog: RequestWatchdog) -> None:
        """Afterwards the watchdog is not called any more."""
        with self._changed:
            self._watchdogs.discard(watchdog)
            if not self._watchdogs:
                self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            try:
                while self._watchdogs:
                    self._act_if_due()
                    self._wakes_at = min(watchdog.due_at for watchdog in self._watchdogs)
                    self._changed.wait(max(self._wakes_at - time.monotonic(), 0.0))
            finally:
                self._is_running = False

    def _act_if_due(self) -> None:
        now = time.monotonic()
        for watchdog in self._watchdogs:
            if watchdog.due_at <= now:
                watchdog.act()


_checkers: dict[int, _Checker] = {}


def _checker() -> _Checker:
    """Returns the checker of this process: a fork has no thread of its parent."""
    return _checkers.setdefault(os.getpid(), _Checker())


class TimedAdapter(HTTPAdapter):
    """An adapter whose connections, also those through a proxy, can be ended by a :class:`RequestWatchdog`."""

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Replaces the pools of the base class."""
        super().init_poolmanager(*args, **kwargs)
        _watch_pools(self.poolmanager)

    def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Replaces the pools of the base class."""
        manager = super().proxy_manager_for(*args, **kwargs)
        _watch_pools(manager)
        return manager


def _watch_pools(manager: t.Any) -> None:
    # Derived from the pools of this manager: one for SOCKS has its own.
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _timed_pool(pool) for scheme, pool in pools.items()}


@functools.cache
def _timed_pool(pool: t.Any) -> t.Any:
    """Returns a subclass of ``pool`` whose connections register with the watchdog of their request."""
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
            if watchdog := _current_watchdog():
                watchdog.watch_start(connection)
            return connection

        def connect(self) -> None:
            super().connect()
            if watchdog := _current_watchdog():
                watchdog.may_have_sent = True

        def putrequest(self, *args: t.Any, **kwargs: t.Any) -> None:
            # A kept connection does not call connect() again.
            if self.sock is not None and (watchdog := _current_watchdog()):
                watchdog.may_have_sent = True
            super().putrequest(*args, **kwargs)

        def getresponse(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
            if watchdog := _current_watchdog():
                # With TLS to the proxy and within it to the service, this is a wrapper of urllib3.
                connection: t.Any = self.sock
                watchdog.watch(getattr(connection, "socket", connection))
            return super().getresponse(*args, **kwargs)

    return type(pool.__name__, (pool,), {"ConnectionCls": TimedConnection, "is_timed": True})


def _current_watchdog() -> RequestWatchdog | None:
    """Returns the watchdog of the request of this thread, or None."""
    return getattr(_current, "watchdog", None)
