# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control socket of a node of receptor: submits work to any node of the mesh, and reads its output."""

from __future__ import annotations

import json
import shutil
import socket
import typing as t
from pathlib import Path


class ReceptorError(Exception):
    """The node rejected a command."""


class ControlSocket:
    """The socket at ``path``. Each command has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_nodes(self) -> set[str]:
        """Returns the nodes to which this one has a route."""
        with self._connect({"command": "status"}) as file:
            return set(json.loads(file.readline()).get("RoutingTable") or {})

    def list_work_types(self) -> set[tuple[str, str]]:
        """Returns the nodes and the types of work that they advertise."""
        with self._connect({"command": "status"}) as file:
            status = json.loads(file.readline())
        advertised = status.get("Advertisements") or []
        return {(one["NodeID"], work["WorkType"]) for one in advertised for work in one.get("WorkCommands") or []}

    def submit(self, node: str, work_type: str, payload: t.BinaryIO) -> str:
        """Starts work on ``node`` with ``payload`` as its standard input, and returns its id."""
        command = {"command": "work", "subcommand": "submit", "node": node, "worktype": work_type, "tlsclient": ""}
        with self._connect(command) as file:
            self._read(file)  # "Send stdin data and EOF."
            shutil.copyfileobj(payload, file)
            file.flush()
            file.raw_socket.shutdown(socket.SHUT_WR)
            return json.loads(self._read(file))["unitid"]

    def copy_results(self, unit: str, target: t.BinaryIO) -> None:
        """Writes the output of work to ``target``, until it has ended."""
        with self._connect({"command": "work", "subcommand": "results", "unitid": unit, "startpos": 0}) as file:
            self._read(file)
            shutil.copyfileobj(file, target)

    def _connect(self, command: dict[str, t.Any]) -> _Connection:
        connection = _Connection(self._path)
        connection.readline()  # the greeting
        connection.write(json.dumps(command).encode() + b"\n")
        connection.flush()
        return connection

    @staticmethod
    def _read(file: _Connection) -> str:
        line = file.readline().decode().strip()
        if line.startswith("ERROR"):
            raise ReceptorError(line)
        return line


class _Connection:
    """A connection to the socket, as a file."""

    def __init__(self, path: Path) -> None:
        self.raw_socket = socket.socket(socket.AF_UNIX)
        self.raw_socket.connect(str(path))
        self._file = self.raw_socket.makefile("rwb")
        self.read, self.readline = self._file.read, self._file.readline
        self.write, self.flush = self._file.write, self._file.flush

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.raw_socket.close()
        self._file.close()
