# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the facts of the role ``fleet_report``, from which its page, data, metrics and statistics are made. Pure.

Any field of the service may be missing, null or of an undocumented type. A fact that is not known is None.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ...module_utils._model.backup import find_unread, is_in_future, is_usable, newest_first, taken_at
from ...module_utils._model.instance import FAILURE_STATUSES, get_health, get_status, is_unhealthy
from ...module_utils._model.instance_fields import HEALTH_STATUSES, STATUSES, is_undocumented
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.ownership import find_owner, parse_owner
from ...module_utils._model.resource import Resource, as_object, as_objects, normalize, parse_id
from ...module_utils._numbers import Number, parse_number
from ...module_utils._state.journal import OperationEvent, OperationKey, OperationState
from ...module_utils._text import MESSAGE_LIMIT, one_line
from ...module_utils._times import parse_time
from .._formatting import NAME_LIMIT
from .forecast import build_forecast

Data = dict[str, t.Any]

OTHER = "other"
"""Stands for each undocumented status."""
_FINE = frozenset(STATUSES) - FAILURE_STATUSES
FAILED = ("error", "deploy_failed")
LATE_STATES = ("overdue", "missing")
BACKUP_STATES = ("fresh", *LATE_STATES, "unknown")
_UNCLEAR_BACKUPS = (
    "The service does not show which instance some backups belong to, so the age of the newest one is not known of all."
)
_RESTORES_SHOWN = 50
TIER, ADDON_TYPE, REST = "tier", "addon_type", "rest"


@dataclass
class ReportSource:
    """The account and its journal, as read. Where that failed, ``billing`` is empty, and others are None."""

    instances: list[Resource]
    billing: Data = field(default_factory=dict)
    backups: list[Resource] | None = None
    """Those that are usable, or may be."""
    proofs: t.Mapping[int | str | None, datetime] | None = None
    """When a restored instance, by id, was last healthy at the end."""
    failed_drills: t.Collection[int | str | None] = ()
    """The ids of the instances whose last drill did not end healthy, and that no proof followed."""
    unread: t.Collection[int | str] = ()
    """The ids of the instances whose part of the journal is damaged."""
    operations: t.Mapping[OperationKey, OperationState] = field(default_factory=dict)
    """All operations in the journal, of all services and accounts."""
    journal_problem: str = ""
    """Why the journal is not reliable."""
    notices: list[str] = field(default_factory=list)
    service: str = ""
    """The host of the service."""


def build_facts(source: ReportSource, max_age: timedelta, title: str, now: datetime) -> Data:
    """Returns the facts. A newest backup that is older than ``max_age`` is overdue."""
    usage = as_object(source.billing.get("usage"))
    costs = {
        str(parse_id(entry.get("id"))): parse_number(entry.get("daily_claws"))
        for entry in as_objects(usage.get("instances"))
    }
    newest, unclear, unread = _find_newest_backups(source, now), _find_unclear_owners(source), _find_unread(source)
    instances = []
    for instance in source.instances:
        key = str(instance["id"])
        is_clear = source.backups is not None and not unclear & {None, str(instance.get("name"))}
        taken = taken_at(newest[key]) if key in newest else None
        state = _judge_backup(taken, max_age, now, is_clear=is_clear and key not in unread)
        backup = {"state": state, "taken_at": taken, "unread": unread.get(key)}
        is_unread = source.proofs is None or instance["id"] in source.unread
        facts = {
            "daily_claws": costs.get(key),
            "backup": backup,
            "proven_at": (source.proofs or {}).get(instance["id"]),
            "drill_failed": None if is_unread else instance["id"] in source.failed_drills,
        }
        instances.append({**_describe(instance), **facts})
    return {
        "reported_at": now,
        "title": _clean(title) or "ClawHosters fleet",
        "service": source.service,
        "backup_max_age_seconds": int(max_age.total_seconds()),
        **_count(instances, source),
        "claws": _build_claws(source, usage, instances),
        "instances": instances,
        "restores": _build_restores(source.operations, source.journal_problem),
        "notices": [one_line(text, 300) for text in [*source.notices, *([_UNCLEAR_BACKUPS] if unclear else [])]],
    }


