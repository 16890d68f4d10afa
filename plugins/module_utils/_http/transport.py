# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends single HTTP requests: connections, authentication, time limit, bodies and errors."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies_environment

from .._errors import OUT_OF_FILES, OUT_OF_FILES_ADVICE, ClawHostersError, RedirectedError, TransportError
from .._rate.limiter import RequestOutcome
from .._rate.shared_budget import Slot
from .._redaction import Redactor
from .._text import one_line, replace_controls
from .request import Request
from .settings import Settings
from .time_limit import TimedAdapter, TimeLimit

try:
    import requests
    from urllib3.exceptions import HTTPError
except ImportError as error:
    REQUESTS_IMPORT_ERROR: ImportError | None = error
else:
    REQUESTS_IMPORT_ERROR = None

MIN_REQUESTS_VERSION = (2, 28)
"""The oldest version of ``requests`` that is tested."""

HEADERS = {
    "User-Agent": "clawhosters.cloud (Ansible collection)",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
}

MAX_CONNECTIONS = 24
"""Connections that are kept, for as many requests in flight as ``_concurrency`` allows."""
CODINGS = ("", "identity", "gzip")
"""Values of Content-Encoding. In one of several codings, a small body could become one of any size at once."""
CHUNK_SIZE = 1 << 13
"""Bytes that are read at once, which become at most a thousand times as many when they are decompressed."""
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


def require_library() -> None:
    """Raises ClawHostersError if ``requests`` can't be used. Called before the settings are validated."""
    if REQUESTS_IMPORT_ERROR is None:
        version = tuple(map(int, re.findall(r"\d+", requests.__version__)[:2]))
        if version >= MIN_REQUESTS_VERSION:
            return
    from .connection_errors import build_library_error

    raise build_library_error(MIN_REQUESTS_VERSION, REQUESTS_IMPORT_ERROR)


def send_request(
    settings: Settings, request: Request, slot: Slot, report: t.Callable[[str], None] = lambda _line: None
) -> Response:
    """Sends the request and returns the response, whatever its status. Sets the outcome of ``slot``.

    A redirect is an error, and never followed: the key stays with its host, and a service may redirect after the
    effect. ``report`` is called every ten seconds without a response.

    Raises TransportError, TlsError, RedirectedError, or SettingsError for an unusable address.
    """
    require_library()
    progress = f"{settings.host}: waiting for {request}, {{:.0f}} s of at most {request.timeout:g} s"
    limit = TimeLimit(request.timeout, lambda seconds: report(progress.format(seconds)))
    slot.outcome = RequestOutcome(sent=True)
    try:
        is_new = request.hooks is not None and request.hooks.needs_new_connection
        with limit, _connections(is_new=is_new) as connections, _send(connections, settings, request) as response:
            text = read_body(response)
        if limit.has_expired:
            # A response that was cut off can look complete.
            raise requests.exceptions.Timeout
    # requests raises TypeError for a proxy without a host.
    except (requests.RequestException, HTTPError, ValueError, OSError, TypeError) as error:
        if isinstance(error, TypeError) and limit.may_have_sent:
            raise
        cause = requests.exceptions.Timeout() if limit.has_expired else error
        failure = _explain_failure(settings, request, cause, may_have_sent=limit.may_have_sent)
        slot.outcome = RequestOutcome(sent=failure.may_have_been_sent)
        raise failure from None
    slot.outcome = RequestOutcome(True, response.status_code, response.headers)
    redact = _redactor(settings.api_key)
    if response.is_redirect:
        # The target of a change may be secret, such as a checkout page.
        where = f" to {redact(_find_origin(response))}" if request.method == "GET" else ""
        raise RedirectedError(
            f"{request} was redirected ({response.status_code}){where}. No redirect is followed: the key stays with "
            "the host of api_url. Set api_url to the final address.",
            response.status_code,
        )
    headers = redact_headers(response.headers, lambda value: redact(replace_controls(value)))
    return Response(response.status_code, headers, redact(replace_json_controls(text)))


