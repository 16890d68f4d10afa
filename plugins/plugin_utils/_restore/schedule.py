# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the batches of the role ``restore``, and how long they will take. Pure."""

from __future__ import annotations

import typing as t
from itertools import groupby

from ...module_utils._errors import format_count
from ...module_utils._model.batches import parse_serial, split_batches
from ...module_utils._model.time_estimate import RESTORE_SECONDS, Account, Estimate, estimate_restore
from .._formatting import fit, format_extra_variable, format_value, text_width
from .model import Data, RestorePlan

NAMES_WIDTH = 50
"""Columns of the names of a batch. With its number they fit into a line of the plan."""
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
        lines.append(f"    With {option} (one, five, the rest): about {faster}.")
    return [*_format_batches(batches), f"    No further batch begins when {failures}.", *lines]


def schedule_summary(plans: list[RestorePlan], settings: Data, list_pages: int | None) -> str:
    """Returns one line for the prompt; empty if there is one batch."""
    batches = find_batches(plans, settings)
    if len(batches) < 2:
        return ""
    sizes = " + ".join(
        f"{len(same)} x {size}" if len(same) > 1 else str(size)
        for size, same in ((size, list(group)) for size, group in groupby(map(len, batches)))
    )
    return f"{len(batches)} batches ({sizes} instances), about {estimate_batches(batches, list_pages)}."


def _format_batches(batches: list[list[RestorePlan]]) -> list[str]:
    total = len(batches)
    if total > _MANY:
        lines, first = [], 1
        for size, group in groupby(batches, len):
            same = list(group)
            members = [plan for batch in same for plan in batch]
            last = first + len(same) - 1
            numbers = f"batch {first}" if first == last else f"batches {first} to {last}"
            each = "" if first == last else f", {size} each"
            lines.append(f"{numbers} of {total}{each}: {_format_names(members)}{_canary(batches, first)}")
            first = last + 1
        return lines
    return [
        f"batch {number} of {total}: {_format_names(batch)}{_canary(batches, number)}"
        for number, batch in enumerate(batches, start=1)
    ]


def _canary(batches: list[list[RestorePlan]], number: int) -> str:
    is_canary = number == 1 and len(batches[0]) == 1 and len(batches) > 1 and len(batches[1]) > 1
    return " (canary)" if is_canary else ""


def _format_names(plans: list[RestorePlan]) -> str:
    """Returns the names if they fit, or how many and the first and the last one."""
    names = [format_value(plan.name, 40) for plan in plans]
    text = ", ".join(names)
    if text_width(text) <= NAMES_WIDTH or len(names) == 1:
        return text if text_width(text) <= NAMES_WIDTH else fit(text, NAMES_WIDTH)
    first, last = (fit(name, 18).rstrip() for name in (names[0], names[-1]))
    return f"{len(names)} instances, {first} to {last}"
