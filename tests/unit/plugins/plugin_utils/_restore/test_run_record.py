# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the report and the record of the role restore. roles/test_restore.py has more."""

from __future__ import annotations

import json

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.record import (
    build_head,
    format_record,
    parse_record,
    put_run,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.run import Run
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.run_record import (
    build_run_record,
    find_rank,
    format_restored,
)
from support.restores import NOW, history, named, plan, run

INTENDED, ACCEPTED, COMPLETED = OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.COMPLETED
SENT = {"outcome": "completed", "sent_at": "2026-02-03T08:00:00Z", "completed_at": "2026-02-03T08:05:00Z"}


def build_restored_report(changed):
    """Returns the report of a run with one instance per entry of ``changed``: True if this run restored it."""
    plans = [named(plan(history(INTENDED, COMPLETED)), f"bot-{number}", number) for number in range(len(changed))]
    finished = run(*plans)
    for one, new in zip(plans, changed, strict=True):
        finished.add_step("restore", "", NOW, instance=one.label, ok=True, message="", changed=new, **SENT)
        finished.add_step("healthy", "", NOW, instance=one.label, ok=True, message="")
    return build_run_record(finished, history, NOW)


def stop(kind, past=None, *plans):
    """Returns the result for web-bot of a run that failed as a whole."""
    stopped = run(*plans)
    stopped.add_step("service", "", NOW, ok=False, message="A fault.", kind=kind)
    (verdict,) = build_run_record(stopped, lambda: past or history(), NOW)["instances"]
    return verdict


def test_check_mode_counts_the_restores_that_would_be_sent():
    planned = build_run_record(run(plan(), check=True), history, NOW)
    assert planned["headline"] == "1 of 1 instance would be restored"
    again = build_run_record(run(plan(history(INTENDED, COMPLETED)), check=True), history, NOW)
    assert again["headline"] == "0 of 1 instance would be restored"
    waits = build_run_record(run(plan(history(INTENDED, ACCEPTED)), plan(), check=True), history, NOW)["headline"]
    assert waits == "1 of 2 instances would be restored, 1 restore under way would be waited for"


def test_a_kind_of_a_newer_version_is_not_taken_for_healthy():
    kinds = ["", "not_responding", "of_the_future", ""]
    assert format_restored(kinds) == "2 of 4 instances restored and healthy"


def test_a_step_begins_when_the_previous_step_ended():
    one = run()
    one.began_at = "2026-02-03T09:59:58.000+00:00"
    first = one.add_step("service", "", NOW, ok=True, message="")
    second = one.add_step("key", "", NOW, ok=False, message="No way", request_id="r-1", kind="bad_key")
    assert first.seconds == 2
    assert second.began_at == first.ended_at
    recorded = build_run_record(one, history, NOW)["steps"][1]
    assert (recorded["ok"], recorded["message"], recorded["request_id"]) == (False, "No way", "r-1")
    assert "kind" not in recorded
    assert Run.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_a_run_without_the_check_of_the_address_is_interrupted():
    broken = run(plan(), restore_http_check=True)
    for name in ("restore", "healthy"):
        broken.add_step(name, "", NOW, instance=plan().label, ok=True, message="", changed=True)
    broken.add_step("run", "", NOW, ok=False, message="A fault", kind="interrupted")
    result = build_run_record(broken, history, NOW)
    assert result["outcome"] == "failed"
    assert [one["kind"] for one in result["instances"]] == ["interrupted"]


def test_the_report_shows_restores_of_earlier_runs():
    result = build_restored_report([False])
    assert result["headline"] == "1 instance already restored; this run sent no restore"
    (instance,) = result["instances"]
    assert instance["state"] == (
        "Already restored, sent at 2026-02-03 08:00 UTC, seen restored at 2026-02-03 08:05 UTC. This run sent no "
        "restore. The instance is running and healthy."
    )
    assert instance["tag"] == "restored already"
    assert build_restored_report([True])["headline"] == "1 instance restored and healthy"
    mixed = build_restored_report([True, False])
    assert mixed["headline"] == "2 instances restored and healthy, 1 of them by an earlier run"
    assert [one["tag"] for one in mixed["instances"]] == ["restored", "restored already"]


def test_a_run_that_stops_says_what_an_earlier_one_has_sent():
    kind = "service_down"
    assert "; nothing was sent. A fault." in stop(kind)["state"]
    sent = history(INTENDED, ACCEPTED, instance_name="web-bot")
    assert ". This run sent nothing; the restore sent at 08:00 UTC is still open. A fault." in stop(kind, sent)["state"]
    done = history(INTENDED, COMPLETED, instance_name="web-bot")
    assert "the restore sent at 08:00 UTC was seen restored at 08:05 UTC." in stop(kind, done)["state"]
    unclear = history(INTENDED, instance_name="web-bot")
    assert "it is unknown whether the restore of 08:00 UTC was carried out." in stop(kind, unclear)["state"]
    other = history(INTENDED, ACCEPTED, instance_name="shop-bot")
    assert "; nothing was sent." in stop(kind, other)["state"]


def test_each_failure_has_its_own_advice():
    stopped = run(plan(), named(plan(backups=[]), "bare-bot", 2), plan(restore_max_age="1h"))
    stopped.add_step("confirm", "", NOW, ok=False, message="", kind="not_confirmed")
    assert [one["advice"] for one in build_run_record(stopped, history, NOW)["instances"]] == [
        "Run the same command again, and type the answer at the prompt or set restore_confirm to it.",
        "Without a backup, only a rebuild in the dashboard remains.",
        "Set restore_max_age=25h to accept it.",
    ]


def build_result(number, outcome="ok", kind=""):
    return {"id": number, "name": f"bot-{number}", "outcome": outcome, "kind": kind, "timeline": []}


def test_the_head_of_the_page_covers_all_runs_of_the_incident():
    first = {"headline": "1 instance restored and healthy", "instances": [build_result(1)]}
    second = {"headline": "1 instance restored and healthy", "instances": [build_result(2)]}
    assert build_head([first], first) == first
    already = {**first, "headline": "1 instance already restored; this run sent no restore", "outcome": "restored"}
    assert build_head([first, already], already)["headline"] == first["headline"]
    both = build_head([first, second], second)
    assert both["headline"] == "2 instances restored and healthy"
    assert [one["id"] for one in both["instances"]] == [1, 2]
    nothing_new = {"headline": "0 of 1", "instances": [{**build_result(None, "failed", "bad_key"), "name": "bot-1"}]}
    assert build_head([first, nothing_new], nothing_new)["instances"] == [build_result(1)]
    refused = {"headline": "0 of 1", "instances": [build_result(2, "failed", "other_backup")]}
    assert build_head([first, second, refused], refused)["headline"] == both["headline"]
    failed = {"headline": "0 of 1", "instances": [build_result(2, "failed", "not_healthy")]}
    assert build_head([first, second, failed], failed)["headline"] == "1 of 2 instances restored and healthy"
    silent = {"headline": "1 of 1", "instances": [build_result(2, "failed", "no_answer")]}
    assert build_head([first, second, silent], silent)["headline"] == (
        "2 instances restored and healthy, 1 of them not responding as expected"
    )
    assert build_head([silent], {**silent, "instances": []})["headline"] == (
        "1 instance restored and healthy, but not responding as expected"
    )
    unknown_id = {"headline": "", "instances": [{**build_result(None, "failed", "bad_key"), "name": "bot-2"}]}
    assert build_head([unknown_id, second], second) == second
    assert build_head([{"steps": []}, {**first, "check_mode": True}, second], second) == second


def test_the_page_shows_when_each_thing_was_first_seen():
    def mark(title, minute, ok=True):
        return {"title": title, "at": f"2026-02-03T10:0{minute}:00+00:00", "ok": ok}

    def run_of(*marks, sent_at="10:01"):
        return {"headline": "", "instances": [{**build_result(1), "sent_at": sent_at, "timeline": [*marks]}]}

    sent, accepted, healthy = mark("sent", 1), mark("accepted", 2), mark("healthy", 3)
    first, again = run_of(sent, accepted, healthy), run_of(sent, mark("healthy", 8))
    assert build_head([first, again], again)["instances"][0]["timeline"] == [sent, accepted, healthy]
    failed = run_of(sent, mark("failed", 9, ok=False))
    assert build_head([first, again, failed], failed)["instances"][0]["timeline"] == [
        *(sent, accepted, healthy, mark("failed", 9, ok=False))
    ]
    known, seen = run_of(mark("restored", 4)), run_of(mark("seen restored", 7))
    assert build_head([known, seen], seen)["instances"][0]["timeline"] == [mark("restored", 4)]
    forced = run_of(mark("sent", 9), sent_at="10:09")
    assert build_head([first, forced], forced)["instances"][0]["timeline"] == [mark("sent", 9)]


def test_marks_of_one_time_keep_the_order_of_their_steps():
    def mark(title):
        return {"title": title, "at": "2026-02-03T10:00:00.000+00:00", "ok": title != "failed"}

    titles = ["sent", "accepted", "seen restored", "stopped", "healthy", "failed"]
    shuffled = [mark(title) for title in ("stopped", "healthy", "failed", "seen restored", "sent", "accepted")]
    assert [one["title"] for one in sorted(shuffled, key=find_rank)] == titles
    first = {"headline": "", "instances": [{**build_result(1), "sent_at": "10:00", "timeline": shuffled[:2]}]}
    again = {"headline": "", "instances": [{**build_result(1), "sent_at": "10:00", "timeline": shuffled[2:]}]}
    (head,) = build_head([first, again], again)["instances"]
    assert [one["title"] for one in head["timeline"]] == titles


RUN = {
    "id": "a",
    "revision": 1,
    "began_at": "2026-02-03T10:00:00+00:00",
    "service": "",
    "outcome": "restored",
    "steps": [{"step": "plan"}],
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"runs": 7}',
        '{"incident": "INC-1", "runs": [7]}',
        '{"incident": "INC-1", "runs": [{"began_at": "x"}]}',
        format_record("INC-1", [{**RUN, "steps": 7}]),
        format_record("INC-1", [{**RUN, "id": None}]),
        format_record("INC-1", [{**RUN, "revision": "many"}]),
        format_record("INC-2", [RUN]),
    ],
)
def test_an_invalid_record_is_none(text):
    assert parse_record(text.encode(), "INC-1") is None


