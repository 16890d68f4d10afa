# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible as pipx, uv, venv and Debian install it: what the guide shows works, and so does what a message prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from project import guides
from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY
from support.debian import require_package

pytestmark = [pytest.mark.rest, pytest.mark.slow]

BLOCKS = [block for block in guides.blocks(guides.ROOT / "docs/getting-started.md", "bash") if "core" in block]
GUIDE = dict(zip(("venv", "pipx", "uv", "debian"), BLOCKS, strict=True))
WITHOUT_REQUESTS = {
    "venv": "python3 -m venv ~/ansible && . ~/ansible/bin/activate\npip install ansible-core\n",
    "pipx": "pipx install ansible-core\n",
    "uv": "uv tool install ansible-core\n",
}
HEALTH = "ansible localhost -m clawhosters.cloud.claw_health_info"


@dataclass
class Home:
    """A home of its own, with the real pipx and uv."""

    folder: Path
    environment: dict[str, str]

    def type(self, *lines: str) -> str:
        """Returns what a shell prints that these lines are typed into. The virtual environment of the guide is on."""
        activate = "[ ! -e ~/ansible/bin/activate ] || . ~/ansible/bin/activate"
        script = "\n".join([activate, *lines])
        done = subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout


@pytest.fixture
def home(tmp_path: Path, simulator: Simulator) -> Home:
    require_package("pipx", lambda: shutil.which("pipx", path="/usr/bin:/usr/local/bin"), "what pipx installs")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "uv").symlink_to(Path(sys.executable).parent / "uv")
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    path = [f"{tmp_path}/.local/bin", str(programs), "/usr/local/bin", "/usr/bin", "/bin"]
    # How this machine reaches a package index.
    given = {
        name: value for name, value in os.environ.items() if name.upper().startswith(("UV_", "PIP_", "SSL_", "HTTP"))
    }
    return Home(
        tmp_path,
        {
            **given,
            "HOME": str(tmp_path),
            "PATH": ":".join(path),
            "LC_ALL": "C.UTF-8",
            "UV_PYTHON": str(Path(sys.executable).resolve()),
            "PIPX_DEFAULT_PYTHON": str(Path(sys.executable).resolve()),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "build/live"),
            "CLAWHOSTERS_API_URL": simulator.url,
            "CLAWHOSTERS_API_KEY": KEY,
        },
    )


@pytest.mark.parametrize("way", WITHOUT_REQUESTS)
def test_what_the_guide_shows_installs_all_that_a_task_needs(home: Home, way: str) -> None:
    printed = home.type(GUIDE[way])
    assert '"available": true' in home.type(HEALTH), printed


@pytest.mark.parametrize("way", WITHOUT_REQUESTS)
def test_a_message_prints_the_command_that_installs_a_library(home: Home, way: str) -> None:
    home.type(WITHOUT_REQUESTS[way])
    for command, library in ((HEALTH, "requests"), (f"{HEALTH} -a state_database=host=127.0.0.1", "psycopg")):
        screen = home.type(command)
        assert "Install or upgrade it" in screen, screen
        install = (
            screen.split("Install or upgrade it")[1]
            .split(": ", 1)[1]
            .split("\n")[0]
            .strip()
            .removesuffix('",')
            .strip('"')
        )
        assert library in install
        printed = home.type(install)
        again = home.type(command)
        assert "Install or upgrade it" not in again, f"{install}\n{printed}\n{again}"


def test_the_packages_of_the_guide_are_those_of_debian(home: Home) -> None:
    names = GUIDE["debian"].removeprefix("sudo apt install ").split()
    shown = home.type(f"apt-cache show {' '.join([*names, 'python3-psycopg'])}")
    assert {line.split(": ")[1] for line in shown.splitlines() if line.startswith("Package: ")} >= {*names}
