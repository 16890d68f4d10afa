# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of variables that are not of the type that a role or playbook takes, or that YAML reads as another value than
they show. Pure.

Ansible's own validation of roles prints the whole argument spec with each fault, and values that may be secrets.
"""

from __future__ import annotations

import functools
import json
import re
import typing as t

import yaml
from ansible.module_utils.common.validation import check_type_bool, check_type_dict, check_type_int

from ..module_utils._text import is_number, mask_keys, one_line
from ._extra_variables import MAY_BE_SECRET, parse_list

Option: t.TypeAlias = "t.Mapping[str, t.Any]"
"""An option of an argument spec."""

_CHECKS: dict[str, tuple[t.Callable[[t.Any], object], str]] = {
    "int": (check_type_int, "a whole number"),
    "bool": (check_type_bool, "true or false"),
    "dict": (check_type_dict, "a dictionary"),
}
_QUOTE_IT = "YAML reads an unquoted no as false, 010 as 8, and 1.0 as a number. Quote it."
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""With the parser in C if there is one: the other takes half a minute for a megabyte."""
_SHOWN = 60
"""Characters of a value that a message shows."""


def find_value_problem(name: str, value: t.Any, option: Option) -> str:
    """Returns a sentence if the value of a variable is not of the type of its option; empty if it is, or is not set."""
    kind = option.get("type", "str")
    if value is None or kind == "raw":
        return ""
    if kind == "list":
        return _find_list_problem(name, value, option)
    shown = _show(value, option)
    if kind in _CHECKS:
        check, expected = _CHECKS[kind]
        is_time = name.endswith("_timeout")
        if not _passes(check, value, kind):
            return f"{name} is {shown}, but must be {expected}{' of seconds' if is_time else ''}."
        # All numbers of roles and playbooks are counts and durations.
        if kind == "int" and check_type_int(value) < 0:
            return f"{name} is {shown}, but must be 0 or more{' seconds' if is_time else ''}."
        return ""
    if isinstance(value, (bool, float)):
        return f"{name} is {shown}, which is no text: {_QUOTE_IT}"
    choices = option.get("choices", [value])
    if value not in choices:
        return f"{name} is {shown}, but must be one of {', '.join(filter(None, choices))}."
    return f"{name} is {shown}, but must be text." if isinstance(value, (list, tuple, dict)) else ""


def _passes(check: t.Callable[[t.Any], object], value: t.Any, kind: str) -> bool:
    # A bool is an integer in Python, and one that came from an unquoted yes is none for the user.
    if isinstance(value, bool) and kind == "int":
        return False
    try:
        check(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _find_list_problem(name: str, value: t.Any, option: Option) -> str:
    if isinstance(value, t.Mapping):
        return f"{name} is {_show(value, option)}, but must be a list."
    for entry in parse_list(value):
        is_text = isinstance(entry, str)
        if option.get("elements") == "str" and not is_text:
            return f"{name} has {_show(entry, option)}, which is no text: {_QUOTE_IT}"
        if option.get("elements") == "raw" and (entry is None or isinstance(entry, (bool, float))):
            return f"{name} has {_show(entry, option)}, which is neither text nor a whole number: {_QUOTE_IT}"
        if option.get("elements") == "raw" and is_text and is_number(entry) and entry != str(int(entry)):
            return (
                f"{name} has {_show(entry, option)}. In a file, YAML reads 010 as 8: write it without zeros in front."
            )
        if option.get("elements") == "dict" and not _passes(check_type_dict, entry, "dict"):
            return f"{name} has {_show(entry, option)}, but must be a list of dictionaries."
        choices = option.get("choices", [entry])
        if entry not in choices:
            return f"{name} has {_show(entry, option)}, which is none of {', '.join(map(str, choices))}."
    return ""


def _show(value: t.Any, option: Option) -> str:
    """Returns a value for a message, unless it may be a secret."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        # JSON has no date as a key, and Python prints no integer of thousands of digits.
        kind = next(one for one in (dict, list, tuple, int, object) if isinstance(value, one))
        return f"a value of type {kind.__name__}"
    if option.get("no_log") or MAY_BE_SECRET.search(text):
        return "a value that is not shown"
    shown = mask_keys(one_line(text, _SHOWN))
    return f"'{shown}'" if isinstance(value, str) else shown


def find_misread_numbers(text: str, known: t.Collection[str]) -> dict[str, str]:
    """Returns a sentence for each known variable that has, in text of YAML, a number that YAML reads as another one.

    Of the variable itself the value alone is left, as 8 of 010, which ``-e`` would take as 10 or as text.
    """
    root = _compose(text) if any(name in text for name in known) else None
    sentences: dict[str, str] = {}
    for key, node in root.value if isinstance(root, yaml.MappingNode) else ():
        name = str(key.value)
        if name not in known:
            continue
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not one.tag.endswith(":int") or one.style or re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", one.value):
                continue
            try:
                read = _show(yaml.safe_load(one.value), {})
            except ValueError:
                read = "a value of type int"
            sentences[name] = f"{name} has {one_line(one.value)} without quotes, which YAML reads as {read}. Quote it."
    return sentences


def read_keys(text: str) -> list[str]:
    """Returns the keys of text of YAML; none if it is no mapping."""
    root = _compose(text)
    return [str(key.value) for key, _value in root.value] if isinstance(root, yaml.MappingNode) else []


@functools.cache
def _compose(text: str) -> yaml.Node | None:
    """Returns the node that text of YAML is; None if it is no YAML, or nested too deeply."""
    try:
        # The parser in C takes no subclass of str, as Ansible's texts are.
        return yaml.compose(str(text), Loader=_LOADER)
    except (yaml.YAMLError, RecursionError, UnicodeEncodeError):
        return None
