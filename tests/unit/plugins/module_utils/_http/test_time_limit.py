# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of requests that take too long, while others go on."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http import time_limit
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.time_limit import TimeLimit

PATIENCE = 60.0
"""Seconds after which something that should happen has not."""


@contextmanager
def request(seconds: float, report=lambda _seconds: None) -> Iterator[tuple[TimeLimit, socket.socket]]:
    """A request of this thread that waits for a response which never comes."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    limit = TimeLimit(seconds, report)
    with ours, theirs, limit:
        limit.watch(ours)
        yield limit, ours


def test_only_the_request_that_takes_too_long_is_ended():
    with request(30) as (patient, _long), request(0.05) as (hasty, connection):
        assert connection.recv(1) == b""
        assert hasty.has_expired
        assert not patient.has_expired


def test_a_slow_progress_callback_delays_no_timeout(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time_limit, "PROGRESS_INTERVAL", 0.02)
    finished = threading.Event()
    try:
        with request(0.1, lambda _seconds: finished.wait(PATIENCE)) as (limit, connection):
            assert connection.recv(1) == b""
            assert limit.has_expired
    finally:
        finished.set()


def test_a_request_that_has_no_connection_yet_is_ended_once_it_has_one():
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    with ours, theirs, TimeLimit(0.01) as limit:
        time.sleep(0.05)
        limit.watch(ours)
        assert ours.recv(1) == b""
        assert limit.has_expired


def test_a_connection_is_not_ended_after_its_request():
    with request(0.05) as (limit, connection):
        limit.__exit__()
        time.sleep(0.1)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


# Ansible forks a process for each task.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_watches_its_own_requests():
    with request(30):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with request(0.05) as (limit, connection):
                    connection.recv(1)
                    status = 0 if limit.has_expired else 1
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
