# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one HTTP client of the collection: key, envelopes, faults, waits, pages.

It knows the service's transport (contract 1) and nothing of modules or of what an instance is.
"""

from __future__ import annotations

import contextlib
import functools
import random
import threading
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .._concurrency import map_ordered, raise_if_cancelled
from .._errors import (
    ApiError,
    CheckModeError,
    ClawHostersError,
    IncompleteListError,
    RateLimitedError,
    ResponseError,
)
from .._model.resource import Resource, id_sort_key
from .._progress import Deadline, Progress
from .._rate import headers as rate_headers
from .._rate.shared_budget import SharedRateBudget
from .pagination import ListChangedError, ListTooLongError, Pagination, Paginator
from .responses import (
    is_about_payment,
    parse_any,
    parse_body,
    parse_entries,
    parse_items,
    parse_object,
    parse_resource,
    redact_payment,
)
from .retry import IDEMPOTENT, JITTER, NEVER, UNSAFE, RetryPolicy, pause_after
from .settings import Settings
from .transport import RequestOutcome, Response, send_request

LIST_ATTEMPTS = 3
"""How often a list that shifts is read before giving up."""


Parsed = t.TypeVar("Parsed")
PageParser: t.TypeAlias = "t.Callable[[str, Response], tuple[list[Resource], Pagination | None]]"


class RequestHooks(t.Protocol):
    """Is told of a change when it goes out, not when it begins to wait for its turn."""

    def before_send(self) -> None:
        """It goes out now. What this raises keeps it from going."""

    def on_rejected(self) -> None:
        """It was answered with 429, so it was not done; it may go out again."""


@dataclass
class Usage:
    """What a task cost: the ``api`` that every module returns (interface 2). ``waited`` is in seconds."""

    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    remaining: int | None = None

    def as_dict(self) -> dict[str, t.Any]:
        """The shape that users see."""
        return {
            "requests": self.requests,
            "retries": self.retries,
            "waited": round(self.waited, 3),
            "remaining": self.remaining,
        }


class _Request(t.NamedTuple):
    """One request on its way: a try."""

    method: str
    path: str
    params: dict[str, str] | None
    body: object
    timeout: float
    is_retry: bool


@dataclass
class Client:
    """Talks to one service with one key; raises the errors of errors.py and nothing of ``requests``.

    In check mode it refuses everything but GET, so that no caller can forget to. With a key and a ``state_dir`` it
    takes its turn with all other processes that use the key; ``warn`` is told where it can't.

    ``payment_texts``: set for a purchase, to the texts of its request. Links, tokens and these texts are then hidden in
    all that the service answers, but for what :meth:`buy` returns.
    """

    settings: Settings
    check_mode: bool = False
    progress: Progress = field(default_factory=Progress)
    usage: Usage = field(default_factory=Usage)
    warn: t.Callable[[str], None] = lambda _text: None
    payment_texts: frozenset[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _waiters: int = field(default=0, repr=False)
    _waiting_since: float = field(default=0.0, repr=False)
    _budget: SharedRateBudget | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        key, state_dir = self.settings.api_key, self.settings.state_dir
        if key and state_dir:
            self._budget = SharedRateBudget(
                state_dir,
                self.settings.api_url,
                key,
                self.progress.now,
                warn=self.warn,
                may_create=not self.check_mode,
            )

    def fetch(self, path: str, *, retry_timeout: float | None = None) -> Resource:
        """The resource at ``path``, an object with an id. Raises NotFoundError, ResponseError.

        ``retry_timeout``: seconds that repeats may take, where that is less than ``retry_timeout``.
        """
        return self._request("GET", path, IDEMPOTENT, parse_resource, retry_timeout=retry_timeout)

    def fetch_object(self, path: str) -> Resource:
        """The object at ``path``, which needs no id: there is one of it in an account."""
        return self._request("GET", path, IDEMPOTENT, parse_object)

    def probe(self, path: str) -> Response:
        """One GET, without the key and never repeated: its answer, whatever the status.

        Raises TransportError, TlsError, ResponseError.
        """
        # The rate is counted by key (contract 1): what has none is none of the shared budget's business.
        settings = self.settings.without_key()
        return send_request(
            settings, "GET", path, timeout=settings.timeout, before=lambda: None, after=self._record_usage
        )

    def fetch_all(self, path: str, *, retry_timeout: float | None = None) -> list[Resource]:
        """Every item of the collection at ``path``, sorted by id.

        Raises IncompleteListError, never a short list, and ResponseError for a list that is longer than is ever read.
        """
        return sorted(self._fetch_pages_with_retry(path, parse_items, retry_timeout=retry_timeout), key=id_sort_key)

    def fetch_list(self, path: str, max_pages: int = 0) -> list[Resource]:
        """As fetch_all, for objects that may have no id: in the service's order, up to ``max_pages`` if not 0."""
        return self._fetch_pages_with_retry(path, parse_entries, max_pages=max_pages)

    def act(
        self,
        method: str,
        path: str,
        body: object = None,
        hooks: RequestHooks | None = None,
        *,
        is_retry: bool = False,
    ) -> Resource | None:
        """Asks for a change; returns the object that the service answers with, None when it sends none.

        ``is_retry``: the caller has asked for it before, which only the count of repeats needs to know.

        Raises CheckModeError in check mode, before anything is sent. After TransportError with ``sent`` and after
        ServerError the change may or may not have been made: read, then decide.
        """
        response = self._request(method, path, UNSAFE, parse_body, body=body, hooks=hooks, is_retry=is_retry)
        data = response.get("data") if isinstance(response, dict) else None
        return data if isinstance(data, dict) else None

    def buy(self, path: str, body: object, hooks: RequestHooks) -> object:
        """Sends a purchase, which is never repeated; returns whatever the service answers with (contract 5.5)."""
        return self._request("POST", path, NEVER, parse_any, body=body, hooks=hooks)

    def _fetch_pages_with_retry(
        self, path: str, read: PageParser, *, retry_timeout: float | None = None, max_pages: int = 0
    ) -> list[Resource]:
        reason: ListChangedError | None = None
        for _reading in range(LIST_ATTEMPTS):
            try:
                return self._fetch_pages(path, read, retry_timeout, max_pages)
            except ListChangedError as shifted:
                reason = shifted
            except ListTooLongError as too_long:
                raise ResponseError(f"GET {path}: the list is not read any further, since {too_long}.") from None
        raise IncompleteListError(
            f"GET {path}: the list could not be read whole, {LIST_ATTEMPTS} times in a row: {reason}. "
            "A part of it is never used for the whole; try again when nothing changes in the account."
        )

    def _fetch_pages(self, path: str, read: PageParser, retry_timeout: float | None, max_pages: int) -> list[Resource]:
        pages = Paginator(max_pages)
        pages.add(*self._fetch_page(path, 1, read, retry_timeout))
        for page in map_ordered(lambda number: self._fetch_page(path, number, read, retry_timeout), pages.expected()):
            pages.add(*page)
            if not pages.next_page:
                break
        while pages.next_page:
            pages.add(*self._fetch_page(path, pages.next_page, read, retry_timeout))
        return pages.items

    def _fetch_page(
        self, path: str, number: int, read: PageParser, retry_timeout: float | None
    ) -> tuple[list[Resource], Pagination | None, int]:
        """Returns a page, its pagination object, and how many characters it has."""

        def measured(request: str, response: Response) -> tuple[list[Resource], Pagination | None, int]:
            return (*read(request, response), len(response.text))

        params = {"page": str(number)} if number > 1 else {}
        page_size = self.settings.page_size
        if page_size is not None:
            params["per_page"] = str(page_size)
        try:
            return self._request("GET", path, IDEMPOTENT, measured, params=params, retry_timeout=retry_timeout)
        except ApiError as refusal:
            if page_size is None or refusal.status not in (400, 422):
                raise
        # The service does not take `per_page` (U8): go on without, for this list and those after it.
        self.settings = self.settings.without_page_size()
        if number > 1:
            raise ListChangedError(f"page {number} was refused for its size")
        return self._fetch_page(path, number, read, retry_timeout)

    def _request(
        self,
        method: str,
        path: str,
        retry: RetryPolicy,
        read: t.Callable[[str, Response], Parsed],
        *,
        params: dict[str, str] | None = None,
        body: object = None,
        retry_timeout: float | None = None,
        hooks: RequestHooks | None = None,
        is_retry: bool = False,
    ) -> Parsed:
        """Sends the request and returns what ``read`` parses. Repeats it as ``retry`` says, until ``retry_timeout``."""
        if self.check_mode and method != "GET":
            raise CheckModeError(f"{method} {path} was not sent: in check mode nothing but GET is.")
        limit = (
            self.settings.retry_timeout if retry_timeout is None else min(retry_timeout, self.settings.retry_timeout)
        )
        deadline = Deadline(self.progress, limit, self._waiting)
        attempt = 0
        while True:
            attempt += 1
            try:
                # The first try has all of `timeout`; those after it end with the limit.
                timeout = (
                    self.settings.timeout if attempt == 1 else min(self.settings.timeout, max(deadline.remaining, 1.0))
                )
                request = _Request(method, path, params, body, timeout, is_retry or attempt > 1)
                response = self._exchange(request, deadline, hooks)
                return read(f"{method} {path}", self._without_payment_links(path, response, retry))
            except retry.retry_on as error:
                delay = pause_after(error, attempt)
                if delay is None or delay > deadline.remaining:
                    if attempt > 1:
                        error.add(f"Given up after {attempt} tries in {deadline.elapsed:.0f} s.")
                    raise
                deadline.sleep(min(delay * random.uniform(1, 1 + JITTER), deadline.remaining), self._wait_reason(error))

    def _without_payment_links(self, path: str, response: Response, retry: RetryPolicy) -> Response:
        """Returns ``response`` without what could be used to pay, where it is about a payment and may be shown."""
        is_bought = retry is NEVER and response.is_success
        may_pay = not response.is_success or path.startswith("/billing/")
        is_payment = self.payment_texts is not None or (may_pay and is_about_payment(response))
        return redact_payment(response, self.payment_texts or ()) if is_payment and not is_bought else response

    def _exchange(self, request: _Request, deadline: Deadline, hooks: RequestHooks | None) -> Response:
        """One exchange, in turn with all who use the key."""
        turn = ""

        def before() -> None:
            nonlocal turn
            raise_if_cancelled()
            if self._budget:
                wait = functools.partial(deadline.sleep, what=self._wait_reason())
                turn = self._budget.reserve(request.timeout, deadline.remaining, wait)
            if hooks:
                try:
                    hooks.before_send()
                except ClawHostersError:
                    after(RequestOutcome(sent=False))
                    raise

        def after(outcome: RequestOutcome) -> None:
            self._record_usage(outcome, is_retry=request.is_retry)
            if self._budget:
                self._budget.report(turn, outcome)
            if hooks and outcome.status == 429:
                hooks.on_rejected()

        return send_request(
            self.settings,
            request.method,
            request.path,
            params=request.params,
            body=request.body,
            timeout=request.timeout,
            before=before,
            after=after,
            say=deadline.say,
            # A connection that was kept may end at any moment, and whether what was lost with it was done is not known.
            on_new_connection=hooks is not None,
        )

    @contextlib.contextmanager
    def _waiting(self) -> t.Iterator[None]:
        """Counts the time in which anybody waits, once, however many threads do."""
        with self._lock:
            self._waiters += 1
            if self._waiters == 1:
                self._waiting_since = self.progress.clock()
        try:
            yield
        finally:
            with self._lock:
                self._waiters -= 1
                if not self._waiters:
                    self.usage.waited += self.progress.clock() - self._waiting_since

    def _record_usage(self, outcome: RequestOutcome, *, is_retry: bool = False) -> None:
        if not outcome.sent:
            return
        with self._lock:
            self.usage.requests += 1
            self.usage.retries += is_retry
            left = rate_headers.remaining(outcome.headers)
            self.usage.remaining = self.usage.remaining if left is None else left

    def _wait_reason(self, error: ClawHostersError | None = None) -> str:
        """What a wait is for, as the person who waits is told; without an error it is for the rate limit."""
        host = urlsplit(self.settings.api_url).netloc
        if error is None or isinstance(error, RateLimitedError):
            return f"{host}: waiting, since the requests of this minute are used up (rate limit)"
        return f"{host}: no good answer yet, waiting to ask again"
