# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats the facts of the fleet as text and chart coordinates for the page of the role ``fleet_report``. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t
from collections import Counter
from datetime import datetime, timedelta

from ...module_utils._model.backup import is_in_future
from ...module_utils._model.instance import is_busy
from ...module_utils._model.resource import normalize
from ...module_utils._times import format_duration
from .._formatting import EMPTY, format_clock, format_label, format_value
from .fleet_facts import LATE_STATES, STATUSES, sort_worst_first

Data = dict[str, t.Any]


def build_page(facts: Data, script: str = "") -> Data:
    """Returns the variables of the template beside the facts. ``script`` is that of the page."""
    rows = [_build_row(one, facts) for one in sort_worst_first(facts)]
    lasting = {name: value for name, value in facts.items() if name != "reported_at"}
    return {
        "facts": facts,
        "rows": rows,
        "statuses": _build_status_bar(rows),
        "headline": _format_headline(facts),
        "max_age": format_duration(timedelta(seconds=facts["backup_max_age_seconds"])),
        "longest_cost": max((part["claws"] for part in facts["claws"]["costs"]), default=1),
        "fingerprint": hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()[:32],
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "value": format_value,
        "label": format_label,
        "clock": format_clock,
        "duration": format_duration,
        "number": format_number,
    }


def _build_row(one: Data, facts: Data) -> Data:
    status, health = normalize(one["status"]), normalize(one["health_status"])
    is_running, proven = status == "running", one["proven_at"]
    never = "unknown" if facts["counts"]["proven"] is None else "never"
    return {
        "name": format_value(one["name"]),
        "id": format_value(one["id"], 20),
        "status": format_value(str(one["status"] or "").replace("_", " "), 40),
        "status_tone": _choose_tone(status),
        "health": format_value(one["health_status"], 40) if is_running else EMPTY,
        "health_tone": {"healthy": "good", "unhealthy": "bad"}.get(health, "quiet") if is_running else "quiet",
        "tier": format_value(one["tier"], 40),
        "billing": format_value(one["billing_mode"], 40),
        "cost": one["daily_claws"],
        "created": format_clock(one["created_at"])[:10],
        "proven": f"{format_clock(proven)[:10] if proven else never}{', drill failed' if one['drill_failed'] else ''}",
        "proven_title": format_clock(proven),
        "backup": _build_backup(one["backup"], facts["reported_at"]),
    }


def _build_backup(backup: Data, now: datetime) -> Data:
    """Returns what the page shows of the newest backup. Its date may be in the future."""
    taken, word = backup["taken_at"], backup["state"] if backup["state"] in LATE_STATES else ""
    if taken is None:
        text, sort = "none" if word else "unknown", 10**12
    elif is_in_future(taken, now):
        text, sort = "in the future", 10**12
    else:
        age = max(now - taken, timedelta(0))
        text, sort = format_duration(age), int(age.total_seconds())
    return {"taken": format_clock(taken), "age": text, "sort": sort, "word": word}


def _choose_tone(status: str) -> str:
    if status == "running":
        return "good"
    if status in ("error", "deploy_failed"):
        return "bad"
    if status in ("stopped", "deleting"):
        return "quiet"
    return "busy" if is_busy({"status": status}) else "warn"


def _format_headline(facts: Data) -> str:
    """Returns how many instances need attention, and how many of the others have no fresh backup."""
    instances = facts["instances"]
    if not instances:
        return "There are no instances in this account."
    trouble = facts["counts"]["needs_attention"]
    stale = sum(one["backup"]["state"] in LATE_STATES and not one["needs_attention"] for one in instances)
    lacking = f"{'has' if stale == 1 else 'have'} no fresh backup"
    if trouble:
        others = f" {stale} of the others {lacking}." if stale else ""
        return f"{trouble} of {len(instances)} instances {'needs' if trouble == 1 else 'need'} attention.{others}"
    but = ["the balance is low"] * bool(facts["claws"]["is_low"])
    but += [f"{stale} of {len(instances)} {lacking}"] * bool(stale)
    return f"No instance needs attention{', but ' if but else ''}{' and '.join(but)}."


def _build_status_bar(rows: list[Data]) -> list[Data]:
    """Returns the number of instances in each status, with its position and width in the bar in per cent."""
    counted = Counter((row["status"], row["status_tone"]) for row in rows)
    order = {status.replace("_", " "): number for number, status in enumerate(STATUSES)}
    parts = sorted(counted.items(), key=lambda item: (order.get(item[0][0].lower(), 99), item[0][0]))
    result, start = [], 0.0
    for (status, tone), count in parts:
        width = 100 * count / len(rows)
        result.append({"status": status, "tone": tone, "count": count, "x": round(start, 3), "width": round(width, 3)})
        start += width
    return result


def format_number(value: int | None) -> str:
    """Returns a number with its digits in groups of three."""
    return EMPTY if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
