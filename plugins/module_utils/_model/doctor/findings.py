# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks and findings of the doctor, and which findings matter (interface 3). Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .observations import Observations

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
