# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The estimate of restores."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.time_estimate import (
    estimate_restores,
    format_estimate,
)


@pytest.mark.parametrize(
    ("batches", "pages", "seconds"),
    [
        ([40], 3, 120),
        ([1, 5, 34], 3, 360),
        ([1000], 40, 120 + 564),
        ([1] * 40, 3, 40 * 120),
    ],
)
def test_batches_take_their_restores_and_the_rate_limit(batches: list[int], pages: int, seconds: float) -> None:
    assert estimate_restores(batches, pages) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (90, "90 seconds"),
        (99 * 60, "99 minutes"),
        (100 * 60, "2 hours"),
    ],
)
def test_an_estimate_shows_the_precision_that_it_has(seconds: float, text: str) -> None:
    assert format_estimate(seconds) == text
