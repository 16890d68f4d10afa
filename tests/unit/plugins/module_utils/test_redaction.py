# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets are redacted in every encoding, and links in every form."""

from __future__ import annotations

import base64
import html
import json
import string
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._redaction import Redactor
from ansible_collections.clawhosters.cloud.plugins.module_utils._secret_fields import map_texts
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.purchase import redact_links, redact_payment
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import MASK

KEY = "oc_live_very+secret/0123456789"

SPELLINGS = {
    "plain": lambda key: key,
    "JSON": json.dumps,
    "JSON with escaped slashes": lambda key: json.dumps(key).replace("/", "\\/"),
    "JSON with all escaped": lambda key: "".join(f"\\u{ord(one):04X}" for one in key),
    "JSON in JSON": lambda key: json.dumps("".join(f"\\u{ord(one):04x}" for one in key)),
    "percent": lambda key: quote(key, safe=""),
    "percent for all": lambda key: "".join(f"%{ord(one):02x}" for one in key),
    "percent twice": lambda key: quote(quote(key, safe=""), safe=""),
    "HTML": html.escape,
    "HTML numbers": lambda key: "".join(f"&#{ord(one)};" for one in key),
    "HTML hex": lambda key: "".join(f"&#x{ord(one):X};" for one in key),
    "hex": lambda key: key.encode().hex(),
    "Python": lambda key: "".join(f"\\x{ord(one):02x}" for one in key),
    "two lines": lambda key: key[:5] + "\r\n  " + key[5:],
    "two lines in JSON": lambda key: key[:5] + "\\n" + key[5:],
    "UTF-16": "\0".join,
    "soft hyphens": "\u00ad".join,
    "lower case": str.lower,
    "upper case": str.upper,
    "HTML names": lambda key: html.escape(key).replace("_", "&lowbar;").replace(":", "&colon;"),
    "HTML names in camel case": lambda key: html.escape(key).replace("_", "&UnderBar;"),
    "hex with blanks": lambda key: key.encode().hex(" "),
    "hex in capitals, with colons": lambda key: key.encode().hex(":").upper(),
    "hex of C": lambda key: ", ".join(f"0x{ord(one):02x}" for one in key),
    "hex of UTF-16": lambda key: key.encode("utf-16-be").hex(),
    "quoted-printable": lambda key: "".join(f"={ord(one):02X}" for one in key),
    "quoted-printable with breaks": lambda key: key[:8] + "=\r\n" + key[8:].replace("=", "=3D"),
    "quoted-printable in JSON": lambda key: json.dumps(key[:8] + "=\r\n" + key[8:].replace("=", "=3D")),
}

UNBROKEN = ("plain", "hex", "lower case", "upper case", "hex with blanks", "hex in capitals, with colons")
"""Around these, the text remains."""


@pytest.mark.parametrize("spelling", SPELLINGS)
@example(key="oc_live_\\u", before="")
@given(
    # Keys have this prefix (contract 1). One of digits alone could match the digits of an escape, such as 0000. At the
    # end of a key, what looks like a line break may remain.
    key=st.text(string.ascii_letters + string.digits + string.punctuation, max_size=40).map("oc_live_{}x".format),
    before=st.sampled_from(["", "Bearer ", "x=", "<", "\\\\"]),
)
def test_a_secret_in_any_spelling(spelling, key, before):
    text = before + SPELLINGS[spelling](key) + " end"
    shown = Redactor([key])(text)
    assert MASK in shown
    assert shown == text.replace(SPELLINGS[spelling](key), MASK) or spelling not in UNBROKEN
    # Of an escaped one, at most JSON quotes and the text around it remain.
    assert len(shown) <= len(before) + len(MASK) + len(" end") + 2


