# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the batches of the role ``restore``, and how long they will take. Pure."""

from __future__ import annotations

import typing as t
from itertools import groupby

from ...module_utils._model.batches import parse_serial, split_batches
from ...module_utils._model.time_estimate import RESTORE_SECONDS, Account, Estimate, estimate_restore
from ...module_utils._text import format_count
from .._formatting import fit, format_extra_variable, format_value, text_width
from .model import Data, RestorePlan

LINE_WIDTH = 68
"""Columns of a line of the plan, which Ansible indents and quotes."""
FAST_SERIAL = (1, 5, "100%")
"""Suggested where batches of one take long: a canary, a few, the rest."""
PAGE_SIZE = 25
_MANY = 5
"""More batches than this are shown in groups of one size."""
_MUCH_FASTER = 2.0


def find_batches(plans: t.Iterable[RestorePlan], settings: Data) -> list[list[RestorePlan]]:
    """Returns the plans that can be restored, in batches. Those that are restored or under way are among them."""
    ready = [plan for plan in plans if plan.ready]
    return split_batches(ready, parse_serial("restore_serial", settings["restore_serial"]))


def estimate_batches(batches: list[list[RestorePlan]], list_pages: int | None) -> Estimate:
    """Estimates the restores that will be sent. ``list_pages``: those of the list of instances, None if unknown."""
    sizes = [sum(plan.sends for plan in batch) for batch in batches]
    # Without a count, instances are read one by one.
    pages = list_pages or sum(sizes)
    account = Account(instances=max(pages * PAGE_SIZE, 1), page_size=PAGE_SIZE)
    return estimate_restore([size for size in sizes if size], account, is_planned=True)


def schedule_lines(plans: list[RestorePlan], settings: Data, list_pages: int | None) -> list[str]:
    """Returns the batches and the estimated time, as the plan shows them; nothing if nothing will be sent."""
    batches = find_batches(plans, settings)
    if not any(plan.sends for plan in plans):
        return []
    estimate = estimate_batches(batches, list_pages)
    lines = [f"Estimated time: about {estimate}, if a restore takes {RESTORE_SECONDS:.0f} s."]
    if len(batches) == 1:
        return lines
    allowed = settings["restore_max_failures"]
    failures = "a restore has failed" if allowed == 0 else f"more than {format_count(allowed, 'restore')} have failed"
    faster = estimate_batches(find_batches(plans, {**settings, "restore_serial": list(FAST_SERIAL)}), list_pages)
    if estimate.seconds > _MUCH_FASTER * faster.seconds:
        option = format_extra_variable("restore_serial", list(FAST_SERIAL))
        lines.append(f"    With {option}: about {faster}.")
    return [*_format_batches(batches), f"    No further batch begins when {failures}.", *lines]


def _format_batches(batches: list[list[RestorePlan]]) -> list[str]:
    total = len(batches)
    if total <= _MANY:
        return [
            _format_batch(f"Batch {number} of {total}", batch, batches) for number, batch in enumerate(batches, start=1)
        ]
    lines, first = [], 1
    for size, group in groupby(batches, len):
        same = list(group)
        last = first + len(same) - 1
        numbers = f"Batch {first} of {total}" if first == last else f"Batches {first} to {last} of {total}, {size} each"
        lines.append(_format_batch(numbers, [plan for batch in same for plan in batch], batches))
        first = last + 1
    return lines


def _format_batch(numbers: str, plans: list[RestorePlan], batches: list[list[RestorePlan]]) -> str:
    """Returns the line of one batch, or of several of one size. A first batch of one is a canary."""
    is_canary = plans == batches[0] and len(plans) == 1 and len(batches[1]) > 1
    canary = " (canary)" if is_canary else ""
    return f"{numbers}: {_format_names(plans, LINE_WIDTH - len(numbers) - len(canary) - 2)}{canary}"


def _format_names(plans: list[RestorePlan], width: int) -> str:
    """Returns the names if they fit, or how many and the first and the last one."""
    names = [format_value(plan.name) for plan in plans]
    text = ", ".join(names)
    if text_width(text) <= width:
        return text
    if len(names) == 1:
        return fit(text, width)
    count = f"{len(names)} instances, "
    each = (width - len(count) - len(" to ")) // 2
    first, last = (name if text_width(name) <= each else fit(name, each) for name in (names[0], names[-1]))
    return f"{count}{first} to {last}"
