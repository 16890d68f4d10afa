# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records the changes that are sent."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._errors import ApiError, ClawHostersError
from .._model.resource import parse_id
from .._state.change_log import ChangeLog
from .._text import one_line

if t.TYPE_CHECKING:
    from .._http.client import Client

ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"


@dataclass
class SentRequest:
    """A request that is being sent. ``outcome`` is recorded if no error says otherwise; None records nothing."""

    outcome: str | None = ACCEPTED


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
