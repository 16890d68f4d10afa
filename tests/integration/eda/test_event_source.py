# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source over HTTP: each transition once, whatever the service, the network or the process does.

Here it is a coroutine, as a rulebook runs it; test_rulebooks.py has the rulebooks, which need a Java.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from simulator.handle import Simulator
from support import KEY
from support.event_source import TIMEOUT, Source, source, until
from support.raw_service import Raw, raw_service

LIST = {"method": "GET", "path": "/instances"}


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three instances, and nothing of the caller's environment."""
    for name in [name for name in os.environ if name.startswith("CLAWHOSTERS_")]:
        monkeypatch.delenv(name)
    simulator.reset(instances=3)
    for number in (1, 2, 3):
        simulator.set_instance(number, status="running", health_status="healthy")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def ids_of(simulator: Simulator) -> set[int]:
    return {instance["id"] for instance in simulator.state()["instances"]}


async def nothing_is_told(running: Source) -> None:
    """After whole looks, there is no event."""
    await running.wait_for_poll()
    assert running.queue.empty()


@pytest.mark.slice
async def test_each_transition_is_told_once_and_in_order_of_ids(simulator: Simulator) -> None:
    async with source(simulator) as running:
        assert running.queue.empty()
        simulator.set_instance(2, health_status="unhealthy", status="error")
        assert await running.event() == ("status_changed", 2)
        assert await running.event() == ("health_changed", 2)
        simulator.remove_instance(1)
        assert await running.event() == ("disappeared", 1)
        simulator.switch(list_order="reshuffled", delete_lingers="everywhere")
        added = simulator.add_instance(name="{{ new }}", status="provisioning")
        event = (await running.whole_event())["clawhosters"]
        assert (event["event"], event["previous"]) == ("appeared", None)
        assert (event["instance"]["id"], event["instance"]["name"]) == (added["id"], "{{ new }}")
        simulator.set_instance(3, status="deleting", health_status="healthy")
        assert await running.event() == ("status_changed", 3)
        await nothing_is_told(running)


