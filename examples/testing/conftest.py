# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated service for the tests of your own roles. Copy this file beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

INSTALLED = "~/.ansible/collections/ansible_collections/clawhosters/cloud"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yields the URL of a service with sixty instances, and sets the variables that point Ansible at it."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "simulator",
        "--port",
        "0",
        "--exit-with-parent",
        "--transition-seconds",
        "0",
    ]
    collection = Path(os.environ.get("CLAWHOSTERS_COLLECTION", INSTALLED)).expanduser()
    environment = {**os.environ, "PYTHONPATH": str(collection / "tests")}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as simulator:
        url = simulator.stdout.readline().strip()
        if not url:
            # Without a URL of its own, a role would change the real service.
            pytest.fail("The simulator has not started: its message is above.")
        monkeypatch.setenv("CLAWHOSTERS_API_URL", url)
        monkeypatch.setenv("CLAWHOSTERS_API_KEY", "oc_live_rehearsal_0000")
        monkeypatch.setenv("CLAWHOSTERS_ACCOUNT", "")
        monkeypatch.setenv("CLAWHOSTERS_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("CLAWHOSTERS_STATE_DATABASE", "")
        yield url
        simulator.stdin.close()
