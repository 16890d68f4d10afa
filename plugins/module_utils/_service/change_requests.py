# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests one change of an instance, and reads it again after an unclear response."""

from __future__ import annotations

import enum
import typing as t

from .._errors import (
    ApiError,
    ClawHostersError,
    NotFoundError,
    RedirectedError,
    ResponseError,
    TransportError,
    UnprocessableError,
)
from .._model.instance import Action, decide, get_status, is_busy, label
from .change_recorder import REFUSED, UNKNOWN
from .instance_requests import fetch_instance, instance_path

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource
    from .change_recorder import ChangeRecorder


class Effect(enum.Enum):
    """Effect of one request."""

    DONE = "done"
    ALREADY_REACHED = "already_reached"  # rejected, since the wanted state is reached: another client was faster
    REDECIDE = "redecide"  # rejected, since the instance is or was busy: decide again once it has settled
    RESEND = "resend"  # no response, and no visible effect yet


class ChangeResponse(t.NamedTuple):
    """Response to one request; ``instance`` is its state after it, None if it is deleted.

    ``is_outcome_unknown``: the request was sent, and may still be executed.
    """

    effect: Effect
    instance: Resource | None
    rejection: ApiError | None = None
    is_outcome_unknown: bool = False


def request_change(
    recorder: ChangeRecorder, current: Resource, wanted: str, action: Action, *, may_repeat: bool, incident: str = ""
) -> ChangeResponse:
    """Sends one request for ``action``, to bring ``current`` to the state ``wanted``, and records it.

    Without ``may_repeat``, REDECIDE and RESEND become errors. Raises what the client raises, with the state of the
    instance in the message. ``incident``: for whose restore it is sent.
    """
    with recorder.recorded(action.value, current["id"], current.get("name"), incident=incident) as sent:
        change = _request_change(recorder.client, current, wanted, action, may_repeat)
        if change.effect is Effect.RESEND:
            sent.outcome = UNKNOWN if change.is_outcome_unknown else None
        elif change.effect is not Effect.DONE:
            sent.outcome = REFUSED
    return change


def _request_change(client: Client, current: Resource, wanted: str, action: Action, may_repeat: bool) -> ChangeResponse:
    path = instance_path(current["id"])
    try:
        request = ("DELETE", path) if action is Action.DELETE else ("POST", f"{path}/{action.value}")
        answer = client.request(*request)
    except NotFoundError as rejection:
        if action is Action.DELETE:
            # An instance is deleted when GET returns 404.
            return ChangeResponse(Effect.ALREADY_REACHED, fetch_instance(client, current["id"]), rejection)
        raise
    except UnprocessableError as rejection:
        return _after_rejection(client, rejection, current, wanted, may_repeat)
    except RedirectedError as error:
        # A second request would be redirected too.
        return _after_unclear_response(client, error, current, wanted, action, may_repeat=False)
    except (TransportError, ResponseError, ApiError) as error:
        if isinstance(error, ApiError) and not error.may_have_been_executed:
            raise
        return _after_unclear_response(client, error, current, wanted, action, may_repeat)
    # The response to an action has only some of the fields.
    return ChangeResponse(Effect.DONE, {**current, **(answer or {}), "id": current["id"]})


def _after_rejection(
    client: Client, rejection: UnprocessableError, current: Resource, wanted: str, may_repeat: bool
) -> ChangeResponse:
    """Reads the instance again after a 422. Raises ``rejection`` if its state does not explain it."""
    try:
        now = fetch_instance(client, current["id"])
    except ClawHostersError as error:
        # The rejection matters more than the reason why the instance can't be read.
        rejection.add(f"Its current state can't be read: {error}")
        raise rejection from None
    if now is None and wanted == "absent":
        return ChangeResponse(Effect.ALREADY_REACHED, None)
    if now is not None and decide(now, wanted).action is Action.NONE:
        return ChangeResponse(Effect.ALREADY_REACHED, now)
    # A deletion may be requested of a busy instance, which has perhaps settled since.
    is_too_early = now is not None and (is_busy(now) or (wanted == "absent" and is_busy(current)))
    if may_repeat and is_too_early:
        return ChangeResponse(Effect.REDECIDE, now, rejection)
    if now is not None:
        rejection.add(f"Its status is {now.get('status')}.")
        if wanted == "absent" and now.get("billing_mode") == "monthly":
            rejection.add(
                "This instance has a monthly subscription. Cancel it in the dashboard; delete the instance when it has "
                "ended."
            )
    raise rejection


def _after_unclear_response(
    client: Client, error: ClawHostersError, current: Resource, wanted: str, action: Action, may_repeat: bool
) -> ChangeResponse:
    """Reads the instance again if ``error`` does not show whether the change was made. Raises it if none is visible."""
    try:
        now = fetch_instance(client, current["id"])
    except ClawHostersError:
        if error.may_have_been_sent:
            error.add(
                f"It is unknown whether {label(current)} was changed, since it can't be read now. "
                "Check it before you run this again."
            )
        raise error from None
    if action is Action.DELETE and (now is None or get_status(now) == "deleting"):
        return ChangeResponse(Effect.DONE, now)
    if now is None:
        error.add(f"{label(current)} does not exist any more.")
        raise error
    if action in (Action.START, Action.STOP):
        next_action = decide(now, wanted).action
        if next_action in (Action.NONE, Action.WAIT):
            return ChangeResponse(Effect.DONE, now)
        if next_action is action and may_repeat:
            return ChangeResponse(Effect.RESEND, now, is_outcome_unknown=error.may_have_been_sent)
    if action is Action.RESTART and error.may_have_been_sent:
        error.add(
            f"Its status is {now.get('status')}, which does not show whether it was restarted. Nothing is sent again."
        )
    else:
        error.add(f"Its status is {now.get('status')}: no change is visible. Run this again.")
    raise error
