# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings one instance to a state: decide, request, read again, wait."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import ClawHostersError, PartialError, RefusedError, UnauthorizedError, WaitTimeoutError
from .._http.client import Client
from .._model.instance import (
    END_STATUS,
    RESPONSE_LOST,
    Action,
    FailureStatusError,
    build_paused_warning,
    decide,
    describe_instance,
    get_status,
    is_busy,
    is_healthy,
    label,
    predict,
    state_reached,
    summarize,
)
from .._model.resource import Resource
from .._model.results import ResourceChange
from .._waiter import Waiter, format_last_seen
from .change_requests import ChangeResponse, Effect, request_change
from .instances import InstanceGoneError, fetch_instance, refetch_instance
from .list_or_one import Search, search


@dataclass
class InstanceManager:
    """Changes one instance. Without a ``waiter`` it does not wait."""

    client: Client
    waiter: Waiter | None
    wait_healthy: bool
    warn: t.Callable[[str], None]

    def ensure_state(
        self,
        found: Resource | None,
        wanted: str,
        sought: str = "that was asked for",
        missing: ClawHostersError | None = None,
    ) -> ResourceChange:
        """Brings ``found`` to the state ``wanted``; in check mode predicts it. ``sought`` describes the instance.

        ``missing``: the response of the service if it has no such instance.

        Sends at most two requests, the second only if a 422 was about a status that passes, or if a start or stop
        without a clear response shows no effect. Raises RefusedError if the state table rejects it, FailureStatusError,
        WaitTimeoutError, what the client raises, and PartialError if one of these follows an accepted request.
        """
        if found is None:
            if wanted == "absent":
                return ResourceChange(False, None, {}, {})
            raise RefusedError(
                f"There is no instance {sought}, so it can't be {wanted}: instances are created in the dashboard.",
                missing,
            )
        start = self._wait_until(lambda seen: decide(seen, wanted).action is not Action.WAIT, found)
        if decide(start, wanted).action is Action.DELETE:
            self.warn(f"Deleting {label(start)} may delete its backups too.")
        first = self._attempt(start, start, wanted)
        if isinstance(first, ResourceChange):
            return first
        try:
            settled = self._wait_until(lambda seen: not is_busy(seen), t.cast("Resource", first.instance))
            return t.cast("ResourceChange", self._attempt(start, settled, wanted, first))
        except ClawHostersError as error:
            if wanted == "absent" and isinstance(error, InstanceGoneError):
                last = error.last_seen.resource if error.last_seen else first.instance
                return _build_resource_change(start, wanted, False, last)
            raise _with_earlier_request(error, first) from None

    def _attempt(
        self, start: Resource, current: Resource, wanted: str, first: ChangeResponse | None = None
    ) -> ResourceChange | ChangeResponse:
        """Decides, and sends at most one request. Returns a ChangeResponse if a second attempt is needed.

        ``first`` is the response to the first attempt; there is no third.
        """
        may_have_changed = first is not None and first.is_outcome_unknown
        decision = decide(current, wanted)
        if decision.action is Action.REJECT:
            raise RefusedError(
                f"{label(current)} has the status {current.get('status')} and can't be {wanted}: {decision.reason}"
            )
        if decision.action is Action.NONE:
            return _build_resource_change(start, wanted, may_have_changed, self._wait_for_unchanged(current, wanted))
        if self.client.check_mode:
            return _build_resource_change(start, wanted, True, current)
        change = request_change(self.client, current, wanted, decision.action, may_repeat=first is None)
        if change.effect not in (Effect.DONE, Effect.ALREADY_REACHED):
            return change
        changed = may_have_changed or change.effect is Effect.DONE
        result = _build_resource_change(start, wanted, changed, change.instance)
        try:
            return self._wait_for_changed(result, wanted, current, decision.action)
        except ClawHostersError as error:
            raise _with_earlier_request(error, change) from None

    def _wait_for_changed(
        self, result: ResourceChange, wanted: str, before: Resource, action: Action
    ) -> ResourceChange:
        """Returns ``result`` with the final instance. Raises PartialError if waiting fails after an accepted change."""
        if not result.changed:
            # Without a change, it has reached the state by itself, or is gone.
            last = result.resource
            return replace(result, resource=before if last is None else self._wait_for_unchanged(last, wanted))
        accepted = f"The {action.value} of {label(before)} was accepted"
        # The same task again would restart it a second time.
        state = ", with state: started," if action is Action.RESTART else ""
        try:
            with self.client.progress.if_interrupted(f"{accepted} and goes on. Run this again{state} to wait for it."):
                result = replace(result, resource=self._wait_for_state(wanted, before, result.resource))
        except ClawHostersError as error:
            last = error.last_seen.resource if error.last_seen else result.resource
            message = f"{accepted}. {_explain_unfinished(error, f'run this again{state} to continue waiting.')}"
            raise PartialError(message, replace(result, resource=last).as_result("instance"), error) from None
        if warning := build_paused_warning(result.resource, wanted, changed=True):
            self.warn(warning)
            result = replace(result, after=summarize(result.resource))
        return result

    def _wait_for_unchanged(self, current: Resource, wanted: str) -> Resource | None:
        """Waits for health or deletion of an instance that needs no change. Returns its last state."""
        if warning := build_paused_warning(current, wanted, changed=False):
            self.warn(warning)
        is_unhealthy = wanted == "started" and self.wait_healthy and not is_healthy(current)
        if self.client.check_mode or not (wanted == "absent" or is_unhealthy):
            return current
        return self._wait_for_state(wanted, current, current)

    def _wait_until(self, is_done: t.Callable[[Resource], bool], current: Resource) -> Resource:
        """Waits for an instance that is busy, and returns it."""
        if is_done(current):
            return current
        if self.waiter is None:
            raise RefusedError(
                f"{label(current)} is {current.get('status')}, and the next step depends on how that ends: "
                "run this again later, or with wait: true."
            )
        return self.waiter.until(
            current,
            lambda seconds: refetch_instance(self.client, current, seconds),
            is_done,
            describe_instance,
            "settled",
        )

    def _wait_for_state(self, wanted: str, before: Resource, current: Resource | None) -> Resource | None:
        """Waits until the instance is as wanted, and returns it. Returns at once without a waiter."""
        if self.waiter is None or (wanted == "absent" and current is None):
            return current or before
        if wanted == "absent":
            return self._wait_until_deleted(self.waiter, t.cast("Resource", current))
        is_health_wanted = self.wait_healthy and wanted != "stopped"
        return self.waiter.until(
            current or before,
            lambda seconds: refetch_instance(self.client, before, seconds),
            state_reached(wanted, get_status(before), wait_healthy=self.wait_healthy),
            lambda now: describe_instance(now, with_health=is_health_wanted),
            "healthy" if is_health_wanted else END_STATUS[wanted],
        )

    def _wait_until_deleted(self, waiter: Waiter, last: Resource) -> Resource:
        """Returns the last state of an instance that is deleted now."""

        def fetch(seconds: float) -> Resource | None:
            nonlocal last
            now = fetch_instance(self.client, last["id"], time_left=seconds)
            last = now or last
            return now

        try:
            waiter.until(
                t.cast("Resource | None", last),
                fetch,
                lambda now: now is None,
                lambda now: describe_instance(now or last),
                "gone",
            )
        except WaitTimeoutError as timeout:
            # A deleted record may stay readable although it has left the list.
            if timeout.cause:
                raise
            params = {} if last.get("name") is None else {"name": str(last["name"])}
            same_id = Search(params, lambda items: [item for item in items if str(item["id"]) == str(last["id"])])
            if search(self.client, "/instances", same_id, time_left=0.0).found:
                raise
        return last


