# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the facts of the fleet for the role ``fleet_report``: each finding is a sentence, for screen, mail and chat.
Pure.

What can't be judged, since it could not be read, is a finding too: silence would pass for good news.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from datetime import timedelta

from ...module_utils._model.backup import is_in_future
from ...module_utils._model.instance import is_unhealthy
from ...module_utils._model.instance_fields import STATUSES, is_undocumented
from ...module_utils._text import format_count
from ...module_utils._times import format_duration
from .._formatting import format_label, format_value
from .fleet_facts import choose_word, sort_worst_first
from .forecast import format_lasting

Data = dict[str, t.Any]
Findings = t.Iterator[tuple[str, str]]
"""The subject of each finding of a check, such as the id of an instance, and the sentence."""

MAX_LINES = 12
"""Lines of findings: they may go into a chat."""
CHECKS = ("low_balance", "attention", "no_backup", "overdue_backup", "unproven_restore")
UNJUDGED = "unknown"
"""The subject of a finding if nothing could be read for its check."""
_KEYS = re.compile(r'"finding_keys" content="([^"]*)"')


class FleetFinding(t.NamedTuple):
    """One finding of a check. ``is_new``: the last report did not have it."""

    check: str
    about: str
    text: str
    is_new: bool

    @property
    def key(self) -> str:
        """Names it in the next report."""
        return f"{self.check}:{self.about}"

    @property
    def line(self) -> str:
        """The sentence, marked if it is new."""
        return f"New: {self.text}" if self.is_new else self.text


def find_findings(
    facts: Data, min_days: int, proof_max_age: timedelta, last_keys: set[str] | None
) -> list[FleetFinding]:
    """Returns the findings of all checks: what is new first, then by check, the worst instances first.

    ``last_keys``: those of the last report; None without one, so that nothing is called new.
    """
    instances = sort_worst_first(facts)
    found = {
        "low_balance": _check_balance(facts, min_days),
        "attention": _check_attention(instances),
        "no_backup": _check_missing_backups(facts, instances),
        "overdue_backup": _check_overdue_backups(facts, instances),
        "unproven_restore": _check_proofs(facts, instances, proof_max_age),
    }
    findings = [
        FleetFinding(check, about, text, is_new=last_keys is not None and f"{check}:{about}" not in last_keys)
        for check, sentences in found.items()
        for about, text in sentences
    ]
    return sorted(findings, key=lambda finding: not finding.is_new)


def build_keys(findings: t.Iterable[FleetFinding], last_keys: set[str] | None) -> dict[str, list[str]]:
    """Returns what a report keeps of its findings, for the next one, and which of them are new.

    A check that could not judge keeps what the last report has found: when it can again, that is not new.
    """
    keys = {finding.key: finding.is_new for finding in findings}
    unjudged = tuple(f"{finding.check}:" for finding in findings if finding.about == UNJUDGED)
    kept = {key for key in last_keys or () if key.startswith(unjudged)}
    return {"finding_keys": sorted(kept | keys.keys()), "new_finding_keys": sorted(key for key in keys if keys[key])}


def find_last_keys(page: str) -> set[str] | None:
    """Returns the keys that an earlier page has; None if it has none."""
    found = _KEYS.search(page)
    return set(found[1].split()) if found else None


def list_lines(findings: t.Iterable[FleetFinding], more: str) -> list[str]:
    """Returns a line for each finding, at most twelve. ``more`` says where the others are.

    What two checks could not judge is one line.
    """
    lines = list(dict.fromkeys(finding.line for finding in findings))
    if len(lines) > MAX_LINES:
        lines[MAX_LINES - 1 :] = [f"And {len(lines) - MAX_LINES + 1} more{more}"]
    return lines


def format_headline(findings: t.Sequence[FleetFinding], scope: str) -> str:
    """Returns the number of findings of each check. ``scope``: the sentence that names service and account."""
    number, new = Counter(finding.check for finding in findings), sum(finding.is_new for finding in findings)
    counts = ", ".join(f"{number[check]} {check}" for check in CHECKS if number[check])
    total = format_count(len({finding.line for finding in findings}), "finding")
    return f"{total}{f', {new} new' if new else ''}: {counts}. {scope}"


def _label(one: Data) -> str:
    return format_label(one["name"], one["id"])


def _check_attention(instances: list[Data]) -> Findings:
    for one in instances:
        if one["needs_attention"]:
            condition = [one["status"] or "status not shown", *["not documented"] * is_undocumented(one)]
            if one["status"] == "running":
                condition += [one["health_status"], *["not documented"] * is_undocumented(one, "health_status")]
            word = "unhealthy" if is_unhealthy(one) else choose_word(one["status"], STATUSES)
            yield (
                f"{one['id']}:{word}",
                f"{_label(one)} needs attention: {', '.join(format_value(word, 40) for word in condition)}.",
            )


def _check_missing_backups(facts: Data, instances: list[Data]) -> Findings:
    for one in instances:
        if one["backup"]["state"] == "missing":
            yield str(one["id"]), f"{_label(one)} has no usable backup."
    yield from _check_unknown_backups(facts, instances)


def _check_overdue_backups(facts: Data, instances: list[Data]) -> Findings:
    now = facts["reported_at"]
    for one in instances:
        if one["backup"]["state"] == "overdue":
            taken = one["backup"]["taken_at"]
            age = "dated in the future" if is_in_future(taken, now) else f"{format_duration(now - taken)} old"
            yield str(one["id"]), f"{_label(one)}: its newest backup is {age}."
    yield from _check_unknown_backups(facts, instances)


def _check_unknown_backups(facts: Data, instances: list[Data]) -> Findings:
    if facts["backups"] is None:
        yield UNJUDGED, "The backups could not be read."
        return
    for one in instances:
        if one["backup"]["state"] == "unknown":
            what = one["backup"]["unread"]
            why = f"the {what} of its backups can't be read" if what else "it is not known whether it has a backup"
            yield str(one["id"]), f"{_label(one)}: {why}."


def _check_proofs(facts: Data, instances: list[Data], max_age: timedelta) -> Findings:
    if facts["counts"]["proven"] is None:
        yield UNJUDGED, "The journal could not be read, so no proof of a restore is known."
        return
    for one in instances:
        if one["drill_failed"] is None:
            yield str(one["id"]), f"{_label(one)}: its part of the journal is damaged, so no proof is known."
        elif one["proven_at"] is None:
            yield str(one["id"]), f"{_label(one)}: no restore of it was ever proven."
        elif (age := facts["reported_at"] - one["proven_at"]) > max_age:
            yield str(one["id"]), f"{_label(one)}: a restore of it was last proven {format_duration(age)} ago."


def _check_balance(facts: Data, min_days: int) -> Findings:
    claws = facts["claws"]
    balance, cost, days = claws["balance"], claws["daily_cost"], claws["days_left"]
    has_run_out = balance is not None and balance <= 0 and facts["statuses"]["paused"] > 0
    if days is not None and days < min_days:
        lasting = format_lasting(balance or 0, cost or 0, days)
        yield "", f"The balance lasts {lasting}, less than {format_count(min_days, 'day')} (fleet_report_min_days)."
    elif claws["is_low"] or has_run_out:
        yield "", "The balance is low."
    elif days is None and (cost is None or cost > 0):
        yield UNJUDGED, "The service does not report how long the balance lasts."
