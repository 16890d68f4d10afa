# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed in the fleet between two looks at it, as the events of the event source (interface 6). Pure."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

from ...module_utils._model.resource import Resource, id_sort_key, normalize

Event = dict[str, t.Any]

WATCHED = ("status", "health_status")
"""The fields of which a change is told."""


@dataclass(frozen=True)
class Waiting:
    """A change of health that has not stayed long enough to be told. Times are Unix seconds."""

    before: Resource
    """The instance when it last had the health that was told."""
    since: float
    """When the present health was seen first."""
    last: float
    """When it was seen last."""


@dataclass(frozen=True)
class Seen:
    """An instance as it was at the last look."""

    item: Resource
    waiting: Waiting | None = None


Known = dict[str, Seen]
"""What is known of the fleet, by id as text."""


def baseline(look: list[Resource]) -> Known:
    """What is known after the first look. It tells nothing: there is nothing that it could differ from."""
    return {str(item["id"]): Seen(item) for item in look}


def transitions(
    known: Known, look: list[Resource], now: float, *, health_stays_for: float = 0.0, longest_gap: float = math.inf
) -> tuple[list[Event], Known]:
    """The events between what was known and a whole list of the fleet, in order of ids, and what is known then.

    A new health is told once it has been seen for ``health_stays_for`` seconds, in looks no more than ``longest_gap``
    apart: of a longer time without a look nobody knows that it stayed.
    """
    found = {str(item["id"]): item for item in look}
    events: list[Event] = []
    after: Known = {}
    for key in sorted({*known, *found}, key=lambda key: id_sort_key({"id": key})):
        before = known.get(key)
        if before is None:
            events.append(_event("appeared", found[key], None, now))
            after[key] = Seen(found[key])
        elif key not in found:
            events.append(_event("disappeared", before.item, before.item, now))
        else:
            item = _completed(found[key], before.item)
            if _differ(before.item, item, "status"):
                events.append(_event("status_changed", item, before.item, now))
            after[key] = _health(before, item, now, health_stays_for, longest_gap, events)
    return events, after


def _health(
    before: Seen, item: Resource, now: float, stays_for: float, longest_gap: float, events: list[Event]
) -> Seen:
    """What is known of an instance that is still there; adds an event if its health is another, and has stayed."""
    told = before.waiting.before if before.waiting else before.item
    if not _differ(told, item, "health_status"):
        return Seen(item)
    since = now
    if before.waiting and not _differ(before.item, item, "health_status"):
        # A clock that was put back or far ahead is a gap like any other.
        was_watched = 0 <= now - before.waiting.last <= longest_gap
        since = before.waiting.since if was_watched else now
    if now - since < stays_for:
        return Seen(item, Waiting(told, since, now))
    events.append(_event("health_changed", item, told, since))
    return Seen(item)


def _completed(item: Resource, before: Resource) -> Resource:
    """What a look does not say of a watched field is as it was (U23): no news is no change."""
    return {**item, **{field: before[field] for field in WATCHED if item.get(field) is None and field in before}}


def _differ(one: Resource, other: Resource, field: str) -> bool:
    return normalize(one.get(field)) != normalize(other.get(field))


def _event(kind: str, instance: Resource, previous: Resource | None, at: float) -> Event:
    return {"clawhosters": {"event": kind, "instance": instance, "previous": previous, "at": moment(at)}}


def moment(seconds: float) -> str:
    """A time in Unix seconds as text: UTC, in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
