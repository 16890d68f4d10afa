# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An empty environment variable is not set, and a blank state_database is refused by everything that takes it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API, environment
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_health_info,
    claw_instance_info,
    claw_journal_info,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import parse_arguments
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.hosts import read_hosts
from support.worker import Worker

EMPTY = {f"CLAWHOSTERS_{name.upper()}": "" for name in API.options}
CONNECTION = ("CLAWHOSTERS_API_URL", "CLAWHOSTERS_API_KEY")
RESTORE = {"incident": "INC-1", "instance_id": 1, "wait": False}
BLANK = "state_database (or CLAWHOSTERS_STATE_DATABASE) is blank; perhaps a variable or secret was not resolved."
TASKS = {claw_instance_info: {}, claw_health_info: {}, claw_journal_info: {}, claw_backup_restore: RESTORE}


def test_empty_variables_leave_the_defaults() -> None:
    defaults = ArgumentSpecValidator(API.options).validate({}).validated_parameters
    with environment(EMPTY):
        validation = ArgumentSpecValidator(API.options).validate({})
    assert validation.error_messages == []
    assert validation.validated_parameters == defaults


def test_empty_variables_stop_neither_task_nor_inventory_nor_source(
    simulator: Simulator, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = {name: value for name, value in EMPTY.items() if name not in CONNECTION}
    controller.environment.update(rest)
    for variables in ({}, rest):
        task = {"clawhosters.cloud.claw_instance_info": {"id": 1}}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task], "environment": variables}
        run = controller.playbook([play])
        assert run.rc == 0, run.screen
    assert (controller.home / ".ansible/clawhosters").is_dir()
    listed = controller.inventory({})
    assert listed.rc == 0, listed.screen
    assert "web-bot" in listed.stdout
    for name, value in rest.items():
        monkeypatch.setenv(name, value)
    arguments = parse_arguments({"api_url": simulator.url, "api_key": KEY}, pytest.fail)
    assert (arguments.settings.timeout, arguments.store_options["state_database"]) == (30.0, None)


def test_an_empty_home_is_not_set_and_passwd_names_the_folder(controller: Controller) -> None:
    task = {"clawhosters.cloud.claw_account_info": {"api_key_file": "~/no-key"}, "environment": {"HOME": ""}}
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])
    words = f"api_key_file {pwd.getpwuid(os.getuid()).pw_dir}/no-key can't be read"
    assert words in run.screen
    controller.environment |= {"HOME": "", "ANSIBLE_HOME": str(controller.home)}
    assert words in controller.inventory({"api_key_file": "~/no-key"}).screen


@pytest.mark.parametrize(("variable", "option"), [(" \t\n", None), (None, " "), (None, "")])
def test_a_blank_database_fails_every_task_and_the_inventory(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, option: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("CLAWHOSTERS_STATE_DATABASE", variable)
    worker = Worker(simulator, {"state_database": option})
    messages = [worker.run(module, **options)["msg"] for module, options in TASKS.items()]
    assert all(message.startswith(BLANK) and message.endswith("Nothing was sent.") for message in messages), messages
    settings = {"api_key": KEY, "api_url": simulator.url} | ({} if option is None else {"state_database": option})
    assert BLANK in read_hosts(tmp_path, settings, worker.sleeper)["msg"]
    assert simulator.calls() == []


def test_a_blank_database_ends_the_event_source(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"api_key": KEY, "name": "nightly"}
    for value in (" ", ""):
        with pytest.raises(SettingsError, match="is blank"):
            parse_arguments({**given, "state_database": value}, pytest.fail)
    monkeypatch.setenv("CLAWHOSTERS_STATE_DATABASE", "\t")
    with pytest.raises(SettingsError, match="is blank"):
        parse_arguments(given, pytest.fail)
