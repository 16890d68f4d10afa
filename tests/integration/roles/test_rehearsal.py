# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook rehearsal: the fleet of one service is restored on another, which the shell alone can reach."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest
import requests
import yaml

from ansible_collections.clawhosters.cloud.plugins.action import internal_rehearsal as rehearsal
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import KNOWN_VARIABLES
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller, extra_variables
from support.postgres import free_port
from support.shells import require_shell
from support.worker import Worker

HOSTILE = [
    "{{ lookup('pipe', 'touch was-run') }}",
    "- a: 'b\"\n",
    "café 日本",
    "#jinja2: x",
    "a\x00b\u202ec",
    "no",
    "7",
]


def read_fleet(folder: Path) -> dict[str, t.Any]:
    content: dict[str, t.Any] = yaml.safe_load((folder / "fleet.yml").read_text(encoding="utf-8"))
    return content


@pytest.mark.rest
def test_the_fleet_is_restored_on_a_simulator_and_not_touched(simulator: Simulator, controller: Controller) -> None:
    """The exported settings of production would fail each task of the rehearsal that used them."""
    port = free_port()
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}],
            "backups": [{"id": 9, "instance_id": 1, "created_at": "2h ago"}],
        }
    )
    production = {
        "CLAWHOSTERS_STATE_DATABASE": "postgresql://production.invalid/journal",
        "CLAWHOSTERS_API_KEY_FILE": "/production.key",
        "CLAWHOSTERS_CA_PATH": "/production.pem",
        "CLAWHOSTERS_PAGE_SIZE": "many",
        "CLAWHOSTERS_STATE_DIR": str(controller.folder / "production state"),
    }
    variables = extra_variables(rehearsal_dir="my rehearsal", rehearsal_port=port)
    run = controller.run("ansible-playbook", "clawhosters.cloud.rehearsal", *variables)
    assert run.rc == 0, run.screen
    folder = controller.folder / "my rehearsal"
    assert all(len(line) <= 80 for line in run.all[-1]["msg"] if str(controller.folder) not in line and "/" not in line)
    with Simulator(state=folder / "fleet.yml", port=port, switches={"transition_reads": 1}) as rehearsed:
        options = "-e restore_instances=web-bot -e restore_incident=INC-1 -e restore_confirm=web-bot"
        restore = f"set -eu; . 'my rehearsal/rehearsal.env'; ansible-playbook clawhosters.cloud.restore {options}"
        restored = controller.run("bash", "-c", restore, **production)
        assert restored.rc == 0, restored.screen
        assert rehearsed.effects() == {"restores": 1}
        assert rehearsed.instance(1)["_restored_from"]
    assert all(call.startswith("GET ") for call in simulator.calls())
    assert simulator.effects() == {}
    assert (folder / "state").is_dir()
    assert not Path(production["CLAWHOSTERS_STATE_DIR"]).exists()


@pytest.fixture
def worker(simulator: Simulator, tmp_path: Path) -> Worker:
    return Worker(simulator, {"dir": str(tmp_path / "rehearsal"), "port": 8800})


@pytest.mark.rest
def test_any_name_is_copied_and_the_simulator_takes_the_file(
    simulator: Simulator, worker: Worker, tmp_path: Path
) -> None:
    instances = [
        {"id": number, "name": name, "secret_token": "s3cret", "ip_address": "192.0.2.7"}
        for number, name in enumerate(HOSTILE, 1)
    ]
    backups = [
        {"id": 10, "instance_id": 1, "created_at": "5h ago", "status": "failed"},
        {"id": 11, "instance_id": 2, "created_at": "2h ago"},
    ]
    simulator.reset(state={"instances": instances, "backups": backups})
    result = worker.run(rehearsal)
    assert not result["failed"], result
    text = (tmp_path / "rehearsal/fleet.yml").read_text(encoding="utf-8")
    assert not any(word in text for word in ("s3cret", "192.0.2.7", KEY, "ip_address", "subdomain"))
    with Simulator(state=tmp_path / "rehearsal/fleet.yml") as rehearsed:
        copied, real = rehearsed.state(), simulator.state()
    names = [one["name"] for one in real["instances"]]
    assert [one["name"].replace("\ufffd", "?") for one in copied["instances"]] == [
        name.replace("\x00", "?").replace("\u202e", "?") for name in names
    ]
    for field in ("id", "instance_id", "created_at", "status"):
        assert [one[field] for one in copied["backups"]] == [one[field] for one in real["backups"]]


