# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No file descriptor is left: a change is not sent, and its task says so, and what to do."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import resource
import sys
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http import client, transport
from ansible_collections.clawhosters.cloud.plugins.modules import claw_instance
from simulator.handle import Simulator
from support.cases import CASES, STATE, Case, module_of
from support.worker import Worker

CHANGES = [*{case.module: case for case in CASES if case.asked and "fleet" not in case.module}.values()]
"""One case of each module that sends one change: of several at once, another may have its connection already."""
ADVICE = "Raise the limit of open files"
EXPLAINS = "._http.connection_errors"
_USING_UP = threading.Lock()
TIMEOUT = 120
"""Seconds after which a task does not end any more."""

# Python 3.12 and newer warn of a fork beside threads.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def use_up_descriptors() -> None:
    """Opens as many files as the system permits, and ends the kept connection. From then on, no more are permitted."""
    transport.shared_connections().close()
    with _USING_UP, contextlib.suppress(OSError):
        limit = min(max(map(int, os.listdir("/proc/self/fd"))) + 20, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # The journal raises the first one up to the second.
        while True:
            os.dup(0)


def run_in_fork(task: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Returns the result of a task in a fork: the threads of this process close files, and need some."""
    transport.shared_connections().close()
    gc.collect()  # What earlier tests have left opens files when it is deleted.
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sending.send(task()))
    process.start()
    sending.close()
    try:
        assert receiving.poll(TIMEOUT), "The task did not end."
        return t.cast("dict[str, t.Any]", receiving.recv())
    finally:
        process.kill()
        process.join()
        receiving.close()


@pytest.fixture
def worker(simulator: Simulator, tmp_path: Path) -> Worker:
    return Worker(simulator, {"state_dir": str(tmp_path / "state")})


@pytest.fixture(autouse=True)
def unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets what explains a failure: it is loaded by a failure alone."""
    for name in [name for name in sys.modules if name.endswith(EXPLAINS)]:
        monkeypatch.delitem(sys.modules, name)


def before_request(monkeypatch: pytest.MonkeyPatch, happen: t.Callable[[], None]) -> None:
    """Lets something happen before a change is asked for: it is not in the journal."""
    request = client.Client.request

    def wait_and_request(self: client.Client, *args: t.Any, **options: t.Any) -> t.Any:
        happen()
        return request(self, *args, **options)

    monkeypatch.setattr(client.Client, "request", wait_and_request)


def before_connection(monkeypatch: pytest.MonkeyPatch, happen: t.Callable[[], None]) -> None:
    """Lets something happen when a change is in the journal, and before the connection is made."""
    send = client.send_request

    def wait_and_send(settings: t.Any, request: t.Any, *others: t.Any) -> t.Any:
        if request.method != "GET":
            happen()
        return send(settings, request, *others)

    monkeypatch.setattr(client, "send_request", wait_and_send)


def at_once(_monkeypatch: pytest.MonkeyPatch, happen: t.Callable[[], None]) -> None:
    """Lets something happen before the task."""
    happen()


@pytest.mark.parametrize("moment", [at_once, before_request, before_connection])
@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_a_change_is_not_sent_without_a_file_descriptor(
    simulator: Simulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    case: Case,
    moment: t.Callable[[pytest.MonkeyPatch, t.Callable[[], None]], None],
) -> None:
    simulator.reset(state=STATE)
    options, module = case.first_options(simulator.url), module_of(case)

    def task() -> dict[str, t.Any]:
        moment(monkeypatch, use_up_descriptors)
        return worker.run(module, **options)

    result = run_in_fork(task)
    assert result["failed"]
    assert ADVICE in result["msg"]
    assert "othing was sent" in result["msg"] or "was not sent" in result["msg"]
    assert "perhaps" not in result["msg"]
    assert simulator.calls("GET *") == simulator.calls()
    assert simulator.effects() == {}


def test_a_lost_response_stays_one_without_a_file_descriptor(
    simulator: Simulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response to a change is lost, and what explains that can't be loaded."""
    simulator.reset(state=STATE)
    simulator.fault("close_after", method="POST")
    send = transport._send

    def send_and_use_up(*args: t.Any) -> t.Any:
        try:
            return send(*args)
        finally:
            if args[2].method == "POST":
                use_up_descriptors()

    monkeypatch.setattr(transport, "_send", send_and_use_up)
    result = run_in_fork(lambda: worker.run(claw_instance, id=111, state="stopped", retry_timeout=0))
    assert result["failed"]
    assert "POST /instances/111/stop: the connection to " in result["msg"]
    assert "was not sent" not in result["msg"].split("GET ")[0]
    assert simulator.effects() == {"stops": 1}
