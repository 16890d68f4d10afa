# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of roles: lists that are given as text, what Ansible loses of ``-e``, and all problems at once. Pure."""

from __future__ import annotations

import json
import re
import typing as t

from ansible.parsing.splitter import parse_kv, split_args

from ..module_utils._errors import ClawHostersError, RefusedError, SettingsError
from ..module_utils._text import is_number, one_line

P = t.ParamSpec("P")
T = t.TypeVar("T")
MAY_BE_SECRET = re.compile(
    r"oc_live_|://|=|pass|pwd?\b|_pw|auth|secret|token|key|bearer|database|credential", re.IGNORECASE
)
_NEEDS_MORE_QUOTES = re.compile(r"[\"'\\\n]")


def find_lost(option: str) -> list[tuple[str, list[str]]]:
    """Returns each variable of a value of ``-e`` that Ansible cuts: it splits ``NAME=VALUE NAME=VALUE`` at spaces.

    With the name come the words of the value, of which Ansible keeps the first. The name is empty before the first one.
    Ansible reads files, and text in JSON or YAML, as a whole.
    """
    meant: list[tuple[str, list[str]]] = [("", [""])]
    for token in split_args(option) if not option.startswith(("@", "{", "[")) else ():
        given = parse_kv(token)
        lost = given.pop("_raw_params", None)
        meant += [(str(name), [str(value)]) for name, value in given.items()]
        meant[-1][1].extend([str(lost)] if lost else [])
    return [(name, words) for name, words in meant if len(words) > 1]


def format_lost(name: str, words: list[str]) -> str:
    """Returns a message that says what was lost, and how to write it."""
    value, lost = " ".join(words).strip(), one_line(" ".join(words[1:]))
    hint = "Put it into a file: -e @FILE."
    if MAY_BE_SECRET.search(f"{name} {value}"):
        lost = "the rest"
    elif not _NEEDS_MORE_QUOTES.search(value):
        lost, hint = f"'{lost}'", f"Quote it twice: -e '{name}=\"{value}\"'."
    if not name:
        return f"-e has {lost} without a name. Write NAME=VALUE, or @FILE."
    return f"-e cut {name} at a space, and {lost} was lost. {hint}"


def parse_list(value: t.Any) -> list[t.Any]:
    """Returns the entries of a list unchanged, or of text without white space around: JSON, or separated by commas or
    line breaks, as surveys hand over one name a line."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if value is None or not isinstance(value, str):
        return [] if value is None else [value]
    parsed = _parse_json(value)
    if isinstance(parsed, list):
        return parsed
    return [text for part in re.split("[,\n]", value) if (text := part.strip())]


def parse_ids(variable: str, ids: t.Any) -> list[int]:
    """Returns the ids of a list or of comma-separated text. Raises RefusedError if one is not a number."""
    texts = [text for one in parse_list(ids) if (text := str(one).strip())]
    if not all(map(is_number, texts)):
        raise RefusedError(f"{variable} must be numbers: {one_line(', '.join(texts))}.")
    return list(map(int, texts))


def find_list_problem(name: str, value: object) -> str:
    """Returns what is wrong with a list that is given as text; empty if nothing is."""
    text = value.strip() if isinstance(value, str) else ""
    is_cut = text.endswith(",")
    if not is_cut and (not text.startswith(("[", "{")) or isinstance(_parse_json(text), list)):
        return ""
    fault = "ends in a comma" if is_cut else "looks like JSON but is not a list"
    hint = "Separate the entries by commas, or give the list in a file: -e @FILE."
    return f"{name} {fault}: '{one_line(text)}'. {hint}"


def _parse_json(text: str) -> t.Any:
    """Returns the list or object that ``text`` is in JSON, or else None."""
    try:
        return json.loads(text) if text.lstrip().startswith(("[", "{")) else None
    except (ValueError, RecursionError):
        return None


class Problems:
    """The errors that the checks of variables have raised, and other sentences."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def collect(self, check: t.Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Returns what a check returns. If it raises an error of the collection, keeps that and returns None."""
        try:
            return check(*args, **kwargs)
        except ClawHostersError as error:
            self._texts.append(error.text)
            return None

    def add(self, text: str) -> None:
        """Adds a sentence."""
        self._texts.append(text)

    def raise_if_any(self) -> None:
        """Raises SettingsError with all errors, if there are any."""
        if self._texts:
            raise SettingsError(" ".join(self._texts), is_unsent=True)
