# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of what screen, page and JSON say of an incident: of each outcome, end of a run, and number of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import run_key
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import RestoreJob
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent as Event
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import lock_operation
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.failures import Failure, FailureKind
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.finish import (
    build_plan_to_approve,
    describe_outcome,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.incident_report import (
    read_earlier_report,
    write_page,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.result_words import (
    InstanceResult,
    build_recorded,
    build_report,
    build_results,
    format_headline,
    format_restored,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.role_run import RoleRun, RoleTargetPlan
from support.restores import NOW, WEB, history, named, plan, run
from support.stores import StorePlace
from support.stories import URL, Story

WHO = {"user": "alice", "host": "node2"}
HOST = "clawhosters.com"


@pytest.fixture
def story(place: StorePlace) -> Story:
    return Story(place)


def recorded(story: Story) -> list[InstanceResult]:
    return build_recorded(story.state(), run(), NOW)


def only(story: Story) -> InstanceResult:
    (result,) = recorded(story)
    return result


# By the journal alone


@pytest.mark.parametrize(
    ("events", "outcome", "tag", "state"),
    [
        ("intended accepted completed healthy", "ok", "restored", "Restored from backup 70, sent at 2026-02-01 10:0"),
        ("intended completed healthy", "ok", "restored", "Restored from backup 70, sent at 2026-02-01 10:0"),
        ("intended accepted completed", "unfinished", "not finished", "Backup 70 was seen restored at 10:0"),
        ("intended accepted", "unfinished", "not finished", "The restore of backup 70 was accepted at 10:0"),
        ("intended", "failed", "not finished", "It is unknown whether the restore was carried out."),
        ("intended unclear", "failed", "not finished", "It is unknown whether the restore was carried out."),
        ("intended accepted failed", "failed", "not finished", "The service accepted the restore, but the instance"),
        ("intended refused", "failed", "not finished", "The restore was rejected or not sent; nothing was changed."),
    ],
)
@pytest.mark.parametrize("runs", [(), ("ended",), ("interrupted",), ("", "ended")])
def test_each_outcome_with_each_end(story: Story, events: str, outcome: str, tag: str, state: str, runs) -> None:
    """The end of a run changes nothing of what is known of an instance."""
    for number, end in enumerate(runs):
        story.run(f"run-{number}", "confirmed", by=WHO, account="1", how="Typed.", backups={"7": 70})
        story.run(f"run-{number}", *([end] if end else []))
    result = only(story.restore(7, *events.split()))
    assert (result.outcome, result.tag) == (outcome, tag)
    assert result.state.startswith(state)
    assert bool(result.advice) == (outcome != "ok")
    assert bool(result.to_dict()["sent_at"]) == ("refused" not in events)


@pytest.mark.parametrize(("end", "outcome", "kind"), [("ended", "failed", "not_begun"), ("", "failed", "not_begun")])
def test_what_was_confirmed_and_not_begun(story: Story, end: str, outcome: str, kind: str) -> None:
    story.run("one", "confirmed", by=WHO, backups={"7": 70}, names={"7": "web-bot"}).run("one", *([end] if end else []))
    result = only(story)
    assert (result.outcome, result.kind and result.kind.value, result.plan.label) == (outcome, kind, "web-bot (id 7)")
    assert result.state == "Not begun. It was confirmed, and no run has begun it."


def test_what_a_run_has_still_to_begin_is_unfinished(story: Story, place: StorePlace) -> None:
    with lock_operation(place.journal(), run_key(URL, "INC-1", "one")):
        result = only(story.run("one", "confirmed", by=WHO, backups={"7": 70}))
    assert (result.outcome, result.kind) == ("unfinished", FailureKind.UNFINISHED)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (True, "The restore has completed, but"),
        (False, "The restore was accepted, and no sign of it was seen, but"),
    ],
)
def test_a_noted_failure_is_told_with_its_facts(story: Story, seen: bool, said: str) -> None:
    failure = Failure(FailureKind.NOT_HEALTHY, "It is running, unhealthy.", http_status=503)
    story.restore(7, "intended", "accepted").restore(7, "completed", seen=seen)
    result = only(story.restore(7, "note failed", **failure.to_facts()))
    assert (result.kind, result.to_dict()["http_status"]) == (FailureKind.NOT_HEALTHY, 503)
    assert result.state == f"{said} the instance is not running and healthy. It is running, unhealthy."


# Of a run


def begun(planned: RoleTargetPlan, *, changed: bool = False) -> RoleTargetPlan:
    """Returns the plan of a restore that has ended well: of this run if ``changed``."""
    planned.restore = RestoreJob(planned)
    planned.restore.healthy_at = NOW
    planned.restore.is_sent = changed
    return planned


def headline(one: RoleRun) -> str:
    return format_headline(one, build_results(one, None, NOW))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([True], "1 instance restored and healthy"),
        ([False], "1 instance already restored; this run sent no restore"),
        ([True, False], "2 instances restored and healthy, 1 of them by an earlier run"),
    ],
)
def test_a_run_tells_what_it_has_restored(changed: list[bool], expected: str) -> None:
    before = history(Event.INTENDED, Event.COMPLETED)
    plans = [plan() if new else plan(before) for new in changed]
    done = run(*(begun(named(one, f"bot-{one.sends}"), changed=one.sends) for one in plans))
    assert headline(done) == expected


