# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds facts that the doctor sees, findings of its checks, and the checks of the service as a whole. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._model.account_identity import is_account
from ..._model.resource import Resource, as_object, as_objects


@dataclass(frozen=True)
class Reply:
    """The response to one request. ``problem`` says why there is no usable one, without text of the service."""

    request: str = ""
    """Method and path, with ID for each id."""
    data: t.Any = None
    pagination: t.Mapping[str, t.Any] | None = None
    problem: str = ""
    is_skipped: bool = False
    """True if the request was not sent."""
    status: int | None = None
    """The HTTP status, if the response is an error."""
    code: str = ""
    """The ``error.code``, if it is a plain word."""

    @property
    def needed(self) -> str:
        """The text that says how to get data."""
        if self.is_skipped:
            return self.problem
        return "Needs a valid key." if self.status == 401 else f"Needs an answer to {self.request}."

    @property
    def items(self) -> list[Resource]:
        """The objects of a list."""
        return as_objects(self.data)

    @property
    def object(self) -> Resource:
        """The object, empty if there is none."""
        return as_object(self.data)

    def count(self, name: str) -> int | None:
        """Returns a number of the pagination object, None without one."""
        value = (self.pagination or {}).get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class ResponseHeaders:
    """The headers of one response, parsed. Times are Unix time by the server's clock."""

    limit: float | None = None
    remaining: float | None = None
    reset_text: str | None = None
    reset: float | None = None
    server_now: float = 0.0
    has_request_id: bool = False


@dataclass(frozen=True)
class LocalEnvironment:
    """Versions and state where Ansible runs. Problems name no path and no user."""

    versions: t.Mapping[str, str] = field(default_factory=dict)
    state_problem: str = ""
    journal_problem: str = ""


@dataclass
class Observations:
    """Everything that the checks look at. ``replies`` holds each reply by the name of its request."""

    replies: dict[str, Reply] = field(default_factory=dict)
    headers: list[ResponseHeaders] = field(default_factory=list)
    health_format: str = ""
    clock_skew: float | None = None
    wanted_account: str | None = None
    """The option ``account``."""
    local: LocalEnvironment = field(default_factory=LocalEnvironment)

    def reply(self, name: str) -> Reply:
        """Returns the reply to a request; a skipped one if there is none."""
        return self.replies.get(name) or Reply(problem="Needs another account.", is_skipped=True)


OK, DIFFERENT, FAILED, UNKNOWN = "ok", "different", "failed", "unknown"

NOT_SEEN = "not seen"


@dataclass(frozen=True)
class CheckResult:
    """Result of one check. ``found`` and ``consequence`` hold no text of the service except plain words."""

    status: str
    found: str
    consequence: str = ""
    is_tolerated: bool = False
    """True for a difference that the collection handles by itself."""


def ok(found: str, consequence: str = "") -> CheckResult:
    """Returns the result if the expectation is met. ``consequence``: an option that may be set."""
    return CheckResult(OK, found, consequence)


def different(found: str, consequence: str) -> CheckResult:
    """Returns the result if the expectation is not met, so that something does not work."""
    return CheckResult(DIFFERENT, found, consequence)


def tolerated(found: str, consequence: str) -> CheckResult:
    """Returns the result if the expectation is not met, and the collection works nevertheless."""
    return CheckResult(DIFFERENT, found, consequence, is_tolerated=True)


def failed(found: str, consequence: str) -> CheckResult:
    """Returns the result if the whole collection, or a whole part of it, does not work."""
    return CheckResult(FAILED, found, consequence)


def unknown(found: str, needed: str) -> CheckResult:
    """Returns the result if this account can't show it. ``needed``: what it would take."""
    return CheckResult(UNKNOWN, found, needed)


