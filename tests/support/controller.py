# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the real Ansible commands, in a folder and with a home of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from . import warm

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT = 300
"""Seconds after which a command is killed."""
BIN = Path(sys.executable).parent


@dataclass
class Run:
    """The result of a command: exit code, output, and the results of all tasks and loop items."""

    rc: int
    stdout: str
    stderr: str
    results: list[dict[str, t.Any]] = field(default_factory=list)

    @property
    def screen(self) -> str:
        return self.stdout + self.stderr

    def says(self, text: str) -> bool:
        """Returns True if ``text`` was printed, perhaps on several lines."""
        return says(self.screen, text)

    @property
    def result(self) -> dict[str, t.Any]:
        assert len(self.results) == 1, self.screen
        return self.results[0]["result"]

    @property
    def changed_tasks(self) -> int:
        """Returns the number in the recap of the only host."""
        (number,) = re.findall(r"\bchanged=(\d+)", self.stdout)
        return int(number)

    @property
    def all(self) -> list[dict[str, t.Any]]:
        return [entry["result"] for entry in self.results]


def says(screen: str, text: str) -> bool:
    """Returns True if ``text`` was printed. White space and the ends of a list's items are ignored.

    The runbook wraps its plan, and ansible-core up to 2.18 warnings.
    """
    return "".join(text.split()) in "".join(screen.split()).replace('","', "")


def extra_variables(**variables: t.Any) -> list[str]:
    """Returns the options that set these variables, except those that are None."""
    given = {name: value for name, value in variables.items() if value is not None}
    return [part for name, value in given.items() for part in ("-e", json.dumps({name: value}))]


def started(command: t.Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    place = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL}
    return subprocess.run(command, **place, capture_output=True, text=True, timeout=TIMEOUT, check=False)


class Controller:
    """Runs Ansible's commands in ``folder``. ``environment`` holds the variables that the user exported."""

    def __init__(self, folder: Path, collections: Path, environment: dict[str, str], home: Path | None = None) -> None:
        self.folder = folder
        self.home = home or folder / "home"
        self.environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TZ": os.environ.get("TZ", "UTC"),
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_CALLBACK_PLUGINS": str(REPOSITORY / "tests/support/callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "results",
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "RESULTS_FILE": str(folder / "results"),
            **environment,
        }
        self.home.mkdir(exist_ok=True)

    def left(self) -> list[Path]:
        """Returns all paths below the folder and the home."""
        return [path for place in (self.folder, self.home) for path in place.rglob("*")]

    def run(self, *command: str, **environment: str | None) -> Run:
        """Runs ``command``. ``environment`` adds variables, or removes those that are None."""
        results = self.folder / "results"
        results.unlink(missing_ok=True)
        variables = {name: value for name, value in {**self.environment, **environment}.items() if value is not None}
        done = warm.run(command, self.folder, variables, TIMEOUT) or started(command, self.folder, variables)
        # A deprecated feature of ansible-core counts as an error.
        assert "[DEPRECATION WARNING]" not in done.stdout + done.stderr, done.stdout + done.stderr
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        return Run(done.returncode, done.stdout, done.stderr, [json.loads(line) for line in lines])

    def write(self, name: str, content: object) -> Path:
        """Writes a file in the folder: text as it is, anything else as YAML."""
        path = self.folder / name
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    def playbook(self, plays: list[dict[str, t.Any]] | str, *options: str, **environment: str | None) -> Run:
        path = self.write("playbook.yml", plays)
        return self.run("ansible-playbook", str(path), *options, **environment)

    def task(
        self,
        options: dict[str, t.Any],
        *flags: str,
        module: str = "claw_instance",
        keywords: dict[str, t.Any] | None = None,
    ) -> Run:
        task = {f"clawhosters.cloud.{module}": options, **(keywords or {})}
        return self.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], *flags)

    def inventory(self, config: dict[str, t.Any] | None = None, *options: str, **environment: str | None) -> Run:
        """Runs ansible-inventory --list with this configuration of the plugin."""
        path = self.write("test.clawhosters.yml", {"plugin": "clawhosters.cloud.instances", **(config or {})})
        return self.run("ansible-inventory", "-i", str(path), "--list", *options, **environment)
