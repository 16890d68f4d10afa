# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet report: its page, and its numbers for other programs: JSON, metrics, statistics, and alert rules."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import stat
import subprocess
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ansible_collections.clawhosters.cloud.plugins.action import internal_fleet_report as fleet_report
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import one_line
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import format_time
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet_restore
from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller, Run, extra_variables
from support.debian import require_package
from support.stores import StorePlace, folder_place
from support.worker import Worker


def write(controller: Controller, *flags: str, **variables: t.Any) -> Run:
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet_report", *extra_variables(**variables), *flags)
    assert "Traceback" not in run.screen
    return run


def test_a_page_below_a_home_that_cannot_be_found_is_not_written(controller: Controller) -> None:
    run = write(controller, fleet_report_path="~nobody-here/page.html")
    assert "fleet_report_path is ~nobody-here/page.html, and no home folder can be found for ~." in run.stdout
    assert not (controller.folder / "~nobody-here").exists()


@pytest.mark.slice
def test_the_page_of_a_fleet(simulator: Simulator, controller: Controller) -> None:
    path = controller.folder / "clawhosters-fleet-report.html"
    check = write(controller, "--check")
    assert check.changed_tasks
    assert not path.exists()
    first = write(controller)
    assert first.rc == 0, first.screen
    assert first.changed_tasks
    page = path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KEY not in page
    assert page.count("<tr data-id=") == 60
    assert "The journal has no restores." in page
    assert not re.findall(r"""(?:src|href)=|url\(|@import|https?://""", page)
    again = write(controller, fleet_report_path="")
    assert (again.rc, again.changed_tasks) == (0, 0), again.screen
    simulator.set_instance(1, status="error")
    assert write(controller).changed_tasks
    assert all(call.startswith("GET ") for call in simulator.calls())


# The numbers


RULES = REPOSITORY / "examples/prometheus/clawhosters.rules.yml"
HOSTILE = 'a "quoted"\\ name {{ 7 * 7 }}'
FLEET = {
    "balance": 2000,
    "instances": [
        {"id": 1, "name": "web-bot"},
        {"id": 2, "name": "twin", "health_status": "unhealthy"},
        {"id": 3, "name": "twin", "status": "hibernating"},
        {"id": 4, "name": HOSTILE, "status": "error"},
    ],
    "backups": [
        {"id": 10, "instance_id": 1, "created_at": "2h ago"},
        {"id": 20, "instance_id": 2, "created_at": "40h ago"},
    ],
    "addons": [{"instance_id": 1, "tier": "eco"}],
}


@pytest.fixture
def worker(simulator: Simulator, tmp_path: Path) -> Worker:
    simulator.reset(state=FLEET)
    paths = {"path": "fleet.html", "data_path": "fleet.json", "metrics_path": "fleet.prom"}
    options = {name: str(tmp_path / file) for name, file in paths.items()}
    return Worker(simulator, {**options, "backup_max_age": "36h", "title": "ClawHosters fleet"})


def report(worker: Worker, **options: t.Any) -> dict[str, t.Any]:
    result = worker.run(fleet_report, **options)
    assert not result["failed"], result
    return result


def read(worker: Worker, option: str) -> str:
    """Returns the text of the file that an option names."""
    return Path(worker.defaults[option]).read_text(encoding="utf-8")


def read_samples(worker: Worker) -> list[Sample]:
    families = text_string_to_metric_families(read(worker, "metrics_path"))
    return [sample for family in families for sample in family.samples]


def place_of(worker: Worker) -> StorePlace:
    return folder_place(Path(worker._home.name))


def test_a_damaged_journal_of_another_instance_hides_no_proof(worker: Worker) -> None:
    restore_one(worker)
    place_of(worker).damage()
    report(worker)
    (warning,) = worker.warnings
    assert "so earlier requests are unknown" in warning
    assert "so earlier requests are unknown" in read(worker, "path")
    assert {one["id"]: bool(one["proven_at"]) for one in json.loads(read(worker, "data_path"))["instances"]}[1] is True


