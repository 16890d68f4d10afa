# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for screens, pages and file names, made of text that the service or a user gave. Pure."""

from __future__ import annotations

import hashlib
import re
import typing as t
from datetime import datetime

import yaml

from ..module_utils._errors import one_line

NONE = "\N{EN DASH}"
"""What stands where there is nothing to show."""

NAME_LIMIT = 80
"""Characters of a name that a screen or a page shows; names may be of any length."""

_SLUG_LIMIT = 60
_SAFE_IN_FILE_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ENDS_AS_MADE = re.compile(r"-[0-9a-f]{16}\Z")
"""How the names end that are made of other texts; a text that has such a name by itself gets another."""
_PLAIN_IN_SHELL = re.compile(r"[A-Za-z0-9_.:/@%+,-]+")
_PLAIN_IN_YAML = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./~@%+-]*( [A-Za-z0-9_./~@%+-]+)*")


def format_value(value: object, limit: int = NAME_LIMIT) -> str:
    """A value on one line, without control characters, cut; a dash where there is none."""
    return one_line(value, limit) if value not in (None, "") else NONE


def label(name: object, identity: object) -> str:
    """How screens and pages name an instance."""
    if identity is None:
        return format_value(name)
    return (
        f"{format_value(name)} (id {one_line(identity, 20)})"
        if name not in (None, "")
        else f"id {one_line(identity, 20)}"
    )


def slugify(text: str) -> str:
    """A file name for ``text`` that stays in its folder, and that no other text has."""
    if len(text) <= _SLUG_LIMIT and _SAFE_IN_FILE_NAMES.fullmatch(text) and not _ENDS_AS_MADE.search(text):
        return text
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", text[: _SLUG_LIMIT * 4]).strip("-")[:_SLUG_LIMIT] or "unnamed"
    return f"{kept}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"


def format_clock(moment: datetime | None) -> str:
    """A moment for people; a dash where there is none."""
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else NONE


def _is_plain_in_yaml(text: str) -> bool:
    """Whether YAML takes ``text`` as that very text; without quotes, ``no`` and ``123`` are something else to it."""
    tag = yaml.resolver.Resolver().resolve(yaml.ScalarNode, text, (True, False))
    return bool(_PLAIN_IN_YAML.fullmatch(text)) and tag == yaml.resolver.Resolver.DEFAULT_SCALAR_TAG


def _quoted(text: str) -> str:
    """``text`` as YAML: between single quotes, and with escapes only where a terminal would obey what is in it.

    Ansible runs extra variables as templates, unless they are marked.
    """
    mark = "!unsafe " if "{" in text or text.startswith("#jinja2:") else ""
    if text.isprintable():
        return mark + "'" + text.replace("'", "''") + "'"
    return mark + '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if "\ud800" <= character <= "\udfff":
        # Half of a character; YAML has no way to write it.
        character = "\N{REPLACEMENT CHARACTER}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def extra_variable(name: str, value: t.Any) -> str:
    """``-e`` with a variable, to be typed into a shell.

    Double quotes and backslashes are avoided where it can be: Ansible shows messages as JSON, which would double them.
    """
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    texts = [("true" if one else "false") if isinstance(one, bool) else str(one) for one in values]
    if all(_PLAIN_IN_SHELL.fullmatch(text) for text in texts) and not (
        len(texts) > 1 and any("," in text for text in texts)
    ):
        return f"-e {name}={','.join(texts)}"
    if all(map(_is_plain_in_yaml, texts)):
        return f"-e '{{{name}: {'[' + ', '.join(texts) + ']' if isinstance(value, (list, tuple)) else texts[0]}}}'"
    flow = ", ".join(map(_quoted, texts))
    content = f"[{flow}]" if isinstance(value, (list, tuple)) else flow
    return "-e '" + f"{{{name}: {content}}}".replace("'", "'\\''") + "'"