@pytest.mark.slice
@pytest.mark.parametrize("kind", ["json_500", "html_200", "rate_limited", "wrong_type", "not_found", "reset_before"])
async def test_a_look_that_fails_is_no_transition_and_one_warning(
    simulator: Simulator, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    async with source(simulator) as running:
        simulator.fault(kind, **LIST, times=None, **({"body": {"data": {}}} if kind == "wrong_type" else {}))
        await running.wait_for_poll()
        await running.wait_for_poll()
        simulator.set_instance(2, health_status="unhealthy")
        await nothing_is_told(running)
        simulator.clear_faults()
        assert await running.event() == ("health_changed", 2)
        await nothing_is_told(running)
    failure, recovery = warnings(caplog)
    assert failure.startswith("GET /instances")
    assert failure.endswith("No events are sent until polling works again.")
    assert recovery == "Polling works again."
    assert "\n" not in failure


async def test_it_says_once_what_it_watches(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with source(simulator) as running:
        await running.wait_for_poll()
    count, host = len(simulator.state()["instances"]), urlsplit(simulator.url).netloc
    lines = [line for line in caplog.messages if line.startswith("Watching")]
    assert lines == [f"Watching {count} instances at {host}, every 0.05 s."]


async def test_a_field_that_is_not_shown_is_no_transition_and_one_warning(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.switch(drop_fields=["instance.health_status"])
    async with source(simulator) as running:
        await nothing_is_told(running)
        simulator.switch(drop_fields=[])
        await nothing_is_told(running)
        simulator.set_instance(1, status="deleted")
        assert await running.event() == ("disappeared", 1)
    assert warnings(caplog) == ["The list does not show health_status of all: no change of it can be seen there."]


async def test_nothing_disappears_from_a_list_that_is_not_whole(simulator: Simulator) -> None:
    simulator.reset(instances=60)
    async with source(simulator) as running:
        # The last page is missing.
        simulator.fault("json_500", **LIST, skip=2, times=None)
        await running.wait_for_poll()
        simulator.clear_faults()
        await nothing_is_told(running)
        # One that goes between two pages shifts the list under the reader, and the second page lacks another.
        simulator.fault("vanish_between_pages", **LIST, id=1)
        assert await running.event() == ("disappeared", 1)
        await nothing_is_told(running)
        # And so it does each time it is read.
        simulator.fault("vanish_between_pages", **LIST, times=9)
        await until(lambda: not simulator.faults())
        gone = {number for number in range(2, 61) if number not in ids_of(simulator)}
        assert [await running.event() for _number in gone] == [("disappeared", number) for number in sorted(gone)]
        await nothing_is_told(running)


async def test_a_health_that_comes_and_goes_is_not_told(simulator: Simulator) -> None:
    async with source(simulator, health_stays_for=3600) as running:
        simulator.set_instance(2, health_status="unhealthy")
        await nothing_is_told(running)
        simulator.set_instance(2, health_status="healthy")
        await nothing_is_told(running)
    async with source(simulator, health_stays_for=0.01) as running:
        simulator.set_instance(2, health_status="unhealthy")
        assert await running.event() == ("health_changed", 2)


# ---- What ends it


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"api_key": None}, "No API key was given."),
        ({"api_key": "{{ }}\n"}, "does not start with oc_live_"),
        ({"api_url": "http://clawhosters.com/api/v1"}, "is rejected, and nothing was sent"),
        ({"interval": 0}, "interval is 0, but must be more than 0 and at most 1000000 seconds."),
        ({"interval": "soon"}, "argument 'interval' is of type"),
        ({"health_stays_for": -1}, "health_stays_for is -1, but must be 0 or more and at most 1000000 seconds."),
        ({"intervall": 3, "page_size": "many"}, "Unsupported arguments: intervall."),
    ],
)
async def test_arguments_that_can_not_be_used_end_it_with_one_line(
    simulator: Simulator, caplog: pytest.LogCaptureFixture, arguments: dict[str, t.Any], reason: str
) -> None:
    running = Source(simulator, arguments)
    if "oc_live_" in reason:
        # A key that looks odd is tried all the same, and refused by the service.
        simulator.switch(accept_any_key=False)
    await asyncio.wait_for(running.task, TIMEOUT)
    lines = warnings(caplog)
    assert reason in lines[0]
    assert lines[-1].endswith(" This source ends.")
    assert not any("\n" in line or "Traceback" in line for line in lines)
    assert caplog.records[-1].exc_info is None


@pytest.mark.parametrize(("kind", "status"), [("unauthorized", 401), ("forbidden", 403)])
async def test_a_key_that_is_refused_ends_it_also_later(
    simulator: Simulator, caplog: pytest.LogCaptureFixture, kind: str, status: int
) -> None:
    async with source(simulator) as running:
        simulator.fault(kind, **LIST)
        await asyncio.wait_for(running.task, TIMEOUT)
        assert running.queue.empty()
    (line,) = warnings(caplog)
    assert f"answered with {status}" in line
    assert KEY not in line