def _explain_failure(
    settings: Settings, request: Request, error: Exception, *, may_have_sent: bool
) -> ClawHostersError:
    """Returns the error to raise for one of ``requests``. Only a failure loads what explains it."""
    if not may_have_sent and _is_out_of_files(error):
        unsent = f"{request} was not sent: too many files are open. {OUT_OF_FILES_ADVICE}."
        return TransportError(unsent, sent=False, reason="too many open files")
    try:
        from .connection_errors import Connection, build_transport_error
    except (OSError, ImportError):
        # It can't be opened, or is gone. That a change may have been executed must not be lost.
        broken = f"{request}: the connection to {settings.host} broke before the response was complete."
        text = broken if may_have_sent else f"{request} was not sent: no connection to {settings.host}."
        return TransportError(text, sent=may_have_sent, reason="the connection broke")
    proxies = {} if settings.is_loopback else find_proxies(settings.api_url)
    has_proxy = requests.utils.select_proxy(settings.api_url, proxies) is not None
    bundle = None if settings.ca_path else find_bundle()
    return build_transport_error(
        str(request), Connection(settings.host, request.timeout, has_proxy, may_have_sent, bundle), error
    )


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


def _send(connections: TimedAdapter, settings: Settings, request: Request) -> requests.Response:
    """Sends the request, and returns its response with an unread body.

    Without a session of ``requests`` there are no cookies, no redirects and no ``~/.netrc``.
    """
    url = settings.api_url + request.path
    key = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
    body = None if request.body is None else json.dumps(request.body)
    prepared = requests.Request(request.method, url, {**HEADERS, **key}, params=request.params, data=body).prepare()
    is_local = settings.is_loopback
    return connections.send(
        prepared,
        timeout=request.timeout,
        stream=True,
        # No proxy for a service on this machine: it would see the key in the clear.
        proxies={} if is_local else find_proxies(url),
        verify=settings.ca_path or is_local or find_certificates(),
    )


_shared: dict[int, TimedAdapter] = {}


def shared_connections() -> TimedAdapter:
    """Returns the connections of this process. Tasks and loop items share them, forks don't."""
    connections = _shared.get(os.getpid())
    if connections is None:
        _shared.clear()
        connections = _shared[os.getpid()] = TimedAdapter(pool_maxsize=MAX_CONNECTIONS)
    return connections


@contextlib.contextmanager
def _connections(*, is_new: bool) -> t.Iterator[TimedAdapter]:
    """Yields the shared connections, or a new one for a single request."""
    if not is_new:
        yield shared_connections()
        return
    with contextlib.closing(TimedAdapter()) as connections:
        yield connections


@functools.lru_cache(maxsize=4)
def _redactor(key: str | None) -> Redactor:
    return Redactor([key] if key else [])


def redact_headers(headers: t.Mapping[str, str], redact: t.Callable[[str], str]) -> t.Mapping[str, str]:
    """Returns ``headers`` with ``redact`` applied to each value. Names stay case-insensitive."""
    values = " ".join(headers.values())
    if redact(values) == values:
        return headers
    return requests.structures.CaseInsensitiveDict({name: redact(value) for name, value in headers.items()})


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


def _find_origin(response: requests.Response) -> str:
    """Returns scheme and host of the target of a redirect. The rest may be secret."""
    try:
        target = urlsplit(urljoin(response.url, response.headers["Location"]))
        return one_line(f"{target.scheme}://{target.netloc.rpartition('@')[2]}")
    except ValueError:
        return "an invalid address"


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
    text = content.decode("utf-8-sig", errors="replace")
    if _count_brackets(text) > MAX_OBJECTS and _count_objects(text) > MAX_OBJECTS:
        raise requests.exceptions.ContentDecodingError(f"more than {MAX_OBJECTS} objects")
    return text


def _count_objects(text: str) -> int:
    """Returns the objects and lists in a body of JSON. A bracket in a string begins none."""
    return _count_brackets(text) - sum(_count_brackets(string[0]) for string in _JSON_STRING.finditer(text))


def _count_brackets(text: str) -> int:
    return text.count("{") + text.count("[")


def replace_json_controls(body: str) -> str:
    """Returns the text of a body with U+FFFD for each control character, also where JSON escapes it."""
    if not body.isprintable():
        # JSON may have these between its values.
        body = replace_controls(body.replace("\r\n", "\n").replace("\r", "\n"))
    if "\\" not in body:
        return body
    return _ESCAPED_CONTROL.sub(lambda match: match[0] if match["backslash"] else "\N{REPLACEMENT CHARACTER}", body)
