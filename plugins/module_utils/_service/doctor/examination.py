# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares what the service does with what the collection expects: a few GET requests, many findings.

Also inspects and checks the machine where Ansible runs.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import time
import typing as t
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import SplitResult, urlsplit

from ansible.module_utils.ansible_release import __version__ as ansible_version

from ..._errors import ApiError, ClawHostersError, RedirectedError, ResponseError, TransportError, WrongAddressError
from ..._http.client import Client
from ..._http.lists import parse_object_list, parse_resource_list
from ..._http.pagination import parse_pagination
from ..._http.responses import (
    describe_type,
    parse_envelope,
    parse_json,
    parse_object,
    parse_resource,
    resource_path,
)
from ..._http.transport import Response, find_proxy
from ..._model.account_identity import format_account, format_scope
from ..._model.instance import get_status
from ..._model.resource import Resource, Result, as_object, parse_id
from ..._rate import headers as rate_headers
from ..._state.files import StateFolder, UntrustedError
from ..._state.journal import Journal, JournalError
from ..._state.store import StoreError
from ..._version import VERSION
from ..health import PATH, clock_skew
from .findings import (
    LARGE_PAGE,
    SERVICE_CHECKS,
    Check,
    CheckResult,
    LocalEnvironment,
    Observations,
    Reply,
    ResponseHeaders,
    different,
    find_unmet,
    ok,
    run_checks,
)
from .resource_checks import RESOURCE_CHECKS, describe_shapes, plain_words

if t.TYPE_CHECKING:
    from ..._state.store_protocol import JournalStore

MAX_REQUESTS = 16
"""Requests of one examination. Retries don't count."""
MAX_SECONDS = 120.0
"""Seconds for all requests, with their retries and waits."""
MIN_VERSIONS = {"Python": (3, 11), "ansible-core": (2, 18), "requests": (2, 28), "urllib3": (1, 26)}
"""The oldest versions that the collection supports."""
ABSENT_ID = 2**31 - 1
"""An id that no instance has."""

_PARSERS: dict[str, t.Callable[[str, Response], object]] = {
    "account": parse_object,
    **dict.fromkeys(("instances", "instances_page_2", "instances_per_page", "addons", "backups"), parse_resource_list),
    **dict.fromkeys(("transactions", "packages"), parse_object_list),
    **dict.fromkeys(("instance", "addon", "backup"), parse_resource),
}
"""What modules read a response with, by the name of the request. Billing has checks of its own."""

_ID_IN_PATH = re.compile(r"/(instances|addons|backups)/[^/?: ]+")


def examine(client: Client, store: JournalStore, state_dir: str | None) -> Result:
    """Returns the result of the doctor. It fails for no finding. With a database, ``state_dir`` is None."""
    seen = Examination(client).observe()
    seen.local = _inspect_local_environment(client, store, state_dir)
    seen.wanted_account = client.settings.account
    findings = run_checks(ALL_CHECKS, seen)
    unmet, account = find_unmet(findings), seen.reply("account")
    label = format_account(as_object(account.data)) or (account.status and f"unknown ({account.problem})") or ""
    return {
        "api_url": client.settings.api_url,
        "scope": format_scope(client.settings.host, label),
        "healthy": not unmet,
        "unmet": unmet,
        "findings": [finding.as_dict() for finding in findings],
        "shapes": describe_shapes(seen),
    }


