# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health that a response to GET /health shows, in any format."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.health import (
    clock_skew,
    parse_health,
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"data": {"status": "ok"}}', {"status": "ok"}),
        ('{"status": "ok"}', {"status": "ok"}),
        ('{"data": null}', None),
        ("[1]", [1]),
        ("OK\n", "OK"),
        ("All good.\n" * 99, ("All good.\n" * 99).strip()),
        ("up <b> 3 days", "up <b> 3 days"),
        ("", None),
        (" \n", None),
    ],
)
def test_what_the_service_said(text, said):
    assert parse_health(Response(200, {}, text)) == said


def test_the_clocks():
    headers = {"Date": "Sun, 01 Feb 2026 10:00:00 GMT"}
    assert clock_skew(Response(200, headers, ""), 1769940000.0 + 90.26) == -90.3
    assert clock_skew(Response(200, {}, ""), 0) is None
    assert clock_skew(Response(200, {"Date": "now"}, ""), 0) is None
