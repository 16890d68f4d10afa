# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks for one change, and reads back what an unclear answer left open (contract, end of section 11)."""

from __future__ import annotations

import enum
import typing as t

from .._errors import (
    ApiError,
    ClawHostersError,
    NotFoundError,
    RedirectedError,
    ResponseError,
    ServerError,
    TransportError,
    UnprocessableError,
)
from .._http.client import Client
from .._http.pagination import Resource
from .instances import Action, decide, fetch_or_none, is_busy, label, path_of, status_of

LOST_BEFORE = "The answer to a request before that was lost, and whether that was carried out is not known."
"""What a failure says that came after a request which may have been carried out."""


class Effect(enum.Enum):
    """What one request for a change came to."""

    DONE = "done"
    ALREADY = "already"  # refused, since the wanted state is there: somebody else was faster
    REDECIDE = "again"  # refused, since the instance was busy: decide once more
    RESEND = "repeat"  # no answer, and nothing to be seen of an effect: it may still come


class Change(t.NamedTuple):
    """What came of one request; ``instance`` is the one seen after it, None when it is gone.

    ``refusal`` is what the service said, where that was no. ``is_lost``: it went out, and may yet be carried out.
    """

    effect: Effect
    instance: Resource | None
    refusal: ApiError | None = None
    is_lost: bool = False


def request_change(client: Client, current: Resource, wanted: str, action: Action, *, may_repeat: bool) -> Change:
    """Asks once for ``action``, which is to bring ``current`` to the state ``wanted``.

    ``may_repeat`` says whether the caller would ask a second time; where not, AGAIN and RESEND are errors.
    Raises what the client raises, with what was read back in its message.
    """
    path = path_of(current["id"])
    try:
        request = ("DELETE", path) if action is Action.DELETE else ("POST", f"{path}/{action.value}")
        answer = client.request(*request)
    except NotFoundError as refusal:
        if action is Action.DELETE:
            # It is gone when it can't be read any more (contract 4.7).
            return Change(Effect.ALREADY, fetch_or_none(client, current["id"]), refusal)
        raise
    except UnprocessableError as refusal:
        return _after_refusal(client, refusal, current, wanted, may_repeat)
    except RedirectedError as fault:
        # It would only be redirected again.
        return _after_fault(client, fault, current, wanted, action, may_repeat=False)
    except (TransportError, ServerError, ResponseError) as fault:
        return _after_fault(client, fault, current, wanted, action, may_repeat)
    # An action answers with a part of the fields (contract 0.3); the others are as they were read.
    return Change(Effect.DONE, {**current, **(answer or {})})


def _after_refusal(
    client: Client, refusal: UnprocessableError, current: Resource, wanted: str, may_repeat: bool
) -> Change:
    """A 422: the state was another than the one read. Raises ``refusal`` where that explains nothing."""
    try:
        now = fetch_or_none(client, current["id"])
    except ClawHostersError as error:
        # Why it can't be read now matters less than why it was refused.
        refusal.add(f"What it is now can't be read: {error}")
        raise refusal from None
    if now is None and wanted == "absent":
        return Change(Effect.ALREADY, None)
    if now is not None and decide(now, wanted).action is Action.NONE:
        return Change(Effect.ALREADY, now)
    if now is not None and may_repeat and is_busy(now):
        return Change(Effect.REDECIDE, now, refusal)
    if now is not None:
        refusal.add(f"{label(now)} is {now.get('status')}.")
        if wanted == "absent" and now.get("billing_mode") == "monthly":
            refusal.add(
                "Its billing is monthly: cancel the subscription in the dashboard, delete it when that has ended."
            )
    raise refusal


def _after_fault(
    client: Client, fault: ClawHostersError, current: Resource, wanted: str, action: Action, may_repeat: bool
) -> Change:
    """No answer, or a server fault: look whether it was done, or raise ``fault``."""
    try:
        now = fetch_or_none(client, current["id"])
    except ClawHostersError:
        if fault.may_have_been_sent:
            fault.add(
                f"Whether {label(current)} was changed is not known, since it can't be read now. "
                "Look at it before you run this again."
            )
        raise fault from None
    if action is Action.DELETE and (now is None or status_of(now) == "deleting"):
        return Change(Effect.DONE, now)
    if now is None:
        fault.add(f"{label(current)} does not exist any more.")
        raise fault
    if action in (Action.START, Action.STOP):
        next_action = decide(now, wanted).action
        if next_action in (Action.NONE, Action.WAIT):
            return Change(Effect.DONE, now)
        if next_action is action and may_repeat:
            return Change(Effect.RESEND, now, is_lost=fault.may_have_been_sent)
    if action is Action.RESTART and fault.may_have_been_sent:
        fault.add(
            f"{label(now)} is {now.get('status')}; whether it was restarted can't be seen, so it is not repeated."
        )
    else:
        fault.add(f"{label(now)} is {now.get('status')}: nothing is to be seen of a change. Run this again.")
    raise fault
