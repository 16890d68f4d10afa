# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP exchange: the session that a process shares, the key on each request, and what can go wrong on the way."""

from __future__ import annotations

import contextlib
import functools
import http.cookiejar
import importlib.metadata
import json
import os
import re
import sys
import typing as t
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from .._concurrency import MAX_WORKERS
from .._errors import ClawHostersError, RedirectedError, TransportError, one_line
from .._rate.outcome import RequestOutcome
from .._redaction import Redactor
from .connection_errors import build_transport_error
from .decoding import decode_body
from .settings import Settings
from .watchdog import RequestWatchdog, WatchedAdapter

try:
    import requests
    from requests import Session
    from requests.auth import AuthBase
    from urllib3.exceptions import HTTPError
except ImportError as error:
    REQUESTS_IMPORT_ERROR: ImportError | None = error
    AuthBase = Session = object  # type: ignore[assignment,misc]
else:
    REQUESTS_IMPORT_ERROR = None

LOWEST_REQUESTS = (2, 28)
"""The oldest version of ``requests`` that the tests run with."""

REDIRECTS = 3
"""How many redirects within the host a GET follows."""


@dataclass(frozen=True)
class Response:
    """A whole HTTP answer. ``headers`` is read without regard to case. Neither they nor ``text`` hold the key."""

    status: int
    headers: t.Mapping[str, str]
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class BearerAuth(AuthBase):
    """Puts the key into each request. Being an auth object, it also keeps ``~/.netrc`` from replacing it."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def require_library() -> None:
    """Raises ClawHostersError where ``requests`` can't be used. This check comes before any setting is judged."""
    found = _installed("requests") if REQUESTS_IMPORT_ERROR else requests.__version__
    if REQUESTS_IMPORT_ERROR is None and tuple(map(int, re.findall(r"\d+", found)[:2])) >= LOWEST_REQUESTS:
        return
    if REQUESTS_IMPORT_ERROR is not None and found:
        found = (
            f"{found} with urllib3 {_installed('urllib3')}, which can't be imported: {one_line(REQUESTS_IMPORT_ERROR)}"
        )
    lowest = ".".join(map(str, LOWEST_REQUESTS))
    raise ClawHostersError(
        f"The Python library requests {lowest} or newer, with urllib3 1.26 or 2, is needed where Ansible runs; "
        f"{sys.executable} has {found or 'none'}. Run: {sys.executable} -m pip install --upgrade requests"
    )


def _installed(library: str) -> str:
    """The version of an installed library, empty where there is none."""
    try:
        return str(importlib.metadata.version(library))
    except importlib.metadata.PackageNotFoundError:
        return ""


def send_request(
    settings: Settings,
    method: str,
    path: str,
    *,
    params: dict[str, str] | None = None,
    body: object = None,
    timeout: float,
    before: t.Callable[[], None],
    after: t.Callable[[RequestOutcome], None],
    say: t.Callable[[str], None] = lambda _line: None,
    on_new_connection: bool = False,
) -> Response:
    """Sends one request and returns the answer, whatever its status.

    A GET follows redirects within its host; nothing follows one to another host, where the key has no business.
    ``before`` is called before each request on the way, and ``after`` with what became of it; ``say`` is told every ten
    seconds that there is no answer yet.
    Raises TransportError, TlsError, RedirectedError, or SettingsError for an address that can't be used.
    """
    require_library()
    request = f"{method} {path}"
    url = settings.api_url + path
    redact = _redactor(settings.api_key)
    for _hop in range(1 + REDIRECTS):
        before()
        host = urlsplit(url).netloc
        waits_for = f"{host}: no whole answer yet to {request}"
        deadline = RequestWatchdog(timeout, functools.partial(_report_progress, say, waits_for, timeout))
        try:
            with deadline, _session(is_new=on_new_connection) as session:
                response = _send(session, settings, method, url, params, body, timeout)
                text = decode_body(response, timeout)
            if deadline.has_cut:
                # What is cut off can look like a short answer.
                raise requests.exceptions.Timeout
        # requests raises TypeError for a proxy without a host.
        except (requests.RequestException, HTTPError, ValueError, OSError, TypeError) as error:
            sent = deadline.may_have_sent
            if isinstance(error, TypeError) and sent:
                raise
            cause = requests.exceptions.Timeout() if deadline.has_cut else error
            failure = build_transport_error(request, host, timeout, cause, sent=sent, proxy=_proxy_for(settings, url))
            after(RequestOutcome(sent=isinstance(failure, TransportError) and failure.sent))
            raise failure from None
        after(RequestOutcome(True, response.status_code, response.headers))
        if not response.is_redirect:
            return Response(response.status_code, redacted_headers(response.headers, redact), redact(text))
        location = response.headers["Location"]
        target = _within_host(url, location)
        if method != "GET" or target is None:
            break
        url, params = target, None
    # Where a change leads to may be a secret, such as a page to pay on.
    where = f" to {redact(_origin(url, location))}" if method == "GET" else ""
    raise RedirectedError(
        f"{request} was redirected ({response.status_code}){where}, which is not followed: the key stays with its "
        "host, and a change goes only where it was sent. Set api_url to the address that answers by itself.",
        response.status_code,
    )


