# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the side where Ansible runs: versions, state, journal, proxies (interface 1, 1b). Pure."""

from __future__ import annotations

import re
import typing as t

from .findings import Check, CheckResult, different, ok, tolerated
from .observations import Observations

MIN_VERSIONS = {"Python": (3, 11), "ansible-core": (2, 18), "requests": (2, 28), "urllib3": (1, 26)}
"""The oldest versions that the collection supports."""


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
        "Restores and purchases fail before anything is sent, and tasks can't share the rate limit. Set state_dir to a "
        "folder of your own, or repair the database.",
    )


def _check_journal(seen: Observations) -> CheckResult:
    if not seen.local.journal_problem:
        return ok("readable")
    return different(
        seen.local.journal_problem,
        "Restores and purchases fail before anything is sent. The warning of this task says what to repair.",
    )


def _check_proxies(seen: Observations) -> CheckResult:
    proxies = ", ".join(seen.local.proxies)
    if seen.local.is_proxied:
        return tolerated(proxies, "Requests to the service go through this proxy.")
    return ok(f"{proxies}; not used for this service" if proxies else "none set")


CHECKS: t.Sequence[Check] = (
    Check(
        "versions",
        "the supported ones: " + ", ".join(f"{name} {low}.{high}" for name, (low, high) in MIN_VERSIONS.items()),
        _check_versions,
    ),
    Check("state", "state_dir is a folder that only this user can write, or state_database can be used", _check_state),
    Check("journal", "the journal can be read", _check_journal),
    Check("proxies", "no proxy is set for the service", _check_proxies),
)
