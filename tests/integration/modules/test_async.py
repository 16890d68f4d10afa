# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks with ``async``: no other host gets a module with the API key in it, or a journal of its own."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest
import yaml

from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller

COLLECTION = "clawhosters.cloud"
RUNTIME = yaml.safe_load((REPOSITORY / "meta/runtime.yml").read_text(encoding="utf-8"))
MODULES = RUNTIME["action_groups"]["all"]
NEVER = [name for name in MODULES if name.startswith("internal_") or name.endswith(("_restore", "_purchase"))]
"""The modules that refuse ``async`` on the controller, too."""
RESTORE = {"incident": "INC-1", "instance_id": 1, "wait": False}
ASYNC = {"async": 60, "poll": 1}

FAR_CONNECTION = '''
"""A host far away: a folder, in which all commands run. Keeps a copy of all that is sent there."""

import os
import shutil
from pathlib import Path

from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = r"""
name: NAME
short_description: A host far away
description: [A host far away.]
author: [nobody]
version_added: historical
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(LocalConnection):
    transport = "local"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        home = Path(os.environ["FAR_FOLDER"], self._play_context.remote_addr)
        home.mkdir(parents=True, exist_ok=True)
        with (home / "commands").open("ab") as log:
            log.write(cmd.encode() + b"\\n" + (in_data or b"") + b"\\n")
        return super().exec_command(f"export HOME={home}; {cmd}", in_data, sudoable)

    def put_file(self, in_path, out_path):
        kept = Path(os.environ["FAR_FOLDER"], self._play_context.remote_addr, "copied")
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(in_path, kept / str(len(list(kept.iterdir()))))
        super().put_file(in_path, out_path)
'''