def test_check_mode_counts_the_restores_that_would_be_sent() -> None:
    assert headline(run(plan(), check=True)) == "1 of 1 instance would be restored"
    again = run(plan(history(Event.INTENDED, Event.COMPLETED)), check=True)
    told = "0 of 1 instance would be restored, 1 already restored"
    assert headline(again) == f"{told}, 1 of them not healthy now"
    again.plans[0].instance = {**WEB, "health_status": "healthy"}
    assert headline(again) == told
    waits = run(plan(history(Event.INTENDED, Event.ACCEPTED)), plan(), check=True)
    assert headline(waits) == "1 of 2 instances would be restored, 1 restore under way would be waited for"


@pytest.mark.parametrize("kind", [FailureKind.SERVICE_DOWN, FailureKind.BAD_KEY, FailureKind.NOT_PLANNED])
def test_a_run_that_stops_says_what_an_earlier_one_has_sent(kind: FailureKind) -> None:
    def stop(*events: Event) -> str:
        stopped = run(plan(history(*events)))
        stopped.failure = Failure(kind, "A fault.")
        return build_results(stopped, None, NOW)[0].state

    assert "; nothing was sent. A fault." in stop()
    assert ". This run sent nothing; the restore sent at 08:00 UTC is still open." in stop(
        Event.INTENDED, Event.ACCEPTED
    )
    assert "was seen restored at 08:05 UTC." in stop(Event.INTENDED, Event.COMPLETED)


def test_a_run_that_can_not_read_the_journal_claims_nothing_of_earlier_ones() -> None:
    stopped = run(plan())
    stopped.failure, stopped.is_history_known = Failure(FailureKind.NOT_PLANNED, "A fault."), False
    assert headline(stopped) == "Earlier restores can't be read now. Nothing was sent"
    (result,) = build_results(stopped, None, NOW)
    assert result.state.startswith("Planning failed. Earlier restores can't be read now. A fault. Nothing was sent.")


def test_each_failure_has_its_own_advice() -> None:
    stopped = run(plan(), named(plan(backups=[]), "bare-bot", 2), plan(restore_max_age="1h"))
    stopped.failure = Failure(FailureKind.NOT_CONFIRMED)
    assert [one.advice for one in build_results(stopped, None, NOW)] == [
        "Run the same command again with restore_confirm=web-bot, or type that at the prompt.",
        "Without a backup, only a rebuild in the dashboard remains.",
        "Set restore_max_age=25h to accept it.",
    ]


def test_those_that_are_not_begun_are_counted() -> None:
    stopped = run(begun(plan(), changed=True), named(plan(), "bot-2", 2))
    stopped.failed_restores = 1
    results = build_results(stopped, None, NOW)
    assert format_restored(results) == "1 of 2 instances restored and healthy, 1 not begun"
    assert results[1].state.startswith("Not begun. 1 restore failed, and restore_max_failures is 0.")


# Page and JSON


def report(story: Story, *results: InstanceResult) -> dict:
    one = run()
    one.service = HOST
    return build_report(one, story.state(), results, NOW)


