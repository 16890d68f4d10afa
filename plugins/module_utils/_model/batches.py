# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Splits work into batches, as ``serial`` of a play does."""

from __future__ import annotations

import re
import typing as t

from .._errors import SettingsError
from .._text import format_list, one_line

if t.TYPE_CHECKING:
    from .._progress import Progress

Item = t.TypeVar("Item")

_SIZE = re.compile(r"([0-9]{1,9})\s*(%?)")
_NAMED = 3
"""Entries that an announcement names."""


class BatchSize(t.NamedTuple):
    """Size of a batch: a number of entries, or a percentage of all entries, from 1."""

    number: int
    is_percentage: bool = False

    def count(self, total: int) -> int:
        """Returns the number of entries, of ``total`` in all. A percentage is rounded down, but is at least one."""
        return max(total * self.number // 100, 1) if self.is_percentage else self.number


def parse_serial(option: str, values: object) -> list[BatchSize]:
    """Returns the batch sizes in a user's option: numbers such as ``5`` or ``"5"``, and percentages such as ``"30%"``.

    A single value is a list of one. Raises SettingsError for any other value, for 0 or less, and for an empty list.
    """
    sizes = [_parse_size(option, value) for value in (values if isinstance(values, (list, tuple)) else [values])]
    if not sizes:
        raise SettingsError(f"{option} is empty. Give at least one batch size, such as 1 or 100%.", is_unsent=True)
    return sizes


def split_batches(items: t.Sequence[Item], sizes: t.Sequence[BatchSize]) -> list[list[Item]]:
    """Returns the items in batches of these sizes, in order: all in one without a size.

    The last size is repeated, and the last batch may be short.
    """
    sizes = sizes or [BatchSize(len(items))]
    batches: list[list[Item]] = []
    start = 0
    while start < len(items):
        end = start + sizes[min(len(batches), len(sizes) - 1)].count(len(items))
        batches.append(list(items[start:end]))
        start = end
    return batches


def begin_batches(
    batches: t.Sequence[list[Item]],
    max_failures: int,
    progress: Progress | None,
    has_failed: t.Callable[[Item], bool],
    find_name: t.Callable[[Item], str],
) -> t.Iterator[tuple[int, list[Item]]]:
    """Yields and announces each batch with its number, from 1, until more than ``max_failures`` entries have failed.

    An entry that was done may fail in a later batch. Without ``progress``, as in check mode, nothing is announced.
    """
    begun: list[Item] = []
    for number, batch in enumerate(batches, 1):
        if progress:
            progress.require_controller()
        if progress and len(batches) > 1:
            progress.report(f"Batch {number} of {len(batches)}: {format_list(map(find_name, batch), _NAMED)}")
        yield number, batch
        begun += batch
        if sum(map(has_failed, begun)) > max_failures:
            return


def require_max_failures(number: int, prefix: str = "") -> int:
    """Returns the option ``max_failures``. Raises SettingsError if it is negative."""
    if number < 0:
        raise SettingsError(f"{prefix}max_failures is {number}, but must be 0 or more.", is_unsent=True)
    return number


def _parse_size(option: str, value: object) -> BatchSize:
    # True is an int, and 1.5 would be rounded in silence.
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise SettingsError(
            f"{option} has the batch size '{one_line(value)}', but it must be a number from 1, or a percentage such as "
            "30%.",
            is_unsent=True,
        )
    return BatchSize(int(match[1]), is_percentage=bool(match[2]))
