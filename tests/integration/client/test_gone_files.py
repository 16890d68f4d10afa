# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection is installed anew during a task, so that files are gone which few tasks load: no fact is lost."""

from __future__ import annotations

import importlib
import sys

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_instance
from simulator.handle import Simulator
from support.cases import STATE
from support.worker import Worker

CODE = "ansible_collections.clawhosters.cloud.plugins.module_utils"
LISTS = "_http.lists"


@pytest.fixture(autouse=True)
def account(simulator: Simulator) -> None:
    simulator.reset(state=STATE)


def remove(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lets the import of a file fail, whether it was imported before or not."""
    package, _dot, file = f"{CODE}.{name}".rpartition(".")
    monkeypatch.delattr(importlib.import_module(package), file, raising=False)
    monkeypatch.setitem(sys.modules, f"{package}.{file}", None)


def test_a_deletion_is_reported_although_no_list_can_be_read(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(monkeypatch, LISTS)
    simulator.switch(delete_lingers="detail")
    result = Worker(simulator).run(claw_instance, id=111, state="absent", wait_timeout=300)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "The delete was accepted. It was not gone within 300 s" in result["msg"]