@dataclass(frozen=True)
class Check:
    """One expectation. Without a usable reply to each request in ``needs``, the result is unknown."""

    name: str
    expected: str
    evaluate: t.Callable[[Observations], CheckResult]
    needs: tuple[str, ...] = ()

    def run(self, seen: Observations) -> Finding:
        """Returns the finding."""
        for reply in map(seen.reply, self.needs):
            if reply.problem:
                return Finding(self, unknown(NOT_SEEN, reply.needed))
        return Finding(self, self.evaluate(seen))


@dataclass(frozen=True)
class Finding:
    """A check with its result."""

    check: Check
    result: CheckResult

    @property
    def severity(self) -> int:
        """From 0, the worst, to 4."""
        result = self.result
        return (FAILED, DIFFERENT, "tolerated", UNKNOWN, OK).index(
            "tolerated" if result.is_tolerated else result.status
        )

    def as_dict(self) -> dict[str, str]:
        """Returns the finding as users see it."""
        return {
            "check": self.check.name,
            "status": self.result.status,
            "expected": self.check.expected,
            "found": self.result.found,
            "consequence": self.result.consequence,
        }


def run_checks(checks: t.Iterable[Check], seen: Observations) -> list[Finding]:
    """Returns the findings, worst first."""
    return sorted((check.run(seen) for check in checks), key=lambda finding: finding.severity)


def find_unmet(findings: t.Iterable[Finding]) -> list[str]:
    """Returns the names of the checks that failed, or differ in something that the collection relies on."""
    return [finding.check.name for finding in findings if finding.severity <= 1]


PAGE_SIZE = 25
LARGE_PAGE = 100
"""The ``per_page`` that the doctor asks for."""

USED_BY = {
    "account": "claw_account_info",
    "instances": "the inventory and all modules for instances",
    "instance": "claw_instance",
    "summary": "claw_purchase, balance_guard",
    "usage": "balance_guard",
    "transactions": "claw_billing_info",
    "packages": "claw_billing_info",
    "addons": "claw_addon, claw_addon_info",
    "addon": "claw_addon by id",
    "backups": "claw_backup_info, restores",
    "backup": "restores by backup_id",
}
"""The requests of which each must work, and what fails without."""
MORE_THAN_A_PAGE = f"Needs an account with more than {PAGE_SIZE} instances."
RATE_LIMIT = 100
_MIN_UNIX_TIME = 1e9
_MIN_UNIX_MILLISECONDS = 1e12

_RESET_FORMATS = {
    "unix": "Unix time",
    "milliseconds": "Unix time in milliseconds",
    "delta": "seconds until then",
    "past": "a time in the past",
    "invalid": "not a number",
    "missing": "missing",
}
MAX_SKEW = 30.0
"""Seconds. A response takes time, and its ``Date`` has whole seconds."""


def reset_format(headers: ResponseHeaders) -> str:
    """Returns the format of X-RateLimit-Reset: unix, milliseconds, delta, past, invalid or missing."""
    if headers.reset_text is None:
        return "missing"
    if headers.reset is None:
        return "invalid"
    if headers.reset < _MIN_UNIX_TIME:
        return "delta" if headers.reset >= 0 else "past"
    if headers.reset > _MIN_UNIX_MILLISECONDS:
        return "milliseconds"
    # Rounded down to whole seconds, the end of a window may be now.
    return "unix" if headers.reset > headers.server_now - 2 else "past"


def _check_rate_headers(seen: Observations) -> CheckResult:
    counted = [headers for headers in seen.headers if headers.remaining is not None]
    alone = "Tasks can't share the rate limit: they exceed it and wait after a 429."
    if not counted:
        return tolerated("none", alone)
    share = "each response" if len(counted) == len(seen.headers) else f"{len(counted)} of {len(seen.headers)} responses"
    formats = sorted({reset_format(headers) for headers in counted})
    found = f"in {share}; reset: {', '.join(_RESET_FORMATS[format] for format in formats)}"
    if set(formats) & {"past", "invalid", "missing"}:
        return tolerated(found, alone)
    if formats != ["unix"]:
        return tolerated(found, "This format is understood, too.")
    return ok(found)


