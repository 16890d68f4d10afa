# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests of a user's own role, by pytest and by Molecule, as a user installs them. Needs a package index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.controller import REPOSITORY

pytestmark = [pytest.mark.rest, pytest.mark.slow]

PACKAGES = ("ansible-core", "requests", "molecule", "pytest", "fastapi", "uvicorn", "pyyaml")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs that a user has installed."""
    home = tmp_path_factory.mktemp("tools")
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", home, "--python", sys.executable], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", home / "bin/python", *PACKAGES], check=True)
    return home / "bin"


@pytest.mark.parametrize(
    ("command", "end"), [(["pytest", "-q"], "1 passed in "), (["molecule", "test"], "actions=6  successful=6 ")]
)
def test_the_example_tests_a_role(tools: Path, tmp_path: Path, command: list[str], end: str) -> None:
    folder = tmp_path / "testing"
    shutil.copytree(REPOSITORY / "examples/testing", folder)
    live = REPOSITORY / "build/live"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "CLAW"))}
    environment |= {"HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}", "NO_COLOR": "1"}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(live)}
    environment |= {"CLAWHOSTERS_COLLECTION": str(live / "ansible_collections/clawhosters/cloud")}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert end in run.stdout + run.stderr
