# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redacts known secrets in text, in any encoding. Pure.

Texts and secrets may be anything that a service sends, so the time depends on their length alone: a secret is searched
in decoded text, since a pattern for all of its spellings could match in countless ways.
"""

from __future__ import annotations

import base64
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
_ESCAPE = (
    r"\\(?:\\{0,7}(?:u(?P<unit>[0-9a-fA-F]{4})(?:(?<=[dD][89abAB]..)\\{1,8}u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2}))?"
    r"|x(?P<byte>[0-9a-fA-F]{2})|(?P<line>[rn]))|(?P<plain>[^%&])?)"
    r"|%(?:[c-fC-F][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){1,3}|[0-9a-fA-F]{2})"
    r"|&(?:#0*(?P<decimal>[0-9]{1,7})|#[xX]0*(?P<hex>[0-9a-fA-F]{1,6})"
    rf"|(?P<name>{'|'.join(_ENTITIES)}));?"
)
"""A character as JSON, Python, URLs and HTML escape it. Few texts have one, so it is seldom compiled."""
_MAX_ESCAPED = 6
"""How often text may be escaped: JSON in JSON is escaped twice."""

_BREAK = re.compile(r"(?<! ) *(?:(?:[^\x20-\x7e\w]|<w?br ?/?>) *)+")
"""Signs that may stand within a secret: line breaks, control characters and others, with the blanks around them."""

_QUOTED = r"=(?:([0-9a-fA-F]{2})|(?:\\{1,8}r)?\\{1,8}n|[\r\n\ufffd]+)"
"""A character in quoted-printable, or a line break there, which may be escaped, as in JSON."""

_BETWEEN_HEX = ("0x", " ", ":", ",", ";", "-")
"""The separators that may stand between the bytes of a text in hex."""

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")

_PARTS = (re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL), re.compile(".+"))
"""The parts of a text that are redacted as a whole: strings of JSON, so that it stays JSON, and lines."""


class Redactor:
    """Redacts ``secrets`` in text, in the encodings in which servers and proxies echo them.

    These are: plain in any case, JSON-escaped, percent-encoded, HTML-escaped, quoted-printable, hex, base64 (also as
    part of a longer text, such as ``Bearer KEY``, and of UTF-16), and broken over lines. Of a secret that is escaped or
    broken, the whole string of JSON or the line is redacted. Short secrets are ignored.
    """

    def __init__(self, secrets: t.Iterable[str]) -> None:
        # Responses have their control characters replaced.
        kept = {form for one in secrets if len(one) >= MIN_SECRET_LENGTH for form in (one, replace_controls(one))}
        # Text that looks like an escape is decoded in a secret as everywhere.
        decoded = {form for secret in kept for form in _decode_all(secret) if len(form) >= MIN_SECRET_LENGTH}
        contents = {secret.encode(encoding, errors="surrogatepass") for secret in kept for encoding in _ENCODINGS}
        self._plain = set(map(_fold, kept | decoded))
        self._hex = {content.hex() for content in contents}
        self._base64 = {part for content in contents for part in _base64_parts(content)}

    def __call__(self, text: str) -> str:
        """Returns ``text`` with the secrets replaced by the mask."""
        if not self._is_in(text):
            return text
        text = self._pattern.sub(MASK, text)
        for part in _PARTS:
            text = part.sub(self._redact_part, text) if self._is_in(text) else text
        return MASK if self._is_in(text) else text

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Matches a secret that is neither escaped nor broken. Few texts have one, so it is seldom compiled."""
        between = f"(?:{'|'.join(_BETWEEN_HEX)})*"
        patterns = [re.escape(form) for form in sorted(self._plain, key=len, reverse=True)]
        patterns += [between.join(re.findall("..", form)) for form in self._hex]
        base64_patterns = [re.escape(form).replace(r"\+", "[+-]").replace("/", "[/_]") for form in self._base64]
        return re.compile("|".join([f"(?i:{'|'.join(patterns)})", *base64_patterns]))

    def _redact_part(self, match: re.Match[str]) -> str:
        part = match[0]
        quote = '"' if part[0] == part[-1] == '"' else ""
        return f"{quote}{MASK}{quote}" if self._is_in(part) else part

    def _is_in(self, text: str) -> bool:
        """Returns True if ``text`` has a secret, in whatever encoding."""
        if not self._plain:
            return False
        quoted = re.sub(_QUOTED, _decode_quoted, text) if "=" in text else text
        return any(map(self._is_encoded_in, _decode_all(text))) or (
            quoted != text and any(map(self._is_encoded_in, _decode_all(quoted)))
        )

    def _is_encoded_in(self, text: str) -> bool:
        folded = _fold(text)
        squeezed = functools.reduce(lambda part, sign: part.replace(sign, ""), _BETWEEN_HEX, folded)
        standard = text.replace("-", "+").replace("_", "/")
        found = ((self._plain, folded), (self._hex, squeezed), (self._base64, standard))
        return any(form in where for forms, where in found for form in forms)


def _decode_all(text: str) -> t.Iterator[str]:
    """Yields ``text``, and what it becomes as it loses its breaks and escapes."""
    yield text
    for _level in range(_MAX_ESCAPED):
        # Most texts have neither. To search for their characters is fast.
        if not (text.isascii() and text.isprintable()) or "<" in text:
            text = _BREAK.sub("", text)
            yield text
        before = text
        if any(character in text for character in "\\%&"):
            text = re.sub(_ESCAPE, _decode, text)
            yield text
        if text == before:
            return


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
