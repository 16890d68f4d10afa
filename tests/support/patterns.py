# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the regular expressions of the collection in its source, and texts that are hard for them."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import typing as t
from dataclasses import dataclass

PACKAGE = "ansible_collections.clawhosters.cloud."
FLAGS_POSITION = {"compile": 1, "split": 3, "sub": 4, "subn": 4}
"""Position of the argument ``flags`` of functions of ``re`` that take a pattern; 2 for the others."""
FUNCTIONS = {*FLAGS_POSITION, "match", "fullmatch", "search", "findall", "finditer"}
HARMLESS = {"escape", "Pattern", "Match", "error", "purge"} | {name for name in dir(re) if name.isupper()}
"""Other names of ``re``: they build no pattern, and hide none."""
OTHER_ENGINES = {"regex", "re2", "fnmatch", "sre_compile"}


class UnknownPatternError(Exception):
    """The source uses regular expressions in a way that this module can't follow."""


@dataclass(frozen=True)
class Found:
    """A pattern, and the line of the source that it is built in."""

    place: str
    pattern: re.Pattern[str]


def find_patterns(name: str, source: str, examples: t.Mapping[str, t.Mapping[str, object]]) -> t.Iterator[Found]:
    """Yields each pattern in the source of the module ``name``, a path with dots.

    ``examples`` has, by module, values for the variables of functions that build patterns. Raises UnknownPatternError
    for a pattern that needs another variable, and for anything else that could hide one.
    """
    tree = ast.parse(source)
    calls = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    attributes = {node.value: node for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        place = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            _require_plain_import(node, place)
        elif isinstance(node, ast.Name) and node.id == "re":
            attribute = attributes.get(node)
            if attribute is None or attribute.attr not in FUNCTIONS | HARMLESS:
                raise UnknownPatternError(f"{place}: use `re` for calls of {', '.join(sorted(FUNCTIONS))}, only")
            if attribute.attr in FUNCTIONS:
                if attribute not in calls:
                    raise UnknownPatternError(f"{place}: call re.{attribute.attr} where it is named")
                pattern = _build(name, calls[attribute], attribute.attr, place, examples.get(name, {}))
                yield Found(place, pattern)


def _require_plain_import(node: ast.Import | ast.ImportFrom, place: str) -> None:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    if OTHER_ENGINES & {name.partition(".")[0] for name in names}:
        raise UnknownPatternError(f"{place}: use `re` for patterns")
    is_renamed = isinstance(node, ast.Import) and any(one.name == "re" and one.asname for one in node.names)
    if is_renamed or (isinstance(node, ast.ImportFrom) and node.module == "re" and not node.level):
        raise UnknownPatternError(f"{place}: import `re` as it is")


def _build(name: str, call: ast.Call, function: str, place: str, examples: t.Mapping[str, object]) -> re.Pattern[str]:
    """Returns the pattern of a call, from the module's own variables and the examples."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    position = FLAGS_POSITION.get(function, 2)
    flags = keywords.get("flags") or (call.args[position] if len(call.args) > position else None)
    pattern = keywords.get("pattern") or call.args[0]
    known = {**vars(importlib.import_module(PACKAGE + name)), **examples}
    try:
        return re.compile(*(eval(ast.unparse(one), known) for one in (pattern, flags) if one))
    except Exception as error:
        text = ast.unparse(pattern)
        raise UnknownPatternError(
            f"{place}: {text} can't be built ({error}); add an example of its variables"
        ) from None


# Texts

SIGNS = [*"x7 \t\n\r/.-_:;,'\"()[]{}<>&%$#\\=+", "\0", "\x85", "\xe9", "\u2028", "\u2603"]
"""Candidates for a character of a class."""
TRAILERS = ("", "\0")
"""Ends: the one lets most patterns match, the other makes most of them go back."""


@dataclass(frozen=True)
class Attack:
    """A text of any length: ``start``, as many times ``unit`` as fit, and ``end``."""

    start: str
    unit: str
    end: str

    def text(self, length: int) -> str:
        """Returns the text with about ``length`` characters."""
        count = (length - len(self.start) - len(self.end)) // len(self.unit)
        return self.start + self.unit * max(count, 1) + self.end


def find_attacks(pattern: re.Pattern[str]) -> list[Attack]:
    """Returns texts made of what each part of the pattern matches, alone and behind what comes before it."""
    parser = importlib.import_module("re._parser")
    parts = _Parts(pattern.flags)
    parts.walk(parser.parse(pattern.pattern, pattern.flags), "")
    starts = {("", unit) for _before, unit in parts.found} | parts.found
    starts |= {("", before) for before, _unit in parts.found}
    starts |= {("", one + other) for one, other in itertools.pairwise(sorted({unit for _before, unit in parts.found}))}
    starts |= {("", unit) for unit in spread(parts.letters)}
    return [Attack(start, unit, end) for start, unit in sorted(starts) if unit for end in TRAILERS]


def spread(text: str) -> t.Iterator[str]:
    """Yields the text with twenty of each kind of blank behind every character of its start."""
    for blank in (" ", "\t", "\n", "\0", "\\"):
        yield "".join(character + blank * 20 for character in text[:4])


class _Parts:
    """Collects what the parts of a pattern match: pairs of what comes before a part, and a text that it matches."""

    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._compiler = importlib.import_module("re._compiler")
        self._parser = importlib.import_module("re._parser")
        self.found: set[tuple[str, str]] = set()
        self.letters = ""
        """The characters that the pattern names, in its order."""

    def walk(self, parts: t.Any, before: str) -> str:
        """Returns a text that the sequence matches behind ``before``."""
        text = ""
        for operator, argument in parts:
            texts = self._match(str(operator), operator, argument, before + text)
            self.letters += chr(argument) if str(operator) == "LITERAL" else ""
            # A plain word counts as a whole.
            self.found |= {(before + text, one) for one in texts if str(operator) != "LITERAL"}
            text += texts[0] if texts else ""
        self.found.add((before, text))
        return text

    def _match(self, name: str, operator: t.Any, argument: t.Any, before: str) -> list[str]:
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            single = self._parser.SubPattern(self._parser.State(), [(operator, argument)])
            single.state.flags, single.state.str = self._flags, ""
            matches = self._compiler.compile(single, self._flags).fullmatch
            literals = [chr(argument)] if name == "LITERAL" else self._literals(argument) if name == "IN" else []
            return [sign for sign in dict.fromkeys([*literals, *SIGNS]) if matches(sign)][:6]
        if name.endswith("_REPEAT"):
            least, most, inner = argument
            text = self.walk(inner, before)
            return [text * max(least, 1), text * min(most, 3)]
        if name == "SUBPATTERN":
            return [self.walk(argument[-1], before)]
        if name == "ATOMIC_GROUP":
            return [self.walk(argument, before)]
        if name == "BRANCH":
            return [self.walk(branch, before) for branch in argument[1]]
        if name in ("ASSERT", "ASSERT_NOT"):
            self.walk(argument[1], before)
        return []

    def _literals(self, items: t.Any) -> list[str]:
        """Returns the first and the last characters that a class names."""
        found: list[str] = []
        for operator, argument in items:
            if str(operator) == "LITERAL":
                found.append(chr(argument))
            elif str(operator) == "RANGE":
                found += [chr(argument[0]), chr(argument[1])]
        return [*found[:3], *found[-3:]]
