# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client against faults of every kind over real HTTP: retries, redirects, timeouts, lists."""

from __future__ import annotations

import dataclasses
import random
import socket
import threading
import time
import typing as t
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ApiError,
    CheckModeError,
    ClawHostersError,
    MalformedResponseError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TransportError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http import client as client_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._http import connections as connections_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.acceptance import parse_changed
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all, fetch_list
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import NEVER, RequestHooks
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Cancelled, Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from simulator.handle import Simulator
from support import KEY
from support.raw_service import options_for, raw_connection
from support.sleeper import Sleeper


class RecordingHooks(RequestHooks):
    """Request hooks that record their calls, and may cancel the request."""

    def __init__(self, cancels: bool = False, needs_new_connection: bool = False) -> None:
        self.calls: list[str] = []
        self.cancels = cancels
        self.needs_new_connection = needs_new_connection

    def before_send(self) -> None:
        self.calls.append("before_send")
        if self.cancels:
            raise ClawHostersError("not now")

    def on_rejected(self) -> None:
        self.calls.append("on_rejected")


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


def build_client(url: str, sleeper: Sleeper, store: FolderStore | None = None, **options: t.Any) -> Client:
    """Returns a client whose waits take no time."""
    settings = parse_settings({"api_key": KEY, "api_url": url, **options}, pytest.fail)
    return Client(settings, progress=Progress(clock=lambda: sleeper.now, sleep=sleeper.sleep), store=store)


@pytest.fixture
def client(simulator: Simulator, sleeper: Sleeper) -> Client:
    return build_client(simulator.url, sleeper)


UNREADABLE = ["truncated_json", "empty"]
FAULTY = ["reset_before", "reset_after", "truncated", "json_500", "html_502"]
PASSING = [*UNREADABLE, *FAULTY, "rate_limited", "html_200"]


@pytest.mark.parametrize("fault", PASSING)
def test_a_read_outlives_a_passing_fault(simulator: Simulator, client: Client, sleeper: Sleeper, fault: str) -> None:
    simulator.fault(fault, times=2)
    assert client.fetch("/instances/1")["id"] == 1
    assert client.stats.requests == 3
    assert client.stats.retries == 2
    assert client.stats.waited == pytest.approx(sleeper.total)


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_stays_is_reported_after_a_bounded_number_of_tries(
    simulator: Simulator, client: Client, sleeper: Sleeper, fault: str
) -> None:
    simulator.fault(fault, times=None)
    with pytest.raises(ClawHostersError) as failure:
        client.fetch("/instances/1")
    tries = len(simulator.calls())
    assert 2 < tries < 25
    assert f"Gave up after {tries} attempts in {sleeper.total:.0f} s." in str(failure.value)
    assert sleeper.total <= client.settings.retry_timeout
    is_text = fault in (*UNREADABLE, "html_200")
    assert str(failure.value).endswith("Is api_url the address of the API?") is is_text
    if fault != "rate_limited":
        # Five tries; between them each pause is twice as long as the one before, and up to a quarter more.
        assert tries == 5
        for number, pause in enumerate((0.5, 1.0, 2.0, 4.0)):
            assert pause <= sleeper.slept[number] <= 1.25 * pause


def test_an_address_that_has_answered_is_not_doubted(simulator: Simulator, client: Client) -> None:
    simulator.fault("html_200", skip=1, times=None)
    client.fetch("/instances/1")
    with pytest.raises(MalformedResponseError, match="instead of JSON") as failure:
        client.fetch("/instances/1")
    assert str(failure.value).endswith(" s.")


