# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make mutation`: changes one thing at a time in a copy of the tree, and shows which changes no test notices.

make mutation ARGS='pages ratelimit --sample 50 --seed 3 --minutes 10'
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = "plugins/module_utils"
UNIT = "tests/unit/plugins/module_utils"
TESTS = {
    "ledger": [f"{UNIT}/test_ledger.py"],
    "ratelimit": [f"{UNIT}/test_ratelimit.py"],
    "pages": [f"{UNIT}/test_pages.py"],
    "journal": [f"{UNIT}/test_journal.py"],
    "instances": [f"{UNIT}/test_instances.py", f"{UNIT}/test_fleet_plan.py"],
    "fleet": [f"{UNIT}/test_fleet_plan.py", "tests/integration/test_fleet.py"],
    "client": ["tests/integration/test_client.py"],
    "budget": ["tests/integration/test_budget.py"],
}
FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What ``node`` may become."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other = copy.deepcopy(node)
            other.ops[place] = FLIPPED[type(operator)]()
            yield other
    elif isinstance(node, ast.BoolOp):
        other = copy.deepcopy(node)
        other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield other
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.If | ast.IfExp):
        other = copy.deepcopy(node)
        other.test = ast.UnaryOp(ast.Not(), other.test)
        yield other
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        other = copy.deepcopy(node)
        other.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield other
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int | float):
            yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Assign | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield ast.Pass()


def places(tree: ast.Module) -> list[ast.AST]:
    """Nodes that can be changed: not what only types and docstrings are made of."""
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for name in ("annotation", "returns")
        if (part := getattr(node, name, None)) is not None
        for inner in ast.walk(part)
    }
    top = {id(statement) for statement in tree.body}
    return [
        node
        for node in ast.walk(tree)
        if id(node) not in annotations and not (id(node) in top and isinstance(node, ast.Assign | ast.Expr))
    ]


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Each mutant as line, what changed, and the whole text."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    for node in places(tree):
        for variant in variants(node):
            start, end = (
                offset(lines, node.lineno, node.col_offset),
                offset(lines, node.end_lineno, node.end_col_offset),
            )
            new = ast.unparse(variant)
            if isinstance(node, ast.If):
                start = offset(lines, node.test.lineno, node.test.col_offset)
                end = offset(lines, node.test.end_lineno, node.test.end_col_offset)
                new = ast.unparse(variant.test)
            data = source.encode()
            old = data[start:end].decode()
            new = new if isinstance(node, ast.stmt) and not isinstance(node, ast.If) else f"({new})"
            yield node.lineno, f"{old}  ->  {new}", data[:start].decode() + new + data[end:].decode()


def offset(lines: list[str], line: int, column: int) -> int:
    """Bytes before a place that ast names."""
    return sum(len(text.encode()) for text in lines[: line - 1]) + column


def lay_out(folder: Path) -> None:
    """A copy of what git would commit, where tools look for a collection."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    link = folder / "build/live/ansible_collections/clawhosters"
    link.mkdir(parents=True)
    (link / "cloud").symlink_to("../../../..")
    (folder / "collections").symlink_to("build/live")


def passes(folder: Path, tests: list[str], limit: float) -> bool:
    """Whether the tests are content with the copy as it is; who takes too long is not."""
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "build/live"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return running.wait(limit) == 0
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, 9)
        running.wait()
        return False


def main() -> int:
    """Returns the exit code: 0 even with survivors, which a person must judge."""
    parser = argparse.ArgumentParser(prog="make mutation")
    parser.add_argument("names", nargs="*", default=list(TESTS), help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each file; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0, help="no mutant is begun after that")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for the tests of one mutant")
    options = parser.parse_args()
    end = time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory() as root:
        copies = [Path(root, "one"), Path(root, "two")]
        for folder in copies:
            lay_out(folder)
        free = list(copies)
        for name in options.names:
            path = f"{CODE}/{name}.py"
            source = (REPOSITORY / path).read_text(encoding="utf-8")
            if not passes(copies[0], TESTS[name], options.limit * 5):
                print(f"{name}: the tests fail without any change")
                return 1
            found = list(mutants(source))
            if options.sample and options.sample < len(found):
                found = random.Random(options.seed).sample(found, options.sample)

            def survives(
                mutant: tuple[int, str, str], path: str = path, name: str = name, source: str = source
            ) -> bool | None:
                if time.monotonic() > end:
                    return None
                folder = free.pop()
                try:
                    (folder / path).write_text(mutant[2], encoding="utf-8")
                    return passes(folder, TESTS[name], options.limit)
                finally:
                    (folder / path).write_text(source, encoding="utf-8")
                    free.append(folder)

            with ThreadPoolExecutor(len(copies)) as pool:
                outcomes = list(pool.map(survives, found))
            judged, alive = sum(outcome is not None for outcome in outcomes), outcomes.count(True)
            print(f"{name}: {judged} of {len(found)} mutants judged, {judged - alive} killed, {alive} survived")
            for (line, what, _text), outcome in zip(found, outcomes, strict=True):
                if outcome:
                    print(f"  {path}:{line}: {what}")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
