# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs pytest in forks of a process that has imported what tests need, except for the collection, which is mutated."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    import pytest

from support import warm

PRELOADED = (
    "ansible.module_utils.basic",
    "ansible.plugins.action",
    "hypothesis.stateful",
    "psycopg",
    "pytest",
    "requests",
    "simulator.handle",
    "support.near_simulator",
    "support.postgres",
)


class WarmPytest:
    """Runs tests of the collection in ``folder``, which is below ``root`` and ``ansible_collections``."""

    def __init__(self, root: Path, folder: Path, arguments: list[str]) -> None:
        # A fork exits without cleaning up, so its temporary files must be in ``root``, which is deleted later. The
        # database of the tests runs as another user, who must reach it.
        root.chmod(0o711)
        temporary = root / "tmp"
        temporary.mkdir()
        paths = {
            "PYTHONPATH": f"{root}:{folder / 'tests'}",
            "ANSIBLE_COLLECTIONS_PATH": str(root),
            "TMPDIR": str(temporary),
        }
        # The plugins of pytest that are installed take longer to load than most of these tests to run. Only that of
        # Hypothesis is needed, for its seed.
        self._environment = {**os.environ, **paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"]
        options += ["--hypothesis-profile", "unshrunk"]
        self._command = warm.Command([*options, *arguments], str(folder), self._environment)
        # `python` is that of the tests: that of the mutations has none of their requirements.
        self._process = warm.WarmProcess(self._environment, ("-m", __name__), python="python")

    def keep_compiled(self, changing: Path) -> None:
        """Lets later runs write no compiled files: a change within a second, of one length, would not be seen."""
        self._environment["PYTHONDONTWRITEBYTECODE"] = "1"
        for compiled in changing.parent.glob(f"__pycache__/{changing.stem}.*.pyc"):
            compiled.unlink()

    def run(self, timeout: float) -> tuple[int | None, str]:
        """Returns the exit code of pytest, None after ``timeout`` seconds, and what it printed."""
        with Path(os.devnull).open() as stdin, tempfile.TemporaryFile("w+", errors="replace") as output:
            code = None
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.run(self._command, [stdin.fileno(), output.fileno(), output.fileno()], timeout)
            output.seek(0)
            return code, output.read()


class ExamplesFirst:
    """A plugin of pytest: most changes fail a test of one example, which takes a hundredth of a property's time."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Puts the tests of properties last."""
        from hypothesis import is_hypothesis_test

        items.sort(key=lambda item: is_hypothesis_test(getattr(item, "function", None)))


def main() -> None:
    """Runs the warm process and its forks."""
    for module in PRELOADED:
        importlib.import_module(module)
    command = warm.become_command()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    import pytest  # only in the forks: the environment of the mutations, which imports this file too, has none

    code = pytest.main(command.argv, plugins=[ExamplesFirst()])
    sys.stdout.flush()
    # Without an end of the interpreter, which would free all objects and so copy all shared memory.
    os._exit(code)


if __name__ == "__main__":
    main()
