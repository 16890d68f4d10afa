# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks on what no switch of the simulator shows, and the rules for all checks."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.doctor.examination import ALL_CHECKS
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.doctor.findings import (
    Check,
    LocalEnvironment,
    Observations,
    Reply,
    ResponseHeaders,
    different,
    failed,
    find_unmet,
    ok,
    reset_format,
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

INSTANCE = {"id": 1, "name": "web-bot", "status": "running", "tier": "pro", "health_status": "healthy"}


def run_check(name: str, seen: Observations) -> tuple[str, str]:
    """Returns status and text of one finding."""
    (check,) = [check for check in ALL_CHECKS if check.name == name]
    finding = check.run(seen).as_dict()
    return finding["status"], finding["found"]


def listing(name: str, *items: dict[str, t.Any], **pagination: int) -> Observations:
    return Observations({name: Reply(f"GET /{name}", list(items), pagination or None)})


def test_names_are_unique_and_every_check_says_what_it_expects() -> None:
    names = [check.name for check in ALL_CHECKS]
    assert len(set(names)) == len(names)
    assert all(check.expected and len(check.name) <= 15 for check in ALL_CHECKS)


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


@pytest.mark.parametrize(
    ("field", "value", "check", "found"),
    [
        ("status", "hibernating", "statuses", ("different", "further ones: hibernating")),
        ("status", "Web Bot", "statuses", ("different", "further ones: not shown, since they are not plain words")),
        ("health_status", "poorly", "health_statuses", ("different", "further ones: poorly")),
    ],
)
def test_a_value_of_an_instance(field: str, value: object, check: str, found: tuple[str, str]) -> None:
    assert run_check(check, listing("instances", {**INSTANCE, field: value})) == found


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"can_start": False, "can_stop": True, "can_restart": True}, ("ok", "running: as expected")),
        ({"can_start": False, "can_stop": False, "can_restart": True}, ("different", "running: can_stop is false")),
        ({"can_start": False}, ("different", "some are missing or no booleans")),
        ({"can_start": None, "can_stop": True, "can_restart": True}, ("different", "some are missing or no booleans")),
        ({}, ("different", "none")),
    ],
)
def test_flags(flags: dict[str, t.Any], found: tuple[str, str]) -> None:
    assert run_check("flags", Observations({"instance": Reply("", {**INSTANCE, **flags})})) == found


BACKUP = {"id": 1, "instance_id": 1, "created_at": "2026-02-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("completed", ("ok", "usable: completed")),
        ("COMPLETED", ("ok", "usable: completed")),
        (None, ("ok", "no status")),
        ("archived", ("different", "not usable: archived")),
        ("Acme Backup", ("different", "not usable: no plain words")),
    ],
)
def test_the_statuses_of_backups(status: object, found: tuple[str, str]) -> None:
    assert run_check("backup_statuses", listing("backups", {**BACKUP, "status": status})) == found


def test_pages_that_are_empty_or_cut() -> None:
    first = [{**INSTANCE, "id": number} for number in range(1, 26)]
    assert run_check("pagination", listing("instances", *first))[1] == "none, and exactly 25 instances"
    seen = listing("instances", *first, total_pages=2, total_count=30)
    seen.replies["instances_page_2"] = Reply(data=[])
    assert run_check("pagination", seen) == ("different", "page 2 is empty")


@pytest.mark.parametrize(
    ("text", "number", "form"),
    [
        (None, None, "missing"),
        ("soon", None, "invalid"),
        ("30", 30.0, "delta"),
        ("-1", -1.0, "past"),
        ("1770000030", 1770000030.0, "unix"),
        ("1770000000", 1770000000.0, "unix"),
        ("1769999000", 1769999000.0, "past"),
        ("1770000030000", 1770000030000.0, "milliseconds"),
    ],
)
def test_the_forms_of_reset(text: str | None, number: float | None, form: str) -> None:
    assert reset_format(ResponseHeaders(reset_text=text, reset=number, server_now=1770000000.5)) == form


def test_versions_that_are_too_old_are_named() -> None:
    versions = {"Python": "3.11.2", "ansible-core": "2.17.9", "requests": "2.28.0", "urllib3": "unknown"}
    (check,) = [check for check in ALL_CHECKS if check.name == "versions"]
    result = check.run(Observations(local=LocalEnvironment(versions=versions))).result
    assert result.consequence == "Update ansible-core, urllib3: older versions are not tested."


# Shapes: names and types of fields, and nothing that an account chose


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "boolean"),
        (7, "integer"),
        (1.5, "number"),
        ("web-bot", "text"),
        ("", "text"),
        ("42", "text of digits"),
        ("2026-02-01T10:00:00Z", "time"),
        ("2026-02-01T10:00:00.123Z", "time"),
        ("2026-02-01T10:00:00+01:00", "time"),
        ("2026-02-31T10:00:00Z", "text"),
        ("2026-02-01", "text"),
        ([], "empty list"),
        (["42", None, {}], "list of null or object or text"),
        ({"a": 1}, "object"),
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
