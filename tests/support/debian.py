# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that some tests need and that no wheel has: root gets them from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

import pytest

T = t.TypeVar("T")


def left_out(what: str, reason: str) -> t.NoReturn:
    """Says what was not tested; CI must test everything."""
    text = f"Left out: {what}, since {reason}."
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


def require_package(package: str, find: t.Callable[[], T | None], what: str) -> T:
    """Returns what ``find`` finds, after installing the package if that is needed and allowed.

    ``what`` names the test that can't run without it.
    """
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # The run level keeps the package from starting a service.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (["update"], ["install", "--yes", "--no-install-recommends", package]):
            subprocess.run(["apt-get", *command], check=False, capture_output=True, env=environment)
        found = find()
    if found is None:
        left_out(what, f"{package} is missing (Debian: apt-get install {package})")
    return found
