# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the tables of docs/rate-limits.md that say how long operations take: `python -m project.time_table`.

The numbers are those of the function that estimates the time of a plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.pagination import MAX_LIST_CHARACTERS, MAX_PAGES
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.time_estimate import (
    Account,
    Estimate,
    estimate_fleet_change,
    estimate_for_keys,
    estimate_listing,
    estimate_restore,
)

FLEETS = (
    (1_000, 1),
    (10_000, 1),
    (10_000, 10),
    (100_000, 1),
    (100_000, 10),
    (100_000, 100),
    (1_000_000, 1),
    (1_000_000, 10),
    (1_000_000, 100),
    (1_000_000, 1_000),
)
"""Instances, and the keys that they are spread over."""
FORKS = 50
"""Keys that are worked on at the same time."""
CHANGES, RESTORES = 100, (40, 1_000)
ENTRY_CHARACTERS = 250
"""Of an instance or backup in a list, about."""
TITLES = ("instances", "keys", "a listing", f"{CHANGES} changes", *(f"{number:,} restores" for number in RESTORES))


def table(*, page_size: int, filters_honoured: bool) -> str:
    """Returns one table in Markdown."""
    rows = [TITLES, ["---"] * len(TITLES)]
    for instances, keys in FLEETS:
        account = Account(math.ceil(instances / keys), page_size=page_size, filters_honoured=filters_honoured)
        rows.append([f"{instances:,}", f"{keys:,}", *_cells(account, keys)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(account: Account, keys: int) -> Iterator[str]:
    yield _cell(account, account.pages, estimate_for_keys(estimate_listing(account), keys, FORKS))
    used, changes = _spread(CHANGES, keys)
    yield _cell(account, account.pages, estimate_for_keys(estimate_fleet_change(changes, account), used, FORKS))
    for number in RESTORES:
        used, restores = _spread(number, keys)
        pages = max(account.count_backup_reads(restores), account.count_reads(restores))
        yield _cell(account, pages, estimate_for_keys(estimate_restore([restores], account), used, FORKS))


def _spread(number: int, keys: int) -> tuple[int, int]:
    """Returns over how many keys so many operations are spread, and how many each of these gets."""
    used = min(number, keys)
    return used, math.ceil(number / used)


def _cell(account: Account, pages: int, estimate: Estimate) -> str:
    is_too_long = pages > MAX_PAGES or pages * account.page_size * ENTRY_CHARACTERS > MAX_LIST_CHARACTERS
    return "list too long" if is_too_long else f"{estimate} ({estimate.bound})"


if __name__ == "__main__":
    print(table(page_size=25, filters_honoured=False), end="\n\n")
    print(table(page_size=100, filters_honoured=True))