class Examination:
    """Sends the requests, at most MAX_REQUESTS of them within MAX_SECONDS, and keeps what they show."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen = Observations()
        self._start = client.progress.clock()
        self._stopped = ""
        """Why no more requests are sent."""
        self._highest_cost = 1
        """Requests that one call has cost: with redirects it is more than one."""

    def observe(self) -> Observations:
        """Returns what was seen. A request that needs an object of a list is skipped if the list is empty."""
        self._read_health()
        account = self._get("account", "/account")
        instances = self._get("instances", "/instances")
        if account.status == instances.status == 401:
            self._stopped = account.needed
        elif not self._stopped and not any(_is_answered(reply) for reply in (account, instances)):
            self._stopped = "Needs a service that answers."
        self._get("absent_instance", resource_path("instances", ABSENT_ID))
        if (instances.count("total_pages") or 1) > 1:
            self._get("instances_page_2", "/instances", page="2")
        self._get("instances_per_page", "/instances", per_page=str(LARGE_PAGE))
        self._get_one("instance", instances, _choose_instance(instances.items))
        for part in ("summary", "usage", "transactions", "packages"):
            self._get(part, f"/billing/{part}")
        addons, backups = self._get("addons", "/addons"), self._get("backups", "/backups")
        self._get_one("addon", addons, next(iter(addons.items), None))
        self._get_one("backup", backups, next(iter(backups.items), None))
        return self._seen

    def _read_health(self) -> None:
        """Reads the health without the key. Stops the examination if the service can't be reached."""
        reply = Reply(f"GET {PATH}")
        start = time.time()
        try:
            with self._measured():
                response = self._client.get_unauthenticated(PATH)
        except ClawHostersError as error:
            if not (isinstance(error, TransportError) and error.may_have_been_sent):
                self._stopped = "Needs a service that can be reached."
            self._seen.replies["health"] = replace(reply, problem=self._describe(error))
            return
        self._note_headers(response)
        self._seen.clock_skew = clock_skew(response, (start + time.time()) / 2)
        body, is_json = parse_json(response.text)
        is_wrapped = isinstance(body, dict) and "data" in body
        data = body["data"] if is_wrapped else body
        self._seen.health_format = f"{describe_type(data)}{' in data' if is_wrapped else ''}" if is_json else "not JSON"
        problem = "" if response.is_success else str(response.status)
        self._seen.replies["health"] = replace(
            reply, data=data, problem=problem, status=response.status if problem else None
        )

    def _get_one(self, name: str, listed: Reply, item: Resource | None) -> None:
        """Reads an object of the list, if there is one."""
        if item is None or parse_id(item.get("id")) is None:
            self._skip(name, listed, f"an {name}" if name[0] in "ai" else f"a {name}")
        else:
            self._get(name, resource_path(f"{name}s", item["id"]))

    def _skip(self, name: str, listed: Reply, missing: str) -> None:
        """Notes why nothing was requested: a stop, an unread list, or an account without such objects."""
        unread = listed.needed if listed.problem else ""
        problem = self._stopped or unread or f"Needs an account with {missing}."
        self._seen.replies[name] = Reply(problem=problem, is_skipped=True)

    def _get(self, name: str, path: str, **params: str) -> Reply:
        """Sends a GET, unless a limit is reached, and keeps the reply under ``name``."""
        query = "&".join(f"{key}={value}" for key, value in params.items())
        reply = Reply(_ID_IN_PATH.sub(r"/\1/ID", f"GET {path}") + (f"?{query}" if query else ""))
        seconds = MAX_SECONDS - (self._client.progress.clock() - self._start)
        if not self._stopped and seconds <= 0:
            self._stopped = f"Needs a service that answers {MAX_REQUESTS} requests within {MAX_SECONDS:.0f} s."
        problem = self._stopped
        if self._requests + self._highest_cost > MAX_REQUESTS:
            problem = f"Needs more than {MAX_REQUESTS} requests, since each one is redirected."
        reply = (
            replace(reply, problem=problem, is_skipped=True)
            if problem
            else self._send(name, reply, path, params, seconds)
        )
        self._seen.replies[name] = reply
        return reply

    def _send(self, name: str, reply: Reply, path: str, params: dict[str, str], seconds: float) -> Reply:
        try:
            with self._measured():
                parse = functools.partial(_parse, _PARSERS.get(name, parse_envelope))
                response, body = self._client.get(path, params, parse=parse, retry_timeout=seconds)
        except ApiError as error:
            code = "".join(plain_words([error.code]))
            if isinstance(error, WrongAddressError) and not code:
                return replace(reply, problem=f"{error.status} that is not the API's")
            return replace(reply, problem=f"{error.status} {code}".rstrip(), status=error.status, code=code)
        except ClawHostersError as error:
            return replace(reply, problem=self._describe(error))
        self._note_headers(response)
        return replace(reply, data=body["data"], pagination=parse_pagination(body))

    @property
    def _requests(self) -> int:
        """The requests that were sent, without retries."""
        return self._client.stats.requests - self._client.stats.retries

    @contextlib.contextmanager
    def _measured(self) -> t.Iterator[None]:
        """Measures what one call costs. More than one request means that it was redirected."""
        before = self._requests
        try:
            yield
        finally:
            self._highest_cost = max(self._highest_cost, self._requests - before)

    def _note_headers(self, response: Response) -> None:
        headers = response.headers
        reset_text = headers.get("X-RateLimit-Reset")
        server_now = rate_headers.parse_http_date(headers.get("Date"))
        self._seen.headers.append(
            ResponseHeaders(
                limit=rate_headers.parse_finite(headers.get("X-RateLimit-Limit")),
                remaining=rate_headers.parse_finite(headers.get("X-RateLimit-Remaining")),
                reset_text=reset_text,
                reset=rate_headers.parse_finite(reset_text),
                server_now=time.time() if server_now is None else server_now,
                has_request_id=bool(headers.get("X-Request-Id")),
            )
        )

    def _describe(self, error: ClawHostersError) -> str:
        """Returns an error without any text of the service, and without addresses and ids."""
        if isinstance(error, RedirectedError):
            return f"a redirect ({error.status}) that is not followed"
        if isinstance(error, ResponseError):
            return "a response that is not the API's JSON"
        return self._mask(str(error))

    def _mask(self, text: str) -> str:
        """Returns a text without the ids in paths, and without addresses."""
        settings = self._client.settings
        text = _ID_IN_PATH.sub(r"/\1/ID", text)
        for url, name in ((find_proxy(settings, settings.api_url), "PROXY"), (settings.api_url, "HOST")):
            for address in _addresses(url or ""):
                text = re.sub(rf"(?<![\w.-]){re.escape(address)}(?![\w-])", name, text)
        return text


