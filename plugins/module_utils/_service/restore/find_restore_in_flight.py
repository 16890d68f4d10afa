# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the restore that is in flight of an instance, for tasks that change instances."""

from __future__ import annotations

import typing as t

from ..._model.instance import label
from ..._model.restore_in_flight import RestoreInFlight
from ..._state.journal import JournalError
from ..._times import parse_time
from .history import RestoreHistory, find_age

if t.TYPE_CHECKING:
    from ..._http.client import Client
    from ..._model.resource import Resource
    from ..._state.journal import Journal


def find_restore_in_flight(client: Client, journal: Journal, instance: Resource) -> RestoreInFlight | None:
    """Returns the restore of an instance that is in flight, None without one.

    None, too, if the journal can't be read, of which the user is warned: changes go on without it.
    """
    if not client.is_limit_shared:
        # The user was warned of a store that can't be used.
        return None
    service = client.settings.api_url
    subject = RestoreHistory(service, "").key(instance["id"]).subject
    try:
        # Before the states: what ends in between is then known.
        holders, states = journal.read_holders(subject), journal.read_states([subject])
        history = RestoreHistory(service, "", states, holders, journal.now())
    except JournalError as error:
        client.warn(f"{error.text} So it is unknown whether {label(instance)} is being restored.")
        return None
    latest, holder = history.find_unfinished(instance), history.find_holder(instance["id"])
    if holder is not None:
        incident = holder.name or (latest.incident if latest else None)
        return RestoreInFlight(holder.who, incident, parse_time(holder.since), is_followed=True)
    if latest is None:
        return None
    by, since = latest.state.by or "another run", parse_time(latest.state.sent_at)
    is_ahead = find_age(latest.state.sent_at, history.read_at) is None
    return RestoreInFlight(by, latest.incident, since, is_followed=False, is_ahead=is_ahead)