def _check_rate_limit(seen: Observations) -> CheckResult:
    limits = {headers.limit for headers in seen.headers if headers.limit is not None}
    if not limits:
        return unknown("no X-RateLimit-Limit", "Needs the header.")
    found = ", ".join(f"{limit:.12g}" for limit in sorted(limits)[:3])
    if limits == {float(RATE_LIMIT)}:
        return ok(found)
    return tolerated(found, "The collection follows the headers; the figures in its guides assume 100.")


def _check_request_ids(seen: Observations) -> CheckResult:
    count = sum(headers.has_request_id for headers in seen.headers)
    if count == len(seen.headers):
        return ok("in each response")
    found = f"in {count} of {len(seen.headers)} responses" if count else "none"
    return tolerated(found, "Messages have no request id to give to the support of the service.")


def _check_errors(seen: Observations) -> CheckResult:
    reply = seen.reply("absent_instance")
    if reply.is_skipped:
        return unknown(NOT_SEEN, reply.problem)
    if not reply.problem:
        return different("an answer with data", "`state: absent` and waits can't see that an instance is gone.")
    if reply.status not in (404, 410):
        return different(
            reply.problem, "`state: absent` can't see that an instance is gone: it waits for a 404 of the API."
        )
    if reply.code != "not_found":
        return tolerated(reply.problem, "Messages show the status; the collection needs no code.")
    return ok(reply.problem)


def _check_endpoints(seen: Observations) -> CheckResult:
    replies = {name: seen.reply(name) for name in USED_BY}
    sent = {name: reply for name, reply in replies.items() if not reply.is_skipped}
    broken = {name: reply for name, reply in sent.items() if reply.problem}
    if not sent:
        return unknown(NOT_SEEN, replies["account"].problem)
    if all(reply.status == 401 for reply in sent.values()):
        return unknown(NOT_SEEN, replies["account"].needed)
    if not broken:
        return ok(f"all {len(sent)} that were requested")
    return failed(
        "; ".join(f"{reply.request}: {reply.problem}" for reply in broken.values()),
        f"Does not work: {'; '.join(USED_BY[name] for name in broken)}.",
    )


def _check_pagination(seen: Observations) -> CheckResult:
    first, second = seen.reply("instances"), seen.reply("instances_page_2")
    count = len(first.items)
    if first.pagination is None:
        if count == PAGE_SIZE:
            return different(
                f"none, and exactly {PAGE_SIZE} instances",
                "The list may be truncated. Compare it with the dashboard before you rely on it.",
            )
        return tolerated("none", "A list is taken as complete in one response.")
    if first.count("total_count") is None and first.count("total_pages") is None:
        return tolerated("without counts", "A list is read until a page is empty, one page after another.")
    if second.is_skipped and (first.count("total_pages") or 1) > 1:
        return unknown(NOT_SEEN, second.needed)
    if second.is_skipped:
        return unknown("one page", MORE_THAN_A_PAGE)
    if second.problem:
        return different(f"page 2: {second.problem}", "Lists of more than one page can't be read.")
    earlier, later = _ids(first), _ids(second)
    if not later:
        return different("page 2 is empty", "Lists of more than one page can't be read: each task with one fails.")
    if set(later) <= set(earlier):
        return different(
            "page=2 returns the first page", "Lists of more than one page can't be read: each task with one fails."
        )
    if set(later) & set(earlier):
        return different("pages overlap", "Lists of more than one page are read again, and then fail.")
    return ok(f"pages of {count}; page=2 returns the next ones")


