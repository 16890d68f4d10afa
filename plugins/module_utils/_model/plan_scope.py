# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of ``claw_fleet`` and of the role ``restore``: where and when one was made, and its digest. Pure.

The digest shows that a plan was edited, and lets people compare a reviewed plan with the one that a job applies.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._service_url import find_url_problem
from .._text import one_line
from .._times import CLOCK_TOLERANCE, format_duration, format_time, parse_time
from .resource import parse_id

SHOWN_DIGITS = 12
"""Digits of the digest that are shown: enough to compare two plans by eye."""
_ID_LIMIT = 100
_TEXTS = dict.fromkeys(("service", "made_at", "digest"), str)
FIELDS = {**_TEXTS, "account": (str, type(None)), "entries": list}
"""The fields of every plan, and their types."""

_MAKERS = {frozenset(FIELDS): "claw_fleet or the role fleet", frozenset({*FIELDS, "incident"}): "the role restore"}


def digest(content: t.Any) -> str:
    """Returns the SHA-256 of data, as JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def find_fault(plan: object, fields: t.Mapping[str, t.Any], entry_fields: t.Mapping[str, t.Any]) -> str:
    """Returns why data is no plan with these fields; empty if it is one."""
    if not isinstance(plan, dict):
        return "it is no dictionary."
    if plan.keys() != fields.keys() and (maker := _MAKERS.get(frozenset(plan))):
        return f"it is a plan of {maker}."
    if not _has_types(plan, fields) or not all(_has_types(entry, entry_fields) for entry in plan["entries"]):
        return "a part is missing, or of another type."
    if digest({name: value for name, value in plan.items() if name != "digest"}) != plan["digest"]:
        return "it was edited: its digest does not match."
    entries = plan["entries"]
    given = [entry[name] for entry in entries for name in ("id", "backup_id") if name in entry]
    if any(parse_id(one) != one or len(str(one)) > _ID_LIMIT for one in given):
        return "an id has another spelling, or is too long."
    ids = [str(entry["id"]) for entry in entries]
    is_whole = parse_time(plan["made_at"]) and len(set(ids)) == len(ids) and not find_url_problem(plan["service"])
    return "" if is_whole else "its time or service is invalid, or an id appears twice."


def _has_types(given: object, types: t.Mapping[str, t.Any]) -> bool:
    if not isinstance(given, dict) or given.keys() != types.keys():
        return False
    return all(isinstance(given[name], kind) and not isinstance(given[name], bool) for name, kind in types.items())


@dataclass(frozen=True)
class PlanScope:
    """Where and when a plan was made, or is to be applied."""

    service: str
    account: str | None
    """The id of the account, or else its e-mail address; None if the service does not show it."""
    made_at: datetime
    digest: str

    def label(self) -> str:
        """Returns the line by which a reviewer's comment and a job's log are compared."""
        return f"Plan {self.digest[:SHOWN_DIGITS]}, made at {format_time(self.made_at)}."

    def find_differences(
        self, service: str, account: str | None, now: datetime, option: str, max_age: timedelta | None
    ) -> list[str]:
        """Returns why the plan can't be applied there and then, a sentence each. ``option`` sets ``max_age``."""
        age, found = now - self.made_at, []
        if self.service != service:
            found.append(f"The plan is of the service {one_line(self.service)}, not of {service}.")
        if self.account != account:
            of = f"the account {one_line(self.account)}" if self.account else "an account that was not shown"
            own = f"this key is of {one_line(account)}" if account else "the service does not show that of this key"
            found.append(f"The plan is of {of}, and {own}.")
        if max_age is not None and age > max_age:
            found.append(f"The plan is {format_duration(age)} old, more than {option} ({format_duration(max_age)}).")
        elif -age > CLOCK_TOLERANCE:
            found.append(f"The plan is dated {format_duration(-age)} ahead.")
        return found
