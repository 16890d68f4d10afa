# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection is installed anew during a task, so that files are gone which few tasks load: no fact is lost."""

from __future__ import annotations

import importlib
import socket
import sys

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_instance
from simulator.handle import Simulator
from support.cases import STATE
from support.worker import Worker

CODE = "ansible_collections.clawhosters.cloud.plugins.module_utils"
EXPLAINS, LISTS = "_http.connection_errors", "_http.lists"


@pytest.fixture(autouse=True)
def account(simulator: Simulator) -> None:
    simulator.reset(state=STATE)


def remove(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lets the import of a file fail, whether it was imported before or not."""
    package, _dot, file = f"{CODE}.{name}".rpartition(".")
    monkeypatch.delattr(importlib.import_module(package), file, raising=False)
    monkeypatch.setitem(sys.modules, f"{package}.{file}", None)


def test_a_change_whose_response_is_lost_is_read_back(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, EXPLAINS)
    simulator.fault("close_after", method="POST")
    result = Worker(simulator).run(claw_instance, id=111, state="stopped")
    assert (result["failed"], result["changed"]) == (False, True), result
    assert simulator.effects() == {"stops": 1}


def test_a_request_without_a_connection_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, EXPLAINS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    options = {"api_url": f"http://{host}/api/v1", "retry_timeout": 0}
    result = Worker(None, options).run(claw_instance, id=111, state="stopped")
    assert result["msg"].startswith(f"GET /instances/111 was not sent: no connection to {host}.")


def test_a_deletion_is_reported_although_no_list_can_be_read(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(monkeypatch, LISTS)
    simulator.switch(delete_lingers="detail")
    result = Worker(simulator).run(claw_instance, id=111, state="absent", wait_timeout=300)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "The delete was accepted. It is deleting, and not gone within 300 s" in result["msg"]
