# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redacts fields with names like key, token, secret, password in undocumented objects. Pure."""

from __future__ import annotations

import re
import typing as t

from ._text import MASK, replace_controls

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
SECRET_WORDS = ("key", "token", "secret", "passwd", "password", "passphrase", "credential")
"""A field is secret if a word of its name ends with one of these."""
PAYMENT_WORDS = (*SECRET_WORDS, "url", "uri", "link", "href", "checkout", "session", "redirect")
"""The same for payments: the link or the id of a checkout is enough to see or pay it."""
_MIN_SECRET_LENGTH = 4
"""Characters. Shorter secrets are redacted in their fields only: elsewhere they would make text unreadable."""


def redact(value: t.Any, names: t.Collection[str] = (), words: tuple[str, ...] = SECRET_WORDS) -> t.Any:
    """Returns ``value`` with the fields redacted, at any depth, whose names contain one of ``words``.

    Fields of the top level with one of ``names`` are redacted as a whole.
    """
    if isinstance(value, dict):
        return {
            name: MASK if name in names else _redact_field(str(name), content, words) for name, content in value.items()
        }
    return [redact(entry, words=words) for entry in value] if isinstance(value, list) else value


def find_secrets(value: t.Any, names: t.Collection[str] = (), words: tuple[str, ...] = SECRET_WORDS) -> set[str]:
    """Returns the strings that ``redact`` would remove, also as responses show them, to redact them elsewhere."""
    return {
        form
        for text in map(str, _iter_redacted(value, redact(value, names, words)))
        if len(text) >= _MIN_SECRET_LENGTH
        for form in (text, replace_controls(text))
    }


def map_texts(value: t.Any, change: t.Callable[[str], str]) -> t.Any:
    """Returns parsed JSON with ``change`` applied to each string in it, including names of fields."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): map_texts(content, change) for name, content in value.items()}
    return [map_texts(entry, change) for entry in value] if isinstance(value, list) else value


def find_texts(value: t.Any) -> t.Iterator[str]:
    """Yields each string in parsed JSON, without the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for content in value.values() if isinstance(value, dict) else value:
            yield from find_texts(content)


def _redact_field(name: str, content: t.Any, words: tuple[str, ...]) -> t.Any:
    parts = _WORDS.findall(name)
    if not any(_is_secret(one, words) for one in parts):
        return redact(content, words=words)
    # A number in `password` is a secret; in `token_limit` or `tokens` it is a count.
    return _redact_all(content, numbers=_is_secret(parts[-1], words) and parts[-1].lower() != "tokens")


def _is_secret(word: str, words: tuple[str, ...]) -> bool:
    return word.lower().rstrip("s").endswith(words)


def _redact_all(content: t.Any, *, numbers: bool) -> t.Any:
    """Returns ``content`` with all strings redacted, and with ``numbers`` also those. Booleans and null stay."""
    if isinstance(content, dict):
        return {name: _redact_all(inner, numbers=numbers) for name, inner in content.items()}
    if isinstance(content, list):
        return [_redact_all(inner, numbers=numbers) for inner in content]
    is_number = isinstance(content, (int, float)) and not isinstance(content, bool)
    return MASK if (isinstance(content, str) and content) or (is_number and numbers) else content


def _iter_redacted(value: t.Any, redacted: t.Any) -> t.Iterator[t.Any]:
    if isinstance(value, dict):
        for name, content in value.items():
            yield from _iter_redacted(content, redacted if redacted == MASK else redacted[name])
    elif isinstance(value, list):
        for number, content in enumerate(value):
            yield from _iter_redacted(content, redacted if redacted == MASK else redacted[number])
    elif redacted == MASK and value is not None and not isinstance(value, bool):
        yield value
