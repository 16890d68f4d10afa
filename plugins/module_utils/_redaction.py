# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redacts known secrets in text, in any encoding. Pure.

Texts and secrets may be anything that a service sends, so the time depends on their length alone: a secret is searched
in decoded text, since a pattern for all of its spellings could match in countless ways.
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import functools
import re
import sys
import typing as t

from ._text import MASK, replace_controls

MIN_SECRET_LENGTH = len(MASK)
"""Characters. Replacing shorter secrets everywhere would make ordinary text unreadable."""

_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "sol": "/", "plus": "+", "equals": "="}
_ENTITIES |= {"lowbar": "_", "UnderBar": "_", "period": ".", "colon": ":", "commat": "@", "excl": "!", "num": "#"}
# More backslashes are read one by one: each of them could be the start of an escape, from which all are read.
_ESCAPE = re.compile(
    r"\\(?:\\{0,7}(?:u(?P<unit>[0-9a-fA-F]{4})(?:(?<=[dD][89abAB]..)\\{1,8}u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2}))?"
    r"|x(?P<byte>[0-9a-fA-F]{2})|(?P<line>[rn]))|(?P<plain>[^%&])?)"
    r"|%(?:[c-fC-F][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){1,3}|[0-9a-fA-F]{2})"
    r"|&(?:#0*(?P<decimal>[0-9]{1,7})|#[xX]0*(?P<hex>[0-9a-fA-F]{1,6})"
    rf"|(?P<name>{'|'.join(_ENTITIES)}));?"
)
"""A character as JSON, Python, URLs and HTML escape it."""
_MAX_ESCAPED = 6
"""How often text may be escaped: JSON in JSON is escaped twice."""

_BREAK = re.compile(r"(?<! ) *(?:(?:[^\x20-\x7e\w]|<w?br ?/?>) *)+")
"""Signs that may stand within a secret: line breaks, control characters and others, with the blanks around them."""

_QUOTED = re.compile(r"=(?:([0-9a-fA-F]{2})|(?:\\{1,8}r)?\\{1,8}n|[\r\n\ufffd]+)")
"""A character in quoted-printable, or a line break there, which may be escaped, as in JSON."""

_BETWEEN_HEX = ("0x", " ", ":", ",", ";", "-")
"""The separators that may stand between the bytes of a text in hex."""

_SQUEEZED = re.compile("|".join(_BETWEEN_HEX))

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")

Span: t.TypeAlias = "tuple[int, int]"
"""Start and end in a text."""


class Redactor:
    """Redacts ``secrets`` in text, in the encodings in which servers and proxies echo them.

    These are: plain in any case, JSON-escaped, percent-encoded, HTML-escaped, quoted-printable, hex, base64 (also as
    part of a longer text, such as ``Bearer KEY``, and of UTF-16), and broken over lines. Short secrets are ignored. Of
    one that ends with line breaks or backslashes, these may remain.
    """

    def __init__(self, secrets: t.Iterable[str]) -> None:
        # Responses have their control characters replaced.
        kept = {form for one in secrets if len(one) >= MIN_SECRET_LENGTH for form in (one, replace_controls(one))}
        # Text that looks like an escape is decoded in a secret as everywhere.
        decoded = {views[-1].text for secret in kept if (views := _decode_all(secret))}
        self._plain = {_fold(form) for form in kept | {form for form in decoded if len(form) >= MIN_SECRET_LENGTH}}
        contents = {secret.encode(encoding, errors="surrogatepass") for secret in kept for encoding in _ENCODINGS}
        self._hex = {content.hex() for content in contents}
        self._base64 = {part for content in contents for part in _base64_parts(content)}

    def __call__(self, text: str) -> str:
        """Returns ``text`` with the secrets replaced by the mask."""
        parts, end = [], 0
        for start, stop in sorted(self._find(text)) if self._plain else ():
            if start >= end:
                parts += [text[end:start], MASK]
            end = max(end, stop)
        return "".join([*parts, text[end:]]) if parts else text

    def _find(self, text: str) -> t.Iterator[Span]:
        """Yields where the secrets are in ``text``. Some may overlap."""
        yield from self._find_escaped(text)
        if _QUOTED.search(text):
            decoded = _View(text, _QUOTED, _decode_quoted)
            yield from map(decoded.locate, self._find_escaped(decoded.text))

    def _find_escaped(self, text: str) -> t.Iterator[Span]:
        yield from self._find_encoded(text)
        views = _decode_all(text)
        for count, last in enumerate(views, 1):
            for span in self._find_encoded(last.text):
                yield functools.reduce(lambda part, view: view.locate(part), reversed(views[:count]), span)

    def _find_encoded(self, text: str) -> t.Iterator[Span]:
        folded = _fold(text)
        yield from _find_all(self._plain, folded)
        squeezed = functools.reduce(lambda part, sign: part.replace(sign, ""), _BETWEEN_HEX, folded)
        # To look first takes a tenth of the time.
        if any(form in squeezed for form in self._hex):
            view = _View(folded, _SQUEEZED, lambda _match: "")
            yield from map(view.locate, _find_all(self._hex, view.text))
        yield from _find_all(self._base64, text.replace("-", "+").replace("_", "/"))