def test_the_page_says_what_could_not_be_read(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(forbidden=["GET /backups"])
    Path(worker._home.name).chmod(0o777)
    report(worker)
    assert "Backups could not be read." in read(worker, "path")
    assert "Others can write to" in read(worker, "path")


def test_what_a_damaged_journal_says_of_an_instance_is_unknown(simulator: Simulator, worker: Worker) -> None:
    restore_one(worker)
    place_of(worker).damage(OperationKey("restore", simulator.url, "", "1").subject)
    findings = report(worker, fail_on="unproven_restore")["failure"]["findings"]
    assert any("(id 1): its part of the journal is damaged" in one for one in findings)
    samples = read_samples(worker)
    judged = {one.labels["id"] for one in samples if one.name == "clawhosters_restore_drill_failed"}
    assert judged == {str(number) for number in range(2, len(FLEET["instances"]) + 1)}


def restore_one(worker: Worker) -> None:
    """Restores an instance, which shows it by its status, and ends healthy."""
    assert worker.simulator is not None
    worker.simulator.switch(transition_reads=2, transition_shows="busy")
    options = {"state_dir": worker._home.name, "incident": "INC-1", "wait_timeout": 60}
    restored = Worker(worker.simulator, options).run(claw_fleet_restore, instances=[{"id": 1}])
    assert not restored["failed"], restored


def record_restore(
    worker: Worker, number: int, incident: str, event: OperationEvent, *, healthy: bool = False, minutes_ago: int = 540
) -> OperationKey:
    journal = place_of(worker).journal()
    journal._now = lambda: datetime.now(UTC) - timedelta(minutes=minutes_ago)
    key = OperationKey("restore", worker.simulator.url, incident, str(number))
    journal_writer.append_event(journal, key, OperationEvent.INTENDED, backup_id=10)
    journal_writer.append_event(journal, key, event, healthy=healthy)
    return key


def test_a_failed_drill_is_a_series_until_a_proof(worker: Worker) -> None:
    record_restore(worker, 1, "drill-1-a", OperationEvent.COMPLETED)
    record_restore(worker, 2, "drill-2-a", OperationEvent.COMPLETED)
    record_restore(worker, 2, "INC-1", OperationEvent.COMPLETED, healthy=True)
    record_restore(worker, 3, "drill-3-a", OperationEvent.REFUSED)
    stats = report(worker)["ansible_stats"]["data"]["clawhosters_fleet"]["instances"]
    samples = read_samples(worker)
    failed = {one.labels["id"]: one.value for one in samples if one.name == "clawhosters_restore_drill_failed"}
    assert failed == {"1": 1, "2": 0, "3": 1, "4": 0}
    assert {str(one["id"]): int(one["drill_failed"]) for one in stats} == failed
    assert "never, drill failed" in read(worker, "path")


def test_a_drill_has_failed_once_its_run_waits_no_more(worker: Worker) -> None:
    key = record_restore(worker, 1, "drill-1-a", OperationEvent.COMPLETED, minutes_ago=1)
    with journal_writer.lock_operation(place_of(worker).journal(), key):
        waits = report(worker)
    ended = report(worker)
    found = [one["ansible_stats"]["data"]["clawhosters_fleet"]["instances"][0] for one in (waits, ended)]
    assert [one["drill_failed"] for one in found] == [False, True]


def test_page_data_metrics_and_statistics_agree(simulator: Simulator, worker: Worker) -> None:
    restore_one(worker)
    simulator.clear_log()
    result = report(worker)
    assert {call.split()[0] for call in simulator.calls()} == {"GET"}
    data = json.loads(read(worker, "data_path"))
    samples = read_samples(worker)
    stats = result["ansible_stats"]["data"]["clawhosters_fleet"]
    page = read(worker, "path")

    def of(family: str, **labels: str) -> list[float]:
        return [one.value for one in samples if one.name == family and labels.items() <= one.labels.items()]

    assert data["counts"] == stats["counts"]
    assert stats["backups"] == {"fresh": 1, "overdue": 1, "missing": 2, "unknown": 0}
    assert {one.labels["state"]: one.value for one in samples if "state" in one.labels} == stats["backups"]
    assert data["claws"]["daily_cost"] == stats["claws"]["daily_cost"] == of("clawhosters_daily_cost_claws")[0]
    assert '<th scope="row">llm add-ons <span class="soft">1</span>' in page
    assert sum(of("clawhosters_daily_cost_part_claws")) == data["claws"]["daily_cost"]
    for one, other in zip(data["instances"], stats["instances"], strict=True):
        for name, time_ in ("newest_backup_at", one["backup"]["taken_at"]), ("proven_at", one["proven_at"]):
            assert other[name] == (time_ and int(datetime.fromisoformat(time_).timestamp()))
    (proven,) = of("clawhosters_restore_proven_timestamp_seconds")
    assert proven == stats["instances"][0]["proven_at"]
    assert f'title="{format_time(datetime.fromtimestamp(proven, UTC))}"' in page
    assert page.count(">never<") == 3
    assert of("clawhosters_instance_needs_attention", name=HOSTILE) == [1]
    assert stats["statuses"]["other"] == 1
    assert "hibernating" not in json.dumps(stats)


@pytest.mark.slice
def test_metrics_are_for_all_and_other_files_for_their_owner(worker: Worker, tmp_path: Path) -> None:
    old_mask = os.umask(0o077)
    try:
        assert report(worker)["changed"]
    finally:
        os.umask(old_mask)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in tmp_path.glob("fleet.*")}
    assert modes == {"fleet.html": 0o600, "fleet.json": 0o600, "fleet.prom": 0o644}
    assert not report(worker)["changed"]
    (tmp_path / "fleet.json").unlink()
    assert report(worker)["changed"]


