# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists the changes that were sent."""

from __future__ import annotations

import json
import typing as t

from .._state.folder_changes import MAX_AGE, open_changes
from .._state.store import StoreError
from .._times import format_iso, parse_time

if t.TYPE_CHECKING:
    from datetime import datetime

    from .._state.store_protocol import Store

FIELDS = ("service", "action", "instance_id", "instance_name", "addon_id", "outcome", "at", "by", "incident")
EARLIER = 1000
"""So many entries in a row that are older than wanted end the search. Fewer may come from a clock that was set back."""


def _parse_change(change: dict[str, t.Any], at: datetime) -> dict[str, t.Any]:
    """Returns an entry as results show it. Raises KeyError and TypeError for one that this collection did not write."""
    by = {name: change["by"][name] for name in ("user", "host")}
    texts = (change["service"], change["action"], change["outcome"], change["instance_name"], change["incident"])
    if not all(one is None or isinstance(one, str) for one in (*texts, *by.values())):
        raise TypeError("no text")
    known = {**{name: change[name] for name in FIELDS}, "at": format_iso(at), "by": by}
    return {"kind": "change", **known}


def list_changes(
    store: Store,
    now: datetime,
    warn: t.Callable[[str], None],
    *,
    since: datetime | None = None,
    service: str | None = None,
    limit: int | None = None,
) -> list[dict[str, t.Any]]:
    """Returns the changes that were sent since a time, of at most 90 days, newest first. ``now`` is by the store.

    ``service``: only those of this URL, as entries have it. ``limit``: no more than so many, of those recorded last.
    Warns of entries that can't be read. Raises StoreError if none can.
    """
    oldest = max(since or now - MAX_AGE, now - MAX_AGE)
    changes: list[dict[str, t.Any]] = []
    damaged = intact = earlier = 0
    log = open_changes(store)
    for line in filter(None, log.read_changes(oldest)):
        try:
            change = json.loads(line)
            at = parse_time(change["at"])
            if at is None or not isinstance(change["by"], dict):
                raise ValueError("no time or sender")
            parsed = _parse_change(change, at)
            intact += 1
            earlier = earlier + 1 if at < oldest else 0
            if not earlier and service in (None, parsed["service"]):
                changes.append(parsed)
        except (ValueError, KeyError, TypeError, RecursionError):
            damaged += 1
        if len(changes) == limit or earlier == EARLIER:
            break
    if damaged and not intact:
        raise StoreError(
            f"{damaged} of {damaged} entries of the change log are damaged",
            f"{log.changes_repair_hint}: nothing that is sent depends on it",
        )
    if damaged:
        warn(f"Entries of the change log that can't be read are left out: {damaged}.")
    return sorted(changes, key=lambda change: change["at"], reverse=True)
