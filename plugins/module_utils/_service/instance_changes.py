# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests changes of instances, reads them again after an unclear response, and follows each until it is done.

``claw_instance`` and ``claw_fleet`` bring instances to any state, a restore starts those that it left stopped.
"""

from __future__ import annotations

import contextlib
import enum
import time
import typing as t
from dataclasses import dataclass
from functools import partial

from .._concurrency import map_ordered
from .._errors import (
    ApiError,
    ClawHostersError,
    NotFoundError,
    RedirectedError,
    ResponseError,
    TransportError,
    UnprocessableError,
    WaitTimeoutError,
)
from .._http.acceptance import parse_changed
from .._http.client import Client
from .._http.transport import RequestHooks
from .._model.instance import (
    END_STATUS,
    FAILURE_STATUSES,
    Action,
    decide,
    describe_condition,
    describe_instance,
    describe_status,
    find_state,
    is_busy,
    is_health_final,
    label,
)
from .._model.instance_fields import NOT_KNOWN, is_gone
from .._model.instance_job import InstanceJob, Phase, warn_of_ends
from .._model.resource import Resource
from .._times import format_time
from .._waiter import Waiter, describe_remaining, explain_ended_wait
from .find_instance import fetch_instance, find_instance, instance_path

if t.TYPE_CHECKING:
    from datetime import datetime

    from .._model.instance_index import InstanceIndex

_CHANGED_NOTHING = "The request changed nothing."
_REFUSES_ANY_REQUEST = (401, 429)
"""Statuses that are about the key or the rate limit, and not about the instance."""


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


class HeldBackError(Exception):
    """A restore of the instance is in flight: its job waits for it, or has failed."""


class LastLook(RequestHooks):
    """Looks at the journal right before the request of a job: a restore may have begun since the job was decided.

    ``guard`` records each request, if the change is sent at most once.
    """

    def __init__(self, job: InstanceJob, guard: RequestHooks) -> None:
        self.job = job
        self.guard = guard
        self.is_counted = False
        self.needs_new_connection = guard.needs_new_connection

    def before_send(self) -> None:
        """Counts the request, once if a 429 has it repeated. Raises HeldBackError."""
        self.job.heed_restore()
        if self.job.phase is not Phase.READY:
            raise HeldBackError
        if not self.is_counted:
            self.job.requests += 1
            self.is_counted = True
        self.guard.before_send()
        self.job.is_sending = True

    def on_rejected(self) -> None:
        """See :class:`RequestHooks`."""
        self.job.is_sending = False
        self.guard.on_rejected()


def send_change(client: Client, job: InstanceJob, *, may_repeat: bool) -> ChangeResponse:
    """Sends one request for the action of the job.

    Without ``may_repeat``, REDECIDE and RESEND become errors. Raises what the client raises, with the state of the
    instance in the message, and HeldBackError.
    """
    current, wanted, action = job.instance, job.wanted, job.action
    path = instance_path(current["id"])
    try:
        request = ("DELETE", path) if action is Action.DELETE else ("POST", f"{path}/{action.value}")
        parse = partial(parse_changed, asked={"instance": {"id": current["id"]}})
        answer = _send_by_plan(job, lambda guard: client.request(*request, parse=parse, hooks=LastLook(job, guard)))
    except NotFoundError as rejection:
        if action is Action.DELETE:
            # An instance is deleted when GET returns 404.
            return ChangeResponse(Effect.ALREADY_REACHED, find_instance(client, current["id"]), rejection)
        rejection.add(_CHANGED_NOTHING)
        raise
    except UnprocessableError as rejection:
        return _after_rejection(client, rejection, job, may_repeat)
    except RedirectedError as error:
        # A second request would be redirected too.
        return _after_unclear_response(client, error, current, wanted, action, may_repeat=False)
    except (TransportError, ResponseError, ApiError) as error:
        if isinstance(error, ApiError) and not error.may_have_been_executed:
            error.add(_CHANGED_NOTHING)
            _hint_at_subscription(error, current, wanted)
            raise
        # A 4xx is an answer to this request, and a second one would get it too.
        is_answered = isinstance(error, ApiError) and error.status < 500
        return _after_unclear_response(client, error, current, wanted, action, may_repeat and not is_answered)
    # An action is answered with some of the fields alone, such as id and status.
    return ChangeResponse(Effect.DONE, {**current, **(answer or {}), "id": current["id"]})


def _send_by_plan(job: InstanceJob, request: t.Callable[[RequestHooks], Resource | None]) -> Resource | None:
    """Returns the result of ``request``, which sends the change of a job: a restart of a plan at most once."""
    approval = job.consent.approval
    if job.action is Action.RESTART and approval and approval.send_once:
        return approval.send_once(job.instance["id"], request)
    return request(RequestHooks())


def _find_end(action: Action, wanted: str) -> str:
    """Returns the state that a request is to reach: a restart of a stopped instance is a start."""
    return "started" if action is Action.START else wanted


def _after_rejection(
    client: Client, rejection: UnprocessableError, job: InstanceJob, may_repeat: bool
) -> ChangeResponse:
    """Reads the instance again after a 422. Raises ``rejection`` if its state does not explain it."""
    current, wanted = job.instance, job.wanted
    try:
        now = find_instance(client, current["id"])
    except ClawHostersError as error:
        # The rejection matters more than the reason why the instance can't be read.
        rejection.add(f"{_CHANGED_NOTHING} Its current state can't be read: {error}")
        _hint_at_subscription(rejection, current, wanted)
        raise rejection from None
    if now is None and wanted == "absent":
        return ChangeResponse(Effect.ALREADY_REACHED, None)
    if now is not None and decide(now, _find_end(job.action, wanted)).action is Action.NONE:
        return ChangeResponse(Effect.ALREADY_REACHED, now)
    # A deletion may be requested of a busy instance, which has perhaps settled since.
    is_too_early = now is not None and (is_busy(now) or (wanted == "absent" and is_busy(current)))
    if may_repeat and is_too_early:
        return ChangeResponse(Effect.REDECIDE, now, rejection)
    if now is not None:
        rejection.add(f"{_CHANGED_NOTHING} Its status is {describe_status(now)}.")
        _hint_at_subscription(rejection, now, wanted)
    raise rejection


def _hint_at_subscription(error: ClawHostersError, instance: Resource, wanted: str) -> None:
    """Adds why the deletion of an instance that is billed by the month was probably refused."""
    is_refused = isinstance(error, ApiError) and error.status < 500 and error.status not in _REFUSES_ANY_REQUEST
    if is_refused and wanted == "absent" and instance.get("billing_mode") == "monthly":
        error.add(
            "This instance has a monthly subscription. Cancel it in the dashboard; delete the instance when it has "
            "ended."
        )


def _after_unclear_response(
    client: Client, error: ClawHostersError, current: Resource, wanted: str, action: Action, may_repeat: bool
) -> ChangeResponse:
    """Reads the instance again if ``error`` does not show whether the change was made. Raises it if none is visible."""
    try:
        now = find_instance(client, current["id"])
    except ClawHostersError:
        if error.may_have_been_sent:
            error.add(
                f"It is unknown whether {label(current)} was changed, since it can't be read now. "
                "Check it before you run this again."
            )
        _hint_at_subscription(error, current, wanted)
        raise error from None
    if action is Action.DELETE and (now is None or decide(now, wanted).action is Action.NONE):
        return ChangeResponse(Effect.DONE, now)
    if now is None:
        error.add(f"{label(current)} does not exist any more.")
        raise error
    if action in (Action.START, Action.STOP):
        next_action = decide(now, _find_end(action, wanted)).action
        if next_action in (Action.NONE, Action.WAIT):
            return ChangeResponse(Effect.DONE, now)
        if next_action is action and may_repeat:
            return ChangeResponse(Effect.RESEND, now, is_outcome_unknown=error.may_have_been_sent)
    if action is Action.RESTART and error.may_have_been_sent:
        error.add(
            f"Its status is {describe_status(now)}, which does not show whether it was restarted. "
            "Nothing was sent again: look at it, and restart it again if it was not."
        )
    else:
        doubt = " It is unknown whether one was made." if error.may_have_been_executed else ""
        error.add(f"Its status is {describe_status(now)}: no change is visible.{doubt} Run this again.")
        _hint_at_subscription(error, now, wanted)
    raise error


# The end of a change


FIRST_LOOK = 3
"""Polls after which a record without a status is as good as none, and after which the list is read too. Then that is
read after twice as many each time: it may have many pages."""


class FailureStatusError(ClawHostersError):
    """The instance has failed on its way to the wanted state."""

    def __init__(self, instance: Resource, wanted: str) -> None:
        super().__init__(
            f"It should be {wanted}, but its status is {describe_status(instance)} now. See the dashboard."
        )
        self.instance = instance


@dataclass(eq=False, repr=False)
class StateReached:
    """Predicate: True once the instance has settled in one of ``end_statuses``. Raises FailureStatusError.

    A change need not be seen as a transition. Without one, two polls in a row must show the end status,
    not before ``earliest`` (of ``clock``) if that is given; with ``earliest``, two polls are needed in any case.
    """

    wanted: str
    status_before: str
    end_statuses: t.Collection[str]
    wait_healthy: bool
    is_transition_seen: bool = False
    """Also True where no transition is needed."""
    earliest: float | None = None
    clock: t.Callable[[], float] = time.monotonic
    _consecutive_polls: int = 0
    """How many of the last polls showed one of the end statuses."""

    def __call__(self, instance: Resource) -> bool:
        status = find_state(instance)
        has_failed = status in FAILURE_STATUSES and status not in self.end_statuses
        is_due = self.is_transition_seen or (self.earliest is not None and self.clock() >= self.earliest)
        if has_failed and (status != self.status_before or (self.earliest is not None and is_due)):
            raise FailureStatusError(instance, self.wanted)
        if status not in self.end_statuses:
            self.is_transition_seen = self.is_transition_seen or not has_failed
            self._consecutive_polls = 0
            return False
        self._consecutive_polls += 1
        conditions = (is_due, self._consecutive_polls > 1)
        is_settled = any(conditions) if self.earliest is None else all(conditions)
        return is_settled and (not self.wait_healthy or is_health_final(instance))


def state_reached(wanted: str, status_before: str, *, wait_healthy: bool) -> StateReached:
    """Returns the predicate for an instance that was started, stopped or restarted.

    Only a restart of a running instance can be mistaken for done before it begins.
    """
    is_restart = wanted == "restarted" and status_before == "running"
    # The balance may run out in the meantime.
    end_statuses = ("stopped", "paused") if wanted == "stopped" else (END_STATUS[wanted],)
    return StateReached(wanted, status_before, end_statuses, wait_healthy and wanted != "stopped", not is_restart)


@dataclass(eq=False, repr=False)
class RecordKept:
    """Predicate: True once so many polls in a row have shown a deleted instance without a status.

    A service may keep its record. Such a one does not say that the instance exists, and its deletion was accepted, or
    answered with 404.
    """

    polls: int = FIRST_LOOK

    def __call__(self, instance: Resource) -> bool:
        self.polls = self.polls - 1 if find_state(instance) == NOT_KNOWN else FIRST_LOOK
        return self.polls <= 0


def keeps_state(instance: Resource | None, wanted: str, *, wait_healthy: bool) -> bool:
    """Returns True if an instance that was brought to a state is still in it; None for one that does not exist."""
    if wanted == "absent":
        return instance is None or is_gone(instance) or find_state(instance) == NOT_KNOWN
    if instance is None:
        return False
    lasting = "started" if wanted == "restarted" else wanted
    needs_health = wait_healthy and lasting == "started"
    return decide(instance, lasting).action is Action.NONE and (not needs_health or is_health_final(instance))


def explain_lapse(was: Resource | None, healthy_at: datetime | None, now: Resource | None, at: datetime) -> str:
    """Returns how an instance, as it was read ``at`` a time, differs from what it was when its change was done.

    ``healthy_at``: when it was seen healthy last. None for ``was`` or ``now``: it did not or does not exist.
    """
    before = f"healthy at {format_time(healthy_at, seconds=True)}" if healthy_at else "deleted"
    if was and not healthy_at:
        before = describe_instance(was)[1]
    after = f"was {describe_instance(now, with_health=healthy_at is not None)[1]}" if now else "no longer existed"
    return f"It was {before}, but {after} at {format_time(at, seconds=True)}."


class PollReader(t.NamedTuple):
    """Reads instances while their changes are waited for.

    ``read`` gets the seconds left, and returns the instances that exist, by id. ``is_gone`` returns True for one whose
    deletion was accepted if it is deleted, and can be read all the same. It is called after each such poll, and with
    ``is_last`` when the time is over.
    """

    read: t.Callable[[float], dict[str, Resource]]
    is_gone: t.Callable[[Resource, bool], bool] = lambda _instance, _is_last: False


LISTS_WITHOUT = 2
"""Lists in a row that a deleted instance is missing from. While a list is read, one instance may be added as another
one goes, which moves a third one to a page that was read before, and no count shows it."""


@dataclass(eq=False, repr=False)
class DetailReader:
    """Reads one instance. ``missing``: the response that says that it does not exist any more.

    ``list_instances`` reads the list without retries.
    """

    client: Client
    instance_id: object
    list_instances: t.Callable[[], InstanceIndex]
    missing: NotFoundError | None = None
    _polls: int = 0
    _next_look: int = FIRST_LOOK
    _lists_without: int = 0
    """How many of the lists that were read last lack it."""

    def read(self, seconds: float) -> dict[str, Resource]:
        """Returns the instance by its id."""
        try:
            instance = fetch_instance(self.client, self.instance_id, seconds)
        except NotFoundError as missing:
            self.missing = missing
            return {}
        return {} if is_gone(instance) else {str(self.instance_id): instance}

    def is_gone(self, instance: Resource, is_last: bool) -> bool:
        """Returns True if it has left the list: a deleted instance may stay readable. See :class:`PollReader`."""
        self._polls += not is_last
        if is_due := self._polls >= self._next_look:
            self._next_look *= 2
        if is_last or is_due or self._lists_without:
            self._look(instance)
        while is_last and 0 < self._lists_without < LISTS_WITHOUT:
            self._look(instance)
        return self._lists_without >= LISTS_WITHOUT

    def _look(self, instance: Resource) -> None:
        is_missing = False
        # A list that can't be read proves nothing: the code that reads it may not be loaded either.
        with contextlib.suppress(ClawHostersError, OSError, ImportError):
            is_missing = str(instance["id"]) not in self.list_instances().by_id
        self._lists_without = self._lists_without + 1 if is_missing else 0


@dataclass(eq=False, repr=False)
class InstanceChanges:
    """Changes the instances of jobs. In check mode, predicts the changes."""

    client: Client
    wait_healthy: bool
    warn: t.Callable[[str], None]
    timeout_option: str = "wait_timeout"

    def begin_wait(self, timeout: float | None, since: float | None = None) -> Waiter | None:
        """Returns a waiter of ``timeout`` seconds from now, or from ``since`` by the clock; None without a timeout."""
        if timeout is None:
            return None
        return Waiter(timeout, self.client.progress, lambda: self.client.stats.remaining, since)

    def carry_out(self, jobs: list[InstanceJob], reader: PollReader, waiter: Waiter | None) -> None:
        """Requests all changes, and waits until each job is done or has failed. Does not wait without a ``waiter``."""
        self.request_changes(jobs)
        if waiter is not None:
            self._wait(jobs, reader, waiter)
        for job in jobs:
            if job.phase is Phase.SETTLING:
                reason = job.restore.describe() if job.restore else f"It is {describe_condition(job.instance)}"
                advice = "What comes next depends on how that ends. Run this again later, or set wait: true."
                job.fail(f"{reason}. {job.explain_unclear() or advice}")
            elif job.phase is Phase.CHANGING:
                if job.rejection and not keeps_state(job.instance, job.wanted, wait_healthy=False):
                    # The deletion was answered with 404, and only a wait could see that the list has it no more.
                    job.fail(f"It still exists: its status is {describe_status(job.instance)}.")
                else:
                    # The response may show a failed status.
                    self.update(job, job.instance)
            if job.phase is Phase.CHANGING:
                job.finish(job.predict())
        warn_of_ends(
            jobs, self.warn, waits_healthy=self.wait_healthy and waiter is not None and not self.client.check_mode
        )

    def request_changes(self, jobs: list[InstanceJob]) -> None:
        """Requests all changes that are ready, concurrently."""
        ready = [job for job in jobs if job.phase is Phase.READY]
        if self.client.check_mode:
            for job in ready:
                job.changed = True
                job.finish(job.predict())
        elif ready:
            list(map_ordered(self._request_change, ready))

    def _request_change(self, job: InstanceJob) -> None:
        """Requests one change. A job sends at most two requests.

        The second is sent only if a 422 was about a status that passes, or if a start or stop shows no effect after a
        lost response or a 5xx.
        """
        before = job.instance
        try:
            while True:
                response = send_change(self.client, job, may_repeat=job.requests == 0)
                if response.instance is not None:
                    job.see(response.instance)
                job.rejection = response.rejection
                if response.effect is Effect.RESEND:
                    job.is_outcome_unknown = response.is_outcome_unknown
                elif response.effect is not Effect.REDECIDE or is_busy(job.instance):
                    break
                # Otherwise again at once: a deletion was refused while the instance was busy, and it has settled since.
                job.decide(job.instance)
                if job.phase is not Phase.READY:
                    return
        except HeldBackError:
            return
        except ClawHostersError as error:
            job.fail(error, error)
            job.is_outcome_unknown |= job.is_sending and error.may_have_been_executed
            return
        if response.effect is Effect.REDECIDE:
            job.phase = Phase.SETTLING
            return
        # The state is reached by this request, or by the one before it whose response was lost.
        job.changed = job.is_outcome_unknown or response.effect is Effect.DONE
        job.is_outcome_unknown = False
        if response.instance is None:
            job.finish(None)
        elif job.changed:
            self._start_waiting(job, before)
        else:
            job.finish(response.instance)
            self.await_unchanged(job)

    # Waiting

    def _start_waiting(self, job: InstanceJob, before: Resource) -> None:
        job.phase, job.reached_predicate = Phase.CHANGING, RecordKept()
        if job.wanted != "absent":
            job.reached_predicate = state_reached(job.wanted, find_state(before), wait_healthy=self.wait_healthy)

    def _wait(self, jobs: list[InstanceJob], reader: PollReader, waiter: Waiter) -> None:
        for job in jobs:
            self.await_unchanged(job)
        # A rehearsal does not wait for what nobody knows.
        watched = [job for job in find_open(jobs) if not (self.client.check_mode and job.explain_unclear())]
        if not watched:
            return

        def is_done(seen: dict[str, Resource]) -> bool:
            updated = find_open(watched)
            for job in updated:
                self.update(job, seen.get(str(job.instance["id"])))
            for job in _find_deletions(updated):
                if reader.is_gone(job.instance, False):
                    job.finish(None)
            self.review(updated, max(waiter.seconds_left, 0.0))
            self.request_changes(updated)
            return not find_open(watched)

        def describe(_seen: object) -> tuple[str, str]:
            return describe_remaining(map(self.describe, find_open(watched)))

        nothing: dict[str, Resource] = {}
        try:
            waiter.until(nothing, reader.read, is_done, describe)
        except ClawHostersError as error:
            if isinstance(error, WaitTimeoutError) and error.cause is None:
                for job in _find_deletions(watched):
                    if reader.is_gone(job.instance, True):
                        job.finish(None)
            for job in find_open(watched):
                job.fail(self.explain_unfinished(job, error, waiter.timeout, _advise(job)), error)

    def update(self, job: InstanceJob, now: Resource | None) -> None:
        """Updates a job from the instance as a poll shows it, and ends it if it is done."""
        if now is None:
            if job.wanted == "absent":
                job.finish(None)
            else:
                job.fail(f"{format_accepted(job)}It was deleted during this task and does not exist any more.")
        elif job.phase is Phase.SETTLING:
            job.see(now)
            if not is_busy(now):
                job.decide(now)
                self.await_unchanged(job)
        else:
            job.see(now)
            try:
                if job.reached_predicate is not None and job.reached_predicate(now):
                    job.finish(now)
            except FailureStatusError as error:
                job.fail(f"{format_accepted(job)}{error}")

    def await_unchanged(self, job: InstanceJob) -> None:
        """Makes a job that needs no change wait for health or deletion."""
        if not self.client.check_mode and job.is_unreached(wait_healthy=self.wait_healthy):
            self._start_waiting(job, job.instance)

    def review(self, decided: list[InstanceJob], seconds: float) -> None:
        """Called with the jobs that a poll has updated, and the seconds left, before further changes are requested.

        ``claw_fleet`` decides again then.
        """

    # Messages

    def explain_interruption(self, jobs: list[InstanceJob]) -> list[str]:
        """Returns what Ctrl-C shows: what has become of the changes until now, a line each, and how to go on."""
        parts: dict[str, list[str]] = {"Done": [], "Accepted, and goes on": [], "Perhaps sent": [], "Failed": []}
        for job in jobs:
            is_planned = not self.client.check_mode and job.change() is not Action.NONE
            if job.found and (job.requests or is_planned):
                parts.setdefault(_find_part(job), []).append(f"{job.action.value} {label(job.found)}")
        lines = [f"{part}: {', '.join(names)}." for part, names in parts.items() if names]
        again = [label(job.found) for job in jobs if job.found and job.wanted == "restarted" and job.requests]
        if again and not any(job.consent.approval for job in jobs):
            lines.append(f"The same command would restart these again: {', '.join(again)}.")
            lines.append("Leave them out, or give them the state started; then run it again for the rest.")
        elif lines:
            lines.append("Run the same command again: it waits for what goes on, and continues with the rest.")
        return lines

    def describe(self, job: InstanceJob) -> tuple[str, str]:
        """Returns name and condition of the instance."""
        name, condition = describe_instance(job.instance, with_health=self.waits_for_health(job))
        return name, f"{condition}, being restored by {job.restore.by}" if job.restore else condition

    def waits_for_health(self, job: InstanceJob) -> bool:
        """Returns True if the instance is to be healthy, too."""
        return self.wait_healthy and job.wanted in ("started", "restarted")

    def explain_unfinished(
        self, job: InstanceJob, error: ClawHostersError, timeout: float, advice: str = "", option: str = ""
    ) -> str:
        """Returns what is known of a job whose wait ended with ``error``. ``advice`` says how to go on."""
        _name, condition = self.describe(job)
        goal = "gone" if job.wanted == "absent" else job.wanted
        if self.waits_for_health(job) and find_state(job.instance) == "running" and not is_health_final(job.instance):
            goal = "healthy"
        option = option or self.timeout_option
        return format_accepted(job) + explain_ended_wait(error, condition, goal, timeout, advice, option)


def _find_deletions(jobs: list[InstanceJob]) -> list[InstanceJob]:
    """Returns the jobs whose deletion was accepted and is waited for."""
    return [job for job in jobs if job.wanted == "absent" and job.phase is Phase.CHANGING]


def find_open(jobs: list[InstanceJob]) -> list[InstanceJob]:
    """Returns the jobs that are not done."""
    return [job for job in jobs if job.phase is not Phase.DONE]


def format_accepted(job: InstanceJob) -> str:
    """Returns a sentence if the change of a job was accepted, else nothing."""
    return f"The {job.action.value} was accepted. " if job.changed else ""


def _advise(job: InstanceJob) -> str:
    """Returns how to go on: without a plan, the same task would restart the instance a second time."""
    if unclear := job.explain_unclear():
        return unclear
    if job.consent.approval:
        return "Run the same task again: the plan continues."
    if job.wanted != "restarted" or not job.changed:
        return "Run this again to continue waiting."
    return "Run this again, with state: started for what was restarted, to continue."


def _find_part(job: InstanceJob) -> str:
    if job.changed and job.error is None:
        return "Done" if job.phase is Phase.DONE else "Accepted, and goes on"
    if job.is_outcome_unknown or (job.is_sending and job.phase is Phase.READY):
        return "Perhaps sent"
    return "Failed" if job.error else "Not begun"
