# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that installs a package fits the environment that it is for."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils import _installation
from ansible_collections.clawhosters.cloud.plugins.module_utils._installation import install_command

PSYCOPG = ("psycopg", "psycopg-binary")
RECEIPT = """[tool]
requirements = [
    { name = "ansible-core", specifier = ">=2.18" },
    { name = "passlib", extras = ["argon2", "bcrypt"], specifier = ">=1.7,<2" },
    { name = "requests", specifier = "<2.28" },
    { name = "ansible-lint" },
]
entrypoints = [
    { name = "ansible", install-path = "/home/user/.local/bin/ansible", from = "ansible-core" },
    { name = "ansible-lint", install-path = "/home/user/.local/bin/ansible-lint", from = "ansible-lint" },
]
"""
KEPT = "'ansible-core>=2.18' --with 'passlib[argon2,bcrypt]>=1.7,<2'"
LINT = "--with-executables-from ansible-lint"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that this Python takes for its own environment, without any package."""
    folder = tmp_path / "ansible-core"
    folder.mkdir()
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", "/opt/my env/bin/python")
    monkeypatch.setattr(_installation, "_is_installed", lambda package: package == "pip")
    return folder


def test_pipx_injects_into_the_environment_by_its_name(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (environment / "pipx_metadata.json").write_text("{}", encoding="utf-8")
    assert install_command("requests") == "pipx inject ansible-core requests"
    assert install_command(*PSYCOPG) == "pipx inject ansible-core psycopg psycopg-binary"
    monkeypatch.setattr(_installation, "_is_installed", lambda _package: True)
    assert install_command("requests") == "pipx inject --force --pip-args=--upgrade ansible-core requests"


def test_uv_installs_the_tool_with_what_it_has(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (environment / "uv-receipt.toml").write_text(f'{RECEIPT}python = "3.12"\n', encoding="utf-8")
    arguments = f"{KEPT} --with 'requests<2.28' {LINT} --python 3.12 --with psycopg --with psycopg-binary"
    assert install_command(*PSYCOPG) == f"uv tool install {arguments}"
    monkeypatch.setattr(_installation, "_is_installed", lambda package: package == "psycopg")
    assert install_command(*PSYCOPG) == f"uv tool install {arguments} --upgrade-package psycopg"
    assert install_command("requests") == f"uv tool install {KEPT} {LINT} --python 3.12 --with requests"


def test_a_virtual_environment_uses_its_own_pip_or_uv(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install_command("requests") == "'/opt/my env/bin/python' -m pip install --upgrade requests"
    monkeypatch.setattr(_installation, "_is_installed", lambda _package: False)
    assert install_command("requests") == "uv pip install --python '/opt/my env/bin/python' --upgrade requests"


@pytest.mark.parametrize(
    ("is_debian", "command"),
    [
        (True, "sudo apt install python3-requests"),
        (False, "sudo '/opt/my env/bin/python' -m pip install --break-system-packages --upgrade requests"),
    ],
)
def test_a_python_of_the_system_is_left_to_its_packages(
    environment: Path, monkeypatch: pytest.MonkeyPatch, is_debian: bool, command: str
) -> None:
    (environment / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(environment))
    (environment / "debian_version").touch()
    monkeypatch.setattr(
        _installation, "DEBIAN_VERSION", environment / "debian_version" if is_debian else environment / "no"
    )
    assert install_command("requests") == command
    assert install_command(*PSYCOPG) == command.replace(
        "requests", "psycopg" if is_debian else "psycopg psycopg-binary"
    )