def test_a_run_replaces_only_its_own_earlier_version():
    # Two runs may begin at the same time.
    before = [{**RUN, "id": "b"}, RUN]
    later = {**RUN, "revision": 2, "outcome": "failed"}
    runs = put_run(before, later)
    assert runs == [before[0], later]
    assert parse_record(format_record("I", put_run(runs, {**RUN, "id": "c"})).encode(), "I") == [
        *runs,
        {**RUN, "id": "c"},
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"revision": 9}, {"revision": 10}),
        ({"revision": 1, "steps": [{}, {}]}, {"revision": 2, "ended_at": "2001-02-03T10:00:00+00:00"}),
    ],
)
def test_of_two_versions_of_a_run_the_one_that_knows_more_stays(first, second):
    less, more = {**RUN, **first}, {**RUN, **second}
    assert put_run([less], more) == put_run([more], less) == [more]
    # What another run found out of it, such as that it was interrupted, stays.
    told = {**more, "interrupted": True}
    assert put_run([told], more) == [told]


@pytest.mark.parametrize(
    ("past", "known"),
    [
        ((), "This run did not record whether the restore of backup 12 was sent."),
        (
            (INTENDED, ACCEPTED),
            "A restore of backup 12, sent at 2026-02-03 08:00 UTC, was in progress; its end was not observed.",
        ),
        (
            (INTENDED, COMPLETED),
            (
                "Backup 12 was restored by an earlier run, sent at 2026-02-03 08:00 UTC, seen restored at "
                "2026-02-03 08:05 UTC; this run did not yet check the instance."
            ),
        ),
    ],
)
def test_an_unfinished_run_claims_only_what_it_observed(past, known):
    so_far = build_run_record(run(plan(history(*past))), history, NOW, is_finished=False)
    assert so_far["outcome"] == "unfinished"
    assert so_far["headline"].startswith("0 of 1 instance restored and healthy so far")
    (verdict,) = so_far["instances"]
    assert (verdict["outcome"], verdict["tag"]) == ("unfinished", "not finished")
    assert verdict["state"].startswith(f"{known} ")
    told = build_head([so_far], so_far)
    assert told["instances"][0]["state"].startswith(f"The run was interrupted or is still in progress. {known} ")
    ended = {**so_far, "interrupted": True, "by": {"user": "ana", "host": "ops1"}}
    last_seen = "The run of ana@ops1 was interrupted after 2026-02-03 10:00:00 UTC"
    found = {"at": "2026-02-03T10:20:09.000+00:00", "by": {"user": "bea", "host": "ops2"}}
    for facts, end in (
        (
            {"interrupted_at": "2026-02-03T10:04:07.000+00:00"},
            last_seen.replace("after", "at").replace("00:00", "04:07"),
        ),
        ({}, last_seen.partition(" after")[0]),
        ({"found_ended": found}, f"{last_seen}; found at 10:20:09 UTC by bea@ops2"),
    ):
        told = build_head([{**ended, **facts}], {**ended, **facts})
        assert told["instances"][0]["state"].startswith(f"{end}. {known} ")
        assert told["headline"] == f"0 of 1 instance restored and healthy so far: {end[:1].lower()}{end[1:]}"
    assert verdict["advice"] == "Run the same command again: it restores nothing twice."