def test_the_page_covers_all_runs_of_the_incident(story: Story, tmp_path: Path) -> None:
    story.run("one", "confirmed", by=WHO, how="Typed.", backups={"7": 70}).restore(7, "intended", "accepted", "healthy")
    story.run("one", "ended").run("two", "confirmed", by=WHO, how="Given.", backups={"8": 80})
    built = report(story)
    assert built["headline"] == "1 of 2 instances restored and healthy, 1 not begun"
    assert [one["state"] for one in built["runs"]] == ["ended", "interrupted"]
    write_page(str(tmp_path / "INC-1.html"), built)
    page = (tmp_path / "INC-1.html").read_text(encoding="utf-8")
    assert page.count("alice@node2") == 2
    assert "bot-7 (id 7)" in page
    assert "interrupted" in page
    assert json.loads((tmp_path / "INC-1.json").read_text(encoding="utf-8")) == json.loads(json.dumps(built))


def test_a_run_that_sent_nothing_says_nothing_new_of_a_restored_instance(story: Story) -> None:
    story.restore(7, "intended", "accepted", "healthy")
    stopped = run(named(plan(), "bot-7", 7))
    stopped.failure = Failure(FailureKind.SERVICE_DOWN)
    (shown,) = report(story, *build_results(stopped, story.state(), NOW))["instances"]
    assert (shown["outcome"], shown["tag"]) == ("ok", "restored")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 100_000, b"[]", b'{"incident": "INC-1", "service": "clawhosters.com"}', b"\xff"]
)
def test_a_json_that_says_nothing_is_no_witness(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "INC-1.json").write_bytes(content)
    earlier_report = read_earlier_report(str(tmp_path / "INC-1.html"), "INC-1", HOST, "state")
    assert earlier_report.sent_at == {}
    assert bool(earlier_report.unreadable) == (content in (b"", b"{", b"[" * 100_000, b"\xff"))


def test_the_json_stays_a_witness_of_what_the_journal_does_not_know(story: Story, tmp_path: Path) -> None:
    path = str(tmp_path / "INC-1.html")
    assert read_earlier_report(str(tmp_path / "missing/INC-1.html"), "INC-1", HOST, "state").sent_at == {}
    story.restore(7, "intended", "accepted").restore(8, "intended", "refused")
    write_page(path, report(story))
    assert [*read_earlier_report(path, "INC-1", HOST, "state").sent_at] == ["7"]
    assert read_earlier_report(path, "INC-2", HOST, "state").sent_at == {}
    assert read_earlier_report(path, "INC-1", "127.0.0.1:80", "state").sent_at == {}
    # Another journal has another instance.
    write_page(path, {**report(story), "instances": []})
    assert [*read_earlier_report(path, "INC-1", HOST, "state").sent_at] == ["7"]


# For later jobs


@pytest.mark.parametrize(("known_position", "outcome"), [(0, "refused"), (1, "not_begun"), (2, "not_begun")])
def test_only_a_refusal_since_the_plan_is_an_outcome_of_the_run(
    story: Story, known_position: int, outcome: str
) -> None:
    finished = run(named(plan(), "bot-7", 7))
    finished.plans[0].known_position = known_position
    found = describe_outcome(finished.plans[0], finished, story.restore(7, "intended", "refused").state())
    assert (found["outcome"], found["id"]) == (outcome, 7)
    assert (found["sent_at"] is None) is (outcome == "not_begun")


def test_without_a_journal_it_is_unknown_what_was_sent() -> None:
    assert describe_outcome(plan(), run(plan()), None)["outcome"] == "unknown"


def test_a_plan_to_approve_has_no_text_of_the_service() -> None:
    approved = build_plan_to_approve(
        run(plan(), plan(backups=[])), "https://clawhosters.com/api/v1", "1", "2026-02-03T10:00:00+00:00"
    )
    assert [(one["id"], one["backup_id"], one["taken_at"]) for one in approved["entries"]] == [
        (1, 12, "2026-02-02T10:00:00+00:00")
    ]
    assert WEB["name"] not in json.dumps(approved)
    assert len(approved["digest"]) == 64