class _View:
    """``text`` is a source in which each match of ``pattern`` is replaced."""

    def __init__(self, source: str, pattern: re.Pattern[str], replace: t.Callable[[re.Match[str]], str]) -> None:
        self._source, self._pattern, self._replace = source, pattern, replace
        self.text = pattern.sub(replace, source)

    def locate(self, span: Span) -> Span:
        """Returns the part of the source that a part of ``text`` comes from."""
        return self._locate_character(span[0])[0], self._locate_character(span[1] - 1)[1]

    def _locate_character(self, position: int) -> Span:
        starts, origins = self._parts
        number = bisect.bisect(starts, position) - 1
        if number % 2:
            return origins[number]
        start = origins[number][0] + position - starts[number]
        return start, start + 1

    @functools.cached_property
    def _parts(self) -> tuple[list[int], list[Span]]:
        """Where each part begins in ``text``, and where it is in the source. Every other one, from the second, is
        replaced."""
        starts, origins, length, end = [], [], 0, 0
        for match in self._pattern.finditer(self._source):
            starts += [length, length + match.start() - end]
            origins += [(end, match.start()), match.span()]
            length, end = starts[-1] + len(self._replace(match)), match.end()
        return [*starts, length], [*origins, (end, len(self._source))]


def _find_all(forms: t.Iterable[str], text: str) -> t.Iterator[Span]:
    for form in forms:
        start = text.find(form)
        while start >= 0:
            yield start, start + len(form)
            start = text.find(form, start + len(form))


def _decode_all(text: str) -> list[_View]:
    """Returns the views through which ``text`` loses its breaks and escapes."""
    views: list[_View] = []
    while len(views) < 2 * _MAX_ESCAPED:
        # Most texts have neither. To search for their characters is fast.
        if not (text.isascii() and text.isprintable()) or "<" in text:
            views.append(_View(text, _BREAK, lambda _match: ""))
            text = views[-1].text
        if not any(character in text for character in "\\%&"):
            break
        views.append(_View(text, _ESCAPE, _decode))
        if views[-1].text == text:
            break
        text = views[-1].text
    return views


def _decode(match: re.Match[str]) -> str:
    """Returns the character that an escape stands for."""
    escape = match[0]
    if escape[0] == "%":
        with contextlib.suppress(UnicodeDecodeError):
            return bytes.fromhex(escape.replace("%", "")).decode()
        return escape
    if escape[0] == "\\":
        if match["unit"]:
            return bytes.fromhex(match["unit"] + (match["low"] or "")).decode("utf-16-be", errors="surrogatepass")
        if match["byte"]:
            return chr(int(match["byte"], 16))
        return "\n" if match["line"] else (match["plain"] or "").strip("\\")
    if match["name"]:
        return _ENTITIES[match["name"]]
    code = int(match["decimal"] or match["hex"], 10 if match["decimal"] else 16)
    return chr(code) if code <= sys.maxunicode else escape


def _decode_quoted(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else ""


def _fold(text: str) -> str:
    """Returns ``text`` in lower case, and as long as it was: only the letter that is replaced would grow."""
    return text.replace("\u0130", "I").lower()


def _base64_parts(content: bytes) -> t.Iterator[str]:
    """Yields what base64 has of the secret in any text, at each of the three offsets in a group."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + content).decode().rstrip("=")
        # The characters at both ends also depend on the text around the secret.
        start, end = (0, 2, 3)[shift], len(encoded) - (1 if (shift + len(content)) % 3 else 0)
        yield encoded[start:end]
