# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures and markers of all tests: a simulated service, fresh for each test, stores, and controllers."""

from __future__ import annotations

import os
import shutil
import signal
import time
import typing as t
from pathlib import Path

import hypothesis
import pytest

if t.TYPE_CHECKING:
    from support.stores import StorePlace

from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller
from support.near_simulator import NearSimulator
from support.postgres import ADMIN, Postgres
from support.seeds import choose_seed, repeat_by, repeat_lines
from support.users import Owners

hypothesis.settings.register_profile(
    "any machine",
    # How long an example takes says more of the machine than of the code.
    deadline=None,
    max_examples=50,
    # Some properties are of a part of all cases only.
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of what takes long is done."""
    group = parser.getgroup("clawhosters.cloud")
    group.addoption("--all-cells", action="store_true", help="judge all cells, not a share of them")
    group.addoption("--examples", type=int, default=4, metavar="N", help="random inputs of each module")
    group.addoption("--kills", type=int, default=2, metavar="N", help="how often a run is killed at a random moment")
    group.addoption("--write-reasons", action="store_true", help="write modules/reasons.md anew, without -n")
    group.addoption("--kill-seed", type=int, metavar="SEED", help="the moments of an earlier run, which printed this")


IN_PROCESS = ("claw_addon", "claw_addon_info", "claw_backup_info", "rate_budget", "client", "claw_instance_info")
IN_PROCESS += ("claw_fleet", "claw_instance", "claw_purchase", "claw_backup_restore", "folder")
IN_PROCESS += ("restore_batches", "statuses_of_changes", "tls", "unknown_restores")
VERSIONS = ("connections", "postgres_store", "responses", "runner")
SLICE = {"unit": VERSIONS, "integration": IN_PROCESS, "project": ("guides", "metadata")}
"""Files (test_NAME.py) whose tests are in the slice of `make check`, except those that start commands.

Of a test of many cases over HTTP, the first one. Those in ``VERSIONS`` are in that of `make lowest` only.
"""

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds the markers ``command`` and ``slice``, and sorts the tests, slow ones first.

    So no worker is left with a slow test at the end.
    """
    functions = set()
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        is_first = getattr(item, "function", item) not in functions
        functions.add(getattr(item, "function", item))
        if "controller" in getattr(item, "fixturenames", ()):
            item.add_marker("command")
        elif item.path.stem.removeprefix("test_") in SLICE.get(folder, ()) and (is_first or folder != "integration"):
            item.add_marker("slice")
    items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in ("slow", "command")])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Gives all tests by hypothesis one seed, which a failure prints. xdist hands it to the workers.

    Lets Ctrl-C reach the commands of tests: a shell ignores SIGINT for what it runs in the background.
    """
    # No test may need a zone that it has not chosen: TZ='<+1245>-12:45' make unit
    os.environ.setdefault("TZ", "UTC")
    time.tzset()
    config.option.hypothesis_seed = config.option.hypothesis_seed or str(choose_seed())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the failure of a test by hypothesis how it is repeated."""
    report = yield
    if report.failed and item.get_closest_marker("hypothesis"):
        option = item.config.option
        options = (f"--hypothesis-seed={option.hypothesis_seed}", f"--examples={option.examples}")
        report.user_properties.append(repeat_by(item.nodeid, *options))
    return report


def pytest_terminal_summary(terminalreporter: t.Any) -> None:
    """Prints totals over all tests, and how to repeat each random test that failed."""
    properties = [
        (name, value)
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        if report.when == "call"
        for name, value in report.user_properties
    ]
    cells = [value for name, value in properties if name == "cells"]
    if cells:
        there, met, held = (sum(column) for column in zip(*cells, strict=True))
        terminalreporter.write_line(f"Fault matrix: {there} cells, {met} of them judged here, {held} of those hold.")
    kills = [value for name, value in properties if name == "kills"]
    if kills:
        terminalreporter.write_line(f"Crashes: killed at {sum(times for _run, times, _seed in kills)} moments.")
        for run, _times, seed in kills:
            if seed is not None:
                terminalreporter.write_line(f"  {run}: --kill-seed={seed}")
    for command in repeat_lines(terminalreporter.getreports("failed") + terminalreporter.getreports("error")):
        terminalreporter.write_line(f"To repeat what failed: TZ='{os.environ['TZ']}' {command}")


@pytest.fixture(scope="session")
def shared_simulator() -> NearSimulator:
    return NearSimulator()


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Simulator:
    """The service as it was at its start: 60 instances, no faults, every change done at once."""
    shared_simulator.reset()
    return shared_simulator


@pytest.fixture
def zone(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """The clocks of this process are those of the zone ``request.param``, or show UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", getattr(request, "param", "UTC"))
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> Owners:
    return Owners(monkeypatch)


@pytest.fixture(scope="session")
def postgres() -> t.Iterator[Postgres]:
    """One server for all tests of a worker. They connect thousands of times, so a login must cost little."""
    with Postgres(scram_iterations="1") as server:
        yield server


@pytest.fixture
def fresh(postgres: Postgres) -> t.Iterator[str]:
    """The name of a database without a schema."""
    name = "fresh"
    postgres.query(f"CREATE DATABASE {name} OWNER {ADMIN}")
    yield name
    postgres.query(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres: Postgres) -> t.Iterator[StorePlace]:
    """A place for a store in a database, empty."""
    from support.stores import database_place

    with database_place(postgres) as place:
        yield place


@pytest.fixture(params=["folder", "database"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """A place for a store of each kind, empty."""
    # The collection can't be imported before pytest-ansible has set up its path.
    from support.stores import folder_place

    return folder_place(tmp_path / "state") if request.param == "folder" else request.getfixturevalue("database")


# For tests that run Ansible's commands


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a collections path with a link to this collection."""
    path = tmp_path_factory.mktemp("collections")
    namespace = path / "ansible_collections" / "clawhosters"
    namespace.mkdir(parents=True)
    (namespace / "cloud").symlink_to(REPOSITORY)
    return path


@pytest.fixture(scope="session")
def home_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the home of all controllers of a worker: a warm process serves one home."""
    return tmp_path_factory.mktemp("user") / "home"


@pytest.fixture
def controller(tmp_path: Path, collections: Path, simulator: Simulator, home_path: Path) -> Controller:
    """Returns a controller configured for the simulator, with an empty home."""
    shutil.rmtree(home_path, ignore_errors=True)
    environment = {"CLAWHOSTERS_API_URL": simulator.url, "CLAWHOSTERS_API_KEY": KEY}
    return Controller(tmp_path, collections, environment, home_path)
