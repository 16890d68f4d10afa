# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends single HTTP requests: sessions, authentication, redirects, timeouts, bodies and connection errors."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.cookiejar
import io
import json
import os
import re
import time
import typing as t
import zlib
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies_environment

from .._concurrency import MAX_WORKERS
from .._errors import OUT_OF_FILES, OUT_OF_FILES_ADVICE, ClawHostersError, RedirectedError, TransportError
from .._rate.limiter import RequestOutcome
from .._rate.shared_budget import Slot
from .._redaction import Redactor
from .._text import one_line, replace_controls
from .request import Request
from .settings import Settings
from .watchdog import RequestWatchdog, TimedAdapter

try:
    import requests
    from requests import Session
    from requests.auth import AuthBase
    from urllib3.exceptions import HTTPError
except ImportError as error:
    REQUESTS_IMPORT_ERROR: ImportError | None = error
    if not t.TYPE_CHECKING:
        AuthBase = Session = object
else:
    REQUESTS_IMPORT_ERROR = None

MIN_REQUESTS_VERSION = (2, 28)
"""The oldest version of ``requests`` that is tested."""

MAX_REDIRECTS = 3
"""Redirects within the host that a GET follows."""

HEADERS = {
    "User-Agent": "clawhosters.cloud (Ansible collection)",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
}

CHUNK_SIZE = 1 << 16
MAX_BODY_BYTES = 1 << 23
"""Bytes of a decompressed body. A page of 100 instances has 50 thousand; without pagination, 15 000 instances fit."""
_ESCAPED_CONTROL = re.compile(
    r"\\(?:(?P<backslash>\\)|[bf]|(?:r|u000[dD])(?!\\(?:n|u000[aA]))"
    r"|u(?:00(?:0[0-8bcefBCEF]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])|061[cC]|20(?:0[efEF]|2[a-eA-E]|6[6-9])))"
)
"""The same characters as ``replace_controls`` replaces, as JSON escapes them. A backslash is matched to skip it."""
MAX_OBJECTS = 200_000
"""Objects and lists in a body. In memory, an empty one takes thirty times its two characters."""
_JSON_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string, also one without an end. It never backtracks, so the time grows with the length only."""


@dataclass(frozen=True)
class Response:
    """A complete HTTP response. Names of ``headers`` are case-insensitive.

    The key is redacted everywhere, and control characters are replaced: whatever shows or stores a text of the service
    has it from here.
    """

    status: int
    headers: t.Mapping[str, str]
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class BearerAuth(AuthBase):
    """Adds the key to each request. As an auth object, it also keeps requests from using ``~/.netrc``."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def require_library() -> None:
    """Raises ClawHostersError if ``requests`` can't be used. Called before the settings are validated."""
    if REQUESTS_IMPORT_ERROR is None:
        version = tuple(map(int, re.findall(r"\d+", requests.__version__)[:2]))
        if version >= MIN_REQUESTS_VERSION:
            return
    from .connection_errors import build_library_error

    raise build_library_error(MIN_REQUESTS_VERSION, REQUESTS_IMPORT_ERROR)


def send_request(
    settings: Settings,
    request: Request,
    acquire_slot: t.Callable[[], t.ContextManager[Slot]],
    report: t.Callable[[str], None] = lambda _line: None,
) -> Response:
    """Sends the request and returns the response, whatever its status.

    A GET follows redirects within its host. No other redirect is followed: the key stays with its host. Each request
    in a redirect chain takes a slot of its own and sets its outcome. ``report`` is called every ten seconds without a
    response. Raises TransportError, TlsError, RedirectedError, or SettingsError for an unusable address.
    """
    require_library()
    url = settings.api_url + request.path
    redact = _redactor(settings.api_key)
    for _hop in range(1 + MAX_REDIRECTS):
        with acquire_slot() as slot:
            response, text = _send_once(settings, request, url, slot, report)
        if not response.is_redirect:
            headers = redact_headers(response.headers, lambda value: redact(replace_controls(value)))
            return Response(response.status_code, headers, redact(replace_json_controls(text)))
        location = response.headers["Location"]
        target = _resolve_within_host(url, location)
        if request.method != "GET" or target is None:
            break
        url, request = target, replace(request, params={})
    # The target of a redirected change may be a secret, such as a checkout page.
    where = f" to {redact(_redirect_origin(url, location))}" if request.method == "GET" else ""
    raise RedirectedError(
        f"{request} was redirected ({response.status_code}){where}. The redirect is not followed: the key is sent to "
        "no other host, and changes are never redirected. Set api_url to the final address.",
        response.status_code,
    )


