# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP client of the collection: authentication, retries, rate limit, errors. ``lists.py`` reads pages with it.

It knows nothing of modules or of instances.
"""

from __future__ import annotations

import contextlib
import math
import random
import threading
import time
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .._errors import CheckModeError, ClawHostersError, MalformedResponseError, RateLimitedError, ServerError
from .._progress import Progress, fit_line, raise_if_cancelled
from .._rate import headers as rate_headers
from .._rate.limiter import RequestOutcome
from .._rate.shared_budget import SharedRateBudget
from .responses import NOT_THE_API, parse_data, parse_resource
from .settings import Settings
from .transport import JITTER, NEVER, RETRIED_CHANGES, Request, RequestHooks, Response, retry_delay, send_request

if t.TYPE_CHECKING:
    from .._model.resource import Resource
    from .._state.open_store import Store

Parsed = t.TypeVar("Parsed")
Parser: t.TypeAlias = "t.Callable[[str, Response], Parsed]"
MIN_POLL_TIMEOUT = 5.0
"""Seconds for a poll at the end of a wait: it may take that much longer than ``wait_timeout``."""


@dataclass(eq=False, repr=False)
class RequestStats:
    """The ``api`` result that every module returns. ``waited`` is in seconds. Thread-safe."""

    requests: int = 0
    changes: int = 0
    """The requests that were no GET."""
    retries: int = 0
    waited: float = 0.0
    remaining: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiters: int = 0
    _waiting_since: float = 0.0
    _service_epoch: float | None = None
    """Unix time by the service's clock when the monotonic clock was 0; None before it has told its time."""

    def as_dict(self) -> dict[str, t.Any]:
        """Returns the ``api`` result."""
        return {
            "requests": self.requests,
            "retries": self.retries,
            "waited": round(self.waited, 3),
            "remaining": self.remaining,
        }

    def record(
        self, outcome: RequestOutcome, sent_at: float, *, is_retry: bool = False, is_change: bool = False
    ) -> None:
        """Counts a request, sent at ``sent_at`` by the monotonic clock. One that was not sent does not count."""
        if not outcome.sent:
            return
        with self._lock:
            self.requests += 1
            self.changes += is_change
            self.retries += is_retry
            remaining = rate_headers.parse_remaining(outcome.headers)
            self.remaining = self.remaining if remaining is None else remaining
            date = rate_headers.parse_http_date(outcome.headers.get("Date"))
            if date is not None:
                # ``Date`` has whole seconds, and was written between request and response.
                self._service_epoch = date + 0.5 - (sent_at + time.monotonic()) / 2

    def service_time(self) -> datetime | None:
        """Returns the time by the clock of the service, which no change of this machine's clock affects.

        None if no response has told it.
        """
        if self._service_epoch is not None:
            with contextlib.suppress(ValueError, OverflowError):
                return datetime.fromtimestamp(self._service_epoch + time.monotonic(), UTC)
        return None

    def now(self) -> datetime:
        """Returns the time by which backups are judged: by the clock of the service, or else of this machine."""
        return self.service_time() or datetime.now(UTC)

    @contextlib.contextmanager
    def waiting(self, clock: t.Callable[[], float]) -> t.Iterator[None]:
        """Adds the duration of the block to ``waited``. Overlapping waits of several threads count once."""
        with self._lock:
            self._waiters += 1
            if self._waiters == 1:
                self._waiting_since = clock()
        try:
            yield
        finally:
            with self._lock:
                self._waiters -= 1
                if not self._waiters:
                    self.waited += clock() - self._waiting_since


class Deadline:
    """The time limit of one call to the client, for all its attempts and waits. Times are in seconds.

    Waits behind requests of a higher priority don't count for ``limit``, but for ``max_total``.
    """

    def __init__(self, progress: Progress, limit: float, stats: RequestStats, max_total: float = math.inf) -> None:
        self._progress = progress
        self._limit = limit
        self._max_total = max_total
        self._stats = stats
        self._started = progress.clock()
        self._uncounted = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the call began, without those that don't count."""
        return self._progress.clock() - self._started - self._uncounted

    @property
    def remaining(self) -> float:
        return min(self._limit - self.elapsed, self.remaining_total)

    @property
    def remaining_total(self) -> float:
        """Seconds left for waits that don't count."""
        return self._max_total - (self._progress.clock() - self._started)

    def sleep(self, seconds: float, what: str, *, shared: str = "", is_counted: bool = True) -> None:
        """Sleeps, and shows ``what`` the wait is for, once for all processes that name it ``shared``."""
        before, may = self._progress.clock(), self._progress.may_show
        limit = min(self._limit + self._uncounted if is_counted else math.inf, self._max_total)
        with self._stats.waiting(self._progress.clock):
            self._progress.sleep(seconds, lambda _now: what if may(shared) else "", since=self._started, limit=limit)
        if not is_counted:
            self._uncounted += self._progress.clock() - before


