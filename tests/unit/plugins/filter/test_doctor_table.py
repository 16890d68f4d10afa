# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the doctor."""

from __future__ import annotations

from ansible_collections.clawhosters.cloud.plugins.filter.doctor_table import format_findings, format_headline


def finding(check: str, status: str, found: str, consequence: str = "") -> dict[str, str]:
    return {"check": check, "status": status, "expected": "more", "found": found, "consequence": consequence}


FINDINGS = [
    finding("key", "failed", "401 unauthorized", "No task works with this key."),
    finding("ids", "unknown", "not seen", "Needs a valid key."),
    finding("clock", "unknown", "not seen", "Needs a date."),
    finding("times", "unknown", "not seen", "Needs a valid key."),
    finding("page_size", "ok", "pages of 100", "Set page_size: 100."),
    finding("api", "ok", "up"),
    finding("state", "ok", "usable"),
]


def test_the_table() -> None:
    assert format_findings(FINDINGS) == [
        "STATUS     CHECK            FOUND, AND CONSEQUENCE",
        "failed     key              401 unauthorized. Expected: more. No task",
        "                            works with this key.",
        "unknown    2 checks         not seen. Needs a valid key. That is:",
        "                            ids, times.",
        "unknown    clock            not seen. Needs a date.",
        "ok         page_size        pages of 100. Set page_size: 100.",
        "ok         2 as expected    api, state.",
    ]
    assert format_headline(FINDINGS) == "1 failed, 3 unknown, 3 ok"
    assert format_findings([])[1:] == []
