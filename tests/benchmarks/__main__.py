# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs all benchmarks (`make bench`) or some (`make bench ARGS='tasks runs=1'`)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from benchmarks import rows_instructions, rows_requests, rows_tasks
from benchmarks.contestants import ALL, OURS
from benchmarks.measure import COLLECTIONS, BenchError, Workplace, log_progress
from benchmarks.table import Section, table

SECTIONS: dict[str, Callable[[Workplace, int], Section]] = {
    "requests": rows_requests.measure,
    "tasks": rows_tasks.measure,
    "instructions": rows_instructions.measure,
}
RUNS = 5
USAGE = f"usage: make bench ARGS='[{' '.join(SECTIONS)}] [runs={RUNS}]'"


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 if a command failed. A missed target is not a failure; the table shows it."""
    runs, names = RUNS, []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name == "runs" and value.isdigit() and int(value) > 0:
            runs = int(value)
        elif name in SECTIONS and not equals:
            names.append(name)
        else:
            log_progress(f"Invalid argument: '{argument}'. {USAGE}")
            return 2
    begun = time.monotonic()
    try:
        measured = [_measure(SECTIONS[name], runs) for name in SECTIONS if name in names or not names]
    except BenchError as error:
        log_progress(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    print(table(measured, _versions(time.monotonic() - begun)))
    return 0


def _measure(section: Callable[[Workplace, int], Section], runs: int) -> Section:
    with tempfile.TemporaryDirectory() as folder:
        return section(Workplace(Path(folder)), runs)


def _versions(seconds: float) -> list[str]:
    collections = ", ".join(f"{one.collection} {_collection_version(one.collection)}" for one in ALL)
    packages = ", ".join(f"{name} {version(name)}" for name in ("ansible-core", "requests", "urllib3"))
    return [
        collections,
        f"Python {platform.python_version()}, {packages}",
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}",
        f"measured in {seconds / 60:.0f} min",
        f"{OURS.collection} at commit {_commit()}",
    ]


def _collection_version(name: str) -> str:
    if name == OURS.collection:
        path = COLLECTIONS / "ansible_collections" / name.replace(".", "/") / "galaxy.yml"
        lines = path.read_text(encoding="utf-8").splitlines()
        return next(line.removeprefix("version: ") for line in lines if line.startswith("version: "))
    spec = find_spec("ansible_collections")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    manifests = [Path(folder, *name.split("."), "MANIFEST.json") for folder in spec.submodule_search_locations]
    manifest = next(path for path in manifests if path.exists())
    return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
