# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports follow the layers: playbook, module, service, client. There are no import cycles."""

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
    UTILS + "_http": {UTILS + name for name in ("_http", "_rate", "_state.open_store", "_model.resource")}
    | ROOT_HELPERS,
    UTILS + "_service": {UTILS + name for name in ("_service", "_http", "_rate", "_state", "_model")} | ROOT_HELPERS,
    UTILS + "_module": {UTILS + name for name in ("_module", "_http", "_state", "_model", "_service.account_check")}
    | {UTILS + "_service.restore.find_restore_in_flight"}
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


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for folder in ("plugins", "extensions")
    for path in sorted((ROOT / folder).rglob("*.py"))
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


@pytest.mark.parametrize("name", MODULES)
def test_imports_follow_the_layers(name: str) -> None:
    layer = max((layer for layer in ALLOWED if is_within(name, [layer])), key=len)
    imports = find_imports(name, MODULES[name].read_text(encoding="utf-8"))
    assert [(line, target) for line, target in imports if not is_within(target, ALLOWED[layer])] == [], layer


def test_there_are_no_import_cycles() -> None:
    graph = {
        name: {target for _line, target in find_imports(name, path.read_text(encoding="utf-8"))}
        for name, path in MODULES.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the modules of the cycle
