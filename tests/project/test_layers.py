# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports follow the layers: playbook, module, service, client. No import cycles, and no name of two things."""

from __future__ import annotations

import ast
import graphlib
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.clawhosters.cloud."
UTILS = "plugins.module_utils."

ROOT_HELPERS = frozenset(
    UTILS + path.stem for path in (ROOT / "plugins/module_utils").glob("*.py") if path.stem != "__init__"
)
"""Modules directly in module_utils, such as ``_errors``: every layer may import them."""

ALLOWED = {
    **dict.fromkeys(ROOT_HELPERS, ROOT_HELPERS),
    UTILS + "_model": {UTILS + "_model", *ROOT_HELPERS},
    UTILS + "_state": {UTILS + "_state", *ROOT_HELPERS},
    UTILS + "_rate": {UTILS + "_rate", UTILS + "_state", *ROOT_HELPERS},
    UTILS + "_http": {UTILS + name for name in ("_http", "_rate", "_state.store_protocol", "_model.resource")}
    | ROOT_HELPERS,
    UTILS + "_service": {UTILS + name for name in ("_service", "_http", "_rate", "_state", "_model")} | ROOT_HELPERS,
    UTILS + "_module": {UTILS + name for name in ("_module", "_http", "_state", "_model", "_service.account_check")}
    | {UTILS + "_service.restore.in_flight"}
    | ROOT_HELPERS,
    # A new room needs a line of its own.
    "plugins.module_utils": set(),
    "plugins.modules": {"plugins.module_utils"},
    "plugins.plugin_utils": {"plugins.plugin_utils", "plugins.module_utils"},
    "plugins.action": {"plugins.plugin_utils", "plugins.module_utils", "plugins.modules"},
    "plugins": {"plugins.plugin_utils", "plugins.module_utils"},
    "extensions": {"plugins.plugin_utils", "plugins.module_utils"},
}
"""The imports of the collection that each layer may have. The longest matching name applies to a module."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {
    module_name(path): path for folder in ("plugins", "extensions") for path in sorted((ROOT / folder).rglob("*.py"))
}


def find_imports(name: str, source: str) -> t.Iterator[tuple[int, str]]:
    """Yields the line and the module of each import of this collection, those inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name.removeprefix(PACKAGE) for alias in node.names if alias.name.startswith(PACKAGE)]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*name.split(".")[: -node.level], *filter(None, [base])])
            elif not f"{base}.".startswith(PACKAGE):
                continue
            base = base.removeprefix(PACKAGE)
            # ``from package import module`` names a module, ``from module import name`` does not.
            targets = [target if (target := f"{base}.{alias.name}") in MODULES else base for alias in node.names]
        else:
            continue
        yield from ((node.lineno, target) for target in targets)


def is_within(name: str, layers: t.Iterable[str]) -> bool:
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def find_violations(name: str, source: str) -> list[str]:
    layer = max((layer for layer in ALLOWED if is_within(name, [layer])), key=len)
    return [
        f"{name.replace('.', '/')}.py:{line} imports {target}; {layer} must not"
        for line, target in find_imports(name, source)
        if not is_within(target, ALLOWED[layer])
    ]


@pytest.mark.parametrize("name", MODULES)
def test_imports_follow_the_layers(name: str) -> None:
    assert find_violations(name, MODULES[name].read_text(encoding="utf-8")) == []


def test_there_are_no_import_cycles() -> None:
    graph = {
        name: {target for _line, target in find_imports(name, path.read_text(encoding="utf-8"))}
        for name, path in MODULES.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the modules of the cycle


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (UTILS + "_model.addon", "from .._http.client import Client"),
        (UTILS + "_model.addon", "from .._module import runner"),
        (UTILS + "_rate.limiter", "from .._http.transport import Response"),
        (UTILS + "_state.journal", "from .._service.restore import Restore"),
        (UTILS + "_http.client", "from .._model.addon import find_differences"),
        (UTILS + "_service.fleet", "from .._module.arguments import Options"),
        (UTILS + "_service.fleet", f"from {PACKAGE}plugins.plugin_utils._controller.display import display_progress"),
        (UTILS + "_errors", "from ._http.client import Client"),
        (UTILS + "_new_room.parser", "from .._model.resource import Resource"),
        ("plugins.modules.claw_fleet", f"import {PACKAGE}plugins.plugin_utils._controller.action"),
        ("plugins.plugin_utils._controller.action", "def run():\n    from ...modules import claw_fleet"),
    ],
)
def test_an_import_against_the_layers_is_found(name: str, line: str) -> None:
    (violation,) = find_violations(name, line)
    assert violation.startswith(f"{name.replace('.', '/')}.py:")


def repeated(names: t.Iterable[tuple[str, str]]) -> list[str]:
    """Returns a line for each name of several places: names that differ in underscores at the start are one."""
    places: dict[str, list[str]] = {}
    for name, place in names:
        places.setdefault(name.lstrip("_"), []).append(place)
    return [
        f"{name} means several things, in {' and '.join(found)}: rename all but one (CONTRIBUTING, Words)"
        for name, found in places.items()
        if len(found) > 1
    ]


def test_each_name_of_a_file_means_one_thing() -> None:
    # Users and Ansible give the others their names: an action plugin has that of its module.
    own = ("plugins.module_utils.", "plugins.plugin_utils.", "plugins.modules.")
    files = [path for name, path in MODULES.items() if name.startswith(own)]
    assert repeated((path.stem, str(path.relative_to(ROOT))) for path in files) == []


def test_each_name_of_a_class_means_one_thing() -> None:
    fixed_by_ansible = {"ActionModule", "FilterModule", "ModuleDocFragment"}
    classes = [
        (node.name, str(path.relative_to(ROOT)))
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name not in fixed_by_ansible
    ]
    assert repeated(classes) == []


def test_a_name_of_two_things_is_found() -> None:
    names = [("Plan", "restore.py"), ("Job", "fleet.py"), ("_Plan", "balance.py")]
    (line,) = repeated(names)
    assert line.startswith("Plan means several things, in restore.py and balance.py: ")
