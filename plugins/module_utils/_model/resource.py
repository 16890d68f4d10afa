# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON objects as the service sends them, results of modules, and options without their secrets. Pure."""

from __future__ import annotations

import re
import typing as t

from .._text import is_number

Resource = dict[str, t.Any]
"""A parsed JSON object. Only ``id`` is sure to be there; transactions and packages may lack even that."""
Result = dict[str, t.Any]
"""The dictionary that a task returns."""
Options = dict[str, t.Any]

_NUMBER = re.compile(r"\d{1,308}", re.ASCII)
_TEXT_ID = re.compile(r"(?=.*[A-Za-z])[\w.:~-]{1,100}", re.ASCII)
IDS_ARE = "ids are positive whole numbers, or their text"
_MAX_EXACT = 2**53
"""From here on, several whole numbers are one float."""


def id_sort_key(item: t.Mapping[str, t.Any]) -> tuple[int, int, str]:
    """Sort key: numeric ids in numeric order, then others as text. The service's own order is unknown."""
    text = str(item.get("id"))
    return (0, int(text), text) if is_number(text) else (1, 0, text)


def parse_id(value: object) -> int | str | None:
    """Returns an id in its one spelling: 1 for 1.0, "1" and "01". None for what is no id.

    An id is a positive whole number. A text with a letter tells things apart, too, so that names work, but no option
    takes it; without a letter, it would be a further spelling of a number.
    """
    if isinstance(value, str):
        text = value.strip()
        return int(text) or None if _NUMBER.fullmatch(text) else text if _TEXT_ID.fullmatch(text) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and 0 < value < _MAX_EXACT else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def advise_id(ids: t.Iterable[object], advice: str, instead: str) -> str:
    """Returns ``advice``, which is to give one of these ``ids`` as an option, or ``instead`` if no option takes one."""
    if all(isinstance(parse_id(one), int) for one in ids):
        return advice
    return f"{instead}; {IDS_ARE}, so these can't be given"


def _parse_name(value: object) -> object:
    """Returns a name by which things can be looked up: None for a list or an object, as if the service showed none."""
    return None if isinstance(value, (dict, list)) else value


_KEYS: dict[str, t.Callable[[object], object]] = {"id": parse_id, "name": _parse_name}


def parse_keys(item: Resource) -> Resource:
    """Returns an object of the service whose id has its one spelling, and whose name is a text or number, if any."""
    return item | {field: parse(item[field]) for field, parse in _KEYS.items() if field in item}


def as_object(value: object) -> Resource:
    """Returns a JSON object; an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[Resource]:
    """Returns the objects in a JSON list; an empty list for any other value."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def normalize(word: object) -> str:
    """Returns a status or type in lower case, with underscores.

    The spelling of five of the nine statuses is inferred, so case and spaces are ignored. An object is no word.
    """
    return "" if isinstance(word, (dict, list)) else str(word or "").strip().lower().replace(" ", "_").replace("-", "_")


class Redacted(t.NamedTuple):
    """Options without their secrets, and these secrets."""

    params: Options
    secrets: set[str]


class ResourceChange(t.NamedTuple):
    """Change of one resource. ``resource`` is the last one seen; ``before`` and ``after`` are the diff."""

    changed: bool
    resource: Resource | None
    before: Resource
    after: Resource

    def as_result(self, name: str) -> Result:
        """Returns the result of the task, with the resource under ``name``."""
        return {"changed": self.changed, name: self.resource, "diff": {"before": self.before, "after": self.after}}
