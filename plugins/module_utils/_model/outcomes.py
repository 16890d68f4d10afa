# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of a task with many entries of one kind: items, counts, messages, and limits. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from .._errors import ClawHostersError, PartialError, SettingsError
from .._text import format_count, format_first, format_list
from .resource import Result

BEYOND_LIMITS = "Not begun: the plan exceeds the limits of the task."
BEYOND_FAILURES = "Not begun: too many entries of earlier batches failed."
NAMED, _LISTED = 10, 3
"""Most resources that a message names, and most failures that it explains; the result has all."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of an entry."""

    entry: str
    """The label of the entry."""
    name: str
    """The label of its instance or add-on."""
    facts: dict[str, t.Any]
    """The keys of its item in the result besides those that all have."""
    before: t.Any = None
    after: t.Any = None
    changed: bool = False
    error: str | None = None
    is_begun: bool = True
    note: str = ""
    """The message of its item if it has not failed."""
    verb: str = "Changed"
    """Under which word a message names it, if it has changed."""

    @property
    def kind(self) -> str:
        """The part of the summary in which the entry counts."""
        if self.error is not None:
            return "failed"
        return "changed" if self.changed else "ok" if self.is_begun else "not_begun"

    def as_item(self) -> Result:
        """Returns its item in the result."""
        return {
            **self.facts,
            "before": self.before,
            "after": self.after,
            "changed": self.changed,
            "failed": self.error is not None,
            "msg": self.error or self.note,
        }


def build_result(
    option: str, outcomes: t.Sequence[Outcome], diff: dict[str, t.Any], *, has_batches: bool = False
) -> Result:
    """Returns the result of the task, with the items under the name of the option that has the entries."""
    kinds = [outcome.kind for outcome in outcomes]
    counted = ("ok", "changed", "failed", "not_begun") if has_batches else ("ok", "changed", "failed")
    return {
        "changed": any(outcome.changed for outcome in outcomes),
        option: [outcome.as_item() for outcome in outcomes],
        "summary": {kind: kinds.count(kind) for kind in counted},
        "diff": diff,
    }


def format_failures(
    outcomes: t.Sequence[Outcome], max_failures: int = 0, *, what: str = "failed", is_begun: bool = True
) -> str:
    """Returns the message of a task with failed entries; empty if there are none. ``is_begun``: a batch was begun."""
    failed = [f"{one.entry}: {one.error}" for one in outcomes if one.error is not None]
    if not failed:
        return ""
    parts = [f"{len(failed)} of {len(outcomes)} entries {what}: {format_first(failed, _LISTED)}"]
    if not is_begun:
        return parts[0]
    if skipped := sum(one.kind == "not_begun" for one in outcomes):
        parts.append(f"Not begun: {skipped}, since more than max_failures ({max_failures}) failed.")
    changed: dict[str, list[str]] = {}
    for one in outcomes:
        if one.kind == "changed":
            changed.setdefault(one.verb, []).append(one.name)
    return " ".join([*parts, *(f"{verb}: {format_list(names, NAMED)}." for verb, names in changed.items())])


@dataclass(frozen=True)
class Excess:
    """A limit that a plan exceeds. ``details`` is text for people."""

    option: str
    limit: int
    count: int
    details: str

    def explain(self, noun: str) -> str:
        """Returns the sentences that say so; ``noun`` names what is counted."""
        count = format_count(self.count, noun)
        if self.option == "max_deletions":
            return f"{count} would be deleted, more than max_deletions ({self.limit}) allows: {self.details}"
        if not self.details:
            return f"{count} would change, more than max_changes ({self.limit}) allows."
        return f"{count} would change, more than max_changes ({self.limit}) allows: {self.details}"


@dataclass(frozen=True)
class ChangeLimits:
    """Most changes, and most deletions among them, that a task may make; None for any number."""

    changes: int | None = None
    deletions: int | None = None

    def __post_init__(self) -> None:
        """Raises SettingsError for a negative number, which could be meant as no limit."""
        for name, limit in vars(self).items():
            if limit is not None and limit < 0:
                raise SettingsError(f"max_{name} is {limit}, but must be 0 or more. Nothing was sent.")

    def find_excess(self, changes: tuple[int, str], deletions: tuple[int, str] = (0, "")) -> list[Excess]:
        """Returns the limits that a plan exceeds. Both arguments are a number, and a text about what it counts."""
        plan = (("max_deletions", self.deletions, *deletions), ("max_changes", self.changes, *changes))
        return [
            Excess(option, limit, count, details)
            for option, limit, count, details in plan
            if limit is not None and count > limit
        ]


def raise_excess(excess: t.Iterable[Excess], noun: str, result: Result) -> t.NoReturn:
    """Raises PartialError with the result and the limits that its plan exceeds."""
    explained = " ".join(one.explain(noun) for one in excess)
    raise PartialError(f"{explained} Nothing was sent.", {**result, "exceeded": [asdict(one) for one in excess]})


def raise_failures(message: str, result: Result, errors: t.Iterable[ClawHostersError | None]) -> t.NoReturn:
    """Raises PartialError with the result. Its response is that of the first error that has one."""
    raise PartialError(message, result, next((error for error in errors if error and error.response), None))
