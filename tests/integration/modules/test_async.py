# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks with ``async``, ``become`` or both: no other host gets the API key, and no setting is lost on the way."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import (
    KNOWN_VARIABLES,
    PROTECTED_VARIABLE,
)
from simulator.exchange import fingerprint
from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller, Run

COLLECTION = "clawhosters.cloud"
RUNTIME = yaml.safe_load((REPOSITORY / "meta/runtime.yml").read_text(encoding="utf-8"))
MODULES = RUNTIME["action_groups"]["all"]
NEVER = [name for name in MODULES if name.startswith("internal_") or name.endswith(("_restore", "_purchase"))]
"""The modules that refuse ``async`` on the controller, too."""
RESTORE = {"incident": "INC-1", "instance_id": 1, "wait": False}
ASYNC = {"async": 60, "poll": 1}
RESTORED = {f"{COLLECTION}.claw_backup_restore": RESTORE}

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


SUDO = """
#!/bin/sh
# Stands for sudo, whose environment is that of another user, who has settings of the collection, too.
echo "$*" >> {folder}/commands
while [ "$1" != /bin/sh ]; do shift; done
exec env -i PATH="$PATH" HOME={home} LOGNAME=root {settings} "$@"
""".lstrip()


class OtherUser:
    """A user to become, who has another value for each variable of the collection: one that can't be used."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        home = controller.folder / "other-home"
        home.mkdir()
        settings = " ".join(f"{name}=-1" for name in KNOWN_VARIABLES if name != PROTECTED_VARIABLE)
        sudo = controller.write("sudo", SUDO.format(folder=controller.folder, home=home, settings=settings))
        sudo.chmod(0o755)
        self.become = {"become": True, "become_method": "ansible.builtin.sudo", "become_user": "root"}
        self._variables = {"ansible_become_exe": str(sudo)}
        controller.environment.update(
            ANSIBLE_ASYNC_DIR=str(controller.folder / "async"), ANSIBLE_BECOME_ALLOW_SAME_USER="true"
        )

    def run(self, *tasks: dict[str, t.Any], flags: t.Sequence[str] = (), **keywords: t.Any) -> Run:
        """Runs a play on localhost that becomes the user."""
        play = {"hosts": "localhost", "gather_facts": False, **self.become, "vars": self._variables, **keywords}
        return self._controller.playbook([{**play, "tasks": list(tasks)}], *flags)

    def commands(self) -> str:
        """Returns the command lines that ran as the user."""
        path = self._controller.folder / "commands"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def other_user(controller: Controller) -> OtherUser:
    return OtherUser(controller)


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
    # The two hosts restore one instance for one incident: one sends, and the other waits for it.
    run = far.run(task("claw_backup_restore", {**RESTORE, "wait": True}, **{"async": 0}))
    assert run.rc == 0, run.screen
    assert simulator.effects() == {"restores": 1}
    assert far.received() == []


INSTANCE = f"{COLLECTION}.claw_instance"
ABSENT = {"id": 1, "state": "absent"}
DELETED = {INSTANCE: ABSENT, "ignore_errors": True}
PROTECTED = {PROTECTED_VARIABLE: "unknown, web-bot"}
FORMS = {
    "loop": {**DELETED, "loop": [1, 2]},
    "delegate_to": {**DELETED, "delegate_to": "localhost", "run_once": True},
    "local_action": {"local_action": f"{INSTANCE} id=1 state=absent", "ignore_errors": True},
    "until": {**DELETED, "register": "done", "until": "done is success", "retries": 1, "delay": 0},
    "own list": {INSTANCE: {**ABSENT, "protected": "other-bot"}, "ignore_errors": True},
}


def test_with_become_a_job_has_the_settings_of_the_controller(
    simulator: Simulator, controller: Controller, other_user: OtherUser
) -> None:
    controller.environment.update(PROTECTED, CLAWHOSTERS_STATE_DIR="state")
    changes = {f"{COLLECTION}.claw_journal_info": {"kinds": ["change"]}}
    run = other_user.run({INSTANCE: {"id": 1, "state": "restarted"}, **ASYNC}, {**DELETED, **ASYNC}, changes)
    restarted, deleted, listed = run.all
    assert restarted["failed"] is False, run.screen
    assert "is listed in" in deleted["msg"]
    assert simulator.effects() == {"restarts": 1}
    assert [one["action"] for one in listed["operations"]] == ["restart"]
    assert "async_wrapper" in other_user.commands()
    assert list((controller.folder / "other-home").rglob("clawhosters")) == []


@pytest.mark.rest
@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_a_protected_instance_stays_in_each_form_of_a_job(
    simulator: Simulator, controller: Controller, other_user: OtherUser, strategy: str
) -> None:
    defaults = {f"group/{COLLECTION}.all": {"api_key": KEY, "api_url": simulator.url}}
    for name in ("API_KEY", "API_URL"):
        controller.environment.pop(f"CLAWHOSTERS_{name}")
    tasks = [{**form, **ASYNC} for form in FORMS.values()]
    run = other_user.run(*tasks, module_defaults=defaults, environment=PROTECTED, strategy=strategy)
    assert run.rc == 0, run.screen
    messages = [one.get("msg", one) for one in run.all]
    # A loop has two items.
    assert len(messages) == len(FORMS) + 1, run.screen
    assert [one for one in messages if "is listed in" not in one] == []
    assert simulator.effects() == {}


@pytest.mark.rest
@pytest.mark.parametrize("comes_from", ["file", "own file", "own key", "variable"])
def test_with_become_a_job_has_the_key_of_the_task(
    simulator: Simulator, controller: Controller, other_user: OtherUser, comes_from: str
) -> None:
    used = "oc_live_the_one_that_is_used"
    controller.write("key", used).chmod(0o600)
    controller.write("other-key", "oc_live_another_key").chmod(0o600)
    exported = {"CLAWHOSTERS_API_KEY": "oc_live_another_key", "CLAWHOSTERS_API_KEY_FILE": "other-key"}
    options: dict[str, str] = {}
    if comes_from == "file":
        exported = {"CLAWHOSTERS_API_KEY": "", "CLAWHOSTERS_API_KEY_FILE": "key"}
    elif comes_from == "own file":
        options = {"api_key_file": "key"}
    elif comes_from == "own key":
        options = {"api_key": used}
    else:
        exported["CLAWHOSTERS_API_KEY"] = used
    controller.environment.update(exported)
    tasks = [{INSTANCE: {"id": 1, **options}, **keywords} for keywords in ({}, ASYNC)]
    run = other_user.run(*tasks, flags=["-vvv"])
    assert run.rc == 0, run.screen
    assert {call["headers"]["authorization"] for call in simulator.log()} == {fingerprint(used)}
    assert used not in run.screen + other_user.commands()


def test_a_job_has_no_key_on_its_command_line(controller: Controller, other_user: OtherUser) -> None:
    key = controller.environment.pop("CLAWHOSTERS_API_KEY")
    environment = {"CLAWHOSTERS_API_KEY": key, "MY_OWN": "stays"}
    run = other_user.run({INSTANCE: {"id": 1}, **ASYNC}, environment=environment, flags=["-vvv"])
    assert run.rc == 0, run.screen
    assert "MY_OWN=stays" in other_user.commands()
    assert key not in other_user.commands() + run.screen


def test_a_database_and_another_user_are_refused_for_a_job(
    simulator: Simulator, controller: Controller, other_user: OtherUser
) -> None:
    controller.environment["CLAWHOSTERS_STATE_DATABASE"] = "postgresql:///clawhosters"
    run = other_user.run({INSTANCE: {"id": 1, "state": "restarted"}, **ASYNC})
    assert "can't run with async and become while state_database is set" in run.result["msg"]
    assert run.result["msg"].endswith("Nothing was sent.")
    assert simulator.calls() == []
    assert other_user.commands() == ""


def test_become_alone_changes_nothing(simulator: Simulator, controller: Controller, other_user: OtherUser) -> None:
    controller.environment.update(PROTECTED)
    run = other_user.run({INSTANCE: {"id": 2}}, DELETED, {**RESTORED, "ignore_errors": True})
    assert [one["failed"] for one in run.all] == [False, True, False], run.screen
    assert simulator.effects() == {"starts": 1, "restores": 1}
    assert other_user.commands() == ""
