# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of availability, key, clock, headers and errors (contract 1, 2, 3). Pure."""

from __future__ import annotations

from .findings import NOT_SEEN, Check, CheckResult, different, failed, ok, tolerated, unknown
from .observations import Observations, ResponseHeaders

MAX_SKEW = 30.0
"""Seconds. A response takes time, and its ``Date`` has whole seconds."""
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


def _check_key_prefix(seen: Observations) -> CheckResult:
    if seen.local.has_key_prefix:
        return ok("oc_live_")
    return tolerated("another one", "Each task shows a warning. The key is used anyway.")


def _check_redirects(seen: Observations) -> CheckResult:
    if not seen.is_redirected:
        return ok("none")
    return different(
        "within the host",
        "Each read costs two requests, and every change fails: changes are never redirected. Set api_url to the "
        "final address.",
    )


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


def reset_format(headers: ResponseHeaders) -> str:
    """Returns the format of X-RateLimit-Reset: unix, milliseconds, delta, past, invalid or missing (U10)."""
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
    found = ", ".join(f"{limit:g}" for limit in sorted(limits)[:3])
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


CHECKS = (
    Check("api", "GET /health is answered with 2xx without a key, in any format", _check_api),
    Check("key", "GET /account accepts the key", _check_key),
    Check("key_prefix", "the key begins with oc_live_", _check_key_prefix),
    Check("clock", f"the clocks are at most {MAX_SKEW:.0f} s apart", _check_clock, ("health",)),
    Check("redirects", "no request is redirected", _check_redirects, ("account",)),
    Check(
        "rate_headers",
        "X-RateLimit-Remaining and X-RateLimit-Reset, as Unix time, in each response",
        _check_rate_headers,
        ("account",),
    ),
    Check("rate_limit", "100 requests a minute", _check_rate_limit, ("account",)),
    Check("request_ids", "X-Request-Id in each response", _check_request_ids, ("account",)),
    Check("errors", "an instance that does not exist is answered with 404 not_found", _check_errors),
)
