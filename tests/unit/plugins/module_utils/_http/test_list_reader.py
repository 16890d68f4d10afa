# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of lists: which responses may be used without reading the whole list."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.list_reader import ListFilter

WEB, OTHER_CASE, LONGER, OTHER, UNNAMED = "web", "Web", "web-2", "shop", None


@pytest.mark.parametrize(
    ("names", "is_answered"),
    [
        ([], False),
        ([WEB], True),
        ([WEB, WEB], True),
        ([LONGER, WEB], True),
        ([OTHER, WEB], True),
        ([LONGER], False),
        ([OTHER_CASE], False),
        ([OTHER], True),
        ([LONGER, OTHER], True),
        ([UNNAMED], True),
    ],
)
def test_a_response_is_used_if_something_matches_or_the_filter_was_ignored(names, is_answered):
    name_filter = ListFilter({"name": WEB}, lambda item: {"name": item["name"], "status": None})
    assert name_filter.is_answered_by({"name": name} for name in names) is is_answered


@pytest.mark.parametrize(
    ("items", "is_answered"),
    [
        ([(WEB, "llm")], True),
        ([(WEB, "backup"), (LONGER, "llm")], False),
        ([(OTHER, "backup")], True),
        ([(OTHER, "llm"), (WEB, "backup")], True),
        ([(OTHER, "llm")], False),
    ],
)
def test_of_several_parameters_all_must_match_or_each_was_ignored(items, is_answered):
    both = ListFilter({"name": WEB, "type": "llm"}, lambda item: dict(zip(("name", "type"), item, strict=True)))
    assert both.is_answered_by(items) is is_answered