def _parse(
    check: t.Callable[[str, Response], object], request: str, response: Response
) -> tuple[Response, dict[str, t.Any]]:
    check(request, response)
    return response, parse_envelope(request, response)


def _is_answered(reply: Reply) -> bool:
    """Returns True if the service answered, be it with an error."""
    return not reply.problem or reply.status is not None


def _choose_instance(instances: list[Resource]) -> Resource | None:
    """Returns the instance whose detail shows most: its flags are documented only if it is running or stopped."""
    for status in ("running", "stopped"):
        if found := next((item for item in instances if get_status(item) == status), None):
            return found
    return next(iter(instances), None)


def _addresses(url: str) -> list[str]:
    """Returns host with port and host of a URL."""
    parts = _split_url(url)
    return [address for address in (parts.netloc.rpartition("@")[2], parts.hostname) if address] if parts else []


def _split_url(url: str) -> SplitResult | None:
    """Returns the parts of a URL, None if it is invalid. A proxy may be written without scheme."""
    try:
        return urlsplit(url if "://" in url else f"//{url}")
    except ValueError:
        return None


def _inspect_local_environment(client: Client, store: JournalStore, state_dir: str | None) -> LocalEnvironment:
    """Sends nothing. Warnings name paths, the result does not. With a database, ``state_dir`` is None."""
    return LocalEnvironment(
        versions=_find_versions(),
        state_problem=(
            _find_database_problem(store, client.warn)
            if state_dir is None
            else _find_state_problem(state_dir, may_create=not client.check_mode)
        ),
        journal_problem=_find_journal_problem(Journal(store), client.warn),
    )


def _find_versions() -> dict[str, str]:
    """Returns the versions that matter, by name."""
    versions = {"collection": VERSION, "Python": platform.python_version(), "ansible-core": ansible_version}
    for library in ("requests", "urllib3"):
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "unknown"
    return versions


def _find_state_problem(state_dir: str, *, may_create: bool) -> str:
    """Returns why the folder can't be used, empty if it can. A missing one is created, or counts as usable."""
    try:
        folder = StateFolder(state_dir)
        if not may_create and not folder.path.exists():
            return ""
        with folder.open(creates=True):
            if not os.access(folder.path, os.W_OK | os.X_OK):
                return "can't be written"
    except UntrustedError:
        return "another user owns it, or can write to it or replace it"
    except OSError as error:
        return f"can't be used ({error.strerror})"
    return ""


def _find_database_problem(store: JournalStore, warn: t.Callable[[str], None]) -> str:
    """Returns why the database can't be used, empty if it can. The warning says more."""
    try:
        store.holders()
    except StoreError as error:
        warn(f"{error}. {error.advice}.")
        return "the database can't be used"
    return ""


def _find_journal_problem(journal: Journal, warn: t.Callable[[str], None]) -> str:
    """Returns why the journal can't be read, empty if it can. A missing journal is an empty one."""
    try:
        journal.read_entries()
    except JournalError as error:
        warn(str(error))
        return "damaged, or can't be read"
    return ""


def _check_versions(seen: Observations) -> CheckResult:
    versions = seen.local.versions
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    old = [name for name, least in MIN_VERSIONS.items() if parse_version(versions.get(name, "")) < least]
    if old:
        return different(found, f"Update {', '.join(old)}: older versions are not tested.")
    return ok(found)


def parse_version(text: str) -> tuple[int, ...]:
    """Returns the first two numbers of a version."""
    return tuple(map(int, re.findall(r"\d{1,9}", text)[:2]))


def _check_state(seen: Observations) -> CheckResult:
    if not seen.local.state_problem:
        return ok("usable")
    return different(
        seen.local.state_problem,
        "Restores and purchases fail before anything is sent, and tasks can't share the rate limit. Repair the folder "
        "or the database. If the folder is another user's, set state_dir to one of your own.",
    )


def _check_journal(seen: Observations) -> CheckResult:
    if not seen.local.journal_problem:
        return ok("readable")
    return different(
        seen.local.journal_problem,
        "Restores and purchases fail before anything is sent. The warning of this task says what to repair.",
    )


LOCAL_CHECKS = (
    Check(
        "versions",
        "the supported ones: " + ", ".join(f"{name} {low}.{high}" for name, (low, high) in MIN_VERSIONS.items()),
        _check_versions,
    ),
    Check("state", "state_dir is a folder that only this user can write, or state_database can be used", _check_state),
    Check("journal", "the journal can be read", _check_journal),
)

ALL_CHECKS = (*SERVICE_CHECKS, *RESOURCE_CHECKS, *LOCAL_CHECKS)
"""All checks, in the order in which equal results are shown."""
