# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible as venv, pipx and uv install it: what the guide shows works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from project import guides
from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY
from support.debian import require_package

pytestmark = [pytest.mark.rest, pytest.mark.slow]

WAYS = ("venv", "pipx", "uv")
BLOCKS = [block for block in guides.blocks(REPOSITORY / "docs/getting-started.md", "bash") if "core" in block]
GUIDE = dict(zip(WAYS, BLOCKS, strict=False))
HEALTH = "ansible localhost -m clawhosters.cloud.claw_health_info"
Shell = t.Callable[[str], str]
"""Returns what a shell prints that these lines are typed into."""


@pytest.fixture
def shell(tmp_path: Path, simulator: Simulator) -> Shell:
    """A shell with a home of its own, and with the real pipx and uv."""
    require_package("pipx", lambda: shutil.which("pipx", path="/usr/bin:/usr/local/bin"), "what pipx installs")
    python = str(Path(sys.executable).resolve())
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs/uv").symlink_to(Path(sys.executable).parent / "uv")
    (tmp_path / "programs/python3").symlink_to(python)
    # How this machine reaches a package index.
    environment = {name: value for name, value in os.environ.items() if re.match("UV_|PIP_|SSL_|HTTP", name.upper())}
    environment |= {"HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "UV_PYTHON": python, "PIPX_DEFAULT_PYTHON": python}
    environment["PATH"] = f"{tmp_path}/.local/bin:{tmp_path}/programs:/usr/local/bin:/usr/bin:/bin"
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "build/live")}
    environment |= {"CLAWHOSTERS_API_URL": simulator.url, "CLAWHOSTERS_API_KEY": KEY}

    def run(lines: str) -> str:
        script = f"[ ! -e ~/ansible/bin/activate ] || . ~/ansible/bin/activate\n{lines}"
        command = ["bash", "-c", f"exec 2>&1\n{script}"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout

    return run


@pytest.mark.parametrize("way", WAYS)
def test_what_the_guide_shows_installs_all_that_a_task_needs(shell: Shell, way: str) -> None:
    printed = shell(GUIDE[way])
    assert '"available": true' in shell(HEALTH), printed