def test_check_mode_writes_nothing_and_has_the_statistics(worker: Worker, tmp_path: Path) -> None:
    result = worker.run(fleet_report, check=True)
    assert result["changed"]
    assert list(tmp_path.iterdir()) == []
    assert result["ansible_stats"]["data"]["clawhosters_fleet"]["counts"]["all"] == 4


def test_two_reports_in_one_file_are_refused_before_anything_is_sent(simulator: Simulator, worker: Worker) -> None:
    result = worker.run(fleet_report, data_path=worker.defaults["path"])
    assert "must name different files. Nothing was sent." in result["msg"]
    assert simulator.calls() == []


def test_of_many_findings_twelve_lines_are_shown(simulator: Simulator, worker: Worker) -> None:
    simulator.reset(state={"instances": [{"id": number, "name": f"bot-{number:02}"} for number in range(1, 18)]})
    simulator.switch(forbidden=["GET /billing/*"])
    failure = report(worker, fail_on="no_backup,low_balance\nunproven_restore")["failure"]
    assert failure["findings"][0] == "The service does not report how long the balance lasts."
    assert all(line.endswith(" has no usable backup.") for line in failure["findings"][1:11])
    assert failure["findings"][11:] == [f"And 24 more, on the page {worker.defaults['path']}."]
    assert "Billing could not be read." in read(worker, "path")
    counts = "35 findings: 1 low_balance, 17 no_backup, 17 unproven_restore."
    assert failure["msg"].startswith(f"{counts} Service 127.0.0.1:")


def test_what_the_last_report_did_not_have_comes_first_as_new(simulator: Simulator, worker: Worker) -> None:
    worker.defaults |= {"fail_on": "attention,no_backup"}
    first = report(worker)["failure"]
    assert sorted(first["findings"]) == sorted(FINDINGS)
    simulator.set_instance(1, status="deploy_failed")
    simulator.set_instance(2, health_status="healthy")
    assert worker.run(fleet_report, check=True)["failure"]["msg"].startswith("5 findings, 1 new")
    second = report(worker)
    new = "New: web-bot (id 1) needs attention: deploy_failed."
    assert second["failure"]["findings"][0] == new
    assert sorted(second["failure"]["findings"][1:]) == sorted(FINDINGS[1:])
    assert second["failure"]["msg"].startswith("5 findings, 1 new: 3 attention, 2 no_backup.")
    assert new not in second["report"]
    simulator.set_instance(2, status="error")
    third = report(worker, fail_on=None)
    assert third["failure"] == {}
    assert third["report"][2] == "New: twin (id 2) needs attention: error."


def test_a_check_that_is_not_known_is_refused(simulator: Simulator, worker: Worker) -> None:
    result = worker.run(fleet_report, fail_on="attention,bogus")
    assert result["msg"].startswith("fleet_report_fail_on has bogus, which is none of low_balance, attention, ")
    assert simulator.calls() == []


FINDINGS = (
    "twin (id 2) needs attention: running, unhealthy.",
    "twin (id 3) needs attention: hibernating, not documented.",
    f"{one_line(HOSTILE)} (id 4) needs attention: error.",
    f"{one_line(HOSTILE)} (id 4) has no usable backup.",
    "twin (id 3) has no usable backup.",
)


def check(controller: Controller, *flags: str, **variables: t.Any) -> tuple[Run, list[str]]:
    """Returns the run, and the findings for which it failed."""
    run = write(controller, *flags, **variables)
    failed = [one["result"] for one in run.results if one["outcome"] == "failed"]
    return run, [finding for result in failed for finding in result.get("findings", [])]


