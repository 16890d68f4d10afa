# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP client of the collection: authentication, retries, rate limit, pagination, errors.

It knows nothing of modules or of instances.
"""

from __future__ import annotations

import contextlib
import math
import random
import time
import typing as t
from dataclasses import dataclass, field, replace

from .._cancellation import raise_if_cancelled
from .._errors import ApiError, CheckModeError, ClawHostersError, RateLimitedError
from .._progress import LINE_WIDTH, Deadline, Progress
from .._rate.shared_budget import SharedRateBudget, Slot
from .._text import one_line
from .request import JITTER, NEVER, UNSAFE, Request, RequestHooks, RetryPolicy, retry_delay
from .responses import parse_data_object, parse_object, parse_resource
from .settings import Settings
from .stats import RequestStats
from .transport import Response, send_request

if t.TYPE_CHECKING:
    from .._model.resource import Resource
    from .._state.store_protocol import Store

Parsed = t.TypeVar("Parsed")
Parser: t.TypeAlias = "t.Callable[[str, Response], Parsed]"
MIN_POLL_TIMEOUT = 5.0
"""Seconds for a poll at the end of a wait: it may take that much longer than ``wait_timeout``."""


@dataclass
class Client:
    """Talks to one service with one key. Raises the errors of ``_errors``, never those of ``requests``.

    In check mode it refuses every method but GET, so that no caller can forget to. With a key and a ``store`` it
    shares the rate limit with the other processes that use both; ``warn`` is called if it can't.

    ``before_change`` is called before each request that is not a GET. An exception cancels the request.
    """

    settings: Settings
    check_mode: bool = False
    progress: Progress = field(default_factory=Progress)
    stats: RequestStats = field(default_factory=RequestStats)
    warn: t.Callable[[str], None] = lambda _text: None
    store: Store | None = field(default=None, repr=False)
    before_change: t.Callable[[], None] | None = field(default=None, repr=False)
    _budget: SharedRateBudget | None = field(default=None, repr=False)
    _repeatable: set[str] = field(default_factory=set, repr=False)
    """The requests that count as repeats when they are sent again: their last response was an error, or not used."""

    def __post_init__(self) -> None:
        key = self.settings.api_key
        if key and self.store and self._budget is None:
            self._budget = SharedRateBudget(
                self.store,
                self.settings.api_url,
                key,
                self.progress.now,
                priority=self.settings.priority,
                warn=self.warn,
            )

    @property
    def is_limit_shared(self) -> bool:
        """False once the store could not be used for the rate limit, of which the user was warned."""
        return self._budget is None or self._budget.is_shared

    def fetch(self, path: str, *, time_left: float | None = None) -> Resource:
        """Returns the resource at ``path``, an object with an id. Raises NotFoundError, ResponseError.

        ``time_left``: the seconds left of a wait. They limit the call, and no error but a 429 is retried: the wait
        polls again, and shows the error.
        """
        return self._send_with_retries(Request("GET", path), parse_resource, self.end_of_wait(time_left))

    def fetch_object(self, path: str) -> Resource:
        """Returns the object at ``path``, which needs no id: an account has one of it."""
        return self._send_with_retries(Request("GET", path), parse_object)

    def get(
        self,
        path: str,
        params: t.Mapping[str, str],
        *,
        parse: Parser[Parsed],
        end_of_wait: float | None = None,
        retry_timeout: float | None = None,
    ) -> Parsed:
        """Sends one GET with these query parameters and returns what ``parse`` returns. Retries like ``fetch``, for at
        most ``retry_timeout`` seconds. ``end_of_wait``: see :meth:`end_of_wait`."""
        return self._send_with_retries(Request("GET", path, params), parse, end_of_wait, retry_timeout)

    def get_unauthenticated(self, path: str) -> Response:
        """Sends one GET without the key and returns the response, whatever its status. Never retries.

        Raises TransportError, TlsError, ResponseError.
        """
        # The rate limit is per key, so that a request without one needs no slot.
        request = Request("GET", path, retry=NEVER, timeout=self.settings.timeout)
        with self._counted(request, Slot(), is_retry=False) as slot:
            return send_request(replace(self.settings, api_key=None), request, slot)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        retry: RetryPolicy = UNSAFE,
        hooks: RequestHooks | None = None,
        parse: t.Callable[[str, Response], t.Any] = parse_data_object,
    ) -> t.Any:
        """Sends a change and returns what ``parse`` returns: by default the object in ``data``, or None.

        Raises CheckModeError in check mode, before anything is sent. After an error with ``may_have_been_executed``
        the change may have been made: read the resource, then decide.
        """
        request = Request(method, path, body=body, retry=retry, hooks=hooks)
        if self.before_change and not self.check_mode:
            self.before_change()
        return self._send_with_retries(request, parse)

    def count_next_as_repeat(self, path: str, params: t.Mapping[str, str]) -> None:
        """Counts the next GET with these query parameters as a repeat: its last response can't be used."""
        self._repeatable.add(Request("GET", path, params).key)

    def end_of_wait(self, time_left: float | None) -> float | None:
        """Returns when a wait ends that has ``time_left`` seconds, by the clock of ``progress``; None for no wait."""
        return None if time_left is None else self.progress.clock() + time_left

    def _send_with_retries(
        self,
        request: Request,
        parse: Parser[Parsed],
        end_of_wait: float | None = None,
        retry_timeout: float | None = None,
    ) -> Parsed:
        """Sends the request and returns the parsed response. Retries as ``request.retry`` says, until the timeout."""
        if self.check_mode and request.method != "GET":
            raise CheckModeError(f"{request} was not sent: check mode sends only GET requests.")
        limit, timeout, attempt = self.settings.retry_timeout, self.settings.timeout, 1
        time_left = math.inf
        if retry_timeout is not None:
            limit = min(limit, retry_timeout)
        if end_of_wait is not None:
            time_left = max(end_of_wait - self.progress.clock(), 0.0)
            request = replace(request, retry=UNSAFE)
            limit, timeout = min(limit, time_left), min(timeout, max(time_left, MIN_POLL_TIMEOUT))
        deadline = Deadline(self.progress, limit, self.stats, time_left)
        while True:
            try:
                response = self._send(replace(request, timeout=timeout), deadline)
                parsed = parse(str(request), response)
                self._repeatable.discard(request.key)
                return parsed
            except request.retry.retry_on as error:
                self._note_failed(request, error)
                delay = retry_delay(error, attempt)
                if delay is None or delay > deadline.remaining:
                    if attempt > 1:
                        error.add(f"Gave up after {attempt} attempts in {deadline.elapsed:.0f} s.")
                    raise
                delay = min(delay * random.uniform(1, 1 + JITTER), deadline.remaining)
                deadline.sleep(delay, self._wait_reason(error))
            except ClawHostersError as error:
                self._note_failed(request, error)
                raise
            attempt += 1
            # Later reads end with the deadline. A change that is cut off would have an unknown outcome.
            if request.method == "GET":
                timeout = min(self.settings.timeout, max(deadline.remaining, 1.0))

    def _note_failed(self, request: Request, error: ClawHostersError) -> None:
        if error.may_have_been_sent:
            self._repeatable.add(request.key)
        if isinstance(error, ApiError) and request.method != "GET":
            error.hint = (error.unrepeated_hint if request.retry is NEVER else None) or error.change_hint or error.hint

    def _send(self, request: Request, deadline: Deadline) -> Response:
        with self._slot(request, deadline) as slot:
            return send_request(self.settings, request, slot, deadline.report)

    @contextlib.contextmanager
    def _slot(self, request: Request, deadline: Deadline) -> t.Iterator[Slot]:
        """Waits until the rate limit allows one request, and reports its outcome, which the sender sets in the slot."""
        raise_if_cancelled()
        is_retry = request.key in self._repeatable
        with self._budget_slot(request, deadline) as slot:
            if request.method != "GET":
                self.progress.require_controller()
            with self._counted(request, slot, is_retry=is_retry):
                if request.hooks:
                    request.hooks.before_send()
                yield slot
        if request.hooks and slot.outcome.status == 429:
            request.hooks.on_rejected()

    def _budget_slot(self, request: Request, deadline: Deadline) -> t.ContextManager[Slot]:
        """Waits for the shared rate limit. Only what the limit itself takes is part of ``retry_timeout``."""

        def sleep(seconds: float, behind: str) -> None:
            reason = f"{self.settings.host}: waiting behind {behind}" if behind else self._wait_reason()
            deadline.sleep(seconds, reason, is_counted=not behind)

        if self._budget is None:
            return contextlib.nullcontext(Slot())
        return self._budget.slot(request.timeout, deadline.remaining, sleep, deadline.remaining_total)

    @contextlib.contextmanager
    def _counted(self, request: Request, slot: Slot, *, is_retry: bool) -> t.Iterator[Slot]:
        sent_at = time.monotonic()
        try:
            yield slot
        finally:
            self.stats.record(slot.outcome, sent_at, is_retry=is_retry, is_change=request.method != "GET")

    def _wait_reason(self, error: ClawHostersError | None = None) -> str:
        """Returns why the user has to wait, in the service's own words: for the rate limit if there is no ``error``."""
        why = error.response.words if error and error.response else ""
        if error is None or isinstance(error, RateLimitedError):
            why = why or "waiting for the rate limit to reset"
        return one_line(f"{self.settings.host}: {why or 'the request failed, waiting to retry'}", LINE_WIDTH)
