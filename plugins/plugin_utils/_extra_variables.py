# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of roles: lists that are given as text, and all problems at once. Pure."""

from __future__ import annotations

import json
import re
import typing as t

from ..module_utils._errors import ClawHostersError, RefusedError, SettingsError
from ..module_utils._text import is_number, one_line

P = t.ParamSpec("P")
T = t.TypeVar("T")


def parse_list(value: t.Any) -> list[t.Any]:
    """Returns the entries of a list unchanged, or of text without white space around: JSON, or separated by commas or
    line breaks, as surveys hand over one name a line."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if value is None or not isinstance(value, str):
        return [] if value is None else [value]
    parsed = parse_json(value)
    if isinstance(parsed, list):
        return parsed
    return [text for part in re.split("[,\n]", value) if (text := part.strip())]


def parse_ids(variable: str, ids: t.Any) -> list[int]:
    """Returns the ids of a list or of comma-separated text. Raises RefusedError if one is not a number."""
    texts = [text for one in parse_list(ids) if (text := str(one).strip())]
    if not all(map(is_number, texts)):
        raise RefusedError(f"{variable} must be numbers: {one_line(', '.join(texts))}.")
    return list(map(int, texts))


def parse_json(text: str) -> t.Any:
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
