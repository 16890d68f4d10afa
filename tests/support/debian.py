# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that some tests need and that no wheel has: root gets them from Debian, and so does CI by ``sudo``."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

T = t.TypeVar("T")


def left_out(what: str, reason: str) -> t.NoReturn:
    """Says what was not tested; CI must test everything."""
    text = f"Left out: {what}, since {reason}."
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


def as_root(*command: str) -> bool:
    """Runs a command as root. Returns False if that is not possible, or it fails."""
    sudo = ["sudo", "-n"] if os.environ.get("CI") and shutil.which("sudo") else None
    prefix = [] if os.geteuid() == 0 else sudo
    if prefix is None or shutil.which(command[0]) is None:
        return False
    return subprocess.run([*prefix, *command], check=False, capture_output=True).returncode == 0


def install(*packages: str) -> None:
    """Installs Debian packages, if that is allowed. The run level keeps them from starting a service."""
    environment = ("env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
    with Path(tempfile.gettempdir(), f"clawhosters-apt-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of several processes may need packages
        as_root(*environment, "apt-get", "update")
        as_root(*environment, "apt-get", "install", "--yes", "--no-install-recommends", *packages)


def require_package(package: str, find: t.Callable[[], T | None], what: str) -> T:
    """Returns what ``find`` finds, after installing the package if that is needed and allowed.

    ``what`` names the test that can't run without it.
    """
    found = find()
    if found is None:
        install(package)
        found = find()
    if found is None:
        left_out(what, f"{package} is missing (Debian: apt-get install {package})")
    return found
