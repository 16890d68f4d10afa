# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the one spelling that the URL of a service has."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import validate_url
from ansible_collections.clawhosters.cloud.plugins.module_utils._service_url import find_url_problem, normalize_url
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationKey

LABELS = st.text(string.ascii_lowercase + "-", min_size=1, max_size=8)
HOSTS = st.one_of(
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
    st.sampled_from(["127.0.0.1", "10.0.0.7", "[::1]", "[2001:db8::7]", "[::ffff:192.0.2.1]", "xn--bcher-kva.example"]),
)
LONG_FORMS = {
    "[::1]": "[0:0:0:0:0:0:0:1]",
    "[2001:db8::7]": "[2001:0db8:0:0::0007]",
    "[::ffff:192.0.2.1]": "[::ffff:c000:201]",
}
SEGMENTS = st.text(string.ascii_letters + string.digits + "-._~", min_size=1, max_size=6).filter(
    lambda segment: segment not in (".", "..")
)
PATHS = st.lists(SEGMENTS, max_size=3).map(lambda segments: "".join(f"/{segment}" for segment in segments))


@st.composite
def spellings(draw):
    """Returns the one spelling of a URL, and another one."""
    host, path = draw(HOSTS), draw(PATHS)
    port = draw(st.sampled_from([443, 80, 8443, 65535]))
    plain = f"https://{host}{'' if port == 443 else f':{port}'}{path}"
    other = f"https://{draw(st.sampled_from([host, LONG_FORMS.get(host, host)]))}"
    other = "".join(draw(st.sampled_from([letter, letter.upper()])) for letter in other)
    if port != 443 or draw(st.booleans()):
        other += f":{draw(st.sampled_from(['', '0', '000']))}{port}"
    return plain, f"{other}{path}{draw(st.sampled_from(['', '/', '//']))}"


@given(spellings())
def test_all_spellings_of_a_service_become_one(pair):
    plain, other = pair
    assert validate_url(other) == validate_url(plain) == normalize_url(other) == plain
    assert OperationKey("restore", other, "INC-1", "7") == OperationKey("restore", plain, "INC-1", "7")


URL_PARTS = ["http", "https", "://", "127.0.0.1", "h", "H.", "[::1]", ":", "443", "/", ".", "..", "%2e", "@", "?", "#"]
URLS = st.one_of(st.text(), st.lists(st.sampled_from(URL_PARTS), max_size=10).map("".join))


@given(st.one_of(URLS, spellings().map(lambda pair: pair[1])))
def test_what_is_accepted_is_the_one_spelling_of_itself(url):
    try:
        accepted = validate_url(url)
    except SettingsError:
        return
    assert validate_url(accepted) == accepted
    assert OperationKey("restore", accepted, "INC-1", "7").service == accepted


@given(URLS.filter(find_url_problem))
def test_a_refusal_is_one_line_and_shows_nothing_of_the_url(url):
    with pytest.raises(SettingsError) as refusal:
        validate_url(url)
    assert str(refusal.value) == (
        f"api_url can't be used: {find_url_problem(url)}. Write it as https://HOST/PATH or https://HOST:PORT/PATH, "
        "or with http for a service on this machine. Nothing was sent."
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://clawhosters.com/api/../api/v1", "its path has an empty segment, . or .."),
        ("https://clawhosters.com/api/%761", "it contains a percent sign"),
        ("https://clawhosters.com./api/v1", "its host ends in a dot"),
        ("https://clawhosters.com:/api/v1", "its port is empty or 0"),
        ("https://clawhosters.com:+443/api/v1", "its host or its port is not valid"),
        ("https://0x7f.0.0.1/api/v1", "its host is neither a name nor a plain IP address"),
        ("https://127.0.0.01/api/v1", "its host is neither a name nor a plain IP address"),
        ("https://user@clawhosters.com/api/v1", "it contains user information"),
        ("https://b\xfccher.example/api/v1", "or another character that is not allowed here"),
        ("https://clawhosters.com/api\n/v1", "or another character that is not allowed here"),
        ("file://clawhosters.com/etc/passwd", "it does not begin with https://HOST"),
        ("https:///api/v1", "it does not begin with https://HOST"),
    ],
)
def test_a_spelling_that_may_name_another_service_is_refused(url, problem):
    assert find_url_problem(url).endswith(problem)
    with pytest.raises(SettingsError, match=r"^api_url can't be used: "):
        validate_url(url)