def test_the_role_fails_for_each_finding_after_it_wrote_all(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state=FLEET)
    paths = {"fleet_report_data_path": "fleet.json", "fleet_report_metrics_path": "fleet.prom"}
    run, found = check(controller, fleet_report_fail_on="attention, no_backup", **paths)
    assert run.rc == 2
    (stats,) = [one["ansible_stats"]["data"] for one in run.all if "ansible_stats" in one]
    assert stats["clawhosters_fleet"]["counts"]["all"] == 4
    assert sorted(found) == sorted(FINDINGS)
    assert '"twin (id 3) has no usable backup."' in [line.strip(" ,") for line in run.stdout.splitlines()]
    assert run.says("5 findings: 3 attention, 2 no_backup. Service 127.0.0.1:")
    written = {path.name for path in controller.folder.iterdir()}
    assert written >= {"clawhosters-fleet-report.html", "fleet.json", "fleet.prom"}
    assert run.stdout.count("twin (id 3) has no usable backup.") == 1
    run, found = check(controller, "--check", fleet_report_fail_on='["overdue_backup"]')
    assert (run.rc, found) == (2, ["twin (id 2): its newest backup is 1 d 16 h old."])
    run, found = check(controller, fleet_report_fail_on=["overdue_backup"], fleet_report_backup_max_age="48h")
    assert (run.rc, found) == (0, [])
    run, found = check(controller, fleet_report_fail_on="")
    assert (run.rc, found) == (0, [])


# With node_exporter and promtool


def promtool(*arguments: str, given: str = "") -> str:
    find = functools.partial(shutil.which, "promtool")
    program = require_package("prometheus", find, "checking metrics and alert rules")
    run = subprocess.run([program, *arguments], input=given, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def test_names_and_rules_are_as_prometheus_wants_them(worker: Worker) -> None:
    report(worker)
    assert promtool("check", "metrics", given=read(worker, "metrics_path")) == ""
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


@pytest.mark.rest
def test_each_example_of_an_alert_fires_when_it_should(worker: Worker, tmp_path: Path) -> None:
    """promtool begins at the Unix time 0, so the timestamps are moved there."""
    restore_one(worker)
    record_restore(worker, 2, "drill-2-a", OperationEvent.COMPLETED)
    report(worker)
    samples = read_samples(worker)
    (reported_at,) = [one.value for one in samples if one.name == "clawhosters_report_timestamp_seconds"]
    start = 3 * 86400
    series = []
    for one in samples:
        moved = one.value - reported_at + start if one.name.endswith("_timestamp_seconds") else one.value
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in one.labels.items())
        series.append({"series": f"{one.name}{{{labels}}}", "values": f"{moved:.0f}x{40 * 24}"})

    def firing(alert: str, after: int, *labels: dict[str, str]) -> dict[str, t.Any]:
        expected = [{"exp_labels": {"fleet": "ClawHosters fleet", **one}} for one in labels]
        return {"alertname": f"ClawHosters{alert}", "eval_time": f"{start // 3600 + after}h", "exp_alerts": expected}

    warning, critical = {"severity": "warning"}, {"severity": "critical"}
    twin, other, bad = ({"id": key, "name": name} for key, name in (("2", "twin"), ("3", "twin"), ("4", HOSTILE)))
    tests = [
        firing("ReportIsOld", 1),
        firing("ReportIsOld", 3, warning),
        firing("InstanceNeedsAttention", 1, *({**critical, **one} for one in (twin, other, bad))),
        firing("BackupIsOverdue", 1, {**warning, **twin}),
        firing("BackupIsMissing", 1, {**warning, "state": "missing"}),
        firing("BackupsAreUnknown", 1),
        firing("RestoreDrillFailed", 1, {**warning, **twin}),
        firing("RestoreIsNotProven", 1),
        firing("RestoreIsNotProven", 31 * 24, {**warning, "id": "1", "name": "web-bot"}),
        firing("BalanceIsLow", 1),
    ]
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for rule in rules["groups"][0]["rules"]:
        del rule["annotations"]  # promtool compares their texts
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    groups = [{"interval": "1h", "input_series": series, "alert_rule_test": tests}]
    gone = {"alertname": "ClawHostersReportIsMissing", "eval_time": "1h", "exp_alerts": [{"exp_labels": warning}]}
    groups.append({"interval": "1h", "input_series": [], "alert_rule_test": [gone]})
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": groups}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "test.yml"))