def _report_progress(say: t.Callable[[str], None], what: str, timeout: float, seconds: float) -> None:
    say(f"{what}, {seconds:.0f} s of at most {timeout:g} s")


def _send(
    session: requests.Session,
    settings: Settings,
    method: str,
    url: str,
    params: dict[str, str] | None,
    body: object,
    timeout: float,
) -> requests.Response:
    # A service on this machine is asked directly: a proxy would see the key in the clear.
    session.trust_env = not settings.is_loopback
    return session.request(
        method,
        url,
        params=params,
        data=None if body is None else json.dumps(body),
        headers={"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "gzip"},
        auth=BearerAuth(settings.api_key),
        timeout=timeout,
        # Said here and not on the session, where REQUESTS_CA_BUNDLE would overrule it.
        verify=settings.ca_path or True,
        allow_redirects=False,
        stream=True,
    )


class PlainSession(Session):
    """A session that looks at no ``Location`` by itself: one that is no address is no reason to lose the answer."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere; where to go is for ``send_request`` to say."""


_sessions: dict[int, requests.Session] = {}


def shared_session() -> requests.Session:
    """The session of this process: tasks and loop items share its connections, forks don't.

    It keeps no cookies and repeats nothing by itself.
    """
    session = _sessions.get(os.getpid())
    if session is None:
        _sessions.clear()
        session = _sessions[os.getpid()] = _new_session()
    return session


def _new_session() -> requests.Session:
    session = PlainSession()
    session.headers["User-Agent"] = "clawhosters.cloud (Ansible collection)"
    connections = WatchedAdapter(pool_maxsize=MAX_WORKERS)
    session.mount("https://", connections)
    session.mount("http://", connections)
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return session


@contextlib.contextmanager
def _session(*, is_new: bool) -> t.Iterator[requests.Session]:
    """The shared session, or one of its own for a single request."""
    if not is_new:
        yield shared_session()
        return
    with _new_session() as session:
        yield session


@functools.lru_cache(maxsize=4)
def _redactor(key: str | None) -> Redactor:
    return Redactor([key] if key else [])


def redacted_headers(headers: t.Mapping[str, str], redact: t.Callable[[str], str]) -> t.Mapping[str, str]:
    """Returns ``headers`` with ``redact`` applied to each value; they are still read without regard to case."""
    return requests.structures.CaseInsensitiveDict({name: redact(value) for name, value in headers.items()})


def _proxy_for(settings: Settings, url: str) -> str | None:
    """Returns the URL of the proxy that the environment names for ``url``, with its password, or None."""
    if settings.is_loopback:
        return None
    proxies: dict[str, str] = requests.utils.get_environ_proxies(url)
    return requests.utils.select_proxy(url, proxies)


def _origin(url: str, location: str) -> str:
    """Returns scheme and host of where ``location`` leads from ``url``. The rest may be a secret, too."""
    try:
        target = urlsplit(urljoin(url, location))
        return one_line(f"{target.scheme}://{target.netloc.rpartition('@')[2]}")
    except ValueError:
        return "an address that can't be read"


def _within_host(url: str, location: str) -> str | None:
    """Where ``location`` leads from ``url``, None when that is another host or no address at all."""
    try:
        target = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(target)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    except ValueError:
        return None
    return target if same else None
