# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network of the mesh: a bridge in the namespace of this process, and a link to the namespace of each node."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

BRIDGE = "mesh0"
ADDRESS = "198.18.0.1"
"""The address of the bridge, where the database and the service are. The network is one for tests (RFC 2544)."""


def ip(*arguments: str) -> None:
    """Runs the program ``ip``."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def make_bridge() -> None:
    """Makes the bridge. It disappears with the namespace."""
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", f"{ADDRESS}/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")


@dataclass(frozen=True)
class Link:
    """The link of the node ``name``, and the end of it that is plugged into the bridge."""

    name: str
    address: str

    def make(self) -> None:
        """Makes the node's namespace, and plugs it in."""
        ip("netns", "add", self.name)
        ip("link", "add", self._end, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", self._end, "master", BRIDGE, "up")
        for command in (
            ("address", "add", f"{self.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            ip("-netns", self.name, *command)

    def cut(self) -> None:
        """Cuts the node off: what it and the others send to each other is lost, without a sign."""
        ip("link", "set", self._end, "down")

    def restore(self) -> None:
        """Plugs it in again."""
        ip("link", "set", self._end, "up")

    @property
    def _end(self) -> str:
        return f"to-{self.name}"