@dataclass(eq=False, repr=False)
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
    store: Store | None = None
    before_change: t.Callable[[], None] | None = None
    _budget: SharedRateBudget | None = None

    def __post_init__(self) -> None:
        url, key, priority = self.settings.api_url, self.settings.api_key, self.settings.priority
        if key and self.store and self._budget is None:
            self._budget = SharedRateBudget(
                self.store, url, key, self.progress.clock, priority=priority, warn=self.warn
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

    def fetch_data(self, path: str) -> object:
        """Returns what is at ``path``, of any type: its shape is not documented."""
        return self._send_with_retries(Request("GET", path), parse_data)

    def get(
        self,
        path: str,
        params: t.Mapping[str, str],
        *,
        parse: Parser[Parsed],
        end_of_wait: float | None = None,
        retry_timeout: float = math.inf,
        is_repeat: bool = False,
    ) -> Parsed:
        """Sends one GET with these query parameters and returns what ``parse`` returns. Retries like ``fetch``, for at
        most ``retry_timeout`` seconds. ``end_of_wait``: see :meth:`end_of_wait`. ``is_repeat``: counts as a repeat,
        since an earlier response can't be used."""
        request = Request("GET", path, params, is_repeat=is_repeat)
        return self._send_with_retries(request, parse, end_of_wait, retry_timeout)

    def get_unauthenticated(self, path: str) -> Response:
        """Sends one GET without the key and returns the response, whatever its status. Never retries.

        Raises TransportError, TlsError, ResponseError.
        """
        # The rate limit is per key, so that a request without one does not count.
        request = Request("GET", path, retry_on=NEVER, timeout=self.settings.timeout)
        return self._send_counted(request, RequestOutcome(), self.settings._replace(api_key=None))

    def request(
        self,
        method: str,
        path: str,
        *,
        parse: Parser[Parsed],
        body: object = None,
        retry_on: tuple[type[ClawHostersError], ...] = RETRIED_CHANGES,
        hooks: RequestHooks | None = None,
    ) -> Parsed:
        """Sends a change and returns what ``parse`` returns.

        Raises CheckModeError in check mode, before anything is sent. After an error with ``may_have_been_executed``
        the change may have been made: read the resource, then decide.
        """
        request = Request(method, path, body=body, retry_on=retry_on, hooks=hooks)
        if self.before_change and not self.check_mode:
            self.before_change()
        try:
            return self._send_with_retries(request, parse)
        except ServerError as error:
            error.hint = error.change_hint
            raise

    def end_of_wait(self, time_left: float | None) -> float | None:
        """Returns when a wait ends that has ``time_left`` seconds, by the clock of ``progress``; None for no wait."""
        return None if time_left is None else self.progress.clock() + time_left

    def _send_with_retries(
        self,
        request: Request,
        parse: Parser[Parsed],
        end_of_wait: float | None = None,
        retry_timeout: float = math.inf,
    ) -> Parsed:
        """Sends the request and returns the parsed response. Retries as the request says, until the timeout."""
        if self.check_mode and request.method != "GET":
            raise CheckModeError(f"{request} was not sent: check mode sends only GET requests.")
        limit, timeout, attempt = min(self.settings.retry_timeout, retry_timeout), self.settings.timeout, 1
        time_left = math.inf
        if end_of_wait is not None:
            time_left = max(end_of_wait - self.progress.clock(), 0.0)
            request = request._replace(retry_on=RETRIED_CHANGES)
            limit, timeout = min(limit, time_left), min(timeout, max(time_left, MIN_POLL_TIMEOUT))
        deadline = Deadline(self.progress, limit, self.stats, time_left)
        while True:
            try:
                return parse(str(request), self._send(request._replace(timeout=timeout), deadline))
            except request.retry_on as error:
                delay = retry_delay(error, attempt)
                if delay is None or delay > deadline.remaining:
                    if attempt > 1:
                        error.add(f"Gave up after {attempt} attempts in {deadline.elapsed:.0f} s.")
                    # Without any other response, nothing shows that this is the API.
                    if isinstance(error, MalformedResponseError) and self.stats.requests <= attempt:
                        error.hint = NOT_THE_API
                    raise
                delay = min(delay * random.uniform(1, 1 + JITTER), deadline.remaining)
                shared = self._budget.name if self._budget and isinstance(error, RateLimitedError) else ""
                deadline.sleep(delay, self._wait_reason(error), shared=shared)
                request = request._replace(is_repeat=request.is_repeat or error.may_have_been_sent)
            attempt += 1
            # Later reads end with the deadline. A change that is cut off would have an unknown outcome.
            if request.method == "GET":
                timeout = min(self.settings.timeout, max(deadline.remaining, 1.0))

    def _send(self, request: Request, deadline: Deadline) -> Response:
        """Waits until the rate limit allows one request, sends it, and reports its outcome."""
        raise_if_cancelled()
        with self._budget_slot(deadline) as outcome:
            if request.method != "GET":
                self.progress.require_controller()
            if request.hooks:
                request.hooks.before_send()
            response = self._send_counted(request, outcome, self.settings, self.progress.report)
        if request.hooks and response.status == 429:
            request.hooks.on_rejected()
        return response

    def _budget_slot(self, deadline: Deadline) -> t.ContextManager[RequestOutcome]:
        """Waits for the shared rate limit. Only what the limit itself takes is part of ``retry_timeout``."""
        if (budget := self._budget) is None:
            return contextlib.nullcontext(RequestOutcome())

        def sleep(seconds: float, is_behind: bool) -> None:
            others = f"{self.settings.host}: the rest of the rate limit is kept for a higher priority"
            what = others if is_behind else self._wait_reason()
            deadline.sleep(seconds, what, shared=budget.name, is_counted=not is_behind)

        return budget.slot(deadline.remaining, sleep, deadline.remaining_total)

    def _send_counted(
        self,
        request: Request,
        outcome: RequestOutcome,
        settings: Settings,
        report: t.Callable[[str], None] = lambda _line: None,
    ) -> Response:
        sent_at = time.monotonic()
        try:
            return send_request(settings, request, outcome, report)
        finally:
            self.stats.record(outcome, sent_at, is_retry=request.is_repeat, is_change=request.method != "GET")

    def _wait_reason(self, error: ClawHostersError | None = None) -> str:
        """Returns why the user has to wait, in the service's own words: for the rate limit if there is no ``error``."""
        why = error.response.words if error and error.response else ""
        if error is None or isinstance(error, RateLimitedError):
            why = why or "waiting for the rate limit to reset"
        return fit_line(f"{self.settings.host}: {why or 'the request failed, waiting to retry'}")