@pytest.mark.parametrize("fault", ["hang", "reset_before", "html_502", "truncated", "html_200"])
def test_a_poll_is_sent_once_and_ends_with_its_wait(
    simulator: Simulator, client: Client, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(client_module, "MIN_POLL_TIMEOUT", 0.5)
    simulator.fault(fault, method="GET", times=None)
    reason = "no complete response within 0.5 s" if fault == "hang" else ""
    for fetch, path in ((client.fetch, "/instances/1"), (partial(fetch_all, client), "/instances")):
        simulator.clear_log()
        with pytest.raises((TransportError, ServerError, MalformedResponseError)) as failure:
            fetch(path, time_left=0.1 if fault == "hang" else 60)
        assert reason in failure.value.reason
        assert len(simulator.calls()) == 1
    assert sleeper.slept == []


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_does_not_pass_is_not_repeated(simulator: Simulator, client: Client, status: int) -> None:
    simulator.fault("status", status=status, times=None)
    with pytest.raises(ApiError):
        client.fetch("/instances/1")
    assert len(simulator.calls()) == 1


@pytest.mark.parametrize("fault", FAULTY)
def test_a_change_is_never_repeated_after_a_fault(simulator: Simulator, client: Client, fault: str) -> None:
    simulator.set_instance(1, status="running")
    simulator.fault(fault)
    with pytest.raises((TransportError, ServerError)):
        client.request("POST", "/instances/1/restart", parse=parse_changed)
    assert simulator.calls() == ["POST /instances/1/restart"]


def test_a_change_that_was_accepted_needs_an_answer_that_is_not_cut_off(simulator: Simulator, client: Client) -> None:
    simulator.set_instance(1, status="running")
    simulator.fault("empty", after_effect=True)
    assert client.request("POST", "/instances/1/restart", parse=parse_changed) is None
    simulator.fault("truncated_json")
    with pytest.raises(ApiError, match="200: its body is cut off, or is not JSON: ") as unclear:
        client.request("POST", "/instances/1/restart", parse=parse_changed)
    assert unclear.value.may_have_been_executed
    assert simulator.effects() == {"restarts": 2}


def test_a_change_waits_out_a_rate_limit_and_a_purchase_does_not(simulator: Simulator, client: Client) -> None:
    simulator.set_instance(1, status="running")
    simulator.fault("rate_limited", times=2, retry_after="seconds")
    client.request("POST", "/instances/1/restart", parse=parse_changed)
    assert simulator.effects() == {"restarts": 1}
    simulator.fault("rate_limited")
    with pytest.raises(RateLimitedError):
        client.request("POST", "/billing/buy_claws", parse=parse_changed, retry_on=NEVER, hooks=RecordingHooks())
    assert simulator.calls().count("POST /billing/buy_claws") == 1


def test_a_limit_that_stays_closed_is_asked_ever_more_rarely(
    simulator: Simulator, client: Client, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda least, _most: least)
    simulator.fault("rate_limited", times=3, retry_after="seconds", seconds=5)
    client.fetch("/instances/1")
    assert client.stats.retries == 3
    assert sleeper.total == pytest.approx(5 + 6 + 7.2)


def test_waiters_do_not_wake_together(simulator: Simulator, client: Client, sleeper: Sleeper) -> None:
    for _wait in range(5):
        simulator.fault("rate_limited", retry_after="seconds", seconds=5)
        client.fetch("/instances/1")
    assert len(set(sleeper.slept)) > 1


def test_no_error_with_retry_after_is_repeated_early(simulator: Simulator, client: Client, sleeper: Sleeper) -> None:
    simulator.fault("status", status=524, headers={"Retry-After": "20"})
    assert client.fetch("/instances/1")["id"] == 1
    assert 20 <= sleeper.total <= 25


@pytest.mark.parametrize(("seconds", "waited"), [(60, 0), (3, 3)])
def test_no_wait_outlasts_the_deadline(simulator: Simulator, sleeper: Sleeper, seconds: int, waited: int) -> None:
    client = build_client(simulator.url, sleeper, retry_timeout=3)
    simulator.fault("rate_limited", retry_after="seconds", seconds=seconds, times=None)
    with pytest.raises(RateLimitedError, match=f"; the service asks to wait {seconds} s. Try again when"):
        client.fetch("/instances/1")
    assert sleeper.total == waited


def test_check_mode_sends_nothing_but_get(simulator: Simulator, client: Client) -> None:
    client.check_mode = True
    for method in ("POST", "DELETE", "PATCH", "PUT"):
        with pytest.raises(CheckModeError):
            client.request(method, "/instances/1", parse=parse_changed)
    assert simulator.calls() == []
    assert client.fetch("/instances/1")


def test_a_proxy_is_not_asked_for_a_service_on_this_machine(
    simulator: Simulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert client.fetch("/instances/1")["id"] == 1


def test_the_last_word_on_the_limit_is_kept(simulator: Simulator, client: Client) -> None:
    client.fetch("/instances/1")
    first = client.stats.remaining
    client.fetch("/instances/1")
    assert first is not None
    assert client.stats.remaining == first - 1


def test_a_probe_bears_no_key_and_is_not_repeated(simulator: Simulator, client: Client) -> None:
    simulator.fault("json_500")
    assert client.get_unauthenticated("/health").status == 500
    assert client.stats.requests == 1
    (entry,) = simulator.log()
    assert "authorization" not in {name.lower() for name in entry["headers"]}


def test_entries_need_no_id_and_keep_their_order(simulator: Simulator, client: Client) -> None:
    simulator.switch(drop_fields=["instance.id"], list_order="reversed")
    with pytest.raises(ClawHostersError, match="with ids in `data`; ids are positive whole numbers, or their text"):
        fetch_all(client, "/instances")
    assert len(fetch_list(client, "/instances")) == 60
    simulator.switch(drop_fields=[])
    assert [entry["id"] for entry in fetch_list(client, "/instances", max_pages=2)] == list(range(60, 10, -1))


def pages_asked_for(simulator: Simulator) -> list[tuple[str, str | None]]:
    """The page and its size of each request; the first page is asked for without a number."""
    queries = [request["query"] for request in simulator.log()]
    return sorted((query.get("page", "first"), query.get("per_page")) for query in queries)


UNSET_PAGE_SIZE = "unset page_size (the option, or CLAWHOSTERS_PAGE_SIZE)."


@pytest.mark.parametrize(("status", "code"), [(400, "bad_request"), (422, "unprocessable_entity")])
def test_a_size_that_is_refused_is_an_error(simulator: Simulator, client: Client, status: int, code: str) -> None:
    client.settings = client.settings._replace(page_size=20)
    simulator.switch(per_page_refused=status)
    with pytest.raises(ApiError) as failure:
        fetch_all(client, "/instances")
    assert str(failure.value) == (
        f"GET /instances was answered with {status} {code}: Unknown parameter. (per_page: is unknown). "
        f"Perhaps the service does not accept per_page=20: {UNSET_PAGE_SIZE}"
    )
    assert pages_asked_for(simulator) == [("first", "20")]


@pytest.mark.parametrize(
    ("page_size", "status", "skip"), [(20, 403, 0), (20, 404, 0), (20, 422, 1), (None, 400, 0), (None, 422, 0)]
)
def test_another_refusal_is_not_taken_for_one_of_the_size(
    simulator: Simulator, client: Client, page_size: int | None, status: int, skip: int
) -> None:
    client.settings = client.settings._replace(page_size=page_size)
    simulator.fault("status", status=status, path="/instances", skip=skip, times=None)
    with pytest.raises(ApiError) as failure:
        fetch_all(client, "/instances")
    assert failure.value.status == status
    assert "page_size" not in str(failure.value)


@pytest.mark.parametrize(("seconds", "reason"), [(12, "429, Too many requests"), (9, "500, Something went wrong")])
def test_who_waits_is_told_what_for(
    simulator: Simulator, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch, seconds: int, reason: str
) -> None:
    monkeypatch.setattr(random, "uniform", lambda least, _most: least)
    lines: list[str] = []
    client = build_client(simulator.url, sleeper)
    client.progress = Progress(lines.append, clock=lambda: sleeper.now, sleep=sleeper.sleep)
    simulator.fault("rate_limited", retry_after="seconds", seconds=seconds)
    simulator.fault("json_500")
    client.fetch("/instances/1")
    (line,) = lines
    assert line.startswith(f"{urlsplit(simulator.url).netloc}: {reason}")
    assert line.endswith("…, 10 s of at most 180 s")
    assert len(line) <= 80


def short_of_time(port: int) -> dict[str, t.Any]:
    """Returns the options that lead to a port, with half a second for each request."""
    return {**options_for(port), "timeout": 0.5}


WHOLE = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"data": {"id": 1}}'


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
        (WHOLE, b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Slow: yes\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0", b"n"),
    ],
)
def test_the_timeout_is_for_the_whole_answer(begin: bytes, drop: bytes) -> None:
    """A service that sends a byte now and then would keep a client that only counts the silence for ever."""
    has_waited = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(begin)
        if begin == WHOLE:
            connection.recv(4096)
        for _time in range(200):
            connection.sendall(drop)
            time.sleep(0.05)
        has_waited.set()

    with raw_connection(drip) as port:
        options = short_of_time(port)
        if begin == WHOLE:
            # The connection is kept for the next request.
            Client(parse_settings({**options, "timeout": 20}, pytest.fail)).fetch("/instances/1")
        with pytest.raises(TransportError, match=r"no complete response within 0\.5 s") as failure:
            Client(parse_settings(options, pytest.fail)).fetch("/instances/1")
    assert failure.value.may_have_been_sent
    assert not has_waited.is_set()


