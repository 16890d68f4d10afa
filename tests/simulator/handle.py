# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a simulator in its own process, for tests, benchmarks and demos.

    with Simulator(instances=3) as simulator:
        simulator.fault("reset_after", method="POST", path="/instances/*/start")
        ...
        assert simulator.calls() == ["GET /instances/1", "POST /instances/1/start"]

Needs `urllib3`. The dependencies of the simulator must be installed in the same Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import urllib3

HOME = Path(__file__).resolve().parent.parent
KEY = "oc_live_rehearsal_0000"  # as in keys.py, which is not imported so that only urllib3 is needed


class SimulatorError(Exception):
    """The simulator didn't start, or rejected a control request; the message is its own."""


class Simulator:
    """A running simulator; it ends with `stop`, with the `with` block, or with this process."""

    key = KEY

    def __init__(
        self,
        *,
        instances: int | None = None,
        state: Mapping[str, Any] | None = None,
        transition_seconds: float | None = None,
    ) -> None:
        options = {"--instances": instances, "--transition-seconds": transition_seconds, "--port": 0}
        arguments = [f"{option}={value}" for option, value in options.items() if value is not None]
        with _state_file(state) as file:
            if file is not None:
                arguments.append(f"--state={file}")
            self.process = _start(arguments)
            assert self.process.stdout is not None
            self.url = self.process.stdout.readline().strip()
        if not self.url:
            self.process.wait()
            raise SimulatorError("the simulator didn't start; see its output on standard error above")
        self.origin = self.url.removesuffix("/api/v1")
        self._connections = urllib3.connection_from_url(self.origin)

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._connections.close()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # --- Observing ----------------------------------------------------------------------------------------------------

    def log(self) -> list[dict[str, Any]]:
        """Returns all requests to the API since the last reset or `clear_log`, in order of arrival."""
        return self.control("GET", "/log")["requests"]

    def calls(self, wanted: str = "*") -> list[str]:
        """Returns the log as `METHOD /path`, filtered by a route (`"GET /instances/{id}"`) or a glob (`"POST *"`)."""
        calls = []
        for request in self.log():
            call, route = (f"{request['method']} {request[part]}" for part in ("path", "route"))
            if wanted == route or fnmatchcase(call, wanted):
                calls.append(call)
        return calls

    def changes(self) -> list[str]:
        """Returns the requests that are no GET, sorted: those of a fleet arrive in any order."""
        return sorted(call for call in self.calls() if not call.startswith("GET "))

    def clear_log(self) -> None:
        self.control("DELETE", "/log")

    def state(self) -> dict[str, Any]:
        """Returns the whole world, with hidden fields and counts of effects."""
        return self.control("GET", "/state")

    def effects(self) -> dict[str, int]:
        """Returns the counts of executed changes that are not zero: `{"starts": 1, ...}`."""
        return {name: count for name, count in self.state()["effects"].items() if count}

    def instance(self, number: int) -> dict[str, Any]:
        """Returns one instance with its hidden fields; doesn't count as a read."""
        return self.control("GET", f"/instances/{number}")

    # --- Controlling --------------------------------------------------------------------------------------------------

    def reset(
        self,
        *,
        instances: int | None = None,
        switches: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Restores the initial state, optionally with another fleet or state and additional switches."""
        wanted = {"instances": instances, "switches": switches, "state": state}
        self.control("POST", "/reset", {name: value for name, value in wanted.items() if value is not None})

    def switch(self, **switches: Any) -> None:
        self.control("PATCH", "/switches", switches)

    def fault(self, kind: str, **options: Any) -> int:
        return self.control("POST", "/faults", {"kind": kind, **options})["number"]

    def faults(self) -> list[dict[str, Any]]:
        return self.control("GET", "/faults")["faults"]

    def clear_faults(self) -> None:
        self.control("DELETE", "/faults")

    def set_state(self, **parts: Any) -> None:
        """Sets account data: balance, account, subscription, transactions, packages, keys."""
        self.control("PATCH", "/state", parts)

    def add_instance(self, **fields: Any) -> dict[str, Any]:
        """Adds an instance; needs a name."""
        return self.control("POST", "/instances", fields)

    def set_instance(self, number: int, **fields: Any) -> dict[str, Any]:
        return self.control("PATCH", f"/instances/{number}", fields)

    def remove_instance(self, number: int) -> None:
        self.control("DELETE", f"/instances/{number}")

    def add_backup(self, **fields: Any) -> dict[str, Any]:
        """Adds a backup; needs instance_id or instance_name."""
        return self.control("POST", "/backups", fields)

    def set_backup(self, number: int, **fields: Any) -> dict[str, Any]:
        return self.control("PATCH", f"/backups/{number}", fields)

    def add_addon(self, **fields: Any) -> dict[str, Any]:
        """Adds an add-on; needs instance_id or instance_name."""
        return self.control("POST", "/addons", fields)

    def set_addon(self, number: int, **fields: Any) -> dict[str, Any]:
        return self.control("PATCH", f"/addons/{number}", fields)

    def set_clock(self, skew_seconds: float) -> None:
        """Sets the skew of the server's clock."""
        self.control("POST", "/clock", {"skew_seconds": skew_seconds})

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Sends any request under /_sim."""
        answer = self._connections.urlopen(
            method,
            f"/_sim{path}",
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json"},
            timeout=60,
            retries=False,
        )
        content = json.loads(answer.data)
        if answer.status >= 400:
            raise SimulatorError(content["error"])
        return content


def _start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Starts the child with a pipe as standard input: if this process dies, the pipe closes and the child exits."""
    path = os.pathsep.join(filter(None, (str(HOME), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", "--exit-with-parent", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


@contextmanager
def _state_file(state: Mapping[str, Any] | None) -> Iterator[str | None]:
    """Yields the path of a temporary file with the state; JSON is valid YAML."""
    if state is None:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        json.dump(state, file)
        file.flush()
        yield file.name
