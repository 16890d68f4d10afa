# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes of the mesh. Each has its own network, processes, host name, home, environment and installed collection."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import yaml

from support.controller import BIN

from .network import Link
from .receptor import ControlSocket

PORT = 27199
WORK_TYPE = "ansible-runner"
TIMEOUT = 60
"""Seconds for a node to start, and to be seen by another one."""


class Node:
    """A node of receptor, which starts as often as it is killed."""

    def __init__(self, name: str, address: str, folder: Path, config: list[dict[str, t.Any]]) -> None:
        self.name, self.address = name, address
        self.link = Link(name, address)
        self.home = folder / name
        self.home.mkdir()
        (self.home / "tmp").mkdir()
        self.control = ControlSocket(self.home / "control.sock")
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "HOME": str(self.home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.home / "tmp"),
        }

    def install(self, archive: Path) -> None:
        """Installs the collection in its home."""
        subprocess.run(
            ["ansible-galaxy", "collection", "install", "--no-deps", str(archive)],
            check=True,
            cwd=self.home,
            env=self.environment,
            capture_output=True,
        )

    def start(self) -> None:
        """Starts it, and returns when its control socket answers. It remembers nothing of an earlier life."""
        shutil.rmtree(self.home / "receptor", ignore_errors=True)
        (self.home / "control.sock").unlink(missing_ok=True)
        config = [
            {"node": {"id": self.name, "datadir": str(self.home / "receptor")}},
            {"log-level": {"level": "warning"}},
            {"control-service": {"service": "control", "filename": str(self.home / "control.sock")}},
            *self._config,
        ]
        (self.home / "receptor.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        script = 'hostname "$1" && ip link set lo up && exec receptor --config receptor.yml'
        unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts"]
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *unshare, "sh", "-c", script, "sh", self.name],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=(self.home / "log").open("ab"),
            stderr=subprocess.STDOUT,
        )
        self.wait_until(lambda: self.control.list_nodes() is not None, "its control socket")

    def kill(self) -> None:
        """Kills all its processes at once with SIGKILL: with the first one, the kernel ends its process namespace."""
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in map(int, children):
            os.kill(child, 9)
        self._process.wait()

    def wait_until(self, condition: t.Callable[[], bool], what: str) -> None:
        """Waits until the condition holds. Its OSErrors count as "not yet"."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                if condition():
                    return
            except (OSError, ValueError):
                pass
            assert time.monotonic() < deadline, f"{self.name}: no {what}\n{(self.home / 'log').read_text()}"
            time.sleep(0.05)


class Mesh:
    """One control node, ``control``, and the two execution nodes ``node-a`` and ``node-b``."""

    def __init__(self, folder: Path) -> None:
        listener = {"tcp-listener": {"port": PORT}}
        peer = {"tcp-peer": {"address": f"198.18.0.10:{PORT}", "redial": True}}
        worker = {"work-command": {"worktype": WORK_TYPE, "command": "ansible-runner", "params": "worker"}}
        self.control = Node("control", "198.18.0.10", folder, [listener])
        self.a = Node("node-a", "198.18.0.11", folder, [peer, worker])
        self.b = Node("node-b", "198.18.0.12", folder, [peer, worker])
        self.nodes = (self.control, self.a, self.b)

    def __enter__(self) -> Mesh:
        for node in self.nodes:
            node.link.make()
            node.start()
        self.wait_for(self.a)
        self.wait_for(self.b)
        return self

    def __exit__(self, *_error: object) -> None:
        for node in self.nodes:
            node.kill()

    def wait_for(self, node: Node) -> None:
        """Waits until the control node can start work on an execution node."""
        control = self.control.control
        self.control.wait_until(
            lambda: node.name in control.list_nodes() and (node.name, WORK_TYPE) in control.list_work_types(),
            f"route to {node.name}",
        )
