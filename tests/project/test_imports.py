# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every file of the plugins can be imported, and whatever it takes from Python, Ansible and other packages exists.

`make lowest` runs these tests with the lowest supported versions, so code that needs newer ones is found there, also
where no other test of that run reaches it.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import os
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest

from support.controller import REPOSITORY

COLLECTION = "ansible_collections.clawhosters.cloud"
FILES = {
    str(path.relative_to(REPOSITORY)): path
    for folder in ("plugins", "extensions")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
}
ONLY_NEWER = {"ansible.template.trust_as_template"}
"""Names that only newer supported versions have. The code does without them on the others."""

IMPORT_WITHOUT = """
import importlib, re, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if re.match(sys.argv[1], name):
            raise ModuleNotFoundError(f"{name} is not installed in this test", name=name)

sys.meta_path.insert(0, Missing())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""
OPTIONAL = r"(requests|urllib3|psycopg)\b"
ONLY_ON_CONTROLLERS = r"ansible\.(?!module_utils\b|release\b|_)"


def find_missing(source: str) -> t.Iterator[str]:
    """Yields what a file takes from other packages than the collection, and what those don't have here.

    Looks at imported names, at attributes of imported modules, and at the keywords of calls. Follows no variables.
    """
    tree = ast.parse(source)
    names: dict[str, t.Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = importlib.import_module(alias.name)
                root = alias.name.partition(".")[0]
                names[alias.asname or root] = module if alias.asname else sys.modules[root]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = importlib.import_module(node.module)
            for alias in node.names:
                with contextlib.suppress(ModuleNotFoundError):
                    importlib.import_module(f"{node.module}.{alias.name}")
                if hasattr(module, alias.name):
                    names[alias.asname or alias.name] = getattr(module, alias.name)
                else:
                    yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = _resolve(node.value, names)
            if isinstance(owner, types.ModuleType) and not hasattr(owner, node.attr):
                yield f"{owner.__name__}.{node.attr}"
        elif isinstance(node, ast.Call):
            function = _resolve(node.func, names)
            yield from (
                f"{ast.unparse(node.func)}({keyword.arg}=)"
                for keyword in node.keywords
                if keyword.arg and not _takes(function, keyword.arg)
            )


def _resolve(node: ast.expr, names: dict[str, t.Any]) -> t.Any:
    """Returns what an expression such as ``requests.exceptions.Timeout`` stands for, None if that is not known."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    return getattr(_resolve(node.value, names), node.attr, None) if isinstance(node, ast.Attribute) else None


def _takes(function: t.Any, keyword: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # None, and some of what is written in C
        return True
    return keyword in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_takes_from_other_packages_exists(name: str) -> None:
    assert {*find_missing(FILES[name].read_text(encoding="utf-8"))} - ONLY_NEWER == set()


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("from itertools import chain, batches_of", "itertools.batches_of"),
        ("import os.path\ndef f():\n    return os.path.spread(os.sep)", "posixpath.spread"),
        ("def f():\n    from ansible import errors\n    raise errors.AnsibleFuture", "ansible.errors.AnsibleFuture"),
        ("from urllib3 import Retry\nRetry(total=1, patience=2)", "Retry(patience=)"),
        ("import requests.adapters as a\na.HTTPAdapter(pool_size=2)", "a.HTTPAdapter(pool_size=)"),
    ],
)
def test_what_newer_versions_only_have_is_found(line: str, missing: str) -> None:
    assert [*find_missing(line)] == [missing]


@pytest.mark.rest
@pytest.mark.parametrize(
    ("folders", "unavailable"),
    [
        (("plugins/modules/", "plugins/module_utils/"), rf"{OPTIONAL}|{ONLY_ON_CONTROLLERS}"),
        (("plugins/", "extensions/"), OPTIONAL),
    ],
    ids=["modules on a host without Ansible", "all on a controller"],
)
def test_imports_need_no_optional_package(folders: tuple[str, ...], unavailable: str, collections: Path) -> None:
    names = [f"{COLLECTION}.{name.removesuffix('.py').replace('/', '.')}" for name in FILES if name.startswith(folders)]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, unavailable, *names],
        env={**os.environ, "PYTHONPATH": str(collections)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
