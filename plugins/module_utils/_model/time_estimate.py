# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Estimates how long restores in batches take. Pure."""

from __future__ import annotations

import typing as t

RESTORE_SECONDS = 120.0
"""Assumed duration of a restore until the instance is healthy. Nothing public states it."""
RATE_LIMIT, WINDOW = 100, 60.0
"""Requests of a key in a window of so many seconds, as the service documents them."""


def estimate_restores(batches: t.Sequence[int], list_pages: int, restore_seconds: float = RESTORE_SECONDS) -> float:
    """Returns the seconds until all instances of the batches, given by their sizes, are healthy.

    Each batch takes as long as a restore. What the batches read and send waits for the rate limit after the first
    window: the instances of a batch are read one by one, or by the ``list_pages`` of the list, whichever is less.
    """
    requests = sum(size + min(size, list_pages) for size in batches)
    waiting = max(requests - RATE_LIMIT, 0) / RATE_LIMIT * WINDOW
    return len(batches) * restore_seconds + waiting


def format_estimate(seconds: float) -> str:
    """Formats an estimate with the precision that it has: ``90 seconds``, ``12 minutes``, ``5 hours``."""
    for unit, length in (("second", 1), ("minute", 60), ("hour", 3600)):
        count = round(seconds / length)
        if count < 100 or unit == "hour":
            break
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
