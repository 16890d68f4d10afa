# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats the facts of the fleet: for programs as JSON, as metrics for Prometheus and for ``set_stats``, and for people
as the variables of the page. Pure.

What is not known has no series. Times are timestamps, not ages: they stay true while the file gets old.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import typing as t
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

from ...module_utils._model.backup import is_in_future
from ...module_utils._model.instance import is_busy
from ...module_utils._model.instance_fields import HEALTH_STATUSES, STATUSES, TIERS
from ...module_utils._model.resource import normalize
from ...module_utils._numbers import Number, to_json
from ...module_utils._times import format_duration
from .._formatting import EMPTY, format_clock, format_label, format_value
from .fleet_facts import ADDON_TYPE, FAILED, LATE_STATES, OTHER, REST, TIER, choose_word, sort_worst_first

Data = dict[str, t.Any]
Labels = tuple[tuple[str, str], ...]

SECONDS_A_DAY = 86400

_COST_WORDS = {TIER: TIERS, ADDON_TYPE: ("llm", "backup", "embedding")}
"""The documented words of each kind of cost."""

_HELP = {
    "report_timestamp_seconds": "When the fleet was read, in Unix time.",
    "instances": "Instances by status and health; undocumented words count as other.",
    "instance_needs_attention": "1 for an instance that needs attention, as the report says, else 0.",
    "backup_instances": "Instances by the state of their newest usable backup.",
    "backup_newest_timestamp_seconds": "When the newest usable backup of an instance was taken, in Unix time.",
    "restore_drill_failed": "1 for an instance whose last drill did not end healthy, until a proof; else 0.",
    "restore_proven_timestamp_seconds": "When a restore of an instance last ended healthy, in Unix time.",
    "balance_claws": "Claws left.",
    "daily_cost_claws": "Claws that all running instances and add-ons cost a day.",
    "daily_cost_part_claws": "Claws a day by what they are for: tier, type of add-on, or not itemized.",
    "balance_remaining_seconds": "How long the balance lasts, in full days; +Inf if nothing costs Claws.",
}


def format_data(facts: Data, fingerprint: str, keys: t.Mapping[str, list[str]]) -> str:
    """Returns the facts as JSON, with the keys of the findings. Times are ISO 8601."""
    return json.dumps({"fingerprint": fingerprint, **keys, **facts}, indent=2, default=_to_plain) + "\n"


def _to_plain(value: datetime | Decimal) -> object:
    return to_json(value) if isinstance(value, Decimal) else value.isoformat(timespec="seconds")


def build_stats(facts: Data) -> Data:
    """Returns the numbers for ``set_stats``: times in Unix seconds, ids, and documented words."""
    stats = {
        "reported_at": _to_unix(facts["reported_at"]),
        **{name: facts[name] for name in ("counts", "statuses", "health", "backups")},
        "claws": {
            **{name: facts["claws"][name] for name in ("balance", "daily_cost", "days_left", "is_low")},
            "costs": _sum_costs(facts["claws"]),
        },
        "instances": [
            {
                "id": one["id"],
                "needs_attention": one["needs_attention"],
                "newest_backup_at": _to_unix(one["backup"]["taken_at"]),
                "proven_at": _to_unix(one["proven_at"]),
                "drill_failed": one["drill_failed"],
            }
            for one in facts["instances"]
            if isinstance(one["id"], int)
        ],
    }
    return t.cast("Data", json.loads(json.dumps(stats, default=_to_plain)))


def _sum_costs(claws: Data) -> dict[str, dict[str, int]] | None:
    """Returns the Claws a day by kind and documented word, which add up to the daily cost; None if not known."""
    if not claws["costs"] and claws["daily_cost"] != 0:
        return None
    sums = {kind: dict.fromkeys((*words, OTHER), 0) for kind, words in (*_COST_WORDS.items(), (REST, ()))}
    for part in claws["costs"]:
        sums[part["kind"]][choose_word(part["item"], _COST_WORDS.get(part["kind"], ()))] += part["claws"]
    return sums


def format_metrics(facts: Data, fingerprint: str) -> str:
    """Returns the metrics in the text format of Prometheus. The label ``fleet`` tells several accounts apart."""
    samples = {(name, labels): value for name, labels, value in _list_samples(facts) if value is not None}
    lines = [f"# clawhosters-facts {fingerprint}"]
    for name, text in _HELP.items():
        kind, found = f"clawhosters_{name}", sorted(labels for family, labels in samples if family == name)
        if found:
            lines += [f"# HELP {kind} {text}", f"# TYPE {kind} gauge"]
        for labels in found:
            shown = ",".join(f'{label}="{_escape(value)}"' for label, value in (("fleet", facts["title"]), *labels))
            value = samples[name, labels]
            lines.append(f"{kind}{{{shown}}} {'+Inf' if math.isinf(value) else value}")
    return "\n".join(lines) + "\n"


