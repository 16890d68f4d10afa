# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role night_stop: a plan in check mode, then the change, then nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def recap(*options: str) -> str:
    """Runs the play that uses the role, and returns its last line."""
    run = subprocess.run(
        ["ansible-playbook", "night.yml", *options], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.strip().splitlines()[-1]


@pytest.mark.usefixtures("service")
def test_the_role_stops_the_tier_once() -> None:
    assert "changed=1" in recap("--check")
    assert "changed=1" in recap()
    assert "changed=0" in recap()