def choose_word(word: str | None, documented: t.Collection[str]) -> str:
    """Returns a documented word; ``other`` for any other."""
    return normalize(word) if normalize(word) in documented else OTHER


def _clean(value: object, limit: int = NAME_LIMIT) -> str | None:
    return None if value is None else one_line(value, limit) or None


def _describe(instance: Resource) -> Data:
    is_strange = get_status(instance) == "running" and is_undocumented(instance, "health_status")
    return {
        "id": instance["id"],
        **{name: _clean(instance.get(name)) for name in ("name", "status", "tier", "billing_mode")},
        "health_status": _clean(instance.get("health_status")) or (get_health(instance) and "unknown") or None,
        "created_at": parse_time(instance.get("created_at")),
        "needs_attention": get_status(instance) not in _FINE or is_unhealthy(instance) or is_strange,
    }


def sort_worst_first(facts: Data) -> list[Data]:
    """Returns the instances: those that have failed, the unhealthy ones, and others that need attention.

    Among those and the rest, the ones without a fresh backup come first, the oldest one before the others.
    """

    def find_rank(one: Data) -> tuple[t.Any, ...]:
        late = one["backup"]["state"] in LATE_STATES
        age = _measure_age(one["backup"]["taken_at"], facts["reported_at"]) if late else 0.0
        return _rank_condition(one), -age, str(one["name"]).casefold(), str(one["id"])[:20].rjust(20, "0")

    return sorted(facts["instances"], key=find_rank)


def _rank_condition(one: Data) -> int:
    return 0 if get_status(one) in FAILED else 1 if is_unhealthy(one) else 2 if one["needs_attention"] else 3


def _measure_age(taken: datetime | None, now: datetime) -> float:
    """Returns the age of a backup in seconds: of none, or one dated in the future, more than of any other."""
    return math.inf if taken is None or is_in_future(taken, now) else (now - taken).total_seconds()


def _judge_backup(taken: datetime | None, max_age: timedelta, now: datetime, *, is_clear: bool) -> str:
    if taken is not None:
        return "overdue" if now - taken > max_age or is_in_future(taken, now) else "fresh"
    return "missing" if is_clear else "unknown"


def _find_newest_backups(source: ReportSource, now: datetime) -> dict[str, Resource]:
    """Returns the newest backup of each instance, by instance id: one dated in the future only if there is no other."""

    def is_doubtful(backup: Resource) -> bool:
        taken = taken_at(backup)
        return taken is not None and is_in_future(taken, now)

    index = InstanceIndex(source.instances)
    newest: dict[str, Resource] = {}
    for backup in sorted(newest_first(source.backups or []), key=is_doubtful):
        owner = find_owner(backup, index)
        if owner is not None and is_usable(backup):
            newest.setdefault(str(owner["id"]), backup)
    return newest


def _find_unread(source: ReportSource) -> dict[str, str]:
    """Returns what can't be read of a backup that may be usable, by instance id."""
    index = InstanceIndex(source.instances)
    found = ((find_owner(backup, index), find_unread(backup)) for backup in source.backups or [])
    return {str(owner["id"]): what for owner, what in found if owner and what}


def _find_unclear_owners(source: ReportSource) -> set[str | None]:
    """Returns the names that backups show of their instance, without an id, and that several instances have.

    None is among them if a backup shows nothing of its instance.
    """
    by_name = InstanceIndex(source.instances).by_name
    owners = (parse_owner(backup) for backup in source.backups or [])
    return {
        owner.name
        for owner in owners
        if owner.id is None and (owner.name is None or len(by_name.get(owner.name, [])) > 1)
    }


