# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redacts known secrets and links in text, in any encoding. Pure."""

from __future__ import annotations

import base64
import functools
import re
import typing as t

from ._text import MASK

MIN_SECRET_LENGTH = len(MASK)
"""Characters. Replacing shorter secrets everywhere would make ordinary text unreadable."""

_PREFIX_LENGTH = 3
"""Characters of a secret that are searched first: the pattern for all of it takes 15 ms to compile."""

_ESCAPES = "\\%&<"
"""Without any of these characters, printable ASCII has neither escapes nor breaks."""

# A break within a secret: a line break, literal or escaped, or any character outside of printable ASCII.
_BREAK = r"(?:[ \t]{0,80}(?:[^\x20-\x7e]{1,8}|\\{1,8}[rn]|<w?br ?/?>)[ \t]{0,80})?"

_SLASH = r"(?:\\{0,8}/|%(?:25){0,4}2[fF]|&(?:#47|#[xX]2[fF]|sol);)"
_COLON = r"(?::|%(?:25){0,4}3[aA]|&(?:#58|#[xX]3[aA]|colon);)"
# Each alternative begins at the start of a word, so that a long word is scanned only once.
_LINK = re.compile(
    r"(?<![\w.+-])(?:"
    rf"[^\W\d_][\w.+-]*{_COLON}{_SLASH}{{2}}\S*"  # https://pay.example/...
    rf"|{_SLASH}{{2}}[\w-]+\.\S*"  # //pay.example/...
    rf"|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:{_SLASH}|[?#])\S*"  # pay.example/...
    rf"|{_SLASH}[\w.%-]+(?:{_SLASH}|[?#=])\S*"  # /checkout/...
    r")"
)


class Redactor:
    """Redacts ``secrets`` in text, in the encodings in which servers and proxies echo them.

    These are: plain, JSON-escaped, percent-encoded, HTML-escaped, hex, base64 (also as part of a longer text, such as
    ``Bearer KEY``), and broken over lines. Secrets with fewer than ``min_length`` characters are ignored.
    """

    def __init__(self, secrets: t.Iterable[str], min_length: int = MIN_SECRET_LENGTH) -> None:
        # The longest first: a secret may be a part of another one.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= min_length}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Returns ``text`` with the secrets replaced by the mask."""
        if not self._secrets or not self._may_contain(text):
            return text
        return self._whole.sub(MASK, text)

    def _may_contain(self, text: str) -> bool:
        """Returns False if no secret is in ``text``, ten times as fast for ordinary text as the whole pattern."""
        if text.isascii() and text.isprintable() and not any(character in text for character in _ESCAPES):
            # No secret is escaped or broken here.
            return any(secret in text for secret in self._secrets) or self._encoded.search(text) is not None
        return self._prefixes.search(text) is not None

    @functools.cached_property
    def _encoded(self) -> re.Pattern[str]:
        return re.compile("|".join(form for secret in self._secrets for form in _encoded_patterns(secret)))

    @functools.cached_property
    def _prefixes(self) -> re.Pattern[str]:
        return self._pattern(_PREFIX_LENGTH)

    @functools.cached_property
    def _whole(self) -> re.Pattern[str]:
        return self._pattern(None)

    def _pattern(self, length: int | None) -> re.Pattern[str]:
        return re.compile(
            "|".join(
                form
                for secret in self._secrets
                for form in (_BREAK.join(map(_character_pattern, secret[:length])), *_encoded_patterns(secret))
            )
        )


def redact_links(text: str) -> str:
    """Returns ``text`` with everything redacted that could be a link, with or without scheme or host.

    A link ends at white space, since it may contain any other character.
    """
    return _LINK.sub(MASK, text)


def redact_text(value: t.Any, redact: t.Callable[[str], str]) -> t.Any:
    """Returns parsed JSON with ``redact`` applied to each string in it, including names of fields."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): redact_text(content, redact) for name, content in value.items()}
    return [redact_text(entry, redact) for entry in value] if isinstance(value, list) else value


@functools.cache
def _character_pattern(character: str) -> str:
    """Returns a pattern for one character in each encoding."""
    plain = re.escape(character)
    encoded = character.encode("utf-16-be", errors="surrogatepass")
    units = zip(encoded[::2], encoded[1::2], strict=True)
    escaped = "".join(rf"\\{{1,8}}u{_hex(bytes(unit))}" for unit in units)
    percent = "".join(f"%(?:25){{0,4}}{_hex(bytes([byte]))}" for byte in character.encode(errors="surrogatepass"))
    code = ord(character)
    # Each alternative begins with a fixed character, which makes the search fast. The long ones come first: the plain
    # form of a backslash would match the first character of its escape, and leave the rest.
    forms = [
        escaped,
        percent,
        rf"&(?:amp;){{0,4}}#0{{0,6}}{code};?",
        rf"&(?:amp;){{0,4}}#[xX]0{{0,6}}{_hex_text(f'{code:x}')};?",
    ]
    if code < 0x100:
        forms.append(rf"\\{{1,8}}x{_hex(bytes([code]))}")
    if name := _ENTITIES.get(character):
        forms.append(f"&(?:amp;){{0,4}}{name};?")
    forms += [rf"\\{{1,8}}{plain}", plain]
    return f"(?:{'|'.join(forms)})"


_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "/": "sol", "+": "plus", "=": "equals"}


def _encoded_patterns(secret: str) -> t.Iterator[str]:
    """Yields patterns for the secret in hex and, at each of the three offsets in a group, in base64."""
    content = secret.encode(errors="surrogatepass")
    yield _hex(content)
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + content).decode().rstrip("=")
        # The characters at both ends also depend on the text around the secret.
        start, end = (0, 2, 3)[shift], len(encoded) - (1 if (shift + len(content)) % 3 else 0)
        inner = re.escape(encoded[start:end])
        yield inner.replace(r"\+", "+").replace("+", "[+-]").replace("/", "[/_]")


def _hex(content: bytes) -> str:
    return _hex_text(content.hex())


def _hex_text(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
