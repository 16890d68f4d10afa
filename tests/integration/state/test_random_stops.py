# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stops a run comes at a random moment of it, and by the log of the service nothing is sent that this forbids.

`make crash` takes fifty moments of each kind.
"""

from __future__ import annotations

import random
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore
from simulator.handle import Simulator
from support.killed import Ending, run_killed
from support.stage import choose_moments
from support.worker import Worker

pytestmark = pytest.mark.rest

STATES = ("stopped", "restarted", "absent")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    count: int = request.config.getoption("kills")
    return count


def fleet(count: int) -> dict[str, t.Any]:
    """A world of running instances with a backup each."""
    numbers = range(1, count + 1)
    return {
        "instances": [{"id": number, "name": f"bot-{number}", "billing_mode": "daily"} for number in numbers],
        "backups": [{"id": 10 + number, "instance_id": number, "created_at": "5h ago"} for number in numbers],
    }


def requests_of(simulator: Simulator, number: int) -> list[tuple[str, bool]]:
    """Returns the changes of an instance that were requested, its restore too, and whether each was executed."""
    own = (f"/instances/{number}/", f"/backups/{10 + number}/")
    entries = [entry for entry in simulator.log() if entry["method"] != "GET"]
    return [(entry["path"], bool(entry["effect"])) for entry in entries if f"{entry['path']}/".startswith(own)]


class Scene:
    """A change of one or three instances, one after another, while ``target`` is restored. It shows nothing of that."""

    def __init__(
        self, simulator: Simulator, folder: Path, collections: Path, module: str, chance: random.Random
    ) -> None:
        self.simulator, self.folder, self.collections, self.module = simulator, folder, collections, module
        self.store = {"state_dir": str(folder / "state"), "api_url": simulator.url}
        states = [chance.choice(STATES) for _one in range(3 if module == "claw_fleet" else 1)]
        self.options: dict[str, t.Any] = {"id": 1, "state": states[0]}
        if module == "claw_fleet":
            entries = [{"id": one, "name": f"bot-{one}", "state": state} for one, state in enumerate(states, 1)]
            self.options = {"instances": entries, "serial": 1, "max_failures": 9}
        self.target, self.refusals = chance.randint(1, len(states)), chance.choice((0, 0, 1, 3))

    def run(self, at: int) -> Ending:
        """Runs the change, which stands still at that line while the restore begins."""
        self.simulator.reset(state=fleet(3), switches={"transition_reads": 1, "restore_shows": None})
        for method in ("POST", "DELETE") if self.refusals else ():
            path = f"/instances/{self.target}*"
            self.simulator.fault("rate_limited", method=method, path=path, times=self.refusals)
        scope, options = "before the last look", {**self.store, **self.options}
        return run_killed(self.folder, self.collections, self.module, options, at, scope, meanwhile=self._restore)

    def _restore(self) -> None:
        options = {"incident": "INC-1", "instance_id": self.target, "wait": False}
        Worker(self.simulator, dict(self.store)).run(claw_backup_restore, **options)

    def judge(self, result: dict[str, t.Any]) -> tuple[bool, str]:
        """Returns True if the restore prevented the change, and what is wrong."""
        sent = requests_of(self.simulator, self.target)
        path = f"/backups/{10 + self.target}/restore"
        was_prevented = [path for path, was_executed in sent if was_executed] == [path]
        failed = [one["msg"] for one in result.get("instances", [result]) if one["failed"]]
        told = ["has sent a restore of it for incident INC-1" in one for one in failed]
        is_wrong = (path, True) in sent[:-1] or told != [True] * was_prevented
        return was_prevented, f"restored {self.target}: {sent}, {result}" if is_wrong else ""


@pytest.mark.parametrize("module", ["claw_instance", "claw_fleet"])
def test_no_change_follows_a_restore_that_begins_during_the_run(
    simulator: Simulator, tmp_path: Path, collections: Path, request: pytest.FixtureRequest, module: str, kills: int
) -> None:
    chance = choose_moments(request, f"restores during {module}", kills)
    outcomes = set()
    for number in range(kills):
        folder = tmp_path / str(number)
        folder.mkdir()
        scene = Scene(simulator, folder, collections, module, chance)
        at = chance.randint(1, scene.run(0).lines)
        was_prevented, fault = scene.judge(scene.run(at).result)
        assert not fault, f"at line {at}: {fault}"
        outcomes.add(was_prevented)
    assert kills < 50 or outcomes == {True, False}
