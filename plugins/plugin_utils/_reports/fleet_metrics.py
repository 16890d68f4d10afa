# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats the facts of the fleet for programs: as JSON, as metrics for Prometheus, and for ``set_stats``. Pure.

What is not known has no series. Times are timestamps, not ages: they stay true while the file gets old.
"""

from __future__ import annotations

import json
import math
import typing as t
from datetime import datetime

from ...module_utils._model.instance import HEALTH_STATUSES, TIERS
from .fleet_facts import ADDON_TYPE, OTHER, REST, STATUSES, TIER, choose_word

Data = dict[str, t.Any]
Samples = dict[tuple[tuple[str, str], ...], float]
"""The value of each series of a family, by its labels."""

SECONDS_A_DAY = 86400

_COST_WORDS = {TIER: TIERS, ADDON_TYPE: ("llm", "backup", "embedding")}
"""The documented words of each kind of cost."""

_HELP = {
    "report_timestamp_seconds": "When the fleet was read, in Unix time.",
    "instances": "Instances by status and health; undocumented words count as other.",
    "instance_needs_attention": "1 for an instance that has failed, waits for its owner or is unhealthy, else 0.",
    "backup_instances": "Instances by the state of their newest usable backup.",
    "backup_newest_timestamp_seconds": "When the newest usable backup of an instance was taken, in Unix time.",
    "restore_drill_failed": "1 for an instance whose last drill did not end healthy, until a proof; else 0.",
    "restore_proven_timestamp_seconds": "When a restore of an instance last ended healthy, in Unix time.",
    "balance_claws": "Claws left.",
    "daily_cost_claws": "Claws that all running instances and add-ons cost a day.",
    "daily_cost_part_claws": "Claws a day by what they are for: tier, type of add-on, or not itemized.",
    "balance_remaining_seconds": "How long the balance lasts, in full days; +Inf if nothing costs Claws.",
}


def format_data(facts: Data, fingerprint: str, finding_keys: str) -> str:
    """Returns the facts as JSON. Times are ISO 8601."""
    content = {"fingerprint": fingerprint, "finding_keys": finding_keys, **facts}
    return json.dumps(content, indent=2, default=lambda time: time.isoformat(timespec="seconds")) + "\n"


def build_stats(facts: Data) -> Data:
    """Returns the numbers for ``set_stats``: times in Unix seconds, ids, and documented words."""
    return {
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
    lines = [f"# clawhosters-facts {fingerprint}"]
    for name, samples in _build_families(facts).items():
        if samples:
            kind = f"clawhosters_{name}"
            lines += [f"# HELP {kind} {_HELP[name]}", f"# TYPE {kind} gauge"]
            lines += [
                f"{kind}{{{_format_labels((('fleet', facts['title']), *labels))}}} {_format_number(value)}"
                for labels, value in sorted(samples.items())
            ]
    return "\n".join(lines) + "\n"


def _build_families(facts: Data) -> dict[str, Samples]:
    claws, instances = facts["claws"], facts["instances"]
    cost, days = claws["daily_cost"], claws["days_left"]
    lasts = math.inf if days is None and cost is not None and cost <= 0 else days and days * SECONDS_A_DAY
    return {
        "report_timestamp_seconds": _build_single(_to_unix(facts["reported_at"])),
        "instances": _count_instances(instances),
        "instance_needs_attention": {_label(one): int(one["needs_attention"]) for one in instances},
        "backup_instances": {(("state", state),): number for state, number in (facts["backups"] or {}).items()},
        "backup_newest_timestamp_seconds": _build_times(instances, lambda one: one["backup"]["taken_at"]),
        "restore_drill_failed": {
            _label(one): int(one["drill_failed"]) for one in instances if one["drill_failed"] is not None
        },
        "restore_proven_timestamp_seconds": _build_times(instances, lambda one: one["proven_at"]),
        "balance_claws": _build_single(claws["balance"]),
        "daily_cost_claws": _build_single(cost),
        "daily_cost_part_claws": {
            (("kind", part["kind"]), ("item", part["item"])): part["claws"] for part in claws["costs"]
        },
        "balance_remaining_seconds": _build_single(lasts),
    }


def _build_single(value: float | None) -> Samples:
    return {} if value is None else {(): value}


def _count_instances(instances: list[Data]) -> Samples:
    """Returns the numbers by status and health. Series that an alert may ask for are there with 0."""
    health = (*HEALTH_STATUSES, OTHER)
    pairs = [("running", word) for word in health] + [(status, "unknown") for status in (*STATUSES, OTHER)]
    counts: Samples = {(("status", status), ("health", word)): 0 for status, word in pairs}
    for one in instances:
        status, word = choose_word(one["status"], STATUSES), choose_word(one["health_status"], HEALTH_STATUSES)
        labels = (("status", status), ("health", "unknown" if one["health_status"] is None else word))
        counts[labels] = counts.get(labels, 0) + 1
    return counts


def _build_times(instances: list[Data], find: t.Callable[[Data], datetime | None]) -> Samples:
    times = ((one, _to_unix(find(one))) for one in instances)
    return {_label(one): time for one, time in times if time is not None}


def _label(one: Data) -> tuple[tuple[str, str], ...]:
    """Returns the labels of an instance. With the id, instances that share a name have series of their own."""
    return ("id", str(one["id"])), ("name", one["name"] or "")


def _to_unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _format_labels(labels: t.Iterable[tuple[str, str]]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _format_number(value: float) -> str:
    return "+Inf" if math.isinf(value) else str(value)
