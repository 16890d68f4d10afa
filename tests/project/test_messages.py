# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No code looks into a message: what happened travels as kinds and facts, and a sentence is made once.

A message is the text of an error of the collection, what a function that explains, describes or formats has returned,
and whatever is called so.
"""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in ("plugins", "extensions")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
CALLED_SO = {
    "message",
    "msg",
    "headline",
    "advice",
    "note",
    "notes",
    "sentence",
    "fact",
    "explanation",
    "label",
    "labels",
}
"""Names of variables, attributes and keys that hold text for people."""
MAKERS = ("explain", "describe_", "format_", "show_", "one_line", "str")
"""Beginnings of the names of functions that make text for people; the last two of an error or a message alone."""
LOOKS = {
    *("startswith", "endswith", "removeprefix", "removesuffix", "replace", "find", "rfind", "index", "rindex"),
    *("split", "rsplit", "partition", "rpartition", "strip", "lstrip", "rstrip", "count", "translate"),
}
PATTERNS = {"search", "match", "fullmatch", "sub", "subn", "findall", "finditer"}


def find_errors() -> set[str]:
    """Returns the names of the collection's classes of errors."""
    classes = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for source in SOURCES.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
    }
    errors = {"ClawHostersError"}
    while more := {name for name, bases in classes.items() if bases & errors} - errors:
        errors |= more
    return errors


ERRORS = find_errors()


def name_of(node: ast.AST | None) -> str:
    """Returns the last name of a variable, an attribute, a key, or a called function."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
        case ast.Call(func=function):
            return name_of(function)
        case _:
            return ""


class Finder(ast.NodeVisitor):
    """Collects the lines of a function, or of a module, that look into a message."""

    def __init__(self, errors: set[str], messages: set[str]) -> None:
        self.errors, self.messages = errors, messages
        self.found: set[int] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        own = {one.arg for one in arguments if one.annotation and names_error(one.annotation)}
        inner = Finder(self.errors - {one.arg for one in arguments} | own, set(self.messages))
        for statement in node.body:
            inner.visit(statement)
        self.found |= inner.found

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.errors.discard(node.name)
            if node.type and names_error(node.type):
                self.errors.add(node.name)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    (self.messages.add if self.is_message(value) else self.messages.discard)(name.id)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return
        looks_into = node.func.attr in LOOKS and self.is_message(node.func.value)
        if looks_into or (node.func.attr in PATTERNS and any(map(self.is_message, node.args))):
            self.found.add(node.lineno)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            is_empty = any(isinstance(side, ast.Constant) and side.value in ("", None) for side in (left, right))
            if isinstance(operator, (ast.Eq, ast.NotEq)):
                # Two messages may be compared: equal ones are shown once.
                looks = not is_empty and self.is_message(left) != self.is_message(right)
            else:
                is_choice = isinstance(right, (ast.Tuple, ast.List, ast.Set)) and self.is_message(left)
                looks = isinstance(operator, (ast.In, ast.NotIn)) and (is_choice or self.is_message(right))
            if looks:
                self.found.add(node.lineno)

    def is_message(self, node: ast.AST) -> bool:
        """Returns True for an expression that is text for people."""
        if isinstance(node, (ast.JoinedStr, ast.FormattedValue)):
            return any(self.is_error(part) or self.is_message(part) for part in ast.iter_child_nodes(node))
        if isinstance(node, (ast.IfExp, ast.BinOp, ast.BoolOp)):
            parts = ast.iter_child_nodes(node)
            return any(self.is_message(part) for part in parts if part is not getattr(node, "test", None))
        if isinstance(node, ast.Name):
            return node.id in self.messages or node.id in CALLED_SO
        name = name_of(node)
        if name == "get" and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            return node.args[0].value in CALLED_SO
        if not isinstance(node, ast.Call):
            return name in CALLED_SO or (
                name in ("text", "reason") and self.is_error(t.cast("ast.Attribute", node).value)
            )
        if name in MAKERS[-2:]:
            return any(self.is_error(one) or self.is_message(one) for one in node.args[:1])
        if name in LOOKS and isinstance(node.func, ast.Attribute):
            return self.is_message(node.func.value)
        return name.lstrip("_").startswith(MAKERS[:-2])

    def is_error(self, node: ast.AST) -> bool:
        """Returns True for an expression that is an error of the collection."""
        return (isinstance(node, ast.Name) and node.id in self.errors) or name_of(node) in (
            "cause",
            "refusal",
            "failure",
        )


def names_error(node: ast.AST) -> bool:
    """Returns True for an annotation, or the classes of a handler, with an error of the collection."""
    return any(name_of(one) in ERRORS for one in ast.walk(node))


def find_looks(source: str) -> list[int]:
    """Returns the lines that look into a message."""
    finder = Finder(set(), set())
    finder.visit(ast.parse(source))
    return sorted(finder.found)


@pytest.mark.parametrize("path", SOURCES)
def test_no_code_looks_into_a_message(path: str) -> None:
    lines = SOURCES[path].splitlines()
    assert [f"{path}:{number}: {lines[number - 1].strip()}" for number in find_looks(SOURCES[path])] == []


@pytest.mark.parametrize(
    "line",
    [
        # The places that were replaced by facts.
        "def f(message):\n    for pattern, text in P:\n        message = pattern.sub(text, message)",
        "def f(run):\n    return str(run.get('headline')).replace(MAY, ENDED)",
        (
            'def f(kind):\n    text = kind.failure.text\n    if kind:\n        text = f"{text}." if sent else "a"\n'
            '    if "othing was sent" in text:\n        pass'
        ),
        "def f(plan):\n    return [NUMBERS.sub('#', note) for note in plan.notes]",
        "def f(plan):\n    fact = messages.explain(plan).fact\n    return fact.removeprefix(own)",
        "def f(kind):\n    return kind.failure.advice.rstrip(':')",
        # Others of the kind.
        "def f(error: ClawHostersError):\n    return str(error).endswith('.')",
        "try:\n    g()\nexcept JournalError as error:\n    x = one_line(error)\n    y = x == 'Nothing was sent.'",
        "def f(error: RefusedError):\n    return 'sent' in f'{error} again'",
        "def f(obstacle):\n    return str(obstacle.cause).removesuffix('.')",
        "def f(state):\n    return format_sent(state).removeprefix(', ')",
        "def f(result):\n    return re.search('is running', result['msg'])",
        "def f(now):\n    return explain_unusable(now) in ('', NO_TIME)",
        "x = format_a(1) == 'a'",
        "def f(plan):\n    a, unsent = 1, _format_unsent(plan)\n    return unsent == NOTHING_SENT",
        "def f(error: PartialError):\n    return error.text.split('.')[0]",
    ],
)
def test_a_look_into_a_message_is_found(line: str) -> None:
    assert find_looks(line)


@pytest.mark.parametrize(
    "line",
    [
        "def f(error: OSError):\n    return str(error).partition(':')",
        "def f(message):\n    return message or f'{message[:1].upper()}{message[1:]}'",
        "def f(text):\n    return text.split()",
        "def f(plan):\n    return plan.message != ''",
        "def f(error: ClawHostersError):\n    return error.kind == 'timeout' and error.cause is None",
        "def f(name):\n    return name in describe(name).names",
        "youngest, oldest = format_age(1), format_age(2)\nx = youngest == oldest",
    ],
)
def test_a_fact_is_none(line: str) -> None:
    assert not find_looks(line)