def _check_page_size(seen: Observations) -> CheckResult:
    plain, large = seen.reply("instances"), seen.reply("instances_per_page")
    if large.status in (400, 422):
        return tolerated(
            f"refused with {large.problem}", "Leave page_size unset: a task that sets it and reads a list fails."
        )
    if large.problem:
        return unknown(NOT_SEEN, large.needed)
    size = _page_length(large)
    usual = _page_length(plain)
    if size is None:
        return unknown("lists have no pages", MORE_THAN_A_PAGE)
    if size <= (usual or 0):
        return tolerated("ignored", "Leave page_size unset: it has no effect.")
    share = {4.0: "a quarter", 2.0: "half"}.get(size / (usual or size), "a part")
    return ok(f"pages of {size}", f"Set page_size: {size}, and long lists cost {share} of the requests.")


def _ids(reply: Reply) -> list[str]:
    return [str(item.get("id")) for item in reply.items]


def _page_length(reply: Reply) -> int | None:
    """Returns the size of the pages of a list, None if it has no pages."""
    if reply.pagination is None:
        return None
    if (reply.count("total_pages") or 1) > 1:
        return len(reply.items)
    return reply.count("per_page")


def _check_api(seen: Observations) -> CheckResult:
    health = seen.reply("health")
    if not health.problem:
        return ok(f"up; the body is {seen.health_format}")
    if health.status is not None:
        return different(
            f"answered with {health.problem}",
            "claw_health_info calls the service down, and the playbook restore stops at once.",
        )
    if not seen.reply("account").problem:
        return different(health.problem, "claw_health_info calls the service down, but other requests are answered.")
    return failed(health.problem, "Nothing works until the service can be reached.")


def _check_key(seen: Observations) -> CheckResult:
    account, instances = seen.reply("account"), seen.reply("instances")
    if not account.problem and seen.wanted_account and not is_account(as_object(account.data), seen.wanted_account):
        return failed(
            "accepted, but not known to be for the account that the option account names",
            "Tasks that would change something are refused. Correct the key or account.",
        )
    if not account.problem:
        return ok("accepted")
    if account.is_skipped:
        return unknown(NOT_SEEN, account.problem)
    if account.status == 401:
        return failed(
            account.problem,
            "No task works with this key. Check api_key, api_key_file and CLAWHOSTERS_API_KEY; create keys under "
            "Dashboard > Settings > API Keys.",
        )
    if not instances.problem:
        return different(f"GET /account: {account.problem}", "claw_account_info fails; other requests are answered.")
    return failed(f"GET /account: {account.problem}", "Check api_url, and the permissions of the key.")


def _check_clock(seen: Observations) -> CheckResult:
    if seen.clock_skew is None:
        return tolerated("no Date in the response", "The clocks can't be compared.")
    if abs(seen.clock_skew) <= MAX_SKEW:
        return ok(f"{abs(seen.clock_skew):.0f} s apart")
    side = "behind" if seen.clock_skew > 0 else "ahead"
    return different(
        f"this machine is {abs(seen.clock_skew):.0f} s {side}",
        "max_age compares the times of backups with this clock: check the time service of this machine.",
    )


SERVICE_CHECKS = (
    Check("api", "GET /health is answered with 2xx without a key, in any format", _check_api),
    Check("key", "GET /account accepts the key, and shows the account that is meant", _check_key),
    Check("clock", f"the clocks are at most {MAX_SKEW:.0f} s apart", _check_clock, ("health",)),
    Check(
        "rate_headers",
        "X-RateLimit-Remaining and X-RateLimit-Reset, as Unix time, in each response",
        _check_rate_headers,
        ("account",),
    ),
    Check("rate_limit", "100 requests a minute", _check_rate_limit, ("account",)),
    Check("request_ids", "X-Request-Id in each response", _check_request_ids, ("account",)),
    Check("errors", "an instance that does not exist is answered with 404 not_found", _check_errors),
    Check("endpoints", "each endpoint is answered with 200 and data", _check_endpoints),
    Check("pagination", "pages of 25 with counts; page=2 returns the next ones", _check_pagination, ("instances",)),
    Check("page_size", "per_page is honoured up to 100 (undocumented)", _check_page_size, ("instances",)),
)
