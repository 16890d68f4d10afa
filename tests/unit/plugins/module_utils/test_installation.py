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

RECEIPT = '[tool]\nrequirements = [{ name = "ansible-core", specifier = ">=2.18" }, { name = "passlib" }]\n'


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
    assert install_command("psycopg[binary]") == "pipx inject ansible-core 'psycopg[binary]'"
    monkeypatch.setattr(_installation, "_is_installed", lambda _package: True)
    assert install_command("requests") == "pipx inject --force ansible-core requests"


@pytest.mark.parametrize(
    ("receipt", "kept"),
    [
        (RECEIPT, "'ansible-core>=2.18' --with passlib"),
        ("[tool]\nrequirements = 5\n", "ansible-core"),
        ("[", "ansible-core"),
    ],
)
def test_uv_installs_the_tool_with_what_it_has(environment: Path, receipt: str, kept: str) -> None:
    (environment / "uv-receipt.toml").write_text(receipt, encoding="utf-8")
    assert install_command("requests") == f"uv tool install {kept} --with requests"


def test_a_virtual_environment_uses_its_own_pip_or_uv(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install_command("requests") == "'/opt/my env/bin/python' -m pip install --upgrade requests"
    monkeypatch.setattr(_installation, "_is_installed", lambda _package: False)
    assert install_command("requests") == "uv pip install --python '/opt/my env/bin/python' --upgrade requests"


@pytest.mark.parametrize(
    ("is_debian", "command"),
    [
        (True, "sudo apt install python3-requests"),
        (False, "sudo '/opt/my env/bin/python' -m pip install --break-system-packages requests"),
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


def test_an_installed_package_is_found_by_its_name() -> None:
    assert _installation._is_installed("requests")
    assert not _installation._is_installed("no-such-package")
