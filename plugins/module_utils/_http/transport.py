# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single HTTP requests: when one is sent again, the hooks around sending it, its body and its response."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import typing as t

from .._errors import (
    ApiError,
    ClawHostersError,
    MalformedResponseError,
    RateLimitedError,
    RedirectedError,
    ServerError,
    TransportError,
)
from .._rate import headers as rate_headers
from .._rate.limiter import RequestOutcome
from .._redaction import Redactor
from .._text import one_line, replace_controls
from .connections import TimedAdapter, TimeLimit, explained, find_proxies
from .settings import Settings

with contextlib.suppress(ImportError):  # connections.require_library reports it before anything is sent.
    import requests

HEADERS = {
    "User-Agent": "clawhosters.cloud (Ansible collection)",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}

MAX_CONNECTIONS = 24
"""Connections that are kept, for as many requests in flight as ``_concurrency`` allows."""
CODINGS = ("", "identity", "gzip")
"""Values of Content-Encoding. In one of several codings, a small body could become one of any size at once."""
CHUNK_SIZE = 1 << 13
"""Bytes that are read at once, which become at most a thousand times as many when they are decompressed."""
MAX_BODY_BYTES = 1 << 23
"""Bytes of a decompressed body. A page of 100 instances has 50 thousand; without pagination, 15 000 instances fit."""
MAX_OBJECTS = 200_000
"""Brackets that may begin an object or a list in a body. In memory, an empty one takes thirty times its characters."""
BACKOFF_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before the second, third... attempt after an error other than 429. The fifth error is raised."""
BACKOFF_MULTIPLIER = 1.2
"""Each further 429 that names a delay multiplies it by this factor."""
JITTER = 0.25
"""Each delay grows by up to this fraction, so that waiting processes spread out."""

RETRIED_READS = (TransportError, RateLimitedError, ServerError, MalformedResponseError)
"""Errors after which a GET is sent again."""
RETRIED_CHANGES = (RateLimitedError,)
"""A 429 guarantees that nothing was executed. After any other error the caller re-reads the resource."""
NEVER: tuple[type[ClawHostersError], ...] = ()
"""For purchases: they spend money, so they are not sent again even after a 429."""


class RequestHooks:
    """Hooks called when a change is sent, after any wait for the rate limit. By default they do nothing."""

    needs_new_connection = False
    """True for a request of which it must be known whether it was executed: the service may close a pooled (keep-alive)
    connection at any moment."""

    def before_send(self) -> None:
        """Called just before the request is sent. An exception cancels it."""

    def on_rejected(self) -> None:
        """Called after a 429: nothing was executed, and the request may be sent again."""


class Request(t.NamedTuple):
    """One request to the API. It is sent again after the errors in ``retry_on``.

    ``timeout`` (seconds) and ``is_repeat`` are set before each attempt.
    """

    method: str
    path: str
    params: t.Mapping[str, str] = {}
    body: object = None
    retry_on: tuple[type[ClawHostersError], ...] = RETRIED_READS
    hooks: RequestHooks | None = None
    timeout: float = 30.0
    is_repeat: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Response(t.NamedTuple):
    """A complete HTTP response. In ``text`` and ``request_id``, the key is redacted and no control character is left.

    Nothing shows or stores ``headers``. Their names are case-insensitive.
    """

    status: int
    headers: t.Mapping[str, str]
    text: str
    request_id: str | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def send_request(
    settings: Settings, request: Request, outcome: RequestOutcome, report: t.Callable[[str], None] = lambda _line: None
) -> Response:
    """Sends the request and returns the response, whatever its status. Sets ``outcome``.

    A redirect is an error, and never followed: the key stays with its host, and a service may redirect after the
    effect. ``report`` is called every ten seconds without a response.

    Raises TransportError, TlsError, RedirectedError, or SettingsError for an unusable address.
    """
    progress = f"{settings.host}: waiting for {request}, {{:.0f}} s of at most {request.timeout:g} s"
    limit = TimeLimit(request.timeout, lambda seconds: report(progress.format(seconds)))
    outcome.sent = True
    is_new = request.hooks is not None and request.hooks.needs_new_connection
    try:
        with (
            explained(str(request), settings.host, limit),
            _connections(is_new=is_new) as connections,
            _send(connections, settings, request) as response,
        ):
            text = read_body(response)
    except ClawHostersError as error:
        outcome.sent = error.may_have_been_sent
        raise
    outcome.status, outcome.headers = response.status_code, response.headers
    if response.is_redirect:
        # Its target may be secret, such as a checkout page.
        raise RedirectedError(
            f"{request} was redirected ({response.status_code}). No redirect is followed: the key stays with the host "
            "of api_url. Set api_url to the final address.",
            response.status_code,
        )
    redact = _redactor(settings.api_key)
    request_id = response.headers.get("X-Request-Id")
    return Response(
        response.status_code,
        response.headers,
        redact(replace_controls(text.replace("\r\n", "\n"))),
        request_id and redact(replace_controls(request_id)),
    )


def _send(connections: TimedAdapter, settings: Settings, request: Request) -> requests.Response:
    """Sends the request, and returns its response with an unread body.

    Without a session of ``requests`` there are no cookies, no redirects and no ``~/.netrc``.
    """
    url = settings.api_url + request.path
    key = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
    body = None if request.body is None else json.dumps(request.body)
    prepared = requests.Request(request.method, url, {**HEADERS, **key}, params=request.params, data=body).prepare()
    # No proxy for a service on this machine, which alone may have http: it would see the key in the clear.
    proxies = {} if url.startswith("http://") else find_proxies(url)
    return connections.send(
        prepared, timeout=request.timeout, stream=True, proxies=proxies, verify=settings.ca_path or True
    )


@contextlib.contextmanager
def _connections(*, is_new: bool) -> t.Iterator[TimedAdapter]:
    """Yields the connections of this process, which tasks and loop items share, or a new one for a single request."""
    if not is_new:
        yield _shared_connections(os.getpid())
        return
    with contextlib.closing(TimedAdapter()) as connections:
        yield connections


@functools.lru_cache(maxsize=1)
def _shared_connections(_process: int) -> TimedAdapter:
    """Returns the connections of a process. A fork has its own."""
    return TimedAdapter(pool_maxsize=MAX_CONNECTIONS)


@functools.lru_cache(maxsize=4)
def _redactor(key: str | None) -> Redactor:
    return Redactor([key] if key else [])


def read_body(response: requests.Response) -> str:
    """Returns the body as text.

    Raises the errors of urllib3, and ContentDecodingError for a body that is too large or in another coding than gzip.
    """
    coding = response.headers.get("Content-Encoding", "").lower()
    if coding not in CODINGS:
        raise requests.exceptions.ContentDecodingError(f"Content-Encoding {one_line(coding)}")
    # urllib3 1.26 accepts a truncated body by default.
    response.raw.enforce_content_length = True
    content = bytearray()
    while chunk := response.raw.read(CHUNK_SIZE, decode_content=True):
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise requests.exceptions.ContentDecodingError(f"more than {MAX_BODY_BYTES >> 20} MiB")
    text = content.decode(errors="replace").removeprefix("\ufeff")
    if text.count("{") + text.count("[") > MAX_OBJECTS:
        raise requests.exceptions.ContentDecodingError(f"more than {MAX_OBJECTS} objects")
    return text


def retry_delay(error: ClawHostersError, attempt: int) -> float | None:
    """Returns the seconds to wait after the failed ``attempt`` (from 1), or None to give up."""
    retry_after = error.retry_after if isinstance(error, ApiError) else None
    if isinstance(error, RateLimitedError):
        if retry_after is None:
            return rate_headers.default_delay(attempt - 1)
        return min(retry_after * BACKOFF_MULTIPLIER ** (attempt - 1), rate_headers.MAX_DELAY)
    if attempt > len(BACKOFF_DELAYS):
        return None
    return BACKOFF_DELAYS[attempt - 1] if retry_after is None else retry_after