class FarHosts:
    """Two hosts, ``far-1`` and ``far-2``, that are folders."""

    def __init__(self, controller: Controller, connection: str) -> None:
        self._controller = controller
        self.folder = controller.folder / "far"
        # Ansible finds it beside the playbook. With a variable, each test would start a warm process of its own.
        plugins = controller.folder / "connection_plugins"
        plugins.mkdir()
        (plugins / f"{connection}.py").write_text(FAR_CONNECTION.replace("NAME", connection), encoding="utf-8")
        variables = {"ansible_connection": connection, "ansible_python_interpreter": sys.executable}
        hosts = {"hosts": {"far-1": variables, "far-2": variables}}
        self.inventory = str(controller.write("hosts.yml", {"all": hosts}))
        controller.environment.update(
            ANSIBLE_ASYNC_DIR=str(controller.folder / "async"),
            FAR_FOLDER=str(self.folder),
        )

    def run(self, *tasks: dict[str, t.Any], **keywords: t.Any) -> t.Any:
        """Runs a play with these tasks on both hosts."""
        play = {"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}
        return self._controller.playbook([play], "-i", self.inventory)

    def received(self) -> list[Path]:
        """Returns all files of the hosts, with what was sent to them."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture(autouse=True)
def one_instance_with_a_backup(simulator: Simulator) -> None:
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "rests", "status": "stopped"}],
            "backups": [{"id": 11, "instance_id": 1, "created_at": "2h ago"}],
        }
    )


@pytest.fixture
def far(controller: Controller) -> FarHosts:
    return FarHosts(controller, "far")


def unpack(path: Path) -> bytes:
    """Returns a file, with what is packed in a module."""
    content = path.read_bytes()
    for packed in re.findall(rb"[A-Za-z0-9+/=]{400,}", content):
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
            content += b"".join(archive.read(name) for name in archive.namelist())
    return content


def task(module: str, options: dict[str, t.Any] | None = None, **keywords: t.Any) -> dict[str, t.Any]:
    return {f"{COLLECTION}.{module}": {"api_key": KEY, **(options or {})}, **ASYNC, **keywords}


@pytest.mark.parametrize("connection", ["far", "local"])
def test_a_remote_host_receives_nothing_from_any_module(
    simulator: Simulator, controller: Controller, connection: str
) -> None:
    """The connection calls itself local. In the second case, its file is called so, too."""
    far = FarHosts(controller, connection)
    run = far.run(*[task(module, ignore_errors=True) for module in MODULES])
    assert far.received() == []
    assert run.rc == 0, run.screen
    assert len(run.results) == 2 * len(MODULES)
    for entry in run.results:
        assert "delegate_to: localhost" in entry["result"]["msg"]
        assert entry["result"]["msg"].endswith("Nothing was sent.")
    assert simulator.calls() == []
    assert KEY not in run.screen


def test_two_hosts_restore_nothing_for_one_incident(simulator: Simulator, far: FarHosts) -> None:
    run = far.run(task("claw_backup_restore", RESTORE))
    assert simulator.effects() == {}
    assert [path for path in far.received() if KEY.encode() in unpack(path)] == []
    assert {entry["host"] for entry in run.results if entry["result"]["failed"]} == {"far-1", "far-2"}
    assert simulator.calls() == []


@pytest.mark.parametrize(
    "keywords",
    [{"async": "{{ 60 }}", "poll": 0}, {"check_mode": True}, {"loop": [1]}, {"environment": {"CLAWHOSTERS_X": "1"}}],
    ids=str,
)
def test_a_remote_host_receives_nothing_in_any_form(far: FarHosts, keywords: dict[str, t.Any]) -> None:
    run = far.run(task("claw_instance", {"id": 2}, **keywords))
    assert run.rc != 0
    assert run.says("Add delegate_to: localhost to the task"), run.screen
    assert far.received() == []


def test_ad_hoc_a_remote_host_receives_nothing(simulator: Simulator, controller: Controller, far: FarHosts) -> None:
    for module, options in (("claw_instance", "id=2"), ("claw_backup_restore", "incident=INC-1 instance_id=1")):
        command = ["ansible", "all", "--playbook-dir", ".", "-i", far.inventory, "-B", "60"]
        run = controller.run(*command, "-m", f"{COLLECTION}.{module}", "-a", options)
        assert run.rc != 0
        assert run.says("delegate_to: localhost"), run.screen
    assert far.received() == []
    assert simulator.calls() == []


@pytest.mark.parametrize("module", NEVER)
def test_restores_purchases_and_role_steps_refuse_async_on_the_controller(
    simulator: Simulator, controller: Controller, module: str
) -> None:
    options = {"claw_backup_restore": RESTORE, "claw_purchase": {"order": "o", "package_id": 1, "balance_below": 9}}
    run = controller.playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": [task(module, options.get(module))]}]
    )
    assert run.result["msg"] == (
        f"{COLLECTION}.{module} can't run with async, not even with delegate_to: localhost: the job could outlive the "
        "run unnoticed. Remove async from the task. Nothing was sent."
    )
    assert run.result["failed"] is True
    assert KEY not in run.screen + json.dumps(run.result)
    assert simulator.calls() == []
    assert not (controller.home / ".ansible/clawhosters").exists()


@pytest.mark.rest
def test_with_delegate_to_localhost_the_module_runs_here(simulator: Simulator, far: FarHosts) -> None:
    python = {"ansible_python_interpreter": sys.executable}
    run = far.run(task("claw_instance", {"id": 2}, vars=python, delegate_to="localhost", run_once=True))
    assert run.rc == 0, run.screen
    assert run.result["instance"]["status"] == "running"
    assert simulator.effects() == {"starts": 1}
    assert far.received() == []


@pytest.mark.rest
@pytest.mark.parametrize("connection", ["local", "ansible.builtin.local"])
def test_with_a_local_connection_the_module_runs_here(
    simulator: Simulator, controller: Controller, connection: str
) -> None:
    controller.environment["ANSIBLE_ASYNC_DIR"] = str(controller.folder / "async")
    hosts = {"hosts": {"near": {"ansible_python_interpreter": sys.executable}}}
    inventory = controller.write("hosts.yml", {"all": hosts})
    play = {
        "hosts": "all",
        "gather_facts": False,
        "connection": connection,
        "tasks": [task("claw_instance", {"id": 2})],
    }
    run = controller.playbook([play], "-i", str(inventory))
    assert run.rc == 0, run.screen
    assert simulator.effects() == {"starts": 1}


def test_async_of_zero_seconds_is_none(simulator: Simulator, far: FarHosts) -> None:
    run = far.run(task("claw_backup_restore", RESTORE, **{"async": 0}))
    assert run.rc == 0, run.screen
    assert simulator.effects() == {"restores": 1}
    assert far.received() == []
