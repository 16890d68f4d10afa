# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change log: starts, stops, restarts, deletions and updates of add-ons, each recorded after it was sent.

It is for people only: nothing is decided by it, so an entry that can't be written is a warning, and one that is lost is
merely missing. In a folder it is a file a month, to which each entry is appended without a lock and without a sync; in
a database it is a table.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import typing as t
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from .._errors import ApiError, ClawHostersError
from .._model.resource import parse_id
from .._service_url import normalize_url
from .._state.folder_changes import open_changes
from .._state.store import KnownOutageError, StoreError, describe_sender
from .._text import MESSAGE_LIMIT, one_line
from .._times import format_iso

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._state.store_protocol import Store

ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"


@dataclass
class SentRequest:
    """A request that is being sent. ``outcome`` is recorded if no error says otherwise; None records nothing."""

    outcome: str | None = ACCEPTED


class ChangeLog:
    """The change log in ``store``, of one task. Threads share it. ``warn`` is called once if it can't be written."""

    def __init__(self, store: Store, api_url: str, warn: t.Callable[[str], None]) -> None:
        self._store = open_changes(store)
        self._service = normalize_url(api_url)
        self._warn = warn
        self._queue: deque[str] = deque()
        self._lock = threading.Lock()
        self._has_failed = False

    def add(self, **fields: object) -> None:
        """Adds an entry. The thread that gets the lock writes those of all that wait for it. Raises nothing."""
        at = datetime.fromtimestamp(time.time() + self._store.clock_offset, UTC)
        entry = {"at": format_iso(at), "service": self._service, **fields, "by": describe_sender()}
        self._queue.append(json.dumps(entry))
        with self._lock:
            lines = [self._queue.popleft() for _number in range(len(self._queue))]
            if not lines or self._has_failed:
                return
            try:
                self._store.add_changes(lines)
            except StoreError as error:
                self._has_failed = True
                if not isinstance(error, KnownOutageError):
                    reason = one_line(error, MESSAGE_LIMIT)
                    self._warn(f"{reason}, so the change log lacks changes that were sent. {error.advice}.")


class ChangeRecorder:
    """Records the changes that a task sends with ``client``. Threads share it. Without a store it records nothing."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._log = ChangeLog(client.store, client.settings.api_url, self._warn) if client.store else None

    def _warn(self, text: str) -> None:
        # The user was already warned of a store that the rate limit can't be shared by.
        if self.client.is_limit_shared:
            self.client.warn(text)

    @contextlib.contextmanager
    def recorded(
        self, action: str, instance_id: object, instance_name: object, *, addon_id: object = None, incident: str = ""
    ) -> t.Iterator[SentRequest]:
        """Records the outcome of the request that the block sends: a change of the instance, or of its add-on."""
        sent, requests = SentRequest(), self.client.stats.requests
        try:
            yield sent
        except ClawHostersError as error:
            sent.outcome = _judge(error)
            raise
        except BaseException:
            # Interrupted. Of a fleet, another thread may have sent the request that counts.
            sent.outcome = UNKNOWN if self.client.stats.requests > requests else None
            raise
        finally:
            if sent.outcome and self._log:
                self._log.add(
                    action=action,
                    instance_id=parse_id(None if instance_id is None else str(instance_id)),
                    instance_name=None if instance_name is None else one_line(instance_name),
                    addon_id=addon_id,
                    outcome=sent.outcome,
                    incident=incident or None,
                )


def _judge(error: ClawHostersError) -> str | None:
    if not error.may_have_been_sent:
        return None
    return REFUSED if isinstance(error, ApiError) and not error.may_have_been_executed else UNKNOWN