@pytest.mark.rest
def test_the_script_starts_the_simulator_with_the_copied_fleet(
    simulator: Simulator, worker: Worker, tmp_path: Path
) -> None:
    """Python would take a module of the current folder first, which may be anybody's."""
    for name in ("simulator", "yaml", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of somebody else runs')", encoding="utf-8")
    simulator.reset(state={"instances": [{"id": 7, "name": "web-bot"}], "backups": []})
    result = worker.run(rehearsal)
    script = tmp_path / "rehearsal/simulator.sh"
    assert f"sh {script}" in result["report"]
    assert f". {script.with_name('rehearsal.env')}" in result["report"]
    command = ["sh", str(script), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as started:
        try:
            assert started.stdout
            url = started.stdout.readline().strip()
            answer = requests.get(f"{url}/instances", headers={"Authorization": f"Bearer {KEY}"}, timeout=30).json()
            assert [one["name"] for one in answer["data"]] == ["web-bot"]
        finally:
            started.terminate()


@pytest.mark.slice
def test_a_shell_that_sources_the_file_keeps_no_setting_but_its_own(worker: Worker, tmp_path: Path) -> None:
    worker.run(rehearsal)
    environment = {"PATH": os.environ["PATH"], **dict.fromkeys(KNOWN_VARIABLES, "production")}
    for shell in ("sh -eu", "bash -eu", "zsh -eu", "fish --no-config"):
        name, *options = shell.split()
        require_shell(name)
        shown = subprocess.run(
            [name, *options, "-c", f". {tmp_path}/rehearsal/rehearsal.env; env"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        # An empty variable is one that is not set.
        left = dict(line.split("=", 1) for line in shown.splitlines() if re.match("CLAWHOSTERS.*=.", line))
        assert left == {
            "CLAWHOSTERS_API_URL": "http://127.0.0.1:8800/api/v1",
            "CLAWHOSTERS_API_KEY": "oc_live_rehearsal_0000",
            "CLAWHOSTERS_STATE_DIR": str(tmp_path / "rehearsal/state"),
        }


def test_files_are_the_owners_alone_and_links_are_not_followed(worker: Worker, tmp_path: Path) -> None:
    worker.run(rehearsal)
    folder, victim = tmp_path / "rehearsal", tmp_path / "victim"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    victim.write_text("theirs", encoding="utf-8")
    for name in ("fleet.yml", "rehearsal.env", "simulator.sh"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        (folder / name).unlink()
        (folder / name).symlink_to(victim)
    assert worker.run(rehearsal)["changed"]
    assert not worker.run(rehearsal)["changed"]
    assert victim.read_text(encoding="utf-8") == "theirs"
    assert not (folder / "fleet.yml").is_symlink()


def test_check_mode_writes_nothing(simulator: Simulator, worker: Worker, tmp_path: Path) -> None:
    result = worker.run(rehearsal, check=True)
    assert (result["changed"], result["report"][1][:25]) == (True, "Not written in check mode")
    assert list(tmp_path.iterdir()) == []
    worker.run(rehearsal)
    assert not worker.run(rehearsal, check=True)["changed"]


def test_what_the_simulator_can_not_hold_is_left_out_and_counted(worker: Worker) -> None:
    instances = [{"id": 1, "name": "a", "tier": [], "created_at": "soon"}, {"id": "x", "name": "b"}, {"id": 3}]
    backups = [
        {"id": 1, "instance": {"name": "a"}, "completed_at": "2026-02-03T10:00:00+02:00", "status": 5},
        {"id": 2, "instance_id": 9, "created_at": "2026-02-03T10:00:00Z"},
        {"id": 3, "instance_id": 1},
    ]
    assert rehearsal.build_state(instances, backups) == {
        "instances": [{"id": 1, "name": "a"}],
        "backups": [{"id": 1, "instance_id": 1, "created_at": "2026-02-03T08:00:00Z"}],
    }
    assert json.dumps(rehearsal.build_state([], []))