async def test_the_environment_gives_what_is_left_out(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWHOSTERS_API_KEY", KEY)
    monkeypatch.setenv("CLAWHOSTERS_API_URL", simulator.url)
    monkeypatch.setenv("CLAWHOSTERS_PAGE_SIZE", "2")
    # A rulebook's variable that is not set comes as nothing, or as an empty text.
    unset = {"api_key": None, "api_url": "", "page_size": "", "name": ""}
    async with source(simulator, **unset, interval="0.05") as running:
        simulator.set_instance(2, health_status="unhealthy")
        assert await running.event() == ("health_changed", 2)
    assert {call["query"]["per_page"] for call in simulator.log()} == {"2"}


async def test_the_key_is_neither_in_events_nor_on_the_log_nor_in_the_store(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with source(simulator, state_dir=str(tmp_path), name="nightly") as running:
        simulator.set_instance(2, name=KEY, status="error")
        assert KEY not in json.dumps(await running.whole_event())
        simulator.fault("status", **LIST, status=500, message=f"Nobody knows {KEY}")
        await running.wait_for_poll()
    assert "Nobody knows" in caplog.text
    assert KEY not in caplog.text
    assert "health_status" in kept_text(tmp_path)
    assert KEY not in kept_text(tmp_path)


# ---- Restarts


def kept_text(state_dir: Path) -> str:
    """Returns the one snapshot that is kept in a folder."""
    (path,) = state_dir.glob("watch-*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> dict[str, t.Any]:
    """The arguments of a source whose state is kept in a folder."""
    return {"state_dir": str(tmp_path / "state"), "name": "nightly"}


@pytest.fixture(params=["folder", "database"])
def kept(request: pytest.FixtureRequest) -> dict[str, t.Any]:
    """The arguments of a source whose state is kept."""
    if request.param == "folder":
        return dict(request.getfixturevalue("folder"))
    return {**request.getfixturevalue("database").options, "name": "nightly"}


@pytest.mark.slice
async def test_a_restart_tells_once_what_changed_meanwhile(simulator: Simulator, kept: dict[str, t.Any]) -> None:
    async with source(simulator, **kept) as running:
        simulator.set_instance(1, health_status="unhealthy")
        assert await running.event() == ("health_changed", 1)
    async with source(simulator, **kept) as running:
        await nothing_is_told(running)
    simulator.set_instance(2, status="stopped", health_status="healthy")
    simulator.remove_instance(3)
    simulator.switch(accept_any_key=True)
    # The key may have been replaced; sources of another name or account know nothing of it.
    async with source(simulator, **{**kept, "name": "another"}) as running:
        await nothing_is_told(running)
    async with source(simulator, **kept, api_key="oc_live_replaced_0000") as running:
        assert await running.event() == ("status_changed", 2)
        assert await running.event() == ("disappeared", 3)
        await nothing_is_told(running)
    simulator.set_state(account={"id": 2})
    simulator.set_instance(1, health_status="healthy")
    async with source(simulator, **kept) as running:
        await nothing_is_told(running)


async def test_without_a_name_each_start_begins_with_a_first_poll(simulator: Simulator, tmp_path: Path) -> None:
    async with source(simulator, state_dir=str(tmp_path)):
        pass
    assert list(tmp_path.glob("watch-*")) == []
    simulator.set_instance(1, health_status="unhealthy")
    async with source(simulator, state_dir=str(tmp_path)) as running:
        await nothing_is_told(running)


async def test_an_event_is_told_again_if_nobody_has_taken_it(simulator: Simulator, kept: dict[str, t.Any]) -> None:
    # As a rulebook's queue: it takes one, and the next one only when that is out of it.
    async with source(simulator, queue_size=1, **kept) as running:
        simulator.fault("json_500", **LIST, times=None)
        await running.wait_for_poll()
        for number in (1, 2, 3):
            simulator.set_instance(number, health_status="unhealthy")
        simulator.clear_faults()
        assert await running.event() == ("health_changed", 1)
        await until(running.queue.full)
    async with source(simulator, **kept) as running:
        assert [await running.event() for _number in (2, 3)] == [("health_changed", 2), ("health_changed", 3)]
        await nothing_is_told(running)


async def test_events_go_on_while_the_state_can_not_be_kept(
    simulator: Simulator, folder: dict[str, t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    place = Path(folder["state_dir"])
    async with source(simulator, **folder) as running:
        kept = kept_text(place)
        place.chmod(0o777)
        simulator.set_instance(1, health_status="unhealthy")
        assert await running.event() == ("health_changed", 1)
        await running.wait_for_poll()
        place.chmod(0o700)
        assert kept_text(place) == kept
        await running.wait_for_poll()
        assert kept_text(place) != kept
    assert sum("a restart may repeat or lose events." in line for line in warnings(caplog)) == 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("chmod 777 .", r"Others can write to \S+\. Correct owner and mode"),
        ("truncate -s 99 watch-*.json", r"of name nightly \(watch-"),
    ],
    ids=["not its own", "damaged"],
)
async def test_it_waits_until_the_state_can_be_read(
    simulator: Simulator, folder: dict[str, t.Any], caplog: pytest.LogCaptureFixture, command: str, reason: str
) -> None:
    """To begin with a first poll could lose a transition."""
    place = Path(folder["state_dir"])
    async with source(simulator, **folder):
        pass
    (path,) = place.glob("watch-*.json")
    content = path.read_bytes()
    simulator.set_instance(1, health_status="unhealthy")
    subprocess.run(command, shell=True, check=True, cwd=place)
    running = Source(simulator, folder)
    await until(lambda: re.search(reason, str(warnings(caplog))))
    path.write_bytes(content)
    place.chmod(0o700)
    assert await running.event() == ("health_changed", 1)
    await running.stop()


# ---- How it goes along with others


async def test_a_stop_waits_for_no_look_and_no_more_is_sent(simulator: Simulator) -> None:
    asked, answered, paths = threading.Event(), threading.Event(), []

    def answer(_method: str, path: str) -> Raw:
        paths.append(path)
        asked.set()
        answered.wait(TIMEOUT)
        pagination = {"current_page": 1, "per_page": 1, "total_pages": 9, "total_count": 9}
        return 200, {}, json.dumps({"data": [{"id": 1}], "pagination": pagination}).encode()

    with raw_service(answer) as options:
        running = Source(simulator, options)
        # The loop goes on, and a rulebook that wants to end does.
        await until(asked.is_set)
        running.task.cancel()
        await asyncio.wait([running.task], timeout=TIMEOUT / 2)
        assert running.task.cancelled()
        answered.set()
        await running.stop()
    assert paths == ["/instances"]


SCRIPT = """
import asyncio, os, runpy, signal, sys, threading

# Whoever starts the tests in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Standard input is a pipe of the test: when that dies, however it dies, this process does.
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()

class Queue:
    async def put(self, event):
        print(event["clawhosters"]["event"], flush=True)

main = runpy.run_path(sys.argv[1])["main"]
print("ready", flush=True)
try:
    asyncio.run(main(Queue(), {"interval": 0.1, "timeout": 300}))
except KeyboardInterrupt:
    print("over", flush=True)
"""


def test_a_process_of_its_own_runs_it_and_ends(simulator: Simulator, collections: Path, tmp_path: Path) -> None:
    # As where the community's collections are installed: an ordinary package of that name.
    (tmp_path / "ansible_collections").mkdir()
    (tmp_path / "ansible_collections/__init__.py").touch()
    path = collections / "ansible_collections/clawhosters/cloud/extensions/eda/plugins/event_source/instances.py"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    environment |= {"CLAWHOSTERS_API_URL": simulator.url, "CLAWHOSTERS_API_KEY": KEY}
    command, pipe = [sys.executable, "-c", SCRIPT, str(path)], subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        # A line that never comes is the end of what can be read, and not of patience.
        timer = threading.Timer(TIMEOUT, process.kill)
        timer.start()
        try:
            assert process.stdout.readline() == "ready\n"
            while len(simulator.calls()) < 2:
                assert process.poll() is None
            simulator.set_instance(1, status="stopped", health_status="healthy")
            assert process.stdout.readline() == "status_changed\n"
            simulator.fault("hang", **LIST, seconds=250)
            while simulator.faults():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "over\n"
            assert process.wait(TIMEOUT) == 0
        finally:
            timer.cancel()
            process.kill()
