# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists the restores and purchases of the journal, and the changes of the change log."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import RefusedError, SettingsError
from .._model.resource import parse_id
from .._names import normalize_name
from .._service_url import normalize_url
from .._state.journal import Journal, OperationEvent, OperationKey, OperationState
from .._state.journal_store import Holder, shorten_name
from .._state.store import StoreError
from .._text import one_line
from .._time_options import parse_duration, parse_timestamp, require_past
from .change_listing import list_changes

if t.TYPE_CHECKING:
    from .._state.store_protocol import Store


def parse_since(text: str | None, now: datetime) -> datetime | None:
    """Returns the time in the option ``since``: ISO 8601, or an age such as ``24h`` before ``now``."""
    if text is None or re.match(r"\d{4}-", text.strip()):
        since = parse_timestamp("since", text)
        require_past("since", since, now)
        return since
    try:
        return now - t.cast("t.Any", parse_duration("since", text))
    except (SettingsError, OverflowError):
        raise SettingsError(
            f"since is '{one_line(text)}', but must be a time in ISO 8601, such as 2026-02-01T10:00:00Z, or an age, "
            "such as 36h or 7d."
        ) from None


@dataclass(frozen=True)
class Filters:
    """Which operations are listed. ``service`` is that of ``instance_id``: each service has its own ids."""

    kinds: t.Collection[str]
    service: str
    incident: str | None = None
    order: str | None = None
    instance_id: int | None = None
    since: datetime | None = None

    @property
    def needs_journal(self) -> bool:
        return bool({"restore", "purchase"} & {*self.kinds})

    @property
    def subjects(self) -> set[str] | None:
        """The subjects to read: that of the instance, or else all."""
        if self.instance_id is None:
            return None
        return {OperationKey("restore", self.service, "", str(self.instance_id)).subject}

    def accepts(self, kind: str, service: str, name: str | None, instance_id: object, at: str) -> bool:
        """Returns True for an operation to be listed. ``name`` is its incident or order."""
        wanted = self.order if kind == "purchase" else self.incident
        has_name = self.incident is not None or self.order is not None
        if has_name and (wanted is None or name != normalize_name(wanted)):
            return False
        if kind not in self.kinds:
            return False
        if self.instance_id is not None and (normalize_url(self.service), self.instance_id) != (service, instance_id):
            return False
        return self.since is None or datetime.fromisoformat(at) >= self.since


def list_operations(
    journal: Journal, store: Store, filters: Filters, warn: t.Callable[[str], None]
) -> list[dict[str, t.Any]]:
    """Returns the operations, newest first. Raises JournalError, and RefusedError if there is no change log."""
    states = journal.read_states(filters.subjects, with_refused=True) if filters.needs_journal else {}
    wanted = [
        (key, state)
        for key, state in states.items()
        if filters.accepts(key.kind, key.service, key.name, parse_id(key.instance_id), state.sent_at)
    ]
    holders = journal.read_holders() if wanted else {}
    found = [(state.sent_at, _describe(key, state, holders.get(key.subject))) for key, state in wanted]
    if "change" in filters.kinds:
        try:
            changes = list_changes(store, journal.now(), warn, since=filters.since)
        except StoreError as error:
            raise RefusedError(f"{error}, so the change log can't be read. {error.advice}.") from None
        found += [
            (change["at"], change)
            for change in changes
            if filters.accepts("change", change["service"], change["incident"], change["instance_id"], change["at"])
        ]
    return [operation for _at, operation in sorted(found, key=lambda one: one[0], reverse=True)]


def _describe(key: OperationKey, state: OperationState, holder: Holder | None) -> dict[str, t.Any]:
    outcome = state.outcome
    if holder and holder.name and holder.name != shorten_name(key.name):
        holder = None  # it works on the same instance for another incident
    if holder and state.event is OperationEvent.INTENDED:
        outcome = "in_flight"  # its run is about to send it, or waits for the response
    return {
        **key.as_dict(),
        "instance_id": parse_id(key.instance_id),
        "outcome": outcome,
        "sent_at": state.sent_at,
        # A purchase is complete when it is accepted.
        "accepted_at": state.completed_at if key.kind == "purchase" else state.accepted_at,
        "completed_at": state.completed_at,
        "holder": holder and {name: getattr(holder, name) for name in ("user", "host", "process", "since")},
        **{name: state.facts.get(name) for name in ("by", "instance_name", "backup_id", "taken_at", "package_id")},
    }
