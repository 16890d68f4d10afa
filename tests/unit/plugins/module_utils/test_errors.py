# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages are one line, for any text of the service."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ForbiddenError, NotFoundError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.responses import (
    build_api_error,
    excerpt,
    parse_json,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import format_details, one_line

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(st.text())
def test_a_text_becomes_one_printable_line(text):
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 200


@given(json_values)
def test_details_of_any_kind_never_raise(details):
    assert format_details(details).isprintable()


@given(status=st.sampled_from([400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503]), body=json_values)
def test_an_error_of_any_shape_is_one_line_and_keeps_its_status(status, body):
    error = build_api_error("GET /instances", Response(status, {}, ""), body)
    assert error.as_dict()["status"] == status
    assert str(error).isprintable()
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"errors": {"tier": ["is wrong"]}}, "400 (errors: tier: is wrong)."),
        ({"error": "Bad", "errors": {"tier": ["is wrong"]}}, "400: Bad."),
        ({"title": "wrong"}, "400 (title: wrong)."),
        ({"error": {"code": "wrong", "reason": "x"}}, "400 wrong."),
        ({}, "400."),
        ("no JSON", "400: no JSON."),
    ],
)
def test_an_error_in_another_spelling_keeps_what_the_service_said(body, said):
    error = build_api_error("GET /account", Response(400, {}, ""), body)
    assert str(error) == f"GET /account was answered with {said}"


def test_an_error_says_what_was_asked_what_the_service_said_and_what_to_do():
    said = {"code": "not_found", "message": "No such instance."}
    error = build_api_error("GET /instances/9", Response(404, {}, "", "4b7c"), {"error": said})
    assert isinstance(error, NotFoundError)
    assert str(error) == (
        "GET /instances/9 was answered with 404 not_found: No such instance. "
        "It does not exist, or belongs to another account than this key."
    )
    assert error.as_dict() == {"status": 404, **said, "details": None, "request_id": "4b7c"}


def test_a_web_page_is_told_by_its_words():
    page = "<html><head><title>502 Bad Gateway</title></head><body>\n<h1>nginx</h1></body></html>"
    assert excerpt(page) == "502 Bad Gateway nginx"


@pytest.mark.parametrize("text", ["", "{", '{"data": [1, 2', "[" * 150 + "]" * 150, "[" * 100_000, "<html>"])
def test_what_is_no_json_is_told_apart_and_never_raises(text):
    assert parse_json(text) == (None, False)


@pytest.mark.parametrize("number", ["-1e999", "9" * 309, "NaN", "Infinity"])
def test_a_number_that_fits_no_float_becomes_null(number):
    assert parse_json(f'{{"id": 1, "list": [{number}]}}') == ({"id": 1, "list": [None]}, True)


def test_what_replaces_a_message_replaces_its_hint():
    error = ForbiddenError("GET /x", 403)
    assert str(error).endswith(
        "Use a key that has it (api_key, api_key_file, CLAWHOSTERS_API_KEY); keys are listed under Dashboard > "
        "Settings > API Keys."
    )
    error.replace("Another.")
    assert str(error) == "Another."


def test_an_error_can_be_copied_whatever_its_arguments():
    error = NotFoundError("GET /x", 404, message="Gone")
    error.request_id = "r-1"
    error.add("Nothing was sent.")
    copied = copy.copy(error)
    assert (type(copied), str(copied), copied.status, copied.request_id) == (NotFoundError, str(error), 404, "r-1")