def _build_resource_change(start: Resource, wanted: str, changed: bool, instance: Resource | None) -> ResourceChange:
    before = summarize(start)
    after = predict(start, wanted, decide(start, wanted).action) if changed else before
    return ResourceChange(changed, instance, before, after)


def _with_earlier_request(error: ClawHostersError, change: ChangeResponse) -> ClawHostersError:
    """Returns ``error`` with what happened to the request before it."""
    if isinstance(error, PartialError) or not (change.rejection or change.is_outcome_unknown):
        return error
    earlier = f"An earlier request was rejected: {change.rejection}" if change.rejection else RESPONSE_LOST
    cause = error if error.response else change.rejection
    return PartialError(f"{error} {earlier}", {"changed": False}, cause)


def _explain_unfinished(error: ClawHostersError, next_step: str) -> str:
    """Returns what is known of an accepted change whose wait ended with ``error``."""
    if isinstance(error, WaitTimeoutError):
        return f"{error} {next_step[:1].upper()}{next_step[1:]}"
    if error.last_seen is None or isinstance(error, FailureStatusError):
        return str(error)
    seen = f"It was {format_last_seen(error.last_seen.condition, error.last_seen.at)}."
    if isinstance(error, UnauthorizedError):
        return f"The API key is no longer accepted: {error} {seen} With a valid key, {next_step}"
    return f"{error} {seen}"
