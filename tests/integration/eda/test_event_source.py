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
import shutil
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch import watch
from simulator.handle import Simulator
from support import KEY
from support.event_source import TIMEOUT, Source, run_killed, source, until
from support.postgres import Postgres
from support.raw_service import Raw, raw_service
from support.stores import StorePlace

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


async def test_an_event_has_no_control_character(simulator: Simulator) -> None:
    async with source(simulator) as running:
        simulator.set_instance(2, name="a\x1b[2J\x9b\u202eb", status="error\x9d")
        told = (await running.whole_event())["clawhosters"]
        assert told["instance"]["name"] == "a\ufffd[2J\ufffd\ufffdb"
        assert told["instance"]["status"] == "error\ufffd"


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
        event = await running.whole_event()
        assert event["clawhosters"]["event"] == "appeared"
        assert event["clawhosters"]["instance"]["id"] == added["id"]
        assert event["clawhosters"]["instance"]["name"] == "{{ new }}"
        assert event["clawhosters"]["previous"] is None
        simulator.set_instance(3, status="deleting", health_status="healthy")
        assert await running.event() == ("status_changed", 3)
        await nothing_is_told(running)


FAULTS: dict[str, dict[str, t.Any]] = {
    "json_500": {},
    "html_200": {},
    "rate_limited": {},
    "wrong_type": {"body": {"data": {}}},
    "not_found": {},
    "reset_before": {},
}


