# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the facts of the fleet report, and of the metrics and statistics made of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.clawhosters.cloud.plugins.module_utils._model import instance as instance_model
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_fields import STATUSES
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_facts import (
    ReportSource,
    build_facts,
    sort_worst_first,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_findings import (
    CHECKS,
    build_keys,
    find_findings,
    list_lines,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_formats import (
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
        (245, {"pro": 200}, [("llm", 20), ("backup", 5), ("llm", 20)],
         [("pro", 200), ("llm add-ons", 40), ("backup add-ons", 5)]),
        (245, {"pro": 200}, [("llm", 40), ("llm", None)], [("pro", 200), ("llm add-ons", 40), ("not itemized", 5)]),
        (245, {"pro": 200}, [], [("pro", 200), ("not itemized", 45)]),
        (150, {"pro": 200}, [("llm", None)], [("pro", 200), ("not itemized", -50)]),
        (None, {"pro": 200}, [(None, 45)], [("pro", 200), ("unknown add-ons", 45)]),
        (300, {}, [], []),
    ],
    ids=["types", "some unpriced", "not in the usage", "too much", "no total", "no usage"],
)  # fmt: skip
def test_the_rows_of_the_costs_add_up_to_the_headline(total, tiers, addons, parts):
    instances = [{"id": number, "tier": tier} for number, tier in enumerate(tiers, 1)]
    usage = {
        "instances": [{"id": number, "daily_claws": claws} for number, claws in enumerate(tiers.values(), 1)],
        "addons": [{"addon_type": kind, "daily_claws": price} for kind, price in addons],
    }
    facts = gather(instances, billing={"summary": {"daily_claw_cost": total}, "usage": usage})
    claws = facts["claws"]
    assert [(part["item"], part["claws"]) for part in claws["costs"]] == [
        (item.removesuffix(" add-ons"), claws) for item, claws in parts
    ]
    assert sum(part["claws"] for part in claws["costs"]) in (claws["daily_cost"], 245 if total is None else 0)
    in_metrics = [value for (name, *_labels), value in series(facts).items() if name == "daily_cost_part_claws"]
    assert sorted(in_metrics) == sorted(claws for _item, claws in parts)
    costs = build_stats(facts)["claws"]["costs"]
    words = {"budget", "balanced", "pro", "llm", "backup", "embedding", "other"}
    assert (costs is None) == (not parts)
    assert costs is None or costs["tier"]["pro"] == 200
    assert sum(sum(sums.values()) for sums in (costs or {}).values()) == sum(claws for _item, claws in parts)
    assert words.issuperset(word for sums in (costs or {}).values() for word in sums)


def test_what_can_not_be_read_has_no_series():
    names = {name for name, *_labels in series(gather([{"id": 1, "status": "running"}]))}
    assert names == {"report_timestamp_seconds", "instances", "instance_needs_attention"}
    assert gather()["restores"]["more"] == 0
    stats = build_stats(gather())
    assert (stats["backups"], stats["counts"]["proven"]) == (None, None)
    assert stats["claws"] == dict.fromkeys(("balance", "daily_cost", "days_left", "is_low", "costs"))


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
    assert set(STATUSES) == instance_model._TABLE.keys()


@given(st.lists(st.tuples(EVIL, ANYTHING, ANYTHING), max_size=4), EVIL)
def test_any_text_is_a_label_and_the_order_is_stable(instances, title):
    entries = [
        {"id": number, "name": name, "status": status, "health_status": health}
        for number, (name, status, health) in enumerate(instances, 1)
    ]
    found = series(gather(entries, title))
    assert sum(name == "instance_needs_attention" for name, *_labels in found) == len(entries)
    assert format_metrics(gather(reversed(entries), title), "") == format_metrics(gather(entries, title), "")
    assert len(json.loads(format_data(gather(entries, title), "mark", {}))["instances"]) == len(entries)


@given(st.permutations(range(4)), st.sampled_from(["error", "deploy_failed"]), st.sets(st.integers(0, 3)))
def test_failed_instances_come_first_then_unhealthy_ones_then_others(order, failed, with_backup):
    ranked = [(failed, "unknown"), ("running", "unhealthy"), ("paused", "unhealthy"), ("running", "healthy")]
    entries = [
        {"id": number, "status": ranked[rank][0], "health_status": ranked[rank][1]} for number, rank in enumerate(order)
    ]
    backups = [{"id": number, "instance_id": number, "created_at": TAKEN.isoformat()} for number in with_backup]
    found = sort_worst_first(gather(entries, backups=backups))
    assert [(one["status"], one["health_status"]) for one in found] == ranked


# Checks


def check(*names, instances=({"id": 1, "name": "web-bot", "status": "running"},), min_days=7, **read):
    found = find_findings(gather(instances, **read), min_days, timedelta(days=30), None)
    return list_lines([finding for finding in found if finding.check in names], ".")


def backup(hours):
    return [{"id": 9, "instance_id": 1, "created_at": (NOW - timedelta(hours=hours)).isoformat()}]


@pytest.mark.parametrize(
    ("name", "read", "finding"),
    [
        ("attention", {"instances": [{"id": 1, "name": "a", "status": "running", "health_status": "unhealthy"}]},
         "a (id 1) needs attention: running, unhealthy."),
        ("attention", {"instances": [{"id": 1, "name": "a", "status": "running", "health_status": "odd"}]},
         "a (id 1) needs attention: running, odd, not documented."),
        ("no_backup", {"backups": [{**backup(1)[0], "status": "moon"}]},
         "web-bot (id 1): the status of its backups can't be read."),
        ("no_backup", {"backups": [{"id": 9, "instance_id": 1}]},
         "web-bot (id 1): the time of its backups can't be read."),
        ("no_backup", {"backups": [{**backup(1)[0], "status": "moon"}, *backup(50)]}, None),
        ("attention", {}, None),
        ("no_backup", {"backups": []}, "web-bot (id 1) has no usable backup."),
        ("no_backup", {"backups": backup(100)}, None),
        ("no_backup", {"backups": [{"id": 9}]}, "web-bot (id 1): it is not known whether it has a backup."),
        ("overdue_backup", {"backups": backup(40)}, "web-bot (id 1): its newest backup is 1 d 16 h old."),
        ("overdue_backup", {"backups": backup(36)}, None),
        ("overdue_backup", {"backups": []}, None),
        ("overdue_backup", {}, "The backups could not be read."),
        ("unproven_restore", {"proofs": {}}, "web-bot (id 1): no restore of it was ever proven."),
        ("unproven_restore", {"proofs": {1: NOW - timedelta(days=31)}},
         "web-bot (id 1): a restore of it was last proven 31 d 0 h ago."),
        ("unproven_restore", {"proofs": {1: NOW - timedelta(days=30)}}, None),
        ("unproven_restore", {}, "The journal could not be read, so no proof of a restore is known."),
        ("low_balance", {"billing": {"summary": {"claws_balance": 5, "daily_claw_cost": 10}}},
         "The balance lasts 12 hours, less than 7 days (fleet_report_min_days)."),
        ("low_balance", {"billing": {"summary": {"claws_balance": 70, "daily_claw_cost": 10}}}, None),
        ("low_balance", {"billing": {"summary": {"claws_balance": 70, "daily_claw_cost": 10, "low_balance": True}}},
         "The balance is low."),
        ("low_balance", {"billing": {"summary": {"claws_balance": 0, "daily_claw_cost": 0}},
                         "instances": [{"id": 1, "status": "paused"}]}, "The balance is low."),
        ("low_balance", {}, "The service does not report how long the balance lasts."),
    ],
)  # fmt: skip
def test_a_check_finds_what_is_wrong_or_can_not_be_judged(name, read, finding):
    assert check(name, **read) == ([finding] if finding else [])
    assert check(*CHECKS, **read).count(finding) == (finding is not None)


def bot(status, health=None):
    return {"instances": [{"id": 8, "status": status, "health_status": health}]}


LOW, ENOUGH = ({"billing": {"summary": {"claws_balance": claws, "daily_claw_cost": 10}}} for claws in (10, 700))
UNREAD = ["no_backup:unknown", "overdue_backup:unknown"]


@pytest.mark.parametrize(
    ("nights", "new"),
    [
        ([bot("running", "unhealthy"), bot("error"), bot("error")], [[], ["attention:8:error"], []]),
        ([{"backups": []}, {}, {}, {"backups": []}], [[], UNREAD, [], []]),
        ([{"backups": backup(1)}, {}, {"backups": []}], [[], UNREAD, ["no_backup:1"]]),
        ([LOW, {}, LOW], [[], ["low_balance:unknown"], []]),
        ([ENOUGH, {}, LOW], [[], ["low_balance:unknown"], ["low_balance:"]]),
    ],
)
def test_new_is_what_no_report_has_found_since_it_was_last_judged(nights, new):
    last, found = None, []
    for read in nights:
        facts = gather(**{"instances": [{"id": 1, "status": "running"}], **read})
        findings = find_findings(facts, 7, timedelta(days=30), last)
        keys = build_keys(findings, last)
        found.append(keys["new_finding_keys"])
        last = set(keys["finding_keys"])
    assert found == new


@given(
    st.lists(st.tuples(EVIL, ANYTHING, ANYTHING), max_size=4),
    st.dictionaries(st.sampled_from(["claws_balance", "daily_claw_cost", "days_remaining", "low_balance"]), ANYTHING),
    st.sets(st.sampled_from(CHECKS)),
)
def test_each_finding_is_one_line_whatever_the_service_sends(instances, summary, names):
    entries = [
        {"id": number, "name": name, "status": status, "health_status": health}
        for number, (name, status, health) in enumerate(instances, 1)
    ]
    found = check(*names, instances=entries, billing={"summary": summary}, backups=[], proofs={})
    assert all(finding.endswith(".") and len(finding.splitlines()) == 1 for finding in found)
    assert 12 >= len(found) >= len(entries) * len(names & {"no_backup", "unproven_restore"})