@given(
    key=st.text(string.printable, min_size=8, max_size=40), before=st.binary(max_size=9), after=st.binary(max_size=9)
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_within_base64(encode, encoding, key, before, after):
    content = key.encode(encoding)
    encoded = encode(before + content + after).decode()
    shown = Redactor([key])(encoded)
    assert MASK in shown
    # The characters at its ends, which contain a few bits of it, may remain.
    assert len(shown.replace(MASK, "")) <= len(encoded) - len(content) * 8 // 6 + 4


@given(st.text(string.ascii_lowercase + " .:/%&\\\n", max_size=200))
def test_other_text_stays_as_it_is(text):
    assert Redactor([KEY])(text) == text


# Parts of these look like escapes or breaks.
ODD = ["\n" * 9, "%25%41%42%", "&amp;&lt;&#65;", "C:\\new\\x\\ufos", "oc <br> live", "p\u00e4ssw\u00f6rd"]


@pytest.mark.parametrize("secret", ODD)
@pytest.mark.parametrize("spelling", ["plain", "JSON", "JSON with all escaped", "percent", "percent twice", "HTML"])
def test_a_secret_that_looks_like_an_escape(secret, spelling):
    shown = Redactor([secret])(f"x {SPELLINGS[spelling](secret)} end")
    assert shown in (f"x {MASK} end", f'x "{MASK}" end', MASK)


def test_a_secret_with_a_control_character_as_responses_show_it():
    assert Redactor(["pass\x9bword"])("a pass\ufffdword.") == f"a {MASK}."


def test_secrets_side_by_side_and_one_within_another():
    assert Redactor([KEY])(f"{KEY}{KEY}") == MASK * 2
    assert Redactor([KEY, KEY[8:], KEY[:20]])(f"-{KEY}-") == f"-{MASK}-"


def test_json_stays_json():
    key = 'oc_live_"\\/0123'
    shown = map_texts(json.loads(Redactor([key])(json.dumps({key: [f"a {key}."], "b": 1}))), str.upper)
    assert shown == {MASK: [MASK], "B": 1}


def test_what_is_too_short_is_left_and_the_longest_goes_first():
    assert Redactor(["short", "", "long-enough", "long-enough-too"])("short long-enough-too") == f"short {MASK}"


@pytest.mark.parametrize(
    "link",
    [
        "https://pay.example/f\u00fcr-X?sid=Y",
        "HTTPS://pay.example/x",
        "https:\\/\\/pay.example\\/x",
        "https%3A%2F%2Fpay.example%2Fx",
        "https:&#x2F;&#x2F;pay.example&#x2F;x",
        "pay.example/c/1",
        "pay.ex\u00e4mple:8443/c#1",
        "//pay.example/c/1",
        "/checkout/cs_1",
        "stripe://checkout/1",
        "203.0.113.5/c/1",
        "https://pay.example/it's/(a)/[b]/{c}/<d>",
    ],
)
def test_a_link(link):
    for text in ("{}", "pay at {} now", "({})", '"{}"', "url={}", "{}\n."):
        shown = redact_links(text.replace("{}", link))
        assert MASK in shown
        assert "pay." not in shown.lower()
        assert "1" not in shown
        assert "sid" not in shown


@pytest.mark.parametrize(
    "text",
    ["There is no package 2.", "and/or", "1.5 Claws", "e.g. this", "req-4b7c/1", "text/html; charset=utf-8",
     "Fri, 31 Dec 2026 23:59:59 GMT", "package_id: is unknown", "12:30", "a / b", ""],
)  # fmt: skip
def test_what_is_no_link(text):
    assert redact_links(text) == text


@pytest.mark.parametrize("number", [1, 100, 5000])
def test_secrets_of_a_payment_are_redacted_wherever_they_are_repeated(number):
    links = {f"url_{one}": f"pay-{one:05}" for one in range(number)}
    error = {"code": "payment", "message": f"Pay at pay-{number - 1:05}.", **links}
    shown = redact_payment(Response(402, {}, json.dumps({"error": error}), "pay-00000"))
    assert "pay-0" not in shown.text
    assert shown.request_id == MASK
    # The search for thousands of secrets would take minutes.
    assert (shown.text == MASK) is (number == 5000)