def _count(instances: list[Data], source: ReportSource) -> Data:
    """Returns the numbers of instances, in all and by documented words."""
    statuses = Counter(choose_word(one["status"], STATUSES) for one in instances)
    running = [one for one in instances if get_status(one) == "running"]
    health = Counter(choose_word(one["health_status"], HEALTH_STATUSES) for one in running if one["health_status"])
    backups = Counter(one["backup"]["state"] for one in instances)
    return {
        "counts": {
            "all": len(instances),
            "running": len(running),
            "healthy": health["healthy"] if health or not running else None,
            "needs_attention": sum(one["needs_attention"] for one in instances),
            "proven": None if source.proofs is None else sum(one["proven_at"] is not None for one in instances),
        },
        "statuses": {status: statuses[status] for status in (*STATUSES, OTHER)},
        "health": {word: health[word] for word in (*HEALTH_STATUSES, OTHER)},
        "backups": None if source.backups is None else {state: backups[state] for state in BACKUP_STATES},
    }


def _build_claws(source: ReportSource, usage: Data, instances: list[Data]) -> Data:
    summary = as_object(source.billing.get("summary"))
    balance, cost, days = build_forecast(summary, usage)
    return {
        "balance": balance,
        "daily_cost": cost,
        "days_left": days,
        "is_low": _judge_balance(summary, days),
        "costs": split_cost(cost, usage, instances),
    }


def _judge_balance(summary: Data, days: Number | None) -> bool | None:
    """Returns True for a low balance, None if the service does not tell."""
    if days is not None and days < 1:
        return True
    is_low = summary.get("low_balance")
    if isinstance(is_low, bool):
        return is_low
    return None if days is None else False


def _build_restores(operations: t.Mapping[OperationKey, OperationState], problem: str) -> Data:
    """Returns the restores in the journal, newest first, without those that were refused."""
    restores = [
        (operation, state)
        for operation, state in operations.items()
        if operation.kind == "restore" and state.event is not OperationEvent.REFUSED
    ]
    restores.sort(key=lambda item: item[1].sent_at, reverse=True)
    return {
        "entries": [_describe_restore(operation, state) for operation, state in restores[:_RESTORES_SHOWN]],
        "more": max(len(restores) - _RESTORES_SHOWN, 0),
        "services": len({operation.service for operation, _state in restores}),
        "problem": _clean(problem, MESSAGE_LIMIT),
    }


def _describe_restore(operation: OperationKey, state: OperationState) -> Data:
    has_ended = state.event in (OperationEvent.COMPLETED, OperationEvent.FAILED)
    return {
        "incident": _clean(operation.name),
        "service": _clean(operation.service),
        "instance_id": parse_id(operation.instance_id),
        "instance_name": _clean(state.facts.get("instance_name")),
        "backup_id": parse_id(state.facts.get("backup_id")),
        "taken_at": parse_time(state.facts.get("taken_at")),
        "sent_at": parse_time(state.sent_at),
        "ended_at": parse_time(state.at) if has_ended else None,
        "outcome": "unseen" if state.is_unseen else state.outcome,
    }


def split_cost(total: Number | None, usage: Data, instances: list[Data]) -> list[Data]:
    """Returns the Claws a day by what they are for, which add up to the ``total`` if that is known.

    First come the tiers of the instances, the dearest first, then the types of the add-ons, and what the service
    charges without an entry or a price.
    """
    addons = [(addon, parse_number(addon.get("daily_claws"))) for addon in as_objects(usage.get("addons"))]
    parts = [
        *_sum_up(TIER, ((one["tier"] or "unknown tier", one["daily_claws"]) for one in instances)),
        *_sum_up(ADDON_TYPE, ((_clean(addon.get("addon_type")) or "unknown", price) for addon, price in addons)),
    ]
    rest = total - sum(part["claws"] for part in parts) if total is not None and (parts or addons) else 0
    if rest:
        parts.append({"kind": REST, "item": "not itemized", "number": None, "claws": rest})
    return parts


def _sum_up(kind: str, costs: t.Iterable[tuple[str, Number | None]]) -> list[Data]:
    """Returns a part for each item, the dearest first. What costs nothing is left out."""
    claws: dict[str, list[Number]] = defaultdict(list)
    for item, price in costs:
        if price:
            claws[item].append(price)
    ranked = sorted(claws.items(), key=lambda one: (-sum(one[1]), one[0]))
    return [{"kind": kind, "item": item, "number": len(prices), "claws": sum(prices)} for item, prices in ranked]