@pytest.mark.slice
@pytest.mark.parametrize("kind", FAULTS)
async def test_a_look_that_fails_is_no_transition_and_one_warning(
    simulator: Simulator, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    async with source(simulator) as running:
        simulator.fault(kind, **LIST, times=None, **FAULTS[kind])
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


async def test_a_look_that_hangs_ends_after_the_timeout(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async with source(simulator, timeout=1) as running:
        simulator.set_instance(2, health_status="unhealthy")
        assert await running.event() == ("health_changed", 2)
        simulator.fault("hang", **LIST, seconds=250)
        await until(lambda: warnings(caplog))
        simulator.set_instance(2, health_status="healthy")
        assert await running.event() == ("health_changed", 2)
    assert warnings(caplog)[0].startswith("GET /instances")


async def test_it_says_once_what_it_watches(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async with source(simulator) as running:
        await running.wait_for_poll()
    count, host = len(simulator.state()["instances"]), urlsplit(simulator.url).netloc
    lines = [line for line in caplog.messages if line.startswith("Watching")]
    assert lines == [f"Watching {count} instances at {host}, every 0.05 s."]


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
    async with source(simulator, health_stays_for=0.2) as running:
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
        ({"state_file": "/dev/null/watch.json"}, "state_file /dev/null/watch.json can't be used"),
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


async def test_the_environment_gives_what_the_rulebook_leaves_out(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAWHOSTERS_API_KEY", KEY)
    monkeypatch.setenv("CLAWHOSTERS_API_URL", simulator.url)
    monkeypatch.setenv("CLAWHOSTERS_PAGE_SIZE", "2")
    # A rulebook's variable that is not set comes as nothing, or as an empty text.
    unset = {"api_key": None, "api_url": "", "page_size": "", "state_file": ""}

    async with source(simulator, **unset, interval="0.05") as running:
        simulator.set_instance(2, health_status="unhealthy")
        assert await running.event() == ("health_changed", 2)
    assert {call["query"]["per_page"] for call in simulator.log()} == {"2"}


async def test_the_key_is_neither_in_events_nor_on_the_log_nor_in_the_state_file(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    state_file = tmp_path / "watch.json"

    async with source(simulator, state_file=str(state_file)) as running:
        simulator.set_instance(2, name=KEY, status="error")
        assert KEY not in json.dumps(await running.whole_event())
        simulator.fault("status", **LIST, status=500, message=f"Nobody knows {KEY}")
        await running.wait_for_poll()
    assert "Nobody knows" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in state_file.read_text(encoding="utf-8")


# ---- Restarts


@pytest.fixture(params=["folder", "database"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, t.Any]:
    """The arguments that name a place for the state."""
    if request.param == "folder":
        return {"state_file": str(tmp_path / "watch.json")}
    return {**request.getfixturevalue("database").options, "name": "nightly"}


@pytest.mark.slice
async def test_after_a_restart_it_tells_what_changed_meanwhile_and_repeats_nothing(
    simulator: Simulator, tmp_path: Path
) -> None:
    arguments = {"state_file": str(tmp_path / "watch.json")}

    async with source(simulator, **arguments) as running:
        simulator.set_instance(1, health_status="unhealthy")
        assert await running.event() == ("health_changed", 1)
    async with source(simulator, **arguments) as running:
        await nothing_is_told(running)
    simulator.set_instance(2, status="stopped", health_status="healthy")
    simulator.remove_instance(3)
    async with source(simulator, **arguments) as running:
        assert await running.event() == ("status_changed", 2)
        assert await running.event() == ("disappeared", 3)
        await nothing_is_told(running)


async def test_without_a_state_file_each_start_begins_with_a_first_look(simulator: Simulator) -> None:
    async with source(simulator):
        pass
    simulator.set_instance(1, health_status="unhealthy")
    async with source(simulator) as running:
        await nothing_is_told(running)


async def test_a_health_that_has_to_stay_goes_on_staying_over_a_restart(simulator: Simulator, tmp_path: Path) -> None:
    state_file = tmp_path / "watch.json"
    arguments = {"state_file": str(state_file), "health_stays_for": 3600}

    def began() -> list[float]:
        instances = json.loads(state_file.read_text(encoding="utf-8"))["instances"]
        return [entry["waiting"]["since"] for entry in instances if entry["waiting"]]

    async with source(simulator, **arguments) as running:
        simulator.set_instance(1, health_status="unhealthy")
        await nothing_is_told(running)
    (since,) = began()
    async with source(simulator, **arguments) as running:
        await nothing_is_told(running)
    assert began() == [since]


async def test_events_are_stored_before_they_are_emitted_and_survive_a_crash(
    simulator: Simulator, tmp_path: Path
) -> None:
    """A crash leaves the state file as it is at that moment, so a copy of it is what is left by a crash."""
    state_file, left, later = (tmp_path / f"{name}.json" for name in ("watch", "left", "later"))

    # As a rulebook's queue: it takes one, and the next one only when that is out of it.
    async with source(simulator, queue_size=1, state_file=str(state_file)) as running:
        # All three in one look.
        simulator.fault("json_500", **LIST, times=None)
        await running.wait_for_poll()
        for number in (1, 2, 3):
            simulator.set_instance(number, health_status="unhealthy")
        simulator.clear_faults()
        await until(running.queue.full)
        shutil.copy(state_file, left)
        told = [await running.whole_event()]
        # one is delivered
        await until(lambda: state_file.read_bytes().endswith(b"\n1"))
        shutil.copy(state_file, later)
        told += [await running.whole_event() for _number in range(2)]
    # The same events to the letter, `at` too: whoever has had one already can tell.
    for file, rest in ((left, told), (later, told[1:])):
        async with source(simulator, state_file=str(file)) as running:
            assert [await running.whole_event() for _event in rest] == rest
            await nothing_is_told(running)
    async with source(simulator, state_file=str(state_file)) as running:
        await nothing_is_told(running)


async def test_the_last_event_is_told_again_if_nobody_has_taken_it(
    simulator: Simulator, kept: dict[str, t.Any]
) -> None:
    async with source(simulator, queue_size=1, **kept) as running:
        simulator.set_instance(1, health_status="unhealthy")
        await until(running.queue.full)
        # It polls on meanwhile.
        await running.wait_for_poll()
    async with source(simulator, queue_size=1, **kept) as running:
        first = await running.whole_event()
        assert first["clawhosters"]["instance"]["id"] == 1
        simulator.set_instance(2, health_status="unhealthy")
        await running.wait_for_poll()
    async with source(simulator, queue_size=1, **kept) as running:
        assert await running.event() == ("health_changed", 2)
        await nothing_is_told(running)
    async with source(simulator, queue_size=1, **kept) as running:
        await nothing_is_told(running)


async def test_what_can_not_be_written_down_is_told_only_when_it_can(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"

    async with source(simulator, state_file=str(folder / "watch.json")) as running:
        shutil.rmtree(folder)
        simulator.set_instance(1, health_status="unhealthy")
        await nothing_is_told(running)
        folder.mkdir()
        assert await running.event() == ("health_changed", 1)
        await nothing_is_told(running)
    assert [line.partition(" can't be used")[0] for line in warnings(caplog)] == [
        f"state_file {folder}/watch.json",
        "Polling works again.",
    ]


async def test_a_second_source_with_the_same_state_file_ends(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = {"state_file": str(tmp_path / "watch.json")}

    async with source(simulator, **arguments):
        await asyncio.wait_for(Source(simulator, arguments).task, TIMEOUT)
    assert "in use by another event source" in warnings(caplog)[0]


@pytest.mark.parametrize("step", [40, pytest.param(5, marks=pytest.mark.rest)])
def test_killed_at_any_line_it_loses_nothing_and_repeats_one_at_most(
    simulator: Simulator, kept: dict[str, t.Any], step: int
) -> None:
    numbers = range(1, 5)
    simulator.reset(instances=len(numbers))

    def change(health: str) -> None:
        simulator.fault("json_500", **LIST, times=None)
        for number in numbers:
            simulator.set_instance(number, status="running", health_status=health)
        simulator.clear_faults()

    async def watch_until_quiet() -> list[t.Any]:
        async with source(simulator, **kept) as running:
            await running.wait_for_poll()
            return [running.queue.get_nowait() for _event in range(running.queue.qsize())]

    def id_of(event: dict[str, t.Any]) -> int:
        return int(event["clawhosters"]["instance"]["id"])

    change("healthy")
    asyncio.run(watch_until_quiet())
    change("unhealthy")
    told, lines = run_killed(simulator, kept, len(numbers), 0)
    assert ([*map(id_of, told)], asyncio.run(watch_until_quiet())) == ([*numbers], [])
    assert lines > 50
    for at in range(1, lines + 1, step):
        change("healthy" if at % 2 else "unhealthy")
        asyncio.run(watch_until_quiet())
        change("unhealthy" if at % 2 else "healthy")
        # Near the end, how often it looks whether the last event is taken depends on the time: it may not be killed.
        told, _lines = run_killed(simulator, kept, len(numbers), at)
        rest = asyncio.run(watch_until_quiet())
        repeated = [event for event in rest if event in told]
        assert repeated in ([], told[-1:]), f"killed at {at} of {lines} lines"
        assert [id_of(event) for event in (*told, *rest[len(repeated) :])] == [*numbers], f"killed at {at}"


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


def test_a_process_without_collections_runs_it_and_ends_during_a_poll(
    simulator: Simulator, collections: Path, tmp_path: Path
) -> None:
    # As where the community's collections are installed: an ordinary package of that name.
    (tmp_path / "ansible_collections").mkdir()
    (tmp_path / "ansible_collections/__init__.py").touch()
    path = collections / "ansible_collections/clawhosters/cloud/extensions/eda/plugins/event_source/instances.py"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "CLAWHOSTERS_API_URL": simulator.url,
        "CLAWHOSTERS_API_KEY": KEY,
    }
    command = [sys.executable, "-c", SCRIPT, str(path)]
    pipe = subprocess.PIPE
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


# State in the database


@pytest.fixture
def database(database: StorePlace, monkeypatch: pytest.MonkeyPatch) -> StorePlace:
    monkeypatch.setattr(watch, "TURN_INTERVAL", 0.1)
    return database


async def test_another_machine_goes_on_under_the_name(simulator: Simulator, database: StorePlace) -> None:
    arguments = {**database.options, "name": "nightly"}

    async with source(simulator, **arguments):
        simulator.set_instance(1, health_status="unhealthy")
        # Nothing is taken out of the queue, so that it is full when the source is stopped.
    simulator.set_instance(2, health_status="unhealthy")
    async with source(simulator, **arguments) as second:
        events = [await second.event()]
        if events == [("health_changed", 1)]:
            events.append(await second.event())
        assert events[-1] == ("health_changed", 2)
        await nothing_is_told(second)
    async with source(simulator, **{**arguments, "name": "another"}) as other:
        await nothing_is_told(other)


async def test_two_sources_of_one_name_take_turns(
    simulator: Simulator, database: StorePlace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    arguments = {**database.options, "name": "nightly"}

    async with source(simulator, **arguments) as first:
        second = Source(simulator, arguments)
        await until(lambda: "waits for its turn" in caplog.text)
        simulator.set_instance(1, health_status="unhealthy")
        assert await first.event() == ("health_changed", 1)
        await first.wait_for_poll()
        assert second.queue.empty()
    simulator.set_instance(2, health_status="unhealthy")
    assert await second.event() == ("health_changed", 2)
    await nothing_is_told(second)
    await second.stop()
    assert "The state of name nightly is held by " in caplog.text


async def test_a_source_that_lost_its_turn_tells_nothing(
    simulator: Simulator, database: StorePlace, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connection is cut off, and another source takes over: each change is told by one of the two."""
    arguments = {**database.options, "name": "nightly"}

    async with source(simulator, **arguments) as first:
        second = Source(simulator, arguments)
        postgres.end_sessions()
        await first.wait_for_poll()
        for number in (1, 2, 3):
            simulator.set_instance(number, health_status="unhealthy")
            await until(lambda wanted=number: first.queue.qsize() + second.queue.qsize() == wanted)
            await first.wait_for_poll()
        told = [
            queue.get_nowait()["clawhosters"]["instance"]["id"]
            for queue in (first.queue, second.queue)
            for _number in range(queue.qsize())
        ]
        assert sorted(told) == [1, 2, 3]
        await second.stop()


async def test_without_a_name_the_database_keeps_nothing_and_the_source_says_so(
    simulator: Simulator, database: StorePlace, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    async with source(simulator, **database.options) as running:
        simulator.set_instance(1, health_status="unhealthy")
        assert await running.event() == ("health_changed", 1)
    (warning,) = warnings(caplog)
    assert warning == (
        "state_database keeps no state of this source without name. Each start begins with a first poll."
    )
    assert postgres.query("SELECT count(*) FROM clawhosters.cursors") == [(0,)]


async def test_a_state_of_another_key_ends_the_source(
    simulator: Simulator, database: StorePlace, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = {**database.options, "name": "nightly"}

    async with source(simulator, **arguments):
        pass
    other = Source(simulator, {**arguments, "api_key": "oc_live_another_0000"})
    await asyncio.wait_for(other.task, TIMEOUT)
    (error,) = warnings(caplog)
    assert error.startswith("The state of name nightly belongs to another api_url or API key. Use another name.")
