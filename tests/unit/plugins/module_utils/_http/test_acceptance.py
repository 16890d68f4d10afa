# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bodies of a 200, and the requests that they accept."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ApiError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.acceptance import (
    find_denial,
    parse_accepted,
    parse_changed,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response

REQUESTS: dict[str, dict[str, dict[str, t.Any]]] = {
    "instance": {"instance": {"id": 1}},
    "addon": {"addon": {"id": 5}},
    "restore": {"backup": {"id": 12}, "instance": {"id": 1, "name": "web-bot"}},
    "purchase": {"package": {"id": 2}},
}
"""Starts, stops, restarts and deletions of an instance are judged alike."""
ALL = frozenset(REQUESTS)
BODIES: list[tuple[object, t.Collection[str]]] = [
    *((body, ALL) for body in ("", "null", {}, [], "OK", {"data": None}, {"success": None}, {"error": None})),
    *((body, ALL) for body in ({"data": {"status": "no_error"}}, {"a": {"b": {"c": {"error": "x"}}}})),
    *((body, ()) for body in ('{"error": {"code": "card_declined", "mess', '{"data": {"id": 1}} x', '["restored", ')),
    *((body, ()) for body in ("\ufeff<html>Log in", "Card declined", False, "failed", [{"error": "card declined"}])),
    *((body, ()) for body in ({"data": {"errors": ["corrupt"]}}, {"error": True}, {"status": 402})),
    *((body, ()) for body in ({"data": [{"code": "422"}]}, {"code": "forbidden"}, {"ok": False}, {"success": "False"})),
    *((body, ()) for body in ({"data": {"success": 0}}, {"data": {"x": {"status": "failed"}}}, {"result": "error"})),
    *((body, ()) for body in ({"data": {"payment_status": "Payment-Failed"}}, {"state": "cancelled"})),
    ({"data": {"id": 1, "status": "Deploy Failed"}}, {"instance", "restore"}),
    ({"data": {"id": 12, "instance": {"id": "1", "name": "renamed", "status": "error"}}}, {"instance", "restore"}),
    ({"data": {"id": 1, "status": "failed"}}, ()),
    ({"data": {"id": 1, "status": "running", "error": "disk full"}}, ()),
    ({"data": {"id": 1}}, {"instance", "restore", "purchase"}),
    ({"data": {"id": 9}}, {"purchase"}),
    ({"id": "12"}, {"restore", "purchase"}),
    ({"data": {"id": 9, "backup": {"id": 12}}}, {"restore", "purchase"}),
    ({"data": {"id": 12, "restores": [{"backup_id": 11}]}}, {"restore", "purchase"}),
    ({"data": {"restore": {"backup_id": 11}}}, ALL - {"restore"}),
    ({"data": {"action": {"instance_id": 2}}}, {"addon", "purchase"}),
    ({"data": {"instance_name": "shop-bot"}}, ALL - {"restore"}),
    ({"data": {"package": {"id": 3}}}, ALL - {"purchase"}),
    ({"data": {"purchase": {"id": 7, "package_id": "2"}}}, ALL),
]
"""Bodies, and the requests that they accept. Texts that are no JSON are sent as they are."""


def answer(body: object) -> Response:
    return Response(200, {}, body if isinstance(body, str) else json.dumps(body))


@pytest.mark.parametrize("request_kind", REQUESTS)
@pytest.mark.parametrize(("body", "accepts"), BODIES, ids=[str(body)[:40] for body, _accepts in BODIES])
def test_a_body_accepts_a_request_unless_it_says_otherwise(
    body: object, accepts: t.Collection[str], request_kind: str
) -> None:
    denial = find_denial(answer(body), REQUESTS[request_kind])
    assert (denial is None) is (request_kind in accepts), denial


@given(denying=st.sampled_from([{"error": "x"}, {"status": 400}]), path=st.lists(st.booleans(), max_size=4))
def test_three_levels_of_objects_and_lists_are_searched(denying: dict[str, t.Any], path: list[bool]) -> None:
    body: t.Any = denying
    for is_list in path:
        body = [{"id": 1}, body] if is_list else {"note": {"ok": True}, "part": body}
    assert (find_denial(answer(body)) is not None) is (len(path) < 3)


def test_a_denial_that_is_redacted_stays_one() -> None:
    with pytest.raises(ApiError, match="its body denies it") as denied:
        parse_accepted("POST /x", answer({"ok": False}), {}, lambda one: one._replace(text="***"))
    assert denied.value.status == 200


def test_the_object_in_data_is_what_a_change_returns() -> None:
    for body, found in (({"data": {"id": 1}}, {"id": 1}), ({"data": "OK"}, None), ("OK", None), ({"id": 1}, None)):
        assert parse_changed("PATCH /instances/1", answer(body)) == found
