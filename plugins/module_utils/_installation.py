# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the command that installs a Python package where Ansible runs: each way to install Ansible has its own."""

from __future__ import annotations

import importlib.metadata
import shlex
import sys
import sysconfig
import tomllib
from pathlib import Path

DEBIAN_VERSION = Path("/etc/debian_version")
_DEBIAN = {"requests": "python3-requests", "psycopg[binary]": "python3-psycopg"}


def install_command(package: str) -> str:
    """Returns the command that installs or upgrades a package for the Python that runs this, to type in a shell.

    pipx and uv keep a tool in an environment without pip, which they know by a file in it. Debian's Python refuses pip.
    """
    environment = Path(sys.prefix)
    if (environment / "pipx_metadata.json").exists():
        force = ["--force"] if _is_installed(package.partition("[")[0]) else []
        return shlex.join(["pipx", "inject", *force, environment.name, package])
    receipt = environment / "uv-receipt.toml"
    if receipt.exists():
        return shlex.join(["uv", "tool", "install", *_read_tool(receipt), "--with", package])
    if sys.prefix == sys.base_prefix and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        if DEBIAN_VERSION.exists():
            return f"sudo apt install {_DEBIAN[package]}"
        return f"sudo {shlex.join([sys.executable, '-m', 'pip', 'install', '--break-system-packages', package])}"
    if not _is_installed("pip"):
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, "--upgrade", package])
    return shlex.join([sys.executable, "-m", "pip", "install", "--upgrade", package])


def _is_installed(package: str) -> bool:
    return bool(list(importlib.metadata.distributions(name=package)))


def _read_tool(receipt: Path) -> list[str]:
    """Returns what uv installed a tool with, so that installing it again keeps that: the tool, then each package."""
    try:
        packages = tomllib.loads(receipt.read_text(encoding="utf-8"))["tool"]["requirements"]
        tool, *others = [f"{one['name']}{one.get('specifier', '')}" for one in packages]
    except (OSError, ValueError, KeyError, TypeError):
        return [receipt.parent.name]
    return [tool, *(part for other in others for part in ("--with", other))]
