# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds all text, numbers and chart coordinates for the page of the role ``fleet_report``. Pure.

Any field of the service may be missing, null or of an undocumented type.
"""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t
from collections import Counter
from datetime import datetime, timedelta

from ...module_utils._model.backup import newest_first, taken_at
from ...module_utils._model.instance import FAILURE_STATUSES, is_busy
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.ownership import parse_owner
from ...module_utils._model.resource import Resource, as_object, as_objects, normalize
from ...module_utils._service.restore.history import CLOCK_TOLERANCE
from ...module_utils._state.journal import (
    JournalEntry,
    OperationEvent,
    OperationKey,
    OperationState,
    parse_entry,
    replay,
)
from ...module_utils._text import MESSAGE_LIMIT, one_line
from ...module_utils._times import format_duration, parse_time
from .._formatting import EMPTY, format_clock, format_label, format_value
from .balance import build_forecast, format_lasting, parse_number

Data = dict[str, t.Any]

CHART_WIDTH, CHART_HEIGHT = 600, 150
_UNCLEAR_BACKUPS = (
    "The service does not show which instance some backups belong to, so the age of the newest one is not known of all."
)
_LONGEST_FORECAST = 60
_RESTORES_SHOWN = 50
_STATUS_ORDER = (
    "running",
    "stopped",
    "provisioning",
    "deploying",
    "pending_configuration",
    "paused",
    "deleting",
    "deploy_failed",
    "error",
)


def build_page(
    instances: list[Resource], billing: Data, backups: list[Resource] | None, journal: str, options: Data, now: datetime
) -> Data:
    """Returns the variables of the template.

    ``billing`` may be empty and ``backups`` None if they could not be read. ``journal`` is the text of the journal.
    ``options``: ``max_age`` of a backup, ``title``, ``script``, ``notices``, and ``journal_problem``: why the journal
    is not reliable.
    """
    max_age: timedelta = options["max_age"]
    summary = as_object(billing.get("summary"))
    usage = as_object(billing.get("usage"))
    costs = {
        str(entry.get("id")): parse_number(entry.get("daily_claws")) for entry in as_objects(usage.get("instances"))
    }
    newest = _find_newest_backups(instances, backups)
    unclear = _find_unclear_owners(instances, backups)
    rows = []
    for instance in instances:
        is_clear = None not in unclear and str(instance.get("name")) not in unclear
        rows.append(_build_row(instance, costs, newest, backups is not None and is_clear, max_age, now))
    notices = [*options.get("notices", []), *([_UNCLEAR_BACKUPS] if unclear else [])]
    rows.sort(key=_sort_key)
    counts, money = _count(rows), _build_money(summary, usage, rows)
    facts = {
        "rows": rows,
        "statuses": _build_status_bar(rows),
        "counts": counts,
        "headline": _format_headline(counts, is_low=money["low"]),
        "money": money,
        "has_backups": backups is not None,
        "max_age": format_duration(max_age),
        "restores": {
            **_build_restores(journal),
            "problem": one_line(options.get("journal_problem", ""), MESSAGE_LIMIT),
        },
        "notices": [format_value(text, 300) for text in notices],
        "title": format_value(options.get("title") or "ClawHosters fleet"),
    }
    return {
        **facts,
        "as_of": format_clock(now),
        "as_of_iso": now.isoformat(timespec="seconds"),
        "fingerprint": _hash_content(facts),
        "script_hash": base64.b64encode(hashlib.sha256(str(options.get("script", "")).encode()).digest()).decode(),
    }


def _hash_content(facts: Data) -> str:
    """Returns a hash of the content, without ages: those change every minute."""
    lasting = {
        **facts,
        "rows": [{**row, "backup": {**row["backup"], "age": None, "sort": None}} for row in facts["rows"]],
    }
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _build_row(
    instance: Resource,
    costs: dict[str, int | None],
    newest: dict[str, Resource],
    has_backups: bool,
    max_age: timedelta,
    now: datetime,
) -> Data:
    status, health = normalize(instance.get("status")), normalize(instance.get("health_status"))
    taken = taken_at(newest[str(instance["id"])]) if str(instance["id"]) in newest else None
    cost = costs.get(str(instance["id"]))
    is_unhealthy = status == "running" and health == "unhealthy"
    return {
        "name": format_value(instance.get("name")),
        "id": format_value(instance["id"], 20),
        "sort_id": str(instance["id"])[:20].rjust(20, "0"),
        "status": format_value(instance.get("status"), 40).replace("_", " "),
        "status_tone": _choose_tone(status),
        "health": format_value(instance.get("health_status"), 40) if status == "running" else EMPTY,
        "health_tone": {"healthy": "good", "unhealthy": "bad"}.get(health, "quiet") if status == "running" else "quiet",
        "tier": format_value(instance.get("tier"), 40),
        "billing": format_value(instance.get("billing_mode"), 40),
        "cost": cost,
        "cost_text": EMPTY if cost is None else _group_digits(cost),
        "created": format_clock(parse_time(instance.get("created_at")))[:10],
        "trouble": status in FAILURE_STATUSES or is_unhealthy,
        "rank": 0 if status in ("error", "deploy_failed") else 1 if is_unhealthy else 2,
        "backup": _build_backup(taken, max_age, now, has_backups=has_backups),
    }


def _build_backup(taken: datetime | None, max_age: timedelta, now: datetime, *, has_backups: bool) -> Data:
    """Returns what the page shows of the newest backup. By the local clock, its date may be in the future."""
    age = None if taken is None or taken - now > CLOCK_TOLERANCE else max(now - taken, timedelta(0))
    if age is not None:
        text, word = format_duration(age), "overdue" if age > max_age else ""
    elif taken is not None:
        text, word = "in the future", "overdue"
    else:
        text, word = ("none", "missing") if has_backups else ("unknown", "")
    sort = int(age.total_seconds()) if age is not None else 10**12
    return {"taken": format_clock(taken), "age": text, "sort": sort, "late": bool(word), "word": word}


def _sort_key(row: Data) -> tuple[t.Any, ...]:
    """Sorts the worst first: failed, unhealthy, other trouble, no backup, the oldest backup."""
    backup = row["backup"]
    urgency = (0, row["rank"], 0) if row["trouble"] else (1, 0, -backup["sort"]) if backup["late"] else (2, 0, 0)
    return (*urgency, not backup["late"], str(row["name"]).casefold(), row["sort_id"])


def _choose_tone(status: str) -> str:
    if status == "running":
        return "good"
    if status in ("error", "deploy_failed"):
        return "bad"
    if status in ("stopped", "deleting"):
        return "quiet"
    return "busy" if is_busy({"status": status}) else "warn"


def _find_newest_backups(instances: list[Resource], backups: list[Resource] | None) -> dict[str, Resource]:
    """Returns the newest backup of each instance, by instance id."""
    index = InstanceIndex(instances)
    newest: dict[str, Resource] = {}
    for backup in newest_first(backups or []):
        owner = index.find_owner(backup)
        if owner is not None and taken_at(backup):
            newest.setdefault(str(owner["id"]), backup)
    return newest


def _find_unclear_owners(instances: list[Resource], backups: list[Resource] | None) -> set[str | None]:
    """Returns the names that backups show of their instance, without an id, and that several instances have.

    None is among them if a backup shows nothing of its instance.
    """
    by_name = InstanceIndex(instances).by_name
    owners = (parse_owner(backup) for backup in backups or [])
    return {
        owner.name
        for owner in owners
        if owner.id is None and (owner.name is None or len(by_name.get(owner.name, [])) > 1)
    }


def _count(rows: list[Data]) -> Data:
    running = [row for row in rows if row["status"].lower() == "running"]
    return {
        "all": len(rows),
        "running": len(running),
        "healthy": sum(row["health_tone"] == "good" for row in running),
        "trouble": sum(row["trouble"] for row in rows),
        "overdue": sum(row["backup"]["word"] == "overdue" for row in rows),
        "missing": sum(row["backup"]["word"] == "missing" for row in rows),
    }


def _format_headline(counts: Data, *, is_low: bool) -> str:
    if not counts["all"]:
        return "There are no instances in this account."
    trouble, stale = counts["trouble"], counts["overdue"] + counts["missing"]
    if not trouble:
        without = f"{stale} of {counts['all']} {'has' if stale == 1 else 'have'} no fresh backup"
        but = ["the balance is low"] * is_low + [without] * bool(stale)
        if but:
            return f"No instance needs attention, but {' and '.join(but)}."
        return "No instance needs attention."
    return f"{trouble} of {counts['all']} instances {'needs' if trouble == 1 else 'need'} attention."


def _build_status_bar(rows: list[Data]) -> list[Data]:
    """Returns the number of instances in each status, with its position and width in the bar in per cent."""
    counted = Counter((row["status"], row["status_tone"]) for row in rows)
    order = {status.replace("_", " "): number for number, status in enumerate(_STATUS_ORDER)}
    parts = sorted(counted.items(), key=lambda item: (order.get(item[0][0].lower(), 99), item[0][0]))
    result, start = [], 0.0
    for (status, tone), count in parts:
        width = 100 * count / len(rows)
        result.append({"status": status, "tone": tone, "count": count, "x": round(start, 3), "width": round(width, 3)})
        start += width
    return result


def _build_money(summary: Data, usage: Data, rows: list[Data]) -> Data:
    balance, cost, days = build_forecast(summary, usage)
    return {
        "balance": _format_number(balance),
        "cost": _format_number(cost),
        "days": _format_number(days),
        "low": summary.get("low_balance") is True or (days is not None and days < 1),
        "subscription": format_value(summary.get("subscription_status"), 40),
        "chart": _build_forecast_chart(balance, cost, days),
        "tiers": _sum_by_tier(rows),
    }


def _build_forecast_chart(balance: int | None, cost: int | None, days: int | None) -> Data | None:
    """Returns the coordinates of the forecast: a line from today's balance to zero or to the end of the chart.

    Returns None if the balance or the cost is unknown.
    """
    if balance is None or cost is None or balance <= 0:
        return None
    cost = max(cost, 0)
    lasts = balance / cost if cost else float(10**9)
    horizon = min(max(int(lasts) + 1, 7), _LONGEST_FORECAST)
    left = max(balance - cost * horizon, 0)
    end = min(lasts, horizon)

    def at(day: float, claws: float) -> str:
        return f"{day / horizon * CHART_WIDTH:.1f},{CHART_HEIGHT - claws / balance * CHART_HEIGHT:.1f}"

    step = 1 if horizon <= 8 else 2 if horizon <= 14 else 7 if horizon <= 42 else 14
    return {
        "line": f"{at(0, balance)} {at(end, left)}",
        "area": f"0,{CHART_HEIGHT} {at(0, balance)} {at(end, left)} {end / horizon * CHART_WIDTH:.1f},{CHART_HEIGHT}",
        "end_x": round(end / horizon * CHART_WIDTH, 1),
        "end_y": round(CHART_HEIGHT - left / balance * CHART_HEIGHT, 1),
        "is_over": lasts <= horizon,
        "ticks": [{"day": day, "x": round(day / horizon * CHART_WIDTH, 1)} for day in range(0, horizon + 1, step)],
        "text": f"{_group_digits(balance)} Claws at {_group_digits(cost)} a day"
        + (f" last {format_lasting(balance, cost, days)}." if days is not None and cost > 0 else "."),
    }


def _sum_by_tier(rows: list[Data]) -> list[Data]:
    """Returns the Claws a day of each tier, highest first, each with its width in per cent of the highest."""
    sums: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for row in rows:
        if row["cost"]:
            sums[row["tier"]] += row["cost"]
            numbers[row["tier"]] += 1
    longest = max(sums.values(), default=0)
    return [
        {"tier": tier, "claws": _group_digits(claws), "number": numbers[tier], "width": round(100 * claws / longest, 2)}
        for tier, claws in sums.most_common(6)
        if longest > 0
    ]


def _build_restores(journal: str) -> Data:
    """Returns the restores in the journal, newest first, and the number of lines that can't be parsed."""
    lines: list[JournalEntry] = []
    unreadable = 0
    for text in journal.splitlines():
        try:
            lines.append(parse_entry(text))
        except (ValueError, KeyError, TypeError):
            unreadable += bool(text.strip())
    restores = {operation: state for operation, state in replay(lines).items() if operation.kind == "restore"}
    several = len({operation.service for operation in restores}) > 1
    entries = sorted(restores.items(), key=lambda item: item[1].sent_at, reverse=True)
    return {
        "entries": [
            _build_restore(operation, state, several=several) for operation, state in entries[:_RESTORES_SHOWN]
        ],
        "more": max(len(restores) - _RESTORES_SHOWN, 0),
        "unreadable": unreadable,
    }


def _build_restore(operation: OperationKey, state: OperationState, *, several: bool) -> Data:
    outcome = "under way" if state.event is OperationEvent.ACCEPTED else state.outcome
    sent, last = parse_time(state.sent_at), parse_time(state.at)
    took = (
        format_duration(last - sent)
        if sent and last and state.event in (OperationEvent.COMPLETED, OperationEvent.FAILED)
        else EMPTY
    )
    return {
        "incident": format_value(operation.name),
        "instance": format_label(state.notes.get("instance_name"), operation.instance_id),
        "backup": format_value(state.notes.get("backup_id"), 20),
        "taken": format_clock(parse_time(state.notes.get("taken_at"))),
        "sent": format_clock(sent),
        "took": took,
        "outcome": outcome,
        "tone": {"completed": "good", "failed": "bad", "under way": "busy"}.get(outcome, "warn"),
        "service": format_value(operation.service) if several else "",
    }


def _format_number(value: int | None) -> str:
    return EMPTY if value is None else _group_digits(value)


def _group_digits(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
