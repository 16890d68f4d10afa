# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``priority`` (interface 1): who has which, and what it does while others use the key."""

from __future__ import annotations

import json
import time
import typing as t
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import ModuleRunner
from ansible_collections.clawhosters.cloud.plugins.module_utils._progress import Progress
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.limiter import RUN_TTL, Priority, RateLimiter
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.shared_budget import SharedRateBudget
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_instance_info
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import parse_arguments
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller, extra_variables
from support.processes import PROCESSES
from support.reads import read_as
from support.sleeper import Sleeper
from support.stores import StorePlace
from support.worker import Worker

LIMIT, WINDOW = 20, 2
RESERVED = 2
HIGH_INSTANCE = 60
"""The instance of the restore."""
WORLD = {
    "instances": [{"id": number, "name": f"bot-{number}"} for number in range(1, HIGH_INSTANCE + 1)],
    "backups": [{"id": 9, "instance_id": HIGH_INSTANCE, "created_at": "2h ago"}],
}


def run_restore(simulator: Simulator, store_options: dict[str, str]) -> dict[str, t.Any]:
    """Restores backup 9 in this process, without waiting for the end."""
    given = {"api_key": KEY, "api_url": simulator.url, **store_options, "incident": "INC-1", "backup_id": 9}
    validator = ArgumentSpecValidator(claw_backup_restore.SPEC.options, **claw_backup_restore.SPEC.constraints())
    validation = validator.validate({**given, "wait": False})
    assert not validation.error_messages, validation.error_messages
    return ModuleRunner(validation.validated_parameters, check_mode=False).run(claw_backup_restore.run)


