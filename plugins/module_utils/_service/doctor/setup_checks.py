# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the setup: service, key, clock; versions, state and journal of this machine. Pure."""

from __future__ import annotations

import re

from ..._model.account_identity import is_account
from ..._model.resource import as_object
from .findings import NOT_SEEN, Check, CheckResult, Observations, different, failed, ok, tolerated, unknown

MAX_SKEW = 30.0
"""Seconds. A response takes time, and its ``Date`` has whole seconds."""
MIN_VERSIONS = {"Python": (3, 11), "ansible-core": (2, 18), "requests": (2, 28), "urllib3": (1, 26)}
"""The oldest versions that the collection supports."""


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


SERVICE_CHECKS = (
    Check("api", "GET /health is answered with 2xx without a key, in any format", _check_api),
    Check("key", "GET /account accepts the key, and shows the account that is meant", _check_key),
    Check("clock", f"the clocks are at most {MAX_SKEW:.0f} s apart", _check_clock, ("health",)),
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
