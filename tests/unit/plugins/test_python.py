# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An old Python is refused in one line that says which is needed."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

import pytest
from ansible.errors import AnsibleError

from support.controller import REPOSITORY

COLLECTION, SIMULATOR = REPOSITORY / "plugins/__init__.py", REPOSITORY / "tests/simulator/__main__.py"


@pytest.mark.parametrize("version", [(3, 9, 18, "final", 0), (3, 10, 13, "final", 0)])
def test_an_old_python_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, version: tuple[object, ...]) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(AnsibleError, match=r"needs Python 3\.11 or newer where Ansible runs.*is Python 3\.\d+\.1\d\. "):
        runpy.run_path(str(COLLECTION))
    with pytest.raises(SystemExit, match=r"^The simulator needs Python 3\.11 or newer\. .* is Python 3\.1\d\.\d+\.$"):
        runpy.run_path(str(SIMULATOR))


@pytest.mark.parametrize("path", [COLLECTION, SIMULATOR], ids=["collection", "simulator"])
def test_an_old_python_can_read_the_file_that_refuses_it(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_a_supported_python_is_not_refused() -> None:
    runpy.run_path(str(COLLECTION))
