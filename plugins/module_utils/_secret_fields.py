# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hides what is secret in objects that nobody documents: what stands under names like key, token, secret, password
(contract 6). Pure."""

from __future__ import annotations

import re
import typing as t

from ._errors import MASK

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
SECRET_WORD = re.compile(r".*(key|token|secret|passw(or)?d|passphrase|credential)", re.IGNORECASE)
"""A name with such a word in it is one of a secret."""
PAYMENT_WORD = re.compile(
    SECRET_WORD.pattern.removesuffix(")") + "|ur[il]|link|href|checkout|session|redirect)", re.IGNORECASE
)
"""The same where it is about a payment: whoever holds the link or the id of a checkout can see it, or pay it."""
_SHORTEST_SECRET = 4
"""Characters. Shorter ones are hidden where they stand; hidden everywhere, they would make all text unreadable."""

Options = dict[str, t.Any]
"""The options of a task, by name."""


class RedactedOptions(t.NamedTuple):
    """Options with their secrets replaced, and those secrets."""

    params: Options
    secrets: set[str]


def redact(value: t.Any, names: t.Collection[str] = (), word: re.Pattern[str] = SECRET_WORD) -> t.Any:
    """``value`` with its secrets hidden, in whatever depth: what stands under a name with such a ``word`` in it.

    What stands under one of ``names``, at the top, is a secret as a whole.
    """
    if isinstance(value, dict):
        return {name: MASK if name in names else _under(str(name), content, word) for name, content in value.items()}
    return [redact(entry, word=word) for entry in value] if isinstance(value, list) else value


def find_secrets(value: t.Any, names: t.Collection[str] = (), word: re.Pattern[str] = SECRET_WORD) -> set[str]:
    """What ``redact`` hides of ``value``, as texts that may be hidden wherever they turn up."""
    return {text for text in map(str, _hidden_in(value, redact(value, names, word))) if len(text) >= _SHORTEST_SECRET}


def find_texts(value: t.Any) -> t.Iterator[str]:
    """Yields each text in parsed JSON, without the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for content in value.values() if isinstance(value, dict) else value:
            yield from find_texts(content)


def _under(name: str, content: t.Any, word: re.Pattern[str]) -> t.Any:
    words = _WORDS.findall(name)
    if not any(_is_secret(one, word) for one in words):
        return redact(content, word=word)
    # A number under `password` is one; under `token_limit` or `tokens` it counts something.
    return _hidden(content, numbers=_is_secret(words[-1], word) and words[-1].lower() != "tokens")


def _is_secret(name: str, word: re.Pattern[str]) -> bool:
    return word.fullmatch(name.rstrip("sS")) is not None


def _hidden(content: t.Any, *, numbers: bool) -> t.Any:
    """All texts in ``content`` hidden, numbers too if asked for; yes, no and nothing are no secrets."""
    if isinstance(content, dict):
        return {name: _hidden(inner, numbers=numbers) for name, inner in content.items()}
    if isinstance(content, list):
        return [_hidden(inner, numbers=numbers) for inner in content]
    is_number = isinstance(content, (int, float)) and not isinstance(content, bool)
    return MASK if (isinstance(content, str) and content) or (is_number and numbers) else content


def _hidden_in(value: t.Any, shown: t.Any) -> t.Iterator[t.Any]:
    if isinstance(value, dict):
        for name, content in value.items():
            yield from _hidden_in(content, shown if shown == MASK else shown[name])
    elif isinstance(value, list):
        for number, content in enumerate(value):
            yield from _hidden_in(content, shown if shown == MASK else shown[number])
    elif shown == MASK and value is not None and not isinstance(value, bool):
        yield value
