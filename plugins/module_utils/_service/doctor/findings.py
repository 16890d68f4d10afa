# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor's observations of the service and of this machine, its checks, and their findings. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

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
