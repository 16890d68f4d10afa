# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of requests that take too long, while others go on, and messages of connection errors."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ClawHostersError,
    SettingsError,
    TlsError,
    TransportError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.connections import TimeLimit, explained

PATIENCE = 60.0
"""Seconds after which something that should happen has not."""


@contextmanager
def request(seconds: float) -> Iterator[socket.socket]:
    """A request of this thread that waits for a response which never comes."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    with ours, theirs, TimeLimit(seconds) as limit:
        limit.watch(ours)
        yield ours


def test_only_the_request_that_takes_too_long_is_ended():
    with request(30), pytest.raises(requests.Timeout), request(0.05) as connection:
        assert connection.recv(1) == b""


def test_a_request_that_has_no_connection_yet_is_ended_once_it_has_one():
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)

    def connect_late() -> None:
        with TimeLimit(0.01) as limit:
            time.sleep(0.05)
            limit.watch(ours)
            assert ours.recv(1) == b""

    with ours, theirs, pytest.raises(requests.Timeout):
        connect_late()


def test_ctrl_c_is_no_timeout():
    def interrupt() -> None:
        with request(0.05) as connection:
            assert connection.recv(1) == b""
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_a_connection_is_not_ended_after_its_request():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with TimeLimit(0.05) as limit:
            limit.watch(ours)
        time.sleep(0.1)
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)


# Ansible forks a process for each task.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_watches_its_own_requests():
    with request(30):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with request(0.05) as connection:
                    connection.recv(1)
            except requests.Timeout:
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Messages


def explain(
    error: Exception, kind: type[ClawHostersError] = TransportError, *, may_have_sent: bool = False
) -> ClawHostersError:
    """Returns the error that is raised for one of requests."""
    limit = TimeLimit(30)
    limit.may_have_sent = may_have_sent
    with pytest.raises(kind) as failure, explained("GET /x", "h", limit):
        raise error
    return failure.value


def caused_by(kind: type[requests.RequestException], cause: Exception) -> requests.RequestException:
    """An error as requests makes one of what urllib3 raises."""
    error = MaxRetryError(None, "/api/v1/account", cause)
    error.__cause__ = cause
    return kind(error)


def verification_error(reason: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: X] certificate verify failed: {reason} (_ssl.c:1006)")
    error.verify_message = reason
    return error


NOT_TLS = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
NOT_TLS.reason = "WRONG_VERSION_NUMBER"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (verification_error("not valid for 'h'."), "not valid for 'h'). Check api_url; "),
        (ValueError("not valid for 'h'"), "not valid for 'h'). Check api_url; "),
        (verification_error("certificate has expired"), "certificate has expired). Its certificate must be renewed, "),
        (NOT_TLS, "wrong version number). Check api_url; "),
    ],
)
def test_why_a_connection_is_not_trusted(cause, words):
    failure = explain(caused_by(requests.exceptions.SSLError, SSLError(cause)), TlsError)
    assert str(failure).startswith(f"GET /x was not sent: no trusted connection to h ({words}")


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        (OSError("Tunnel connection failed: 499 no, us3r:pa55w0rd"), "status 499"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ConnectionError("us3r:pa55w0rd"), "it broke the connection"),
    ],
)
def test_why_a_proxy_can_not_be_used(cause, found):
    failure = explain(caused_by(requests.exceptions.ProxyError, cause))
    assert not failure.may_have_been_sent
    words = f"the proxy for h can't be used ({found}). Check https_proxy and no_proxy."
    assert str(failure) == f"GET /x was not sent: {words}"


@pytest.mark.parametrize("kind", [requests.exceptions.ProxyError, requests.exceptions.SSLError])
def test_what_fails_after_the_request_may_have_been_sent_whatever_is_blamed(kind):
    assert explain(kind("closed"), may_have_sent=True).may_have_been_sent


def test_the_words_of_a_parser_of_the_proxys_address_are_not_shown():
    failure = explain(requests.exceptions.InvalidURL("Failed to parse: us3r:pa55"), SettingsError)
    assert "the URL of the proxy for h" in str(failure)
    assert "us3r" not in str(failure)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (requests.exceptions.ConnectionError("reset"), "it broke while it was set up"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (caused_by(requests.exceptions.ConnectionError, NewConnectionError(None, "x")), "it broke while it was set up"),
    ],
)
def test_a_connection_that_was_lost_before_it_was_made_has_sent_nothing(error, found):
    failure = explain(error)
    assert not failure.may_have_been_sent
    assert f"GET /x was not sent: no connection to h ({found})." in str(failure)
    assert explain(error, may_have_sent=True).may_have_been_sent
