# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as an automation controller starts them: packed on the control node, run on an execution node, read here."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import ansible_runner

from support.controller import REPOSITORY

from .nodes import WORK_TYPE, Mesh, Node

PROJECT = REPOSITORY / "examples/controller/project"
Variables = t.Mapping[str, t.Any]


class Job:
    """A job on ``node``."""

    def __init__(
        self,
        mesh: Mesh,
        node: Node,
        *,
        playbook: str,
        credential: t.Mapping[str, str],
        variables: Variables,
        inventory: Variables,
    ) -> None:
        self.node = node
        self._folder = Path(tempfile.mkdtemp(dir=mesh.control.home / "tmp"))
        self._control = mesh.control.control
        shutil.copytree(PROJECT, self._folder / "project")
        for name, content in (
            ("env/envvars", {**credential, "ANSIBLE_NOCOLOR": "true"}),
            ("env/extravars", variables),
            ("inventory/hosts.json", inventory),
        ):
            path = self._folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")
        self._playbook = playbook
        self._ended = threading.Event()
        self.unit = ""

    def start(self) -> None:
        """Submits it. A thread then copies its output."""
        with tempfile.TemporaryFile() as payload:
            ansible_runner.run(
                private_data_dir=str(self._folder), playbook=self._playbook, ident="1", streamer="transmit",
                _output=payload, quiet=True,
            )  # fmt: skip
            payload.seek(0)
            self.unit = self._control.submit(self.node.name, WORK_TYPE, payload)
        threading.Thread(target=self._copy, daemon=True).start()

    def _copy(self) -> None:
        with (self._folder / "output").open("wb") as file:
            self._control.copy_results(self.unit, file)
        self._ended.set()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    def finish(self) -> JobResult:
        """Unpacks its output."""
        with (self._folder / "output").open("rb") as file:
            ansible_runner.run(
                private_data_dir=str(self._folder), ident="1", streamer="process", _input=file, quiet=True
            )
        left = self._folder / "artifacts/1"
        events = [json.loads(path.read_text(encoding="utf-8")) for path in (left / "job_events").glob("*.json")]
        stats: Variables = next((one["event_data"] for one in events if one["event"] == "playbook_on_stats"), {})
        return JobResult((left / "status").read_text(), (left / "stdout").read_text(), stats)


class JobResult(t.NamedTuple):
    """The record of a job in the controller: ``stats`` is the data of its last event."""

    status: str
    screen: str
    stats: Variables

    @property
    def artifacts(self) -> Variables:
        """The data that ``set_stats`` kept."""
        return self.stats.get("artifact_data", {})


def wait_for(condition: t.Callable[[], t.Any], what: str, timeout: float = 120) -> t.Any:
    """Returns the value of ``condition`` once it is true."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout:g} s"
        time.sleep(0.05)
    return value
