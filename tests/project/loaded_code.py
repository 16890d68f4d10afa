# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the code of this collection that each plugin loads. Ansible compiles it anew in every command.

``python -m project.loaded_code`` prints the table; with the name of a plugin, such as ``action/claw_instance``, the
files that it loads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

from support.controller import REPOSITORY

PACKAGE = "ansible_collections.clawhosters.cloud."
FOLDERS = ("plugins/action", "plugins/inventory", "extensions/eda/plugins/event_source")
IMPORT_EACH = """
import importlib, json, sys

package, *names = sys.argv[1:]
for name in names:
    for loaded in [one for one in sys.modules if one.startswith(package)]:
        del sys.modules[loaded]
    importlib.import_module(package + name)
    modules = [module for one, module in sys.modules.items() if one.startswith(package)]
    print(json.dumps([module.__file__ for module in modules if getattr(module, "__file__", None)]))
"""


def list_plugins() -> dict[str, str]:
    """Returns the module of each plugin that a command or a rulebook starts with, by folder and name."""
    return {
        f"{path.parent.name}/{path.stem}": ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for folder in FOLDERS
        for path in sorted((REPOSITORY / folder).glob("*.py"))
    }


def count_loaded(plugins: t.Mapping[str, str]) -> dict[str, dict[Path, int]]:
    """Returns the lines of each file of this collection that an import of a plugin loads, in a process of its own."""
    command = [sys.executable, "-c", IMPORT_EACH, PACKAGE, *plugins.values()]
    path = f"{REPOSITORY / 'build' / 'live'}"
    done = subprocess.run(command, env={"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True)
    files = [[Path(file).resolve() for file in json.loads(line)] for line in done.stdout.splitlines()]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for one in files for path in one}
    return {
        name: {path.relative_to(REPOSITORY): lines[path] for path in one}
        for name, one in zip(plugins, files, strict=True)
    }


def format_table(loaded: t.Mapping[str, t.Mapping[Path, int]]) -> str:
    """Returns a line for each plugin: its files and their lines."""
    width = max(map(len, loaded))
    rows = [f"{name:<{width}}  {len(files):>5}  {sum(files.values()):>6}" for name, files in loaded.items()]
    return "\n".join([f"{'plugin':<{width}}  files   lines", *rows])


def main(names: t.Sequence[str]) -> None:
    """Prints the table, or the files of the plugins with these names."""
    plugins = list_plugins()
    loaded = count_loaded({name: plugins[name] for name in names or plugins})
    for name in names:
        for path, lines in sorted(loaded[name].items(), key=lambda item: -item[1]):
            print(f"{lines:>6}  {path}")
    print(format_table(loaded))


if __name__ == "__main__":
    main(sys.argv[1:])
