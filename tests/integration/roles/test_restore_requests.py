# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests of the restore runbook before its first POST: no more than it needs, and nothing twice."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.controller import says
from support.runbook import Runbook
from support.worker import Worker

SIZES = (25, 1000)
BACKUPS_EACH = 2


def fill(simulator: Simulator, size: int, **switches: t.Any) -> None:
    """Makes an account of ``size`` instances, bot-1 and so on. The newest backup of instance N is 2N."""
    simulator.reset(
        state={
            "instances": [{"id": number, "name": f"bot-{number}"} for number in range(1, size + 1)],
            "backups": [
                {
                    "id": BACKUPS_EACH * number - age,
                    "instance_id": number,
                    "instance_name": f"bot-{number}",
                    "created_at": f"{24 * age + 2}h ago",
                }
                for number in range(1, size + 1)
                for age in range(BACKUPS_EACH)
            ],
        },
        switches={"rate_limit": 0, "transition_reads": 1, **switches},
    )


@pytest.fixture
def runbook(simulator: Simulator, tmp_path: Path) -> Runbook:
    worker = Worker(simulator, {"state_dir": str(tmp_path / "state")})
    return Runbook(worker, tmp_path / "report")


def before_post(simulator: Simulator) -> list[str]:
    """Returns the paths of the requests before the first POST; of all if none was sent."""
    paths = []
    for entry in simulator.log():
        if entry["method"] == "POST":
            break
        paths.append(entry["path"])
    return paths


@pytest.mark.parametrize("size", SIZES)
def test_no_list_is_read_twice_and_none_that_is_not_needed(simulator: Simulator, runbook: Runbook, size: int) -> None:
    fill(simulator, size)
    pages, backup_pages = size // 25, BACKUPS_EACH * size // 25
    assert runbook.run(restore_instance_ids=[7], restore_confirm="7")["failed"] is False
    requests = before_post(simulator)
    assert requests.count("/backups") == backup_pages
    assert requests.count("/instances/7") == 2
    assert len(requests) == 2 + 2 + backup_pages

    simulator.clear_log()
    assert runbook.run(restore_instances="bot-8", restore_confirm="bot-8")["failed"] is False
    requests = before_post(simulator)
    assert (requests.count("/instances"), requests.count("/backups")) == (pages, backup_pages)
    assert requests[-1] == "/instances/8"
    assert len(requests) == 2 + pages + backup_pages + 1

    # A backup that is given by its id needs no list of backups.
    simulator.clear_log()
    assert runbook.run(restore_instance_ids=[9], restore_backup="17", restore_confirm="9")["failed"] is False
    assert sorted(before_post(simulator)) == ["/account", "/backups/17", "/health", "/instances/9", "/instances/9"]

    # A name in advance is checked against all names of the account.
    simulator.clear_log()
    assert runbook.run(restore_instance_ids=[10], restore_confirm="bot-10")["failed"] is False
    requests = before_post(simulator)
    assert (requests.count("/instances"), requests.count("/instances/10")) == (pages, 2)
    assert len(requests) == 2 + 2 + backup_pages + pages

    # Of what was done, the plan names newer backups.
    simulator.clear_log()
    assert runbook.run(restore_instance_ids=[7], restore_confirm="bot-7")["failed"] is False
    assert before_post(simulator).count("/backups") == backup_pages


@pytest.mark.parametrize(
    ("size", "ids", "instances"),
    [
        # One page of instances is fewer than three requests.
        (25, [1, 2, 3], ["/instances"]),
        # The first page has two of them, and says that 39 follow.
        (1000, [1, 2, 900], ["/instances", "/instances/900"]),
    ],
)
def test_several_are_read_by_list_or_one_by_one_whichever_is_less(
    simulator: Simulator, runbook: Runbook, size: int, ids: list[int], instances: list[str]
) -> None:
    fill(simulator, size)
    others = ["/account", "/health", *["/backups"] * (BACKUPS_EACH * size // 25)]
    assert runbook.run(restore_instance_ids=ids, check=True)["failed"] is False
    assert sorted(before_post(simulator)) == sorted([*others, *instances])

    simulator.clear_log()
    assert runbook.run(restore_instances=[f"bot-{number}" for number in ids], check=True)["failed"] is False
    assert sorted(before_post(simulator)) == sorted([*others, *["/instances"] * (size // 25)])


def test_a_name_is_compared_with_those_that_were_read(simulator: Simulator, runbook: Runbook) -> None:
    fill(simulator, 30)
    simulator.set_instance(8, name="shop-bot ")
    simulator.set_instance(9, name="shop-bot")
    runbook.run(restore_instance_ids=[7], check=True)
    lines = "\n".join(runbook.plan)
    assert says(lines, "Its name may not be unique, or is no plain text. Confirm with its id instead: 7.")
    assert "Not confirmed" in str(runbook.run(restore_instance_ids=[8], restore_confirm="shop-bot")["failures"])
    # Playbooks without a prompt give the answer in advance.
    runbook.run(restore_instance_ids=[7], restore_confirm=7, check=True)
    assert "Confirm with" not in "\n".join(runbook.plan)


def test_several_ids_confirm_whether_or_not_all_names_were_read(simulator: Simulator, runbook: Runbook) -> None:
    fill(simulator, 25)
    for ids, confirm in (([1, 2, 3], "1,2,3"), ([4, 5, 6], "bot-4,bot-5,bot-6"), ([7, 8], "7,bot-8")):
        result = runbook.run(restore_instance_ids=ids, restore_confirm=confirm)
        assert result["failed"] is False, result
    assert "Not confirmed" in str(runbook.run(restore_instance_ids=[9, 10], restore_confirm="10,9")["failures"])
    # By name, an id confirms nothing.
    assert "Not confirmed" in str(runbook.run(restore_instances="bot-9", restore_confirm="9")["failures"])
    # What is asked for at the terminal is the name if all were read.
    runbook.run(restore_instance_ids=[9, 10], answers=["9,10", "bot-9,bot-10"])
    assert "type exactly: bot-9,bot-10" in runbook.prompts[-1]
    assert len(simulator.calls("POST *")) == 10


def test_a_list_that_can_not_be_read_leaves_the_id(simulator: Simulator, runbook: Runbook) -> None:
    fill(simulator, 30)
    simulator.fault("status", path="/instances", status=500, times=None)
    assert "Planning failed" in str(runbook.run(restore_instance_ids=[7], restore_confirm="bot-7")["failures"])
    assert simulator.calls("POST *") == []
    assert runbook.run(restore_instance_ids=[7], restore_confirm="7")["failed"] is False