@pytest.mark.rest
def test_a_restore_goes_before_an_inventory_and_a_play(simulator: Simulator, place: StorePlace) -> None:
    simulator.reset(state=WORLD)
    simulator.switch(rate_limit=LIMIT, rate_window_seconds=WINDOW, rate_window="clock")
    jobs = [(simulator.url, place.options, "low", 0)] + [(simulator.url, place.options, "normal", 8)] * 6
    with PROCESSES.Pool(len(jobs)) as pool:
        others = pool.starmap_async(read_as, jobs, chunksize=1)
        while len(simulator.log()) < LIMIT:
            time.sleep(0.02)
        result = run_restore(simulator, place.options)
        others.get(timeout=60)
    assert result["changed"], result
    log = simulator.log()
    assert {request["status"] for request in log} <= {200, 202}
    high: list[int] = []
    used: dict[int, int] = defaultdict(int)
    for request in log:
        window = int(request["at"] // WINDOW)
        if "backups" in request["path"] or request["path"] == f"/instances/{HIGH_INSTANCE}":
            high.append(window)
        else:
            used[window] += 1
    assert len(high) == result["api"]["requests"]
    # The others leave it what is kept for it, but for the first request of an inventory in each window.
    after = range(min(high) + 1, max(high) + int(RUN_TTL / WINDOW))
    assert max(used[window] for window in after) <= LIMIT - RESERVED + 1


def find_priority(state_dir: Path) -> str:
    """Returns the priority of the requests that were sent, and forgets it."""
    (file,) = state_dir.glob("budget-*")
    sent_at = json.loads(file.read_text())["sent_at"]
    file.unlink()
    (priority,) = (priority for priority in Priority if sent_at[priority])
    return priority.name.lower()


@pytest.mark.parametrize(
    ("module", "options", "default"),
    [
        (claw_backup_restore, {"incident": "INC-1", "backup_id": 9}, "high"),
        (claw_instance_info, {"id": 1}, "normal"),
    ],
    ids=["restore", "info"],
)
def test_an_option_wins_over_the_environment_and_that_over_the_module(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    options: t.Any,
    default: str,
) -> None:
    simulator.reset(state=WORLD)
    tmp_path.chmod(0o700)
    worker = Worker(simulator, {"state_dir": str(tmp_path), **options})

    def run(**given: str) -> str:
        assert not worker.run(module, **given)["failed"]
        return find_priority(tmp_path)

    assert run() == default
    assert run(priority="low") == "low"
    monkeypatch.setenv("CLAWHOSTERS_PRIORITY", "low")
    assert run() == "low"
    assert run(priority="high") == "high"


@pytest.mark.rest
def test_inventory_and_roles_have_their_own(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state=WORLD)
    state_dir = controller.folder / "state"
    here = {"CLAWHOSTERS_STATE_DIR": str(state_dir)}
    assert controller.inventory(**here).rc == 0
    assert find_priority(state_dir) == "low"
    restore = {"restore_instance_ids": [HIGH_INSTANCE], "restore_incident": "INC-1"}
    for playbook, variables, environment, expected in (
        ("restore", restore, {}, "high"),
        ("restore", {**restore, "restore_priority": "low"}, {"CLAWHOSTERS_PRIORITY": "normal"}, "low"),
        ("fleet_report", {}, {}, "low"),
    ):
        # Check mode creates no folder.
        state_dir.mkdir(exist_ok=True)
        command = ["ansible-playbook", f"clawhosters.cloud.{playbook}", *extra_variables(**variables), "--check"]
        run = controller.run(*command, **here, **environment)
        assert run.rc == 0, run.screen
        assert find_priority(state_dir) == expected


def test_another_word_is_refused_before_anything_is_sent(simulator: Simulator, controller: Controller) -> None:
    task = controller.task({"id": 1, "priority": "urgent"}, module="claw_instance_info")
    assert task.result["msg"] == "value of priority must be one of: low, normal, high, got: urgent"
    run = controller.inventory(CLAWHOSTERS_PRIORITY="urgent")
    assert "low, normal, high" in run.screen
    names = {"restore_instances": "web-bot", "restore_incident": "INC-1", "restore_priority": "urgent"}
    run = controller.run("ansible-playbook", "clawhosters.cloud.restore", *extra_variables(**names))
    assert run.says("restore_priority is 'urgent', but must be low, normal or high. Nothing was sent.")
    given = extra_variables(fleet_report_priority="urgent")
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet_report", *given)
    assert run.says("value of fleet_report_priority must be one of: , low, normal, high, got: urgent")
    assert simulator.log() == []


def use_up(
    simulator: Simulator, folder: Path, sleeper: Sleeper, lines: list[str], **options: t.Any
) -> tuple[Client, SharedRateBudget]:
    """Returns a client that has left one request of the window, and the budget as another process knows it."""
    simulator.switch(rate_limit=3, rate_window_seconds=60)
    progress = Progress(lines.append, clock=lambda: sleeper.now, sleep=sleeper.sleep)
    settings = parse_settings({"api_key": KEY, "api_url": simulator.url, **options}, pytest.fail)
    store = FolderStore(str(folder / "state"))
    client = Client(settings, progress=progress, store=store)
    for number in (1, 2):
        client.fetch(f"/instances/{number}")
    return client, SharedRateBudget(store, simulator.url, KEY, progress.clock)


@pytest.mark.parametrize("is_waiting", [True, False], ids=["a request waits", "a run is active"])
def test_who_waits_behind_others_loses_no_time(simulator: Simulator, tmp_path: Path, is_waiting: bool) -> None:
    """It may wait two seconds for the rate limit. For 12 s, the last request of the window is another's."""
    sleeper, lines = Sleeper(), list[str]()
    client, another = use_up(simulator, tmp_path, sleeper, lines, retry_timeout=2)

    def give_sign(limiter: RateLimiter, now: float) -> None:
        if is_waiting:
            limiter.waiting[Priority.HIGH] = now + 9
        else:
            limiter.high_until = now + 9

    def act() -> None:
        if sleeper.total < 12:
            another._update(give_sign)

    another._update(give_sign)
    sleeper.before_sleep = act
    client.fetch("/instances/3")
    assert client.stats.waited >= 12
    assert client.stats.retries == 0
    host = urlsplit(simulator.url).netloc
    assert lines[0] == f"{host}: the rest of the rate limit is kept for a higher priority, 10 s"


def test_a_poll_does_not_outlast_its_wait_behind_others(simulator: Simulator, tmp_path: Path) -> None:
    sleeper = Sleeper()
    client, another = use_up(simulator, tmp_path, sleeper, [])
    another._update(lambda limiter, now: vars(limiter).update(high_until=now + 9))
    client.fetch("/instances/3", time_left=4)
    assert sleeper.total <= 4


def test_the_event_source_is_low_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def priority(**given: str) -> Priority:
        return parse_arguments({"api_key": KEY, **given}, pytest.fail).settings.priority

    assert priority() == priority(priority="") == Priority.LOW
    monkeypatch.setenv("CLAWHOSTERS_PRIORITY", "normal")
    assert priority() == Priority.NORMAL
    assert priority(priority="high") == Priority.HIGH
    with pytest.raises(SettingsError, match="low, normal, high"):
        priority(priority="urgent")
