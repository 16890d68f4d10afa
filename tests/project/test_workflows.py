# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that the workflows install is pinned, and no secret is an argument. actionlint and zizmor check the rest."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def find_steps() -> t.Iterator[tuple[str, dict[str, t.Any], dict[str, str]]]:
    """Yields the name, the step, and the environment of each step that runs commands."""
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        for job in workflow["jobs"].values():
            for step in job["steps"]:
                environment = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
                if "run" in step:
                    yield f"{path.name}: {step['name']}", step, environment


def test_no_command_has_a_secret_as_an_argument() -> None:
    secrets = 0
    for name, step, environment in find_steps():
        hidden = [variable for variable, value in environment.items() if "secrets." in str(value)]
        secrets += len(hidden)
        assert "secrets." not in step["run"], name
        assert not [variable for variable in hidden if re.search(rf"\b{variable}\b", step["run"])], name
    assert secrets


def test_every_package_that_a_workflow_installs_is_pinned() -> None:
    """Everything else is installed by the Makefile, with the pins in requirements/."""
    installed = 0
    for name, step, _environment in find_steps():
        assert "://" not in step["run"], name
        for line in step["run"].splitlines():
            if re.search(r"\b(pip|pipx|uv|npm|npx|gem|ansible-galaxy \w+) (install|ci|exec)\b|\b(apt|apt-get)\b", line):
                installed += 1
                assert "--require-hashes --requirement requirements/" in line, name
    assert installed


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_every_pin_has_a_version_and_hashes(path: Path) -> None:
    text = re.sub(r" *#.*", "", path.read_text(encoding="utf-8"))
    pins = re.split(r"\n(?=\S)", text.strip())
    assert pins
    for pin in pins:
        assert re.match(r"[\w.\[\],-]+==\S+", pin), pin
        assert "--hash=sha256:" in pin, pin


def test_the_next_core_is_installed_from_a_pin() -> None:
    (run,) = [step["run"] for _name, step, _environment in find_steps() if "MATRIX=next:" in step["run"]]
    assert run == "make test-matrix MATRIX=next:python3.13"
    assert re.match(r"ansible-core==2\.\d+\.\d+", (ROOT / "requirements/core-next.txt").read_text(encoding="utf-8"))


def test_the_matrix_covers_the_weekly_pairs_each_pin_and_each_python() -> None:
    whole, shorter = (
        re.findall(rf"^{name} := (.*)$", MAKEFILE, re.MULTILINE)[0].split() for name in ("WHOLE", "SHORTER")
    )
    workflow = yaml.safe_load((ROOT / ".github/workflows/full.yml").read_text(encoding="utf-8"))
    pairs = workflow["jobs"]["pair"]["strategy"]["matrix"]["include"]
    weekly = [f"{pair['core']}:python{pair['python']}" for pair in pairs]
    assert sorted([*whole, *shorter]) == sorted([*weekly, "lowest:$(OLDEST_PYTHON)"])
    pins = {path.stem.removeprefix("core-") for path in (ROOT / "requirements").glob("core-*.txt")}
    assert pins == {*(pair.partition(":")[0] for pair in whole), "next"}
    assert {pair.partition(":")[2] for pair in whole} >= {pair.partition(":")[2] for pair in shorter}
