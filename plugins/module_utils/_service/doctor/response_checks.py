# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of responses: rate limit, request ids, errors, pages. Pure."""

from __future__ import annotations

from .findings import (
    NOT_SEEN,
    Check,
    CheckResult,
    Observations,
    Reply,
    ResponseHeaders,
    different,
    failed,
    ok,
    tolerated,
    unknown,
)

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
            f"refused with {large.problem}", "Leave page_size unset: a task that sets it sends one request more."
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


CHECKS = (
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
