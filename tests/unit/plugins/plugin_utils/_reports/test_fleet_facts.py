# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the facts of the fleet report, and of the metrics and statistics made of them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.clawhosters.cloud.plugins.module_utils._model import instance as instance_model
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_facts import (
    STATUSES,
    ReportSource,
    build_facts,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_metrics import (
    build_stats,
    format_data,
    format_metrics,
)

NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)
TAKEN = datetime(2026, 2, 3, 8, tzinfo=UTC)
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
EVIL = st.text(alphabet='"\\\n\r{},= a\u202e\ud800#\x00', max_size=12)


def gather(instances=(), title="", **read):
    return build_facts(ReportSource(list(instances), **read), timedelta(hours=36), title, NOW)


def series(facts):
    """Returns the value of each series, by name and labels."""
    text = format_metrics(facts, "mark").encode(errors="replace").decode()
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            key = (sample.name.removeprefix("clawhosters_"), *sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def fleet(*labels):
    return tuple(sorted({"fleet": "ClawHosters fleet", **dict(labels)}.items()))


@pytest.mark.parametrize(
    ("total", "tiers", "addons", "parts"),
    [
        (245, {"pro": 200}, [45], [("pro", 200), ("add-ons", 45)]),
        (245, {"pro": 200}, [None], [("pro", 200), ("add-ons", 45)]),
        (245, {"pro": 200}, [], [("pro", 200), ("not itemized", 45)]),
        (150, {"pro": 200}, [None], [("pro", 200), ("not itemized", -50)]),
        (None, {"pro": 200}, [45], [("pro", 200), ("add-ons", 45)]),
        (
            46,
            {f"tier {number}": number for number in range(1, 9)},
            [10],
            [*((f"tier {number}", number) for number in range(8, 2, -1)), ("other tiers", 3), ("add-ons", 10)],
        ),
        (300, {}, [], []),
    ],
    ids=["priced", "unpriced", "not in the usage", "too much", "no total", "many tiers", "no usage"],
)
def test_the_rows_of_the_costs_add_up_to_the_headline(total, tiers, addons, parts):
    instances = [{"id": number, "tier": tier} for number, tier in enumerate(tiers, 1)]
    usage = {
        "instances": [{"id": number, "daily_claws": claws} for number, claws in enumerate(tiers.values(), 1)],
        "addons": [{"daily_claws": price} for price in addons],
    }
    claws = gather(instances, billing={"summary": {"daily_claw_cost": total}, "usage": usage})["claws"]
    assert [(part["item"], part["claws"]) for part in claws["costs"]] == parts
    assert sum(part["claws"] for part in claws["costs"]) in (claws["daily_cost"], 245 if total is None else 0)


def test_what_can_not_be_read_has_no_series():
    names = {name for name, *_labels in series(gather([{"id": 1, "status": "running"}]))}
    assert names == {"report_timestamp_seconds", "instances", "instance_needs_attention"}
    stats = build_stats(gather())
    assert (stats["backups"], stats["claws"]["balance"], stats["counts"]["proven"]) == (None, None, None)


def test_each_fact_is_one_series():
    instances = [
        {"id": 1, "name": "twin", "status": "running", "health_status": "healthy"},
        {"id": 2, "name": "twin", "status": "Running", "health_status": "odd"},
        {"id": 3, "name": "new", "status": "hibernating", "health_status": None},
    ]
    facts = gather(
        instances,
        backups=[{"id": 9, "instance_id": 1, "created_at": TAKEN.isoformat()}],
        proofs={2: TAKEN},
        billing={"summary": {"claws_balance": 1500, "daily_claw_cost": 225, "days_remaining": 6}},
    )
    found = series(facts)
    one, two = fleet(("id", "1"), ("name", "twin")), fleet(("id", "2"), ("name", "twin"))
    assert found["backup_newest_timestamp_seconds", *one] == TAKEN.timestamp()
    assert found["restore_proven_timestamp_seconds", *two] == TAKEN.timestamp()
    assert found["backup_instances", *fleet(("state", "fresh"))] == 1
    assert found["backup_instances", *fleet(("state", "missing"))] == 2
    for status, health in ("running", "healthy"), ("running", "other"), ("other", "unknown"):
        assert found["instances", *fleet(("status", status), ("health", health))] == 1
    assert sum(value for (name, *_labels), value in found.items() if name == "instances") == 3
    assert found["balance_remaining_seconds", *fleet()] == 6 * 86400
    assert found["report_timestamp_seconds", *fleet()] == NOW.timestamp()
    stats = build_stats(facts)
    assert stats["statuses"]["other"] == stats["health"]["other"] == 1
    assert stats["instances"][0] == {
        "id": 1,
        "needs_attention": False,
        "newest_backup_at": int(TAKEN.timestamp()),
        "proven_at": None,
        "drill_failed": False,
    }
    assert not {"twin", "new", "odd", "hibernating"} & set(json.dumps(stats).replace('"', " ").split())
    assert set(STATUSES) == instance_model.STATUSES


def test_without_costs_the_balance_lasts_forever():
    facts = gather(billing={"summary": {"claws_balance": 5, "daily_claw_cost": 0}})
    assert series(facts)["balance_remaining_seconds", *fleet()] == math.inf


@given(st.lists(st.tuples(EVIL, ANYTHING, ANYTHING), max_size=4), EVIL)
def test_any_text_is_a_label_and_the_order_is_stable(instances, title):
    entries = [
        {"id": number, "name": name, "status": status, "health_status": health}
        for number, (name, status, health) in enumerate(instances, 1)
    ]
    found = series(gather(entries, title))
    assert sum(name == "instance_needs_attention" for name, *_labels in found) == len(entries)
    assert format_metrics(gather(reversed(entries), title), "") == format_metrics(gather(entries, title), "")
    assert len(json.loads(format_data(gather(entries, title), "mark"))["instances"]) == len(entries)
