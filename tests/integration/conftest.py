# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for tests that run Ansible's commands: a controller with an API key and the simulator's URL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller

IN_PROCESS = ("addons", "backup_info", "budget", "client", "finding")
IN_PROCESS += ("fleet", "power", "purchase", "restore", "state_folder")
"""Files (test_NAME.py) whose tests are in the slice of `make check`, except those that start commands."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds the markers ``command`` and ``slice``, and sorts the tests, slow ones first.

    So no worker is left with a slow test at the end.
    """
    for item in items:
        if "controller" in getattr(item, "fixturenames", ()):
            item.add_marker("command")
        elif item.path.stem.removeprefix("test_") in IN_PROCESS:
            item.add_marker("slice")
    items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in ("slow", "command")])


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
