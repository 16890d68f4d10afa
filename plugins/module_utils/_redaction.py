# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replaces known secrets and links in text, however they are spelled. Pure."""

from __future__ import annotations

import base64
import functools
import re
import typing as t

from ._errors import MASK

SHORTEST_SECRET = len(MASK)
"""Characters. Replacing shorter secrets everywhere would make ordinary text unreadable."""

_HEAD = 3
"""Characters of a secret that decide whether the rest is searched for: the full pattern takes 15 ms to compile."""

# Where a secret may be interrupted: a line break, written out or escaped, or any character outside of printable ASCII.
_BREAK = r"(?:[ \t]{0,80}(?:[^\x20-\x7e]{1,8}|\\{1,8}[rn]|<w?br ?/?>)[ \t]{0,80})?"

_SLASH = r"(?:\\{0,8}/|%(?:25){0,4}2[fF]|&(?:#47|#[xX]2[fF]|sol);)"
_COLON = r"(?::|%(?:25){0,4}3[aA]|&(?:#58|#[xX]3[aA]|colon);)"
# Each alternative begins at the start of a word, so that a long word is read once and not from each of its characters.
_LINK = re.compile(
    r"(?<![\w.+-])(?:"
    rf"[^\W\d_][\w.+-]*{_COLON}{_SLASH}{{2}}\S*"  # https://pay.example/...
    rf"|{_SLASH}{{2}}[\w-]+\.\S*"  # //pay.example/...
    rf"|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:{_SLASH}|[?#])\S*"  # pay.example/...
    rf"|{_SLASH}[\w.%-]+(?:{_SLASH}|[?#=])\S*"  # /checkout/...
    r")"
)


class Redactor:
    """Replaces ``secrets`` in text, in the spellings that servers and proxies echo them in.

    These are: as they are, JSON-escaped, percent-encoded, HTML-escaped, in hex, in base64 (also as part of a longer
    text, such as ``Bearer KEY``), and broken over lines. Secrets with fewer than ``shortest`` characters are ignored.
    """

    def __init__(self, secrets: t.Iterable[str], shortest: int = SHORTEST_SECRET) -> None:
        # The longest first: one may be a part of another.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= shortest}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Returns ``text`` with the secrets replaced by the mask."""
        if not self._secrets or not self._head.search(text):
            return text
        return self._whole.sub(MASK, text)

    @functools.cached_property
    def _head(self) -> re.Pattern[str]:
        return self._pattern(_HEAD)

    @functools.cached_property
    def _whole(self) -> re.Pattern[str]:
        return self._pattern(None)

    def _pattern(self, length: int | None) -> re.Pattern[str]:
        return re.compile(
            "|".join(
                form
                for secret in self._secrets
                for form in (_BREAK.join(map(_spellings, secret[:length])), *_encodings(secret))
            )
        )


def without_links(text: str) -> str:
    """Returns ``text`` with everything that could be a link replaced, with or without a scheme or a host.

    A link ends at white space: which other characters it holds is the service's choice.
    """
    return _LINK.sub(MASK, text)


def redact_text(value: t.Any, redact: t.Callable[[str], str]) -> t.Any:
    """Returns parsed JSON with ``redact`` applied to each text in it, names of fields included."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): redact_text(content, redact) for name, content in value.items()}
    return [redact_text(entry, redact) for entry in value] if isinstance(value, list) else value


@functools.cache
def _spellings(character: str) -> str:
    """Pattern for one character, in each of its spellings."""
    plain = re.escape(character)
    units = character.encode("utf-16-be", errors="surrogatepass")
    escaped = "".join(rf"\\{{1,8}}u{_hex(units[at : at + 2])}" for at in range(0, len(units), 2))
    percent = "".join(f"%(?:25){{0,4}}{_hex(bytes([byte]))}" for byte in character.encode(errors="surrogatepass"))
    code = ord(character)
    # Each alternative begins with a fixed character: by these the search skips quickly to where a secret may begin.
    forms = [
        plain,
        rf"\\{{1,8}}{plain}",
        escaped,
        percent,
        rf"&(?:amp;){{0,4}}#0{{0,6}}{code};?",
        rf"&(?:amp;){{0,4}}#[xX]0{{0,6}}{_hex_text(f'{code:x}')};?",
    ]
    if code < 0x100:
        forms.append(rf"\\{{1,8}}x{_hex(bytes([code]))}")
    if name := _ENTITIES.get(character):
        forms.append(f"&(?:amp;){{0,4}}{name};?")
    return f"(?:{'|'.join(forms)})"


_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "/": "sol", "+": "plus", "=": "equals"}


def _encodings(secret: str) -> t.Iterator[str]:
    """Patterns for the secret in hex and in base64, where it may begin at any of three places in a group."""
    content = secret.encode(errors="surrogatepass")
    yield _hex(content)
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + content).decode().rstrip("=")
        # The characters at both ends also depend on what stands around the secret.
        start, end = (0, 2, 3)[shift], len(encoded) - (1 if (shift + len(content)) % 3 else 0)
        inner = re.escape(encoded[start:end])
        yield inner.replace(r"\+", "+").replace("+", "[+-]").replace("/", "[/_]")


def _hex(content: bytes) -> str:
    return _hex_text(content.hex())


def _hex_text(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
