# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON of an incident is a witness: what it says was sent, and the journal does not know, is not sent again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.controller import Controller, Run

NAMES = ["web-bot", "shop-bot", "team-bot"]
POSTS = [f"POST /backups/{number}1/restore" for number in (1, 2, 3)]


@pytest.fixture
def account(simulator: Simulator) -> Simulator:
    """Three instances, each with a backup."""
    instances = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
    backups = [{"id": 10 * number + 1, "instance_id": number} for number in (1, 2, 3)]
    simulator.reset(state={"instances": instances, "backups": backups}, switches={"transition_reads": 1})
    return simulator


def restore(controller: Controller, *names: str, check: bool = False, **environment: str) -> Run:
    """Runs the runbook for INC-15."""
    given = {"restore_instances": [*names], "restore_confirm": ",".join(names), "restore_incident": "INC-15"}
    command = ["ansible-playbook", "clawhosters.cloud.restore", "-e", json.dumps({**given, "restore_serial": "100%"})]
    return controller.run(*command, *(["--check"] if check else []), **environment)


def report_path(controller: Controller) -> Path:
    return controller.folder / "clawhosters-restore/INC-15.json"


def test_with_another_state_dir_nothing_of_the_report_is_sent_again(account: Simulator, controller: Controller) -> None:
    assert restore(controller, *NAMES[:2]).rc == 0
    assert sorted(account.calls("POST *")) == POSTS[:2]
    elsewhere = controller.folder / "another-state"
    evidence = report_path(controller).read_bytes()
    for check in (True, False):
        run = restore(controller, *NAMES, check=check, CLAWHOSTERS_STATE_DIR=str(elsewhere))
        assert run.rc == 2, run.screen
        assert run.says(f"{report_path(controller)} is from another journal: it says that a restore was sent at ")
        assert run.says(f"the journal in {elsewhere} does not know it")
        assert run.says("After a rehearsal, remove this file; otherwise set state_dir or state_database to the")
        # It is in the plan, before the confirmation.
        assert "CAN'T BE RESTORED" in run.stdout
    # The third is of no report, and the others stop it not.
    assert sorted(account.calls("POST *")) == POSTS
    again = restore(controller, *NAMES, CLAWHOSTERS_STATE_DIR=str(elsewhere))
    assert again.rc == 2
    assert sorted(account.calls("POST *")) == POSTS
    assert report_path(controller).with_suffix(".other-journal.json").read_bytes() == evidence


def test_with_an_older_copy_of_state_dir_nothing_is_sent_again(account: Simulator, controller: Controller) -> None:
    state, copy = controller.home / ".ansible/clawhosters", controller.folder / "copy"
    assert restore(controller, NAMES[0]).rc == 0
    shutil.copytree(state, copy)
    assert restore(controller, *NAMES[1:]).rc == 0
    assert sorted(account.calls("POST *")) == POSTS
    shutil.rmtree(state)
    copy.rename(state)
    run = restore(controller, *NAMES)
    assert run.rc == 2, run.screen
    assert run.says(f"the journal in {state} does not know it")
    assert "web-bot (id 1), running, healthy: a restore of backup" in run.stdout
    assert sorted(account.calls("POST *")) == POSTS


def test_a_report_that_can_not_be_read_is_told_before_the_question(account: Simulator, controller: Controller) -> None:
    assert restore(controller, NAMES[0]).rc == 0
    report_path(controller).write_bytes(report_path(controller).read_bytes()[:100])
    run = restore(controller, *NAMES[:2], check=True)
    assert run.says(f"{report_path(controller)} can't be read, and may say that this was sent already.")
    # The next run writes a whole one.
    assert restore(controller, NAMES[1]).rc == 0
    assert "can't be read" not in restore(controller, *NAMES, check=True).stdout
    assert account.calls("POST *") == POSTS[:2]