def _send_once(
    settings: Settings, request: Request, url: str, slot: Slot, report: t.Callable[[str], None]
) -> tuple[requests.Response, str]:
    """Returns the response and its body. Sets the outcome of ``slot``, also when it raises."""
    host = urlsplit(url).netloc
    timeout = request.timeout
    progress = f"{host}: waiting for {request}, {{:.0f}} s of at most {timeout:g} s"
    watchdog = RequestWatchdog(timeout, lambda seconds: report(progress.format(seconds)))
    slot.outcome = RequestOutcome(sent=True)
    try:
        is_new = request.hooks is not None and request.hooks.needs_new_connection
        with watchdog, _session(is_new=is_new) as session:
            response = _send(session, settings, request, url)
            text = decode_body(response, timeout)
        if watchdog.has_timed_out:
            # A response that was cut off can look complete.
            raise requests.exceptions.Timeout
    # requests raises TypeError for a proxy without a host.
    except (requests.RequestException, HTTPError, ValueError, OSError, TypeError) as error:
        if isinstance(error, TypeError) and watchdog.may_have_sent:
            raise
        cause = requests.exceptions.Timeout() if watchdog.has_timed_out else error
        failure = _explain_failure(settings, request, url, cause, may_have_sent=watchdog.may_have_sent)
        slot.outcome = RequestOutcome(sent=failure.may_have_been_sent)
        raise failure from None
    slot.outcome = RequestOutcome(True, response.status_code, response.headers)
    return response, text


def _explain_failure(
    settings: Settings, request: Request, url: str, error: Exception, *, may_have_sent: bool
) -> ClawHostersError:
    """Returns the error to raise for one of ``requests``. Only a failure loads what explains it."""
    host = urlsplit(url).netloc
    if not may_have_sent and _is_out_of_files(error):
        unsent = f"{request} was not sent: too many files are open. {OUT_OF_FILES_ADVICE}."
        return TransportError(unsent, sent=False, reason="too many open files")
    try:
        from .connection_errors import Connection, build_transport_error
    except (OSError, ImportError):
        # It can't be opened, or is gone. That a change may have been executed must not be lost.
        broken = f"{request}: the connection to {host} broke before the response was complete."
        text = broken if may_have_sent else f"{request} was not sent: no connection to {host}."
        return TransportError(text, sent=may_have_sent, reason="the connection broke")
    bundle = None if settings.ca_path else find_bundle()
    connection = Connection(host, request.timeout, find_proxy(settings, url), may_have_sent, bundle)
    return build_transport_error(str(request), connection, error)


def _is_out_of_files(error: BaseException | None) -> bool:
    """Returns True if no file can be opened. A failed lookup of the host hides that: then one is opened."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in OUT_OF_FILES:
            return True
        error = error.__cause__ or error.__context__
    try:
        with open(os.devnull, "rb"):
            return False
    except OSError as fault:
        return fault.errno in OUT_OF_FILES


def _send(session: requests.Session, settings: Settings, request: Request, url: str) -> requests.Response:
    # Prepared without the session: to merge its default headers and cookies takes time.
    prepared = requests.Request(
        request.method,
        url,
        params=request.params,
        data=None if request.body is None else json.dumps(request.body),
        headers=HEADERS,
        auth=BearerAuth(settings.api_key),
    ).prepare()
    is_local = settings.is_loopback
    return session.send(
        prepared,
        timeout=request.timeout,
        allow_redirects=False,
        stream=True,
        # No proxy for a service on this machine: it would see the key in the clear.
        proxies={} if is_local else find_proxies(url),
        verify=settings.ca_path or is_local or find_certificates(),
    )


class PlainSession(Session):
    """A session that ignores ``Location``: requests would raise an error for an invalid one and lose the response."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Returns None: ``send_request`` follows redirects."""


_sessions: dict[int, requests.Session] = {}


def shared_session() -> requests.Session:
    """Returns the session of this process. Tasks and loop items share its connections, forks don't.

    It stores no cookies and does not retry.
    """
    session = _sessions.get(os.getpid())
    if session is None:
        _sessions.clear()
        session = _sessions[os.getpid()] = _new_session()
    return session


def _new_session() -> requests.Session:
    session = PlainSession()
    session.trust_env = False
    connections = TimedAdapter(pool_maxsize=MAX_WORKERS)
    session.mount("https://", connections)
    session.mount("http://", connections)
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return session


@contextlib.contextmanager
def _session(*, is_new: bool) -> t.Iterator[requests.Session]:
    """Yields the shared session, or a new one for a single request."""
    if not is_new:
        yield shared_session()
        return
    with _new_session() as session:
        yield session


@functools.lru_cache(maxsize=4)
def _redactor(key: str | None) -> Redactor:
    return Redactor([key] if key else [])


def redact_headers(headers: t.Mapping[str, str], redact: t.Callable[[str], str]) -> t.Mapping[str, str]:
    """Returns ``headers`` with ``redact`` applied to each value. Names stay case-insensitive."""
    values = " ".join(headers.values())
    if redact(values) == values:
        return headers
    return requests.structures.CaseInsensitiveDict({name: redact(value) for name, value in headers.items()})


