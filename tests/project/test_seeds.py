# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A random test that fails prints the command that repeats it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.controller import REPOSITORY

pytestmark = pytest.mark.rest

RANDOM_TESTS = """
import hypothesis
import pytest
from hypothesis import strategies as st
from support.stage import choose_moments

@pytest.mark.parametrize("case", ["a restore"])
@hypothesis.given(number=st.integers(0, 10**9))
def test_by_hypothesis(case, number):
    assert number < 1000, f"chose {number}"

def test_by_moments(request):
    number = choose_moments(request, "a run", 1).randrange(10**9)
    assert not number, f"chose {number}"
"""


def run_pytest(*arguments: str) -> str:
    """Returns what a run of pytest prints."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    return done.stdout


def test_a_failure_prints_the_command_that_repeats_it(tmp_path: Path) -> None:
    path = tmp_path / "test_random.py"
    path.write_text(RANDOM_TESTS, encoding="utf-8")
    screen = run_pytest("-p", "conftest", str(path))
    commands = re.findall(r"^To repeat what failed: make unit ARGS='(.*)'$", screen, re.MULTILINE)
    assert len(commands) == 2, screen
    for command in commands:
        (node, *options) = shlex.split(command)
        again = run_pytest("-p", "conftest", f"{path}::{node.partition('::')[2]}", *options)
        assert "1 failed" in again
        chosen = [set(re.findall(r"Error: (chose \d+)$", output, re.MULTILINE)) for output in (screen, again)]
        assert chosen[1]
        assert chosen[1] < chosen[0], again


def test_a_case_of_the_mesh_that_once_failed_is_run_each_time() -> None:
    listed = run_pytest("--collect-only", "-q", "tests/mesh")
    assert "test_the_same_job_on_another_node[cut-680403]" in listed
    repeated = run_pytest("--collect-only", "-q", "tests/mesh", "--seed=5", "-k", "cut")
    assert re.findall(r"node\[(.*)\]", repeated) == ["cut-5"]
