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

from .._concurrency import check_wanted, in_order
from .._errors import (
    AnswerError,
    ApiError,
    CheckModeError,
    ClawHostersError,
    IncompleteListError,
    RateLimitedError,
)
from .._progress import Patience, Progress
from .._rate import headers as ratelimit
from .._rate.shared_budget import RateBudget
from .pagination import Item, ListShifted, ListTooLong, PageCollector, Pagination, by_id
from .responses import (
    anything_of,
    body_of,
    entries_of,
    is_about_payment,
    items_of,
    object_of,
    resource_of,
    without_payment,
)
from .retry import IDEMPOTENT, JITTER, NEVER, UNSAFE, RetryPolicy, pause_after
from .settings import Settings
from .transport import Answer, WireOutcome, exchange

LIST_READINGS = 3
"""How often a list that shifts is read before giving up."""


Read = t.TypeVar("Read")
ReadPage: t.TypeAlias = "t.Callable[[str, Answer], tuple[list[Item], Pagination | None]]"


class Witness(t.Protocol):
    """Is told of a change when it goes out, not when it begins to wait for its turn."""

    def sending(self) -> None:
        """It goes out now. What this raises keeps it from going."""

    def refused(self) -> None:
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
    is_repeat: bool


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
    _budget: RateBudget | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        key, state_dir = self.settings.api_key, self.settings.state_dir
        if key and state_dir:
            self._budget = RateBudget(
                state_dir,
                self.settings.api_url,
                key,
                self.progress.now,
                warn=self.warn,
                may_create=not self.check_mode,
            )

    def fetch(self, path: str, *, within: float | None = None) -> Item:
        """The resource at ``path``, an object with an id. Raises NotFoundError, AnswerError.

        ``within``: seconds that repeats may take, where that is less than ``retry_timeout``.
        """
        return self._request("GET", path, IDEMPOTENT, resource_of, within=within)

    def fetch_object(self, path: str) -> Item:
        """The object at ``path``, which needs no id: there is one of it in an account."""
        return self._request("GET", path, IDEMPOTENT, object_of)

    def probe(self, path: str) -> Answer:
        """One GET, without the key and never repeated: its answer, whatever the status.

        Raises TransportError, TlsError, AnswerError.
        """
        # The rate is counted by key (contract 1): what has none is none of the shared budget's business.
        settings = self.settings.without_key()
        return exchange(settings, "GET", path, timeout=settings.timeout, before=lambda: None, after=self._count)

    def fetch_all(self, path: str, *, within: float | None = None) -> list[Item]:
        """Every item of the collection at ``path``, sorted by id.

        Raises IncompleteListError, never a short list, and AnswerError for a list that is longer than is ever read.
        """
        return sorted(self._read_whole(path, items_of, within=within), key=by_id)

    def fetch_entries(self, path: str, max_pages: int = 0) -> list[Item]:
        """As fetch_all, for objects that may have no id: in the service's order, up to ``max_pages`` if not 0."""
        return self._read_whole(path, entries_of, max_pages=max_pages)

    def act(
        self,
        method: str,
        path: str,
        body: object = None,
        witness: Witness | None = None,
        *,
        is_repeat: bool = False,
    ) -> Item | None:
        """Asks for a change; returns the object that the service answers with, None when it sends none.

        ``is_repeat``: the caller has asked for it before, which only the count of repeats needs to know.

        Raises CheckModeError in check mode, before anything is sent. After TransportError with ``sent`` and after
        ServerError the change may or may not have been made: read, then decide.
        """
        answer = self._request(method, path, UNSAFE, body_of, body=body, witness=witness, is_repeat=is_repeat)
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else None

    def buy(self, path: str, body: object, witness: Witness) -> object:
        """Sends a purchase, which is never repeated; returns whatever the service answers with (contract 5.5)."""
        return self._request("POST", path, NEVER, anything_of, body=body, witness=witness)

    def _read_whole(self, path: str, read: ReadPage, *, within: float | None = None, max_pages: int = 0) -> list[Item]:
        reason: ListShifted | None = None
        for _reading in range(LIST_READINGS):
            try:
                return self._read_pages(path, read, within, max_pages)
            except ListShifted as shifted:
                reason = shifted
            except ListTooLong as too_long:
                raise AnswerError(f"GET {path}: the list is not read any further, since {too_long}.") from None
        raise IncompleteListError(
            f"GET {path}: the list could not be read whole, {LIST_READINGS} times in a row: {reason}. "
            "A part of it is never used for the whole; try again when nothing changes in the account."
        )

    def _read_pages(self, path: str, read: ReadPage, within: float | None, max_pages: int) -> list[Item]:
        pages = PageCollector(max_pages)
        pages.add(*self._page(path, 1, read, within))
        for page in in_order(lambda number: self._page(path, number, read, within), pages.expected()):
            pages.add(*page)
            if not pages.next_page:
                break
        while pages.next_page:
            pages.add(*self._page(path, pages.next_page, read, within))
        return pages.items

    def _page(
        self, path: str, number: int, read: ReadPage, within: float | None
    ) -> tuple[list[Item], Pagination | None, int]:
        """Returns a page, its pagination object, and how many characters it has."""

        def measured(request: str, answer: Answer) -> tuple[list[Item], Pagination | None, int]:
            return (*read(request, answer), len(answer.text))

        params = {"page": str(number)} if number > 1 else {}
        page_size = self.settings.page_size
        if page_size is not None:
            params["per_page"] = str(page_size)
        try:
            return self._request("GET", path, IDEMPOTENT, measured, params=params, within=within)
        except ApiError as refusal:
            if page_size is None or refusal.status not in (400, 422):
                raise
        # The service does not take `per_page` (U8): go on without, for this list and those after it.
        self.settings = self.settings.without_page_size()
        if number > 1:
            raise ListShifted(f"page {number} was refused for its size")
        return self._page(path, number, read, within)

    def _request(
        self,
        method: str,
        path: str,
        retry: RetryPolicy,
        read: t.Callable[[str, Answer], Read],
        *,
        params: dict[str, str] | None = None,
        body: object = None,
        within: float | None = None,
        witness: Witness | None = None,
        is_repeat: bool = False,
    ) -> Read:
        """Sends the request and returns what ``read`` parses. Repeats it as ``retry`` says, until ``retry_timeout``."""
        if self.check_mode and method != "GET":
            raise CheckModeError(f"{method} {path} was not sent: in check mode nothing but GET is.")
        limit = self.settings.retry_timeout if within is None else min(within, self.settings.retry_timeout)
        patience = Patience(self.progress, limit, self._waiting)
        tries = 0
        while True:
            tries += 1
            try:
                # The first try has all of `timeout`; those after it end with the limit.
                timeout = self.settings.timeout if tries == 1 else min(self.settings.timeout, max(patience.left, 1.0))
                request = _Request(method, path, params, body, timeout, is_repeat or tries > 1)
                answer = self._exchange(request, patience, witness)
                return read(f"{method} {path}", self._showable(path, answer, retry))
            except retry.retry_on as error:
                pause = pause_after(error, tries)
                if pause is None or pause > patience.left:
                    if tries > 1:
                        error.add(f"Given up after {tries} tries in {patience.spent:.0f} s.")
                    raise
                patience.sleep(min(pause * random.uniform(1, 1 + JITTER), patience.left), self._reason(error))

    def _showable(self, path: str, answer: Answer, retry: RetryPolicy) -> Answer:
        """Returns ``answer`` without what could be used to pay, where it is about a payment and may be shown."""
        is_bought = retry is NEVER and answer.is_success
        may_pay = not answer.is_success or path.startswith("/billing/")
        is_payment = self.payment_texts is not None or (may_pay and is_about_payment(answer))
        return without_payment(answer, self.payment_texts or ()) if is_payment and not is_bought else answer

    def _exchange(self, request: _Request, patience: Patience, witness: Witness | None) -> Answer:
        """One exchange, in turn with all who use the key."""
        turn = ""

        def before() -> None:
            nonlocal turn
            check_wanted()
            if self._budget:
                wait = functools.partial(patience.sleep, what=self._reason())
                turn = self._budget.reserve(request.timeout, patience.left, wait)
            if witness:
                try:
                    witness.sending()
                except ClawHostersError:
                    after(WireOutcome(sent=False))
                    raise

        def after(outcome: WireOutcome) -> None:
            self._count(outcome, is_repeat=request.is_repeat)
            if self._budget:
                self._budget.report(turn, outcome)
            if witness and outcome.status == 429:
                witness.refused()

        return exchange(
            self.settings,
            request.method,
            request.path,
            params=request.params,
            body=request.body,
            timeout=request.timeout,
            before=before,
            after=after,
            say=patience.say,
            # A connection that was kept may end at any moment, and whether what was lost with it was done is not known.
            on_new_connection=witness is not None,
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

    def _count(self, outcome: WireOutcome, *, is_repeat: bool = False) -> None:
        if not outcome.sent:
            return
        with self._lock:
            self.usage.requests += 1
            self.usage.retries += is_repeat
            left = ratelimit.remaining(outcome.headers)
            self.usage.remaining = self.usage.remaining if left is None else left

    def _reason(self, error: ClawHostersError | None = None) -> str:
        """What a wait is for, as the person who waits is told; without an error it is for the rate limit."""
        host = urlsplit(self.settings.api_url).netloc
        if error is None or isinstance(error, RateLimitedError):
            return f"{host}: waiting, since the requests of this minute are used up (rate limit)"
        return f"{host}: no good answer yet, waiting to ask again"
