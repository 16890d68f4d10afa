# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks by name, from an installed archive, far from the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from project import guides
from project.archive import build
from simulator.handle import Simulator
from support import KEY, warm
from support.controller import BIN, REPOSITORY, Controller

pytestmark = [pytest.mark.rest, pytest.mark.xdist_group("playbooks_installed")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path into which the archive was installed."""
    folder = tmp_path_factory.mktemp("installed")
    archive, collections = str(build(folder)), folder / "collections"
    command = [str(BIN / "ansible-galaxy"), "collection", "install", "--no-deps", archive, "-p", str(collections)]
    environment = {**os.environ, "HOME": str(folder), "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.PIPE)
    return collections


@pytest.mark.slow
def test_all_run_by_name(simulator: Simulator, installed: Path, tmp_path: Path) -> None:
    simulator.switch(transition_reads=1)
    controller = Controller(tmp_path, installed, {"CLAWHOSTERS_API_URL": simulator.url, "CLAWHOSTERS_API_KEY": KEY})
    declared = controller.write("fleet_vars.yml", {"fleet_instances": [{"name": "web-bot", "state": "stopped"}]})
    runs = {
        "fleet": ("-e", f"@{declared}"),
        "balance_guard": ("-e", "balance_guard_min_days=0"),
        "fleet_report": (),
        "doctor": (),
        "restore": (
            *("-e", "restore_instances=web-bot", "-e", "restore_incident=INC-1", "-e", "restore_confirm=web-bot"),
            *("-e", "restore_healthy_timeout=0", "-e", "restore_wait_timeout=0"),
        ),
    }
    for name, options in runs.items():
        run = controller.run("ansible-playbook", f"clawhosters.cloud.{name}", *options)
        # Nobody waits for the end of the restore here.
        assert run.rc == (2 if name == "restore" else 0), run.screen
    assert run.says("it continues, and sends nothing twice."), run.screen
    assert simulator.effects() == {"stops": 1, "restores": 1}
    assert (tmp_path / "clawhosters-fleet-report.html").exists()
    assert (tmp_path / "clawhosters-doctor.json").exists()
    assert (tmp_path / "clawhosters-restore/INC-1.html").exists()


def test_the_readme_leads_from_the_archive_to_a_first_inventory(installed: Path, tmp_path: Path) -> None:
    """Its commands as they stand there, against the simulator that is in the archive."""
    shell = guides.blocks(REPOSITORY / "README.md", "shell")
    lines = [line for block in shell for line in block.replace("\\\n", "").splitlines()]
    (start,) = [line for line in lines if "-m simulator" in line]
    (inventory,) = [block for block in shell if "claw_account_info" in block]
    home = tmp_path / "home"
    (home / ".ansible").mkdir(parents=True)
    (home / ".ansible/collections").symlink_to(installed)
    start = start.replace("--port 8800", "--port 0 --exit-with-parent")
    command = start.replace("~/simulator/bin/python", sys.executable)
    environment, pipe = {"HOME": str(home), "PATH": os.environ["PATH"]}, subprocess.PIPE
    with subprocess.Popen(
        ["bash", "-c", command], cwd=tmp_path, env=environment, stdin=pipe, stdout=pipe, text=True
    ) as simulator:
        assert simulator.stdin is not None
        assert simulator.stdout is not None
        url = simulator.stdout.readline().strip()
        controller = Controller(tmp_path, installed, {"CLAWHOSTERS_API_URL": url}, home)
        controller.environment["PATH"] = f"{warm.stand_ins()}:{controller.environment['PATH']}"
        run = controller.run("bash", "-c", "set -eux\n" + inventory.replace("YOUR_KEY", KEY))
        simulator.stdin.close()
    assert run.rc == 0, run.screen
    assert "--web-bot" in run.stdout
    assert '"claw_status": "running"' in run.stdout


def test_every_file_in_a_command_of_the_guides_is_in_the_archive(installed: Path) -> None:
    """So the guides work without a checkout."""
    here = installed / "ansible_collections/clawhosters/cloud"
    commands = "\n".join(text for guide in guides.GUIDES for text in guides.blocks(guide, "shell", "bash"))
    files = set(re.findall(r"\b(examples/[\w./-]+)", commands))
    files |= set(re.findall(r"ansible_collections/clawhosters/cloud/([\w./-]+)", commands))
    assert {"examples/fleet.clawhosters.yml", "examples", "tests"} <= files
    assert [name for name in files if not (here / name).exists()] == []