def find_proxy(settings: Settings, url: str) -> str | None:
    """Returns the URL of the proxy for ``url`` in the environment, with its password, or None."""
    if settings.is_loopback:
        return None
    return requests.utils.select_proxy(url, find_proxies(url))


def find_proxies(url: str) -> dict[str, str]:
    """Returns the proxies that the environment names for ``url``, by scheme.

    Without one there, macOS would be asked for the proxies of its settings, which crashes a forked process at times.
    """
    if not getproxies_environment():
        return {}
    proxies: dict[str, str] = requests.utils.get_environ_proxies(url)
    return proxies


def find_certificates() -> str | bool:
    """Returns the CA certificates that the environment names, or True for those of ``requests``."""
    bundle = find_bundle()
    return bundle[1] if bundle else True


def find_bundle() -> tuple[str, str] | None:
    """Returns the variable of the environment that names CA certificates, and their path; None without one."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(name):
            return name, path
    return None


def _redirect_origin(url: str, location: str) -> str:
    """Returns scheme and host of the redirect target. The rest may be secret."""
    try:
        target = urlsplit(urljoin(url, location))
        return one_line(f"{target.scheme}://{target.netloc.rpartition('@')[2]}")
    except ValueError:
        return "an invalid address"


def _resolve_within_host(url: str, location: str) -> str | None:
    """Returns the URL of the redirect target, or None if it is invalid or on another host."""
    try:
        target = urljoin(url, location)
        source, destination = urlsplit(url), urlsplit(target)
        is_same_host = all(
            getattr(source, part) == getattr(destination, part) for part in ("scheme", "hostname", "port")
        )
    except ValueError:
        return None
    return target if is_same_host else None


def decode_body(response: requests.Response, timeout: float) -> str:
    """Returns the body as text.

    ``timeout`` is for the whole body, while that of requests is for each read. Raises the errors of urllib3,
    ReadTimeout, and ContentDecodingError for a body that is too large or has an unsupported encoding.
    """
    end = time.monotonic() + timeout
    # urllib3 1.26 accepts a truncated body by default.
    response.raw.enforce_content_length = True
    # urllib3 1.26 has no read1; its read waits for a whole chunk.
    read = getattr(response.raw, "read1", response.raw.read)
    content = bytearray()
    try:
        is_compressed = is_gzip(response.headers.get("Content-Encoding", ""))
        while chunk := read(CHUNK_SIZE, decode_content=False):
            content += chunk
            _require_small(content)
            if time.monotonic() > end:
                raise requests.exceptions.ReadTimeout
        if is_compressed:
            content = bytearray(decompress(content))
            _require_small(content)
    except BaseException:
        response.close()
        raise
    text = content.decode("utf-8-sig", errors="replace")
    if _count_brackets(text) > MAX_OBJECTS and _count_objects(text) > MAX_OBJECTS:
        raise requests.exceptions.ContentDecodingError(f"more than {MAX_OBJECTS} objects")
    return text


def _count_objects(text: str) -> int:
    """Returns the objects and lists in a body of JSON. A bracket in a string begins none."""
    return _count_brackets(text) - sum(_count_brackets(string[0]) for string in _JSON_STRING.finditer(text))


def _count_brackets(text: str) -> int:
    return text.count("{") + text.count("[")


def _require_small(content: bytearray) -> None:
    if len(content) > MAX_BODY_BYTES:
        raise requests.exceptions.ContentDecodingError(f"more than {MAX_BODY_BYTES >> 20} MiB")


def replace_json_controls(body: str) -> str:
    """Returns the text of a body with U+FFFD for each control character, also where JSON escapes it."""
    if not body.isprintable():
        # JSON may have these between its values.
        body = replace_controls(body.replace("\r\n", "\n").replace("\r", "\n"))
    if "\\" not in body:
        return body
    return _ESCAPED_CONTROL.sub(lambda match: match[0] if match["backslash"] else "\N{REPLACEMENT CHARACTER}", body)


def is_gzip(encoding: str) -> bool:
    """Returns True for gzip, False for no encoding. Raises ContentDecodingError for any other Content-Encoding."""
    codings = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if codings in ([], ["gzip"], ["x-gzip"]):
        return bool(codings)
    raise requests.exceptions.ContentDecodingError(f"Content-Encoding {one_line(encoding)}")


def decompress(body: bytes | bytearray) -> bytes:
    """Decompresses gzip, up to one byte more than a body may have. Raises ContentDecodingError.

    urllib3 could make 64 MiB of a single chunk.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
            return stream.read(MAX_BODY_BYTES + 1)
    except EOFError:
        raise requests.exceptions.ContentDecodingError("its end is missing") from None
    except (OSError, zlib.error):
        raise requests.exceptions.ContentDecodingError("invalid gzip") from None
