# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from project.guides import ROOT
from project.time_table import table


@pytest.mark.parametrize(
    "wanted",
    [{"page_size": 25, "filters_honoured": False}, {"page_size": 100, "filters_honoured": True}],
    ids=["plain", "page_size and server_filters"],
)
def test_the_times_in_the_guide_are_those_of_the_estimate(wanted: dict[str, int]) -> None:
    """After a change of the estimate, paste what `python -m project.time_table` prints."""
    assert f"\n\n{table(**wanted)}\n\n" in (ROOT / "docs/rate-limits.md").read_text(encoding="utf-8")
