# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes of the doctor: names and types of fields, and nothing that an account chose."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service import doctor


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "boolean"),
        ("2026-02-01T10:00:00Z", "time"),
        ("2026-02-31T10:00:00Z", "text"),
        ([], "list"),
        (["42", None, {}], "list of null or object or text"),
    ],
)
def test_types(value: object, kind: str) -> None:
    assert doctor.type_name(value) == kind


def test_the_fields_of_several_objects() -> None:
    items = [
        {"id": 1, "status": "running", "note": None, "instance": {"id": 1, "secret_name": 2}, "odd-name": 1},
        {"id": "2", "status": "Stopped", "note": "x", "created_at": {"id": 1}},
    ]
    assert doctor.describe_fields(items) == {
        "id": "number or text",
        "status": "text: running",
        "note": "text or null",
        "instance": "object; not in every one",
        "created_at": "object; not in every one",
        doctor.UNNAMED: "1 fields whose names are not shown",
    }


def test_only_plain_words_show() -> None:
    words = ["running", "to_be", "Running", "two words", "a-b", "x1", "", 5, None, "x" * 31, "x" * 30, ["running"]]
    assert doctor.plain_words(words) == ["running", "to_be", "x" * 30]
