# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transitions of the fleet between two polls. Pure."""

from __future__ import annotations

import json
import math
import typing as t
from datetime import UTC, datetime

from ...module_utils._model.instance_fields import NOT_KNOWN, read_word
from ...module_utils._model.resource import Resource, id_sort_key

Transition = dict[str, t.Any]
"""An event for the rulebook."""

WATCHED_FIELDS = ("status", "health_status")


class PendingHealth(t.NamedTuple):
    """A change of health that is not reported yet, since it has not lasted long enough. Times are Unix seconds."""

    reported: Resource
    """The instance when it last had the health that was reported."""
    since: float
    """When the new health was seen first."""
    last_seen: float


class WatchedInstance(t.NamedTuple):
    """An instance as of the last poll."""

    resource: Resource
    pending: PendingHealth | None = None


Snapshot = dict[str, WatchedInstance]
"""The fleet as of the last poll, by id as text."""


def find_transitions(
    snapshot: Snapshot | None,
    instances: list[Resource],
    now: float,
    *,
    health_stays_for: float = 0.0,
    max_gap: float = math.inf,
) -> tuple[list[Transition], Snapshot]:
    """Returns the transitions from ``snapshot`` to ``instances``, in order of ids, and the new snapshot.

    The first poll, without a snapshot, emits no transitions. A change of health is reported once it has lasted
    ``health_stays_for`` seconds, in polls at most ``max_gap`` seconds apart.
    """
    current = {str(instance["id"]): instance for instance in instances}
    if snapshot is None:
        return [], {key: WatchedInstance(instance) for key, instance in current.items()}
    transitions: list[Transition] = []
    after: Snapshot = {}
    for key in sorted({*snapshot, *current}, key=lambda key: id_sort_key({"id": key})):
        before = snapshot.get(key)
        if before is None:
            transitions.append(_build_transition("appeared", current[key], None, now))
            after[key] = WatchedInstance(current[key])
        elif key not in current:
            transitions.append(_build_transition("disappeared", before.resource, before.resource, now))
        else:
            instance = _fill_missing(current[key], before.resource)
            if _has_changed(before.resource, instance, "status"):
                transitions.append(_build_transition("status_changed", instance, before.resource, now))
            after[key], change = _debounce_health(before, instance, now, health_stays_for, max_gap)
            transitions += change
    return transitions, after


def _debounce_health(
    before: WatchedInstance, instance: Resource, now: float, stays_for: float, max_gap: float
) -> tuple[WatchedInstance, list[Transition]]:
    reported = before.pending.reported if before.pending else before.resource
    if not _has_changed(reported, instance, "health_status"):
        return WatchedInstance(instance), []
    since = now
    if before.pending and not _has_changed(before.resource, instance, "health_status"):
        # A clock that was set back, or far ahead, counts as a gap.
        since = before.pending.since if 0 <= now - before.pending.last_seen <= max_gap else now
    if now - since < stays_for:
        return WatchedInstance(instance, PendingHealth(reported, since, now)), []
    return WatchedInstance(instance), [_build_transition("health_changed", instance, reported, since)]


def _fill_missing(instance: Resource, before: Resource) -> Resource:
    """Returns ``instance`` with its missing watched fields taken from ``before``: missing is not a change."""
    missing = {field: before[field] for field in WATCHED_FIELDS if instance.get(field) is None and field in before}
    return {**instance, **missing}


def _has_changed(before: Resource, after: Resource, field: str) -> bool:
    return NOT_KNOWN != read_word(before, field) != read_word(after, field) != NOT_KNOWN


def _build_transition(kind: str, instance: Resource, previous: Resource | None, at: float) -> Transition:
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"clawhosters": {"event": kind, "instance": instance, "previous": previous, "at": time}}


def find_key(transition: Transition) -> str:
    """Returns the key of the instance in a snapshot."""
    return str(transition["clawhosters"]["instance"]["id"])


def parse_snapshot(text: str) -> Snapshot:
    """Parses a snapshot in JSON. Raises ValueError."""
    try:
        return {
            key: WatchedInstance(dict(resource), pending and PendingHealth(dict(pending[0]), *map(float, pending[1:])))
            for key, (resource, pending) in json.loads(text).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ValueError("not a snapshot") from None