def _list_samples(facts: Data) -> t.Iterator[tuple[str, Labels, float | None]]:
    """Yields the family, the labels and the value of each series. A value that is not known is None."""
    claws, cost, days = facts["claws"], facts["claws"]["daily_cost"], facts["claws"]["days_left"]
    yield "report_timestamp_seconds", (), _to_unix(facts["reported_at"])
    for (status, health), number in _count_conditions(facts["instances"]).items():
        yield "instances", (("status", status), ("health", health)), number
    for one in facts["instances"]:
        # With the id, instances that share a name have series of their own.
        labels = ("id", str(one["id"])), ("name", one["name"] or "")
        yield "instance_needs_attention", labels, int(one["needs_attention"])
        yield "backup_newest_timestamp_seconds", labels, _to_unix(one["backup"]["taken_at"])
        yield "restore_proven_timestamp_seconds", labels, _to_unix(one["proven_at"])
        yield "restore_drill_failed", labels, None if one["drill_failed"] is None else int(one["drill_failed"])
    for state, number in (facts["backups"] or {}).items():
        yield "backup_instances", (("state", state),), number
    yield "balance_claws", (), claws["balance"]
    yield "daily_cost_claws", (), cost
    for part in claws["costs"]:
        yield "daily_cost_part_claws", (("kind", part["kind"]), ("item", part["item"])), part["claws"]
    lasts = math.inf if days is None and cost is not None and cost <= 0 else days and days * SECONDS_A_DAY
    yield "balance_remaining_seconds", (), lasts


def _count_conditions(instances: list[Data]) -> Counter[tuple[str, str]]:
    """Returns the numbers by status and health. Series that an alert may ask for are there with 0."""
    pairs = [("running", word) for word in (*HEALTH_STATUSES, OTHER)]
    counts = Counter(dict.fromkeys([*pairs, *((status, "unknown") for status in (*STATUSES, OTHER))], 0))
    counts.update(
        (choose_word(one["status"], STATUSES), choose_word(one["health_status"] or "unknown", HEALTH_STATUSES))
        for one in instances
    )
    return counts


def _to_unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


# The page


def build_page(facts: Data, script: str = "") -> Data:
    """Returns the variables of the template beside the facts. ``script`` is that of the page."""
    rows = [_build_row(one, facts) for one in sort_worst_first(facts)]
    lasting = {name: value for name, value in facts.items() if name != "reported_at"}
    return {
        "facts": facts,
        "rows": rows,
        "statuses": _build_status_bar(facts["statuses"]),
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
    never = "unknown" if one["drill_failed"] is None else "never"
    return {
        **one,
        "status": format_value(str(one["status"] or "not shown").replace("_", " "), 40),
        "status_tone": _choose_tone(status),
        "health": format_value(one["health_status"] or "not shown", 40) if is_running else EMPTY,
        "health_tone": {"healthy": "good", "unhealthy": "bad"}.get(health, "quiet"),
        "proven": f"{format_clock(proven)[:10] if proven else never}{', drill failed' if one['drill_failed'] else ''}",
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
    if status in FAILED:
        return "bad"
    if status in ("stopped", "deleting"):
        return "quiet"
    return "busy" if status in STATUSES and is_busy({"status": status}) else "warn"


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
    unseen = facts["counts"]["running"] - sum(facts["health"].values())
    but = [f"the health of {unseen} is not shown"] * bool(unseen)
    but += ["the balance is low"] * bool(facts["claws"]["is_low"])
    but += [f"{stale} of {len(instances)} {lacking}"] * bool(stale)
    return f"No instance needs attention{', but ' if but else ''}{' and '.join(but)}."


def _build_status_bar(statuses: t.Mapping[str, int]) -> list[Data]:
    """Returns the number of instances in each status, with its position and width in the bar in per cent."""
    parts, total, start = [], sum(statuses.values()), 0
    for status, count in statuses.items():
        if count:
            text, tone = status.replace("_", " "), _choose_tone(status)
            x, width = (round(100 * number / total, 3) for number in (start, count))
            parts.append({"status": text, "tone": tone, "count": count, "x": x, "width": width})
        start += count
    return parts


def format_number(value: Number | None) -> str:
    """Returns a number with its digits in groups of three."""
    return EMPTY if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
