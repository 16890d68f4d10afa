# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists the restores and purchases of the journal."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime

from .._errors import SettingsError
from .._model.resource import parse_id
from .._model.similar_names import format_similar_incidents
from .._names import normalize_name
from .._state.journal import Journal, OperationEvent, OperationKey, OperationState
from .._state.journal_store import Holder, shorten_name
from .._text import one_line
from .._time_options import parse_duration, parse_timestamp, require_past


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


def list_operations(
    journal: Journal, service: str, params: t.Mapping[str, t.Any], warn: t.Callable[[str], None]
) -> list[dict[str, t.Any]]:
    """Returns the operations that fit the options, newest first, and warns of an incident that has none.

    ``service`` is that of ``instance_id``: each service has its own ids. Raises JournalError, and SettingsError for a
    wrong ``since``.
    """
    since, instance_id = parse_since(params["since"], journal.now()), params["instance_id"]
    subjects = None if instance_id is None else {OperationKey("restore", service, "", str(instance_id)).subject}
    states = journal.read_states(subjects, with_refused=True)
    names = {"restore": params["incident"], "purchase": params["order"]}
    if names["restore"] is not None and "restore" in params["kinds"]:
        incidents = {key.name for key in states if key.kind == "restore"}
        if (incident := normalize_name(names["restore"])) not in incidents:
            near = format_similar_incidents(incident, incidents)
            warn(f"The journal has no restore of incident {one_line(incident)}. {near}".rstrip())
    given = {(kind, normalize_name(name)) for kind, name in names.items() if name is not None}
    named = {key: state for key, state in states.items() if not given or (key.kind, key.name) in given}
    recent = {key for key, state in named.items() if since is None or datetime.fromisoformat(state.sent_at) >= since}
    wanted = [(key, state) for key, state in named.items() if key in recent and key.kind in params["kinds"]]
    holders = journal.read_holders() if wanted else {}
    newest_first = sorted(wanted, key=lambda one: one[1].sent_at, reverse=True)
    return [_describe(key, state, holders.get(key.subject)) for key, state in newest_first]


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
        **{
            name: state.facts.get(name)
            for name in ("by", "instance_name", "backup_id", "taken_at", "package_id", "seen")
        },
    }
