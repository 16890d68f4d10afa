# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks on what no switch of the simulator shows, and the rules for all checks."""

from __future__ import annotations

import typing as t

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.doctor.examination import ALL_CHECKS
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.doctor.findings import (
    Check,
    Observations,
    Reply,
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
)

INSTANCE = {"id": 1, "name": "web-bot", "status": "running", "tier": "pro", "health_status": "healthy"}


def run_check(name: str, seen: Observations) -> tuple[str, str]:
    """Returns status and text of one finding."""
    (check,) = [check for check in ALL_CHECKS if check.name == name]
    finding = check.run(seen).as_dict()
    return finding["status"], finding["found"]


def listing(name: str, *items: dict[str, t.Any], **pagination: int) -> Observations:
    return Observations({name: Reply(f"GET /{name}", list(items), pagination or None)})


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