def test_who_waits_for_an_answer_is_told_so(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "PROGRESS_INTERVAL", 0.2)
    lines: list[str] = []
    settings = parse_settings({"api_key": KEY, "api_url": simulator.url, "timeout": 30}, pytest.fail)
    simulator.fault("slow", seconds=0.7)
    Client(settings, progress=Progress(lines.append)).fetch("/instances/1")
    assert lines[0].endswith(": waiting for GET /instances/1, 0 s of at most 30 s")


def test_a_change_sent_only_once_uses_no_stale_connection(simulator: Simulator, client: Client) -> None:
    client.fetch("/instances/1")
    client.request("POST", "/instances/1/restart", parse=parse_changed, hooks=RecordingHooks(needs_new_connection=True))
    client.request("POST", "/instances/2/restart", parse=parse_changed, hooks=RecordingHooks())
    connections = [entry["client"] for entry in simulator.log()]
    assert connections[1] not in (connections[0], connections[2])
    assert connections[0] == connections[2]


def test_a_list_that_is_read_again_counts_its_pages_as_repeats(simulator: Simulator, client: Client) -> None:
    simulator.switch(per_page_default=20)
    counts = []
    for fault in (None, "vanish_between_pages", None):
        if fault:
            simulator.fault(fault, id=1)
        before = dataclasses.replace(client.stats)
        fetch_all(client, "/instances")
        counts.append((client.stats.requests - before.requests, client.stats.retries - before.retries))
    (pages, _none), shifted, after = counts
    assert counts[0] == after == (pages, 0)
    # Of the first reading, pages that were not sent yet are left out.
    assert shifted[1] == pages < shifted[0] <= 2 * pages


