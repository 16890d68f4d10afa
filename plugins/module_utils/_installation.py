# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the command that installs Python packages where Ansible runs: each way to install Ansible has its own."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shlex
import sys
import sysconfig
import tomllib
import typing as t
from pathlib import Path

DEBIAN_VERSION = Path("/etc/debian_version")


def install_command(*packages: str) -> str:
    """Returns the command that installs or upgrades packages for the Python that runs this, to type in a shell.

    pipx and uv keep a tool in an environment without pip, which they know by a file in it. Debian's Python refuses pip,
    and its package of the first one has the others.
    """
    environment = Path(sys.prefix)
    installed = [package for package in packages if _is_installed(package)]
    if (environment / "pipx_metadata.json").exists():
        upgrade = ["--force", "--pip-args=--upgrade"] if installed else []
        return shlex.join(["pipx", "inject", *upgrade, environment.name, *packages])
    receipt = environment / "uv-receipt.toml"
    if receipt.exists():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            tool = tomllib.loads(receipt.read_text(encoding="utf-8"))["tool"]
            added = [*_options("--with", packages), *_options("--upgrade-package", installed)]
            return shlex.join(["uv", "tool", "install", *_read_tool(tool, environment.name, packages), *added])
    if sys.prefix == sys.base_prefix and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        if DEBIAN_VERSION.exists():
            return f"sudo apt install python3-{packages[0]}"
        pip = [sys.executable, "-m", "pip", "install", "--break-system-packages", "--upgrade"]
        return f"sudo {shlex.join([*pip, *packages])}"
    if receipt.exists() or not _is_installed("pip"):
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, "--upgrade", *packages])
    return shlex.join([sys.executable, "-m", "pip", "install", "--upgrade", *packages])


def _is_installed(package: str) -> bool:
    return bool(list(importlib.metadata.distributions(name=package)))


def _options(option: str, values: t.Iterable[str]) -> list[str]:
    return [part for value in values for part in (option, value)]


def _read_tool(tool: dict[str, t.Any], name: str, replaced: t.Collection[str]) -> list[str]:
    """Returns what uv installed a tool with, so that installing it again keeps that: packages, programs and Python.

    Raises TypeError if a package is of another kind, such as one from a folder, and KeyError if something is missing.
    """
    kept = {one["name"]: _requirement(**one) for one in tool["requirements"]}
    programs = {one["from"] for one in tool.get("entrypoints", ()) if "from" in one}
    arguments = [kept.pop(name)]
    for other, requirement in kept.items():
        if other not in replaced:
            arguments += ["--with-executables-from" if other in programs else "--with", requirement]
    return [*arguments, *_options("--python", [tool["python"]] if "python" in tool else [])]


def _requirement(name: str, specifier: str = "", extras: t.Iterable[str] = ()) -> str:
    """Returns a requirement of a receipt as it is written on a command line. Raises TypeError for other keys."""
    listed = ",".join(extras)
    return f"{name}[{listed}]{specifier}" if listed else f"{name}{specifier}"
