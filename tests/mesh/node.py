# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node: it has a network, processes, a host name and a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

from support.controller import Controller
from support.processes import find_children

BRIDGE = "mesh0"
ADDRESS = "198.18.0.1"
"""The address of the bridge, where the database and the service are. The network is one for tests (RFC 2544)."""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def make_bridge() -> None:
    """Makes the bridge. It disappears with the namespace."""
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", f"{ADDRESS}/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")


class Job:
    """A playbook that runs on a node."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, results: Path) -> None:
        self.process = process
        self._log, self._results = log, results

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def screen(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def artifacts(self) -> dict[str, t.Any]:
        """The data that ``set_stats`` would keep."""
        lines = map(json.loads, self._results.read_text(encoding="utf-8").splitlines())
        (stats,) = (line["result"]["ansible_stats"] for line in lines if "ansible_stats" in line["result"])
        return stats["data"]


class Node:
    """A node with this address, plugged into the bridge."""

    def __init__(self, name: str, address: str, folder: Path, collections: Path) -> None:
        self.name, self.address = name, address
        self.folder = folder / name
        self.folder.mkdir()
        self._environment = Controller(self.folder, collections, {}).environment
        self._jobs: list[Job] = []
        self._end = f"to-{name}"
        ip("netns", "add", name)
        ip("link", "add", self._end, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", self._end, "master", BRIDGE, "up")
        ip("-netns", name, "address", "add", f"{address}/24", "dev", "eth0")
        for interface in ("eth0", "lo"):
            ip("-netns", name, "link", "set", interface, "up")

    def start(self, incident: str, environment: dict[str, str], **variables: t.Any) -> Job:
        log, results = (self.folder / f"{incident}.{kind}" for kind in ("log", "results"))
        enter = f"ip netns exec {self.name} unshare --pid --fork --kill-child --mount --mount-proc --uts sh -c"
        given = json.dumps({"restore_incident": incident, **variables})
        playbook = ["ansible-playbook", "clawhosters.cloud.restore", "-e", given]
        process = subprocess.Popen(
            [*enter.split(), 'hostname "$0" && exec "$@"', self.name, *playbook],
            cwd=self.folder,
            env={**self._environment, "RESULTS_FILE": str(results), **environment},
            stdin=subprocess.DEVNULL,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        self._jobs.append(Job(process, log, results))
        return self._jobs[-1]

    def cut(self) -> None:
        """Cuts the node off: what it and the others send to each other is lost, without a sign."""
        ip("link", "set", self._end, "down")

    def plug_in(self) -> None:
        ip("link", "set", self._end, "up")

    def kill(self) -> None:
        """Kills all its processes with SIGKILL: with the first one of a job, the kernel ends its process namespace."""
        for job in self._jobs:
            if not job.has_ended:
                for child in find_children(job.process.pid):
                    os.kill(child, 9)
                job.process.wait()
        self._jobs.clear()