def test_a_byte_order_mark_before_the_json_is_no_matter() -> None:
    body = b'\xef\xbb\xbf{"data": {"id": 1}}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with raw_connection(lambda connection: connection.sendall(answer)) as port:
        assert Client(parse_settings(short_of_time(port), pytest.fail)).fetch("/instances/1") == {"id": 1}


def test_the_first_try_has_the_whole_timeout_and_later_ones_the_rest(simulator: Simulator, sleeper: Sleeper) -> None:
    simulator.fault("slow", seconds=1.3)
    assert build_client(simulator.url, sleeper, timeout=10, retry_timeout=0).fetch("/instances/1")["id"] == 1
    simulator.fault("reset_before")
    simulator.fault("hang", seconds=10, times=2)
    # Less than a second is left of it after the pauses of at least 0.5 and 1 s; a try has a second.
    with pytest.raises(TransportError, match=r"within 1 s \(timeout\)\. Gave up after 3 attempts"):
        build_client(simulator.url, sleeper, timeout=10, retry_timeout=2.5).fetch("/instances/1")


def test_a_change_has_all_of_the_timeout_after_a_429_too(simulator: Simulator, sleeper: Sleeper) -> None:
    """Cut off, a restore that was accepted would have an unknown outcome."""
    client = build_client(simulator.url, sleeper, timeout=10, retry_timeout=1.2)
    simulator.fault("rate_limited", method="POST", retry_after="seconds", seconds=1)
    simulator.fault("slow", method="POST", seconds=1.5)
    assert client.request("POST", "/instances/1/stop", parse=parse_changed) is not None


