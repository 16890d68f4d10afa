# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules for all checks, and the shapes that a report shows."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.doctor.examination import ALL_CHECKS
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.doctor.findings import (
    Check,
    Observations,
    different,
    failed,
    find_unmet,
    ok,
    run_checks,
    tolerated,
    unknown,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.doctor.resource_checks import (
    UNNAMED,
    describe_fields,
    plain_words,
    type_name,
)


def test_nothing_seen_is_unknown_for_each_check_of_the_service() -> None:
    findings = run_checks(ALL_CHECKS, Observations())
    local = {"versions", "state", "journal", "api"}
    assert {finding.check.name for finding in findings if finding.result.status != "unknown"} <= local


def test_the_worst_come_first_and_only_what_matters_makes_it_unhealthy() -> None:
    results = [ok(""), unknown("", "Needs."), tolerated("", ""), different("", ""), failed("", "")]
    checks = [Check(str(number), "x", lambda _seen, one=result: one) for number, result in enumerate(results)]
    findings = run_checks(checks, Observations())
    assert [finding.check.name for finding in findings] == ["4", "3", "2", "1", "0"]

    assert find_unmet(findings) == ["4", "3"]


# Shapes: names and types of fields, and nothing that an account chose


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "boolean"),
        ("42", "text of digits"),
        ("2026-02-01T10:00:00Z", "time"),
        ("2026-02-31T10:00:00Z", "text"),
        ([], "empty list"),
        (["42", None, {}], "list of null or object or text"),
    ],
)
def test_types(value: object, kind: str) -> None:
    assert type_name(value) == kind


def test_the_fields_of_several_objects() -> None:
    items = [
        {"id": 1, "status": "running", "note": None, "instance": {"id": 1, "secret_name": 2}, "Odd-Name": 1},
        {"id": "2", "status": "Stopped", "note": "x", "labels": {"id": 1}},
    ]
    assert describe_fields(items, {"labels"}) == {
        "id": "integer or text of digits",
        "status": "text: running",
        "note": "text or null",
        "instance": "object with id; not in every one",
        "labels": "object; not in every one",
        UNNAMED: "1 fields whose names are not shown",
    }


def test_only_plain_words_show() -> None:
    words = ["running", "to_be", "Running", "two words", "a-b", "x1", "", 5, None, "x" * 31, "x" * 30, ["running"]]
    assert plain_words(words) == ["running", "to_be", "x" * 30]
