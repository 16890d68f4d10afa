# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from simulator.handle import Simulator
    from support.stores import StorePlace
    from support.worker import Worker


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    """A place for a store in a folder. Tests of the store itself have one of each kind."""
    # The collection can't be imported before pytest-ansible has set up its path.
    from support.stores import folder_place

    return folder_place(tmp_path / "state")


@pytest.fixture
def worker(simulator: Simulator) -> Worker:
    """Runs modules in the world of the test, with their default options."""
    from support.worker import Worker

    return Worker(simulator)