def test_no_retry_waits_longer_for_its_answer_than_the_timeout(simulator: Simulator, sleeper: Sleeper) -> None:
    """However much of retry_timeout is left: a service that hangs once more must not use up all of it."""
    simulator.fault("hang", seconds=2, times=None)
    with pytest.raises(TransportError, match=r"within 0\.3 s \(timeout\)\. Gave up after 5 attempts"):
        build_client(simulator.url, sleeper, timeout=0.3).fetch("/instances/1")


def test_hooks_are_called_when_a_change_is_sent_and_when_it_is_rejected(simulator: Simulator, client: Client) -> None:
    hooks = RecordingHooks()
    simulator.fault("rate_limited", times=2, method="POST")
    answer = client.request("POST", "/instances/1/restart", parse=parse_changed, hooks=hooks)
    assert (answer or {})["id"] == 1
    assert hooks.calls == ["before_send", "on_rejected", "before_send", "on_rejected", "before_send"]
    assert (client.stats.requests, client.stats.retries) == (3, 2)
    simulator.fault("status", status=428, method="POST")
    with pytest.raises(ApiError):
        client.request("POST", "/instances/1/restart", parse=parse_changed, hooks=hooks)
    assert hooks.calls[-1] == "before_send"


def test_hooks_that_raise_cancel_and_hold_no_place(simulator: Simulator, sleeper: Sleeper, tmp_path: Path) -> None:
    client = build_client(simulator.url, sleeper, FolderStore(str(tmp_path / "state")))
    for _time in range(3):
        with pytest.raises(ClawHostersError, match="not now"):
            client.request("POST", "/instances/1/restart", parse=parse_changed, hooks=RecordingHooks(cancels=True))
    assert simulator.calls() == []
    assert client.stats.requests == 0
    assert client.fetch("/instances/1")["id"] == 1
    assert sleeper.total == 0


def test_the_controller_is_looked_for_before_each_try_of_a_change(simulator: Simulator, client: Client) -> None:
    seen: list[str] = []

    def require_controller() -> None:
        seen.append("controller")
        if len(seen) == 4:
            raise Cancelled

    client.progress.require_controller = require_controller
    hooks = RecordingHooks()
    hooks.calls = seen
    simulator.fault("rate_limited", times=2, method="POST")
    with pytest.raises(Cancelled):
        client.request("POST", "/instances/1/restart", parse=parse_changed, hooks=hooks)
    client.fetch("/instances/1")
    assert seen == ["controller", "before_send", "on_rejected", "controller"]
    assert simulator.calls() == ["POST /instances/1/restart", "GET /instances/1"]


def test_a_list_as_long_as_page_size_without_counts_may_be_a_part(simulator: Simulator, client: Client) -> None:
    simulator.reset(state={"instances": 5}, switches={"pagination": "none"})
    for page_size in (4, 6, None):
        client.settings = client.settings._replace(page_size=page_size)
        assert len(fetch_all(client, "/instances")) == 5
    client.settings = client.settings._replace(page_size=5)
    with pytest.raises(ResponseError) as failure:
        fetch_all(client, "/instances")
    assert str(failure.value) == (
        "GET /instances: the response has exactly 5 entries, as many as page_size asks for, and no `pagination`. "
        f"It may be a part of the list, so it is not used: {UNSET_PAGE_SIZE}"
    )
    # With counts, the same number of entries is the whole list.
    simulator.switch(pagination="honoured")
    assert len(fetch_all(client, "/instances")) == 5
