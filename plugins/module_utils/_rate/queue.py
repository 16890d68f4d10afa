# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of the requests that wait for the rate limit: by priority, and within one, first come, first served.
Pure.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .._text import format_count


class Priority(enum.IntEnum):
    """The priority of a request. A smaller number goes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @property
    def word(self) -> str:
        """The value of the option ``priority``."""
        return self.name.lower()


class QueuedRequest(t.NamedTuple):
    """A request that waits. Times are Unix time."""

    expires_at: float
    """When it loses its place, unless its process comes back."""
    priority: Priority = Priority.NORMAL
    since: float = 0.0


Queue = dict[str, QueuedRequest]
"""The requests that wait, by id, in the order in which they came."""


@dataclass(frozen=True)
class Place:
    """The place of a request in the queue."""

    ahead: int = 0
    """How many go before it."""
    must_yield: bool = False
    """True if it waits even if there is room for all: ``low`` goes only if nobody else waits."""


def find_place(queue: Queue, request_id: str, priority: Priority, due: t.Sequence[str]) -> Place:
    """Returns the place of a request that is in the queue, or joins it now. ``due``: see :func:`find_due`."""
    if request_id in due:
        return Place(due.index(request_id))
    ahead = _find_ahead(queue, request_id, priority)
    due_behind = sum(queue[other].priority > priority for other in due)
    must_yield = priority == Priority.LOW and any(other.priority < priority for other in ahead)
    return Place(len(ahead) + due_behind, must_yield)


def find_due(queue: Queue, sent_at: t.Mapping[Priority, float], opened_at: float) -> list[str]:
    """Returns the ids of the requests that go now, before all others: each window has room for one of each priority.

    That is the first of its priority, if it waits since before ``opened_at`` and none of that was sent since then.
    ``sent_at`` has the priorities for which there is room, and when a request of each was sent last.
    """
    first: dict[Priority, str] = {}
    for request_id, request in queue.items():
        first.setdefault(request.priority, request_id)
    return [
        request_id
        for priority, request_id in first.items()
        if priority in sent_at and max(queue[request_id].since, sent_at[priority]) < opened_at
    ]


def describe_higher(queue: Queue, request_id: str) -> str:
    """Returns which requests of a higher priority wait: ``3 requests of priority high``. Empty if none do."""
    higher = [other.priority for other in queue.values() if other.priority < queue[request_id].priority]
    return " and ".join(
        f"{format_count(higher.count(priority), 'request')} of priority {priority.word}"
        for priority in sorted(set(higher))
    )


def _find_ahead(queue: Queue, request_id: str, priority: Priority) -> list[QueuedRequest]:
    ahead, came_before = [], True
    for other_id, other in queue.items():
        if other_id == request_id:
            came_before = False
        elif other.priority < priority or (came_before and other.priority == priority):
            ahead.append(other)
    return ahead
