# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control characters in the bodies of responses."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ApiError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.acceptance import parse_accepted
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.responses import parse_json
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._secret_fields import map_texts
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import replace_controls
from support.controls import CONTROLS, as_shown

TEXTS = st.text(st.sampled_from([*sorted(CONTROLS), *'ab \t\n"\\/u09', "\u00e9", "\U0001f511"]))
# Objects of one key: two that are shown as one would leave one of them.
VALUES = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=1)
)


@given(value=VALUES, is_ascii=st.booleans(), indent=st.sampled_from([None, "\t", "\n"]))
def test_control_characters_of_json_are_replaced_however_they_are_written(value, is_ascii, indent):
    body = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    assert parse_json(replace_controls(body)) == (map_texts(value, as_shown), True)


def test_each_escape_of_a_control_character_is_replaced():
    for character in {*CONTROLS, "\ud800"} - {"\r"}:
        for spelling in (f"\\u{ord(character):04x}", f"\\u{ord(character):04X}", json.dumps(character)[1:-1]):
            assert parse_json(f'["a{spelling}b"]') == (["a\ufffdb"], True)
            # A backslash before it makes it plain text.
            assert parse_json(f'["\\\\{spelling[1:]}"]') == ([f"\\{spelling[1:]}"], True)
    assert parse_json(r'["\r \u000d\r\n\u000D\u000a"]') == (["\ufffd \ufffd\r\n\r\n"], True)


def test_only_four_statuses_show_that_an_action_was_accepted():
    accepted = []
    for status in range(200, 300):
        with contextlib.suppress(ApiError):
            parse_accepted("POST /x", Response(status, {}, "{}"))
            accepted.append(status)
    assert accepted == [200, 201, 202, 204]
