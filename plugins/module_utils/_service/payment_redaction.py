# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redacts responses about a payment: a checkout link works for everybody who has it."""

from __future__ import annotations

import json
import re
import typing as t

from .._http.responses import parse_json
from .._http.transport import Response, redact_headers
from .._redaction import Redactor
from .._secret_fields import PAYMENT_WORDS, find_secrets, redact
from .._text import MASK, map_texts

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

MAX_SEARCH = 10**8
"""Characters of a response times the secrets in it: a second or two to search for all of them."""


def redact_links(text: str) -> str:
    """Returns ``text`` with everything redacted that could be a link, with or without scheme or host.

    A link ends at white space, since it may contain any other character.
    """
    return _LINK.sub(MASK, text)


def redact_payment(response: Response, texts: t.Iterable[str] = ()) -> Response:
    """Returns ``response`` with links, secret fields and the ``texts`` redacted.

    For displayed responses about a payment: a checkout link works for everybody who has it. A response with too many
    secrets to search for is redacted as a whole.
    """
    parsed, is_json = parse_json(response.text)
    secrets = {*texts, *find_secrets(parsed, words=PAYMENT_WORDS)}
    if len(secrets) * len(response.text) > MAX_SEARCH:
        return Response(response.status, redact_headers(response.headers, lambda _text: MASK), MASK)
    redact_secrets = Redactor(secrets)

    def redact_all(text: str) -> str:
        return redact_links(redact_secrets(text))

    redacted = (
        json.dumps(map_texts(redact(parsed, words=PAYMENT_WORDS), redact_all)) if is_json else redact_all(response.text)
    )
    return Response(response.status, redact_headers(response.headers, redact_all), redacted)
