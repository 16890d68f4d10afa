# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pairs of ansible-core and Python `make test-matrix` runs, and how much of each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import core_matrix

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DEFAULT = " ".join(re.findall(r"^MATRIX (?::|\+)= (.*)$", MAKEFILE, re.MULTILINE)).split()
INSTALLED = {"python3.11": "3.11.7", "python3.12": "3.12.1", "python3.13": "3.13.0", "$(OLDEST_PYTHON)": "3.11.2"}


def find(name: str) -> tuple[str, str] | None:
    return (f"/bin/{name}", INSTALLED[name]) if name in INSTALLED else None


def test_the_matrix_has_every_pair_of_the_weekly_run_and_the_lowest_versions() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/full.yml").read_text(encoding="utf-8"))
    pairs = workflow["jobs"]["pair"]["strategy"]["matrix"]["include"]
    weekly = [f"{pair['core']}:python{pair['python']}" for pair in pairs]
    assert sorted(DEFAULT) == sorted([*weekly, "lowest:$(OLDEST_PYTHON)"])
    pins = {path.stem.removeprefix("core-") for path in (ROOT / "requirements").glob("core-*.txt")}
    assert pins == {*(pair.partition(":")[0] for pair in DEFAULT), "next"}


def test_whole_rows_cover_each_core_and_each_python() -> None:
    rows = core_matrix.plan(DEFAULT, find)
    whole = [row for row in rows if not row.is_short]
    assert {row.core for row in whole} == {row.core for row in rows}
    assert {row.version[:4] for row in whole} == {"3.11", "3.12", "3.13"}
    # Among them the oldest and the newest pair.
    assert {("2.18", "python3.11"), ("2.21", "python3.13")} <= {(row.core, row.python) for row in whole}
    assert len(whole) < len(rows)


@pytest.mark.parametrize("pair", DEFAULT)
def test_a_row_alone_is_whole(pair: str) -> None:
    (row,) = core_matrix.plan([pair], find)
    assert row.path
    assert not row.is_short


def test_a_python_that_is_not_installed_is_named_and_covers_nothing() -> None:
    missing, row = core_matrix.plan(["2.18:python3.14", "2.18:python3.13"], find)
    assert missing.path is None
    assert missing.line() == "2.18     python3.14  not installed"
    assert not row.is_short


def test_a_command_on_the_path_that_fails_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv has such a command for each version that is installed and not activated."""
    for folder, script in (("shims", "exit 127"), ("real", f'exec {sys.executable} "$@"')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "python3.99").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / folder / "python3.99").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:/usr/bin:/bin")
    assert core_matrix.find_python("python3.99", []) is None
    path, version = core_matrix.find_python("python3.99", [tmp_path / "missing", tmp_path / "real"]) or ("", "")
    assert path == str(tmp_path / "real/python3.99")
    assert version.startswith("3.")


def test_the_newest_interpreter_of_pyenv_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("3.9.18", "3.12.1", "3.12.10"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert [path.parent.name for path in core_matrix.pyenv_folders()] == ["3.12.10", "3.12.1", "3.9.18"]


@pytest.mark.parametrize(
    ("code", "outcome", "expected"),
    [(0, "passed", 0), (2, "FAILED", 1)],
)
def test_the_table_shows_each_outcome(
    code: int, outcome: str, expected: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(core_matrix, "find_python", lambda name, _folders: find(name))
    monkeypatch.setattr(core_matrix.subprocess, "run", run)
    assert core_matrix.main("row", ["2.18:python3.11", "2.18:python3.14"]) == expected
    assert started == [["make", "row", "CORE=2.18", "PYTHON=/bin/python3.11", "SHORT="]]
    table = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"2.18     3.11.7      {outcome}") for line in table)
    assert "2.18     python3.14  not installed" in table


def test_a_run_of_nothing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_matrix, "find_python", lambda _name, _folders: None)
    assert core_matrix.main("row", ["2.18:python3.11"]) == 1
