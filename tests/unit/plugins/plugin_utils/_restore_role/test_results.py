# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the results of an incident: the facts that JSON and later jobs get, and what screen and page say of them."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils import _errors as errors
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore import reason as reasons
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import Reason, ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import (
    RecordedInstance,
    list_restores,
    run_key,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import RestoreJob
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent as Event
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import lock_operation
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role import incident_results as facts
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role import result_texts as texts
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.incident_report import (
    read_earlier_report,
    write_page,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.incident_results import InstanceResult
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.role_run import RoleRun, RoleTargetPlan
from support.restores import BY, ERROR, NOW, WEB, history, named, plan, run, stopped
from support.stores import StorePlace, folder_place
from support.stories import URL, Story

HOST = "clawhosters.com"


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    return folder_place(tmp_path / "state")


@pytest.fixture
def story(place: StorePlace) -> Story:
    return Story(place)


def only(story: Story) -> InstanceResult:
    (result,) = facts.build_recorded(story.state(), NOW)
    return result


def state_of(result: InstanceResult) -> str:
    return texts.tell_result(result, run(), NOW).state


# By the journal alone


@pytest.mark.parametrize(
    ("events", "part", "kind", "said"),
    [
        ("accepted completed healthy", "restored", "", "Restored from backup 70, sent at 2026-02-01 10:0"),
        ("accepted completed", "unknown", "health_unseen", "The restore has completed, but "),
        ("accepted", "unknown", "not_over", "was accepted, but its end was not seen"),
        ("", "unknown", "unknown", "It is unknown whether the restore was carried out: it was about to be sent at "),
        ("unclear", "unknown", "unknown", "It is unknown whether the restore was carried out: it was sent at "),
        ("accepted failed", "not_healthy", "failed", "in a failure status"),
        ("refused", "rejected", "rejected", "The restore was rejected or not sent at 2026-02-01 10:0"),
    ],
)
@pytest.mark.parametrize("runs", [(), ("", "ended")])
@pytest.mark.usefixtures("zone")
def test_each_outcome_with_each_end(story: Story, events: str, part: str, kind: str, said: str, runs: t.Any) -> None:
    """The end of a run changes nothing of what is known of an instance."""
    for number, end in enumerate(runs):
        story.run(f"run-{number}", "confirmed", *([end] if end else []), by=BY, how="typed", backups={"7": 70})
    result = only(story.restore(7, "intended", *events.split()))
    assert (result.part, result.reason.kind.value if result.reason else "") == (part, kind)
    assert said in state_of(result)
    assert bool(texts.tell_result(result, run(), NOW).advice) == bool(kind)
    assert bool(result.to_dict()["sent_at"]) == ("refused" not in events)


@pytest.mark.parametrize("is_held", [True, False])
def test_what_was_confirmed_and_not_begun(story: Story, place: StorePlace, is_held: bool) -> None:
    story.run("one", "confirmed", by=BY, backups={"7": 70}, names={"7": "web-bot"})
    with lock_operation(place.journal(), run_key(URL, "INC-1", "one" if is_held else "two")):
        result, page = only(story), texts.tell_page(run(), story.state(), [only(story)], NOW)
    assert (result.part, result.outcome, result.plan.label) == ("not_begun", "not_begun", "web-bot (id 7)")
    assert state_of(result) == "Not begun. Nothing was sent."
    in_progress = "; a run had not ended" if is_held else ""
    assert page["headline"] == f"0 of 1 instance restored and healthy, 1 not begun{in_progress}"


def test_a_noted_failure_is_told_with_its_facts(story: Story) -> None:
    reason = Reason(ReasonKind.NOT_HEALTHY, {"status": "error", "http_status": 503})
    story.restore(7, "intended", "accepted").restore(7, "completed", seen=False)
    result = only(story.restore(7, "note failed", reason=reason.to_dict()))
    assert result.to_dict()["reason"] == {**reason.to_dict(), "at": result.known.events[-1].at}
    assert (result.part, result.is_unseen) == ("not_healthy", True)
    assert state_of(result).startswith("The restore was accepted, and no sign of it was seen, but ")


@pytest.mark.parametrize(
    ("events", "seen", "doubt"),
    [
        ("accepted completed", True, ""),
        ("accepted completed", False, "it was accepted, and no sign of it was seen"),
        ("accepted", None, "it was accepted, and its end was not seen"),
        ("unclear", None, "it is unknown whether it was carried out"),
        ("accepted failed", None, "it was accepted, and failed"),
        ("refused", None, None),
    ],
)
@pytest.mark.usefixtures("zone")
def test_a_later_restore_for_another_incident_is_told(story: Story, events: str, seen: t.Any, doubt: t.Any) -> None:
    story.restore(7, "intended", "accepted", "healthy").restore(7, "intended", incident="INC-2")
    for event in events.split():
        story.restore(7, event, incident="INC-2", **({} if seen is None else {"seen": seen}))
    result = only(story)
    by = f"verwritten since by INC-2, backup 70, sent 2026-02-01 10:03 UTC{f': {doubt}' if doubt else ''}."
    is_later = doubt is not None
    assert texts.tell_result(result, run(), NOW).now == (f"{'Perhaps o' if doubt else 'O'}{by}" if is_later else "")
    overwritten = " (1 overwritten since)" if is_later else ""
    assert texts.format_counts([result]) == f"1 instance restored and healthy{overwritten}"
    # One that may have overwritten it hides none that has.
    story.restore(7, "intended", incident="INC-3")
    assert (only(story).to_dict()["overwritten_by"]["incident"]) == ("INC-2" if seen else "INC-3")


@pytest.mark.usefixtures("zone")
def test_the_story_of_an_instance_names_the_backup_that_its_data_is_from(story: Story) -> None:
    def tell_it() -> list[str]:
        return texts.tell_story(list_restores(story.journal.read_entries(), URL).get("7", ()))

    assert (len(tell_it()), "The journal has no restore that was sent" in tell_it()[0]) == (1, True)
    story.restore(7, "intended", "refused")
    assert "can't be said from which backup" in tell_it()[-1]
    story.restore(7, "intended", "accepted", "healthy", by=BY, taken_at="2026-02-01T03:00:00+00:00")
    backup = "backup 70, taken 2026-02-01 03:00 UTC"
    assert tell_it()[1:] == [
        f"INC-1: {backup}, sent at 2026-02-01 10:02 UTC by ann@node2; it was seen restored.",
        f"Its data is from {backup}, by INC-1.",
    ]
    # Refused ones change nothing; any other may have been executed.
    story.restore(7, "intended", "refused", incident="INC-2")
    assert tell_it()[-1] == f"Its data is from {backup}, by INC-1."
    story.restore(7, "intended", "unclear", incident="INC-3")
    assert "can't be said: the last restore was by INC-3; it is unknown" in tell_it()[-1]
    story.restore(7, "intended", "accepted").restore(7, "completed", seen=False)
    assert tell_it()[-1].endswith("by INC-1; it was accepted, and no sign of it was seen.")
    assert len(tell_it()) == 6


# Of a run


def begun(planned: RoleTargetPlan) -> RoleTargetPlan:
    """Returns the plan of a restore that has ended well: of this run if its plan was to send it."""
    planned.restore = RestoreJob(planned, healthy_at=NOW, is_sent=planned.sends)
    return planned


def headline(one: RoleRun) -> str:
    return texts.format_headline(one, facts.build_results(one, None))


def test_a_run_tells_what_it_has_restored() -> None:
    before, own = (begun(plan(past)) for past in (history(Event.INTENDED, Event.COMPLETED), history()))
    assert headline(run(own)) == "1 instance restored and healthy"
    assert headline(run(before)) == "1 instance restored and healthy (1 by an earlier run)"
    assert headline(run(own, before)) == "2 instances restored and healthy (1 by an earlier run)"


def test_a_run_tells_what_it_has_sent_also_without_the_journal() -> None:
    planned = plan()
    (sent,) = history(Event.INTENDED, Event.ACCEPTED, by=BY).states.values()
    planned.restore = RestoreJob(planned, is_sent=True, state=sent)
    told = facts.build_results(run(planned), None)[0].to_dict()
    assert (told["outcome"], told["sent_at"], told["by"]) == ("in_flight", sent.sent_at, BY)


def test_check_mode_counts_the_restores_that_would_be_sent() -> None:
    done, under_way = (plan(history(Event.INTENDED, end)) for end in (Event.COMPLETED, Event.ACCEPTED))
    assert headline(run(plan(), check=True)) == "1 instance would be restored"
    for one, told in ((done, "Restored, and seen healthy."), (under_way, "")):
        assert headline(run(one, check=True)) == "0 of 1 instance would be restored, 1 restored already"
        assert state_of(facts.build_results(run(one, check=True), None)[0]) == told
    mixed = run(plan(), done, stopped(ReasonKind.NO_BACKUP), check=True)
    assert headline(mixed) == "1 of 3 instances would be restored, 1 restored already, 1 can't be restored"


@pytest.mark.parametrize(
    ("error", "kind", "known"),
    [
        (ERROR, "not_planned", {"code": "BROKEN", "http_status": 422}),
        (errors.SettingsError("api_key is empty."), "bad_key", {}),
        (errors.UnauthorizedError("GET /me", 401), "bad_key", {"fault": "unauthorized", "http_status": 401}),
        (errors.PartialError("Late.", {}, ERROR), "not_planned", ERROR.facts),
        (reasons.ReasonError(ReasonKind.PLAN_OUTDATED, "Backup 12 is gone."), "plan_outdated", {}),
        (reasons.ReasonError(ReasonKind.NOT_CONFIRMED, "You typed: x."), "not_confirmed", {"answer": "web-bot"}),
        (KeyError("x"), "interrupted", {}),
    ],
)
def test_a_run_stops_for_the_reason_that_its_error_has(error: Exception, kind: str, known: dict[str, t.Any]) -> None:
    one = run(plan())
    one.stop(error, ReasonKind.NOT_PLANNED)
    assert one.reason == Reason(ReasonKind(kind), known)
    assert one.cause is (getattr(error, "cause", None) or error) or "report it: KeyError" in str(one.cause)


def test_that_nothing_was_sent_is_told_once_as_far_as_it_is_known() -> None:
    error, one = errors.RefusedError("The folder is full."), run(plan())
    error.is_unsent = True
    error.add("Make room.")
    one.stop(errors.PartialError("It failed.", {}, error), ReasonKind.NOT_PLANNED)
    (result,) = facts.build_results(one, None)
    assert state_of(result) == "Planning failed. The folder is full. Make room. Nothing was sent."
    one.is_history_known = False
    assert headline(one) == "Earlier restores can't be read now. Nothing was sent"
    told = texts.tell_result(result, one, NOW).state
    assert told.endswith("Make room. Earlier restores can't be read now. Nothing was sent.")
    assert result.summarize()["outcome"] == "unknown"


@pytest.mark.parametrize("kind", [ReasonKind.SERVICE_DOWN, ReasonKind.BAD_KEY, ReasonKind.NOT_PLANNED])
def test_a_run_that_stops_says_what_an_earlier_one_has_sent(kind: ReasonKind) -> None:
    for events, said in (((), "Nothing"), ((Event.ACCEPTED,), "still open"), ((Event.COMPLETED,), "has completed")):
        one = run(plan(history(*events)))
        one.stop(errors.ClawHostersError("A fault."), kind)
        told = state_of(facts.build_results(one, None)[0])
        assert re.search(rf"A fault\. (Nothing was|This run) sent.*{said if events else ''}", told)
        assert ("sent at" in told) is bool(events)


def test_what_has_sent_nothing_is_repeated_as_it_was() -> None:
    one = run(plan(), stopped(ReasonKind.OVERTAKEN), restore_force=True)
    one.stop(errors.ClawHostersError("No."), ReasonKind.NOT_CONFIRMED)
    own, other = (texts.tell_result(each, one, NOW).advice for each in facts.build_results(one, None))
    assert own == "Run the same command again with restore_confirm=web-bot, or type web-bot."
    assert "the same command again without restore_force" in other


def test_a_restore_that_a_playbook_has_chosen_is_gone_on_with_by_the_runbook() -> None:
    one = run(plan(), restore_chosen_by="restore_drill")
    assert one.wording.again == "run the playbook restore for it, with restore_incident=INC-1"


def test_those_that_are_not_begun_are_counted() -> None:
    one = run(begun(plan()), stopped(ReasonKind.NOT_BEGUN, name="bot-2", id=2))
    assert headline(one) == "1 of 2 instances restored and healthy, 1 not begun"


# Counts, and what is told together


def result_of(kind: ReasonKind | None, number: int = 1, *, check: bool = False, **known: t.Any) -> InstanceResult:
    """Returns the result of an instance; restored without a ``kind``, or in check mode to be restored."""
    one = named(stopped(kind) if kind else plan(), f"bot-{number}", number)
    own = RecordedInstance(number, f"bot-{number}", **known)
    return InstanceResult(one, own, one.reason, one.cause, check)


UNSEEN = next(iter(history(Event.INTENDED, Event.COMPLETED, seen=False).states.values()))
RESULTS = st.builds(
    result_of,
    st.none() | st.sampled_from(ReasonKind),
    st.integers(1, 99),
    check=st.booleans(),
    restore=st.sampled_from([None, UNSEEN]),
    overwritten_by=st.sampled_from([None, {"incident": "INC-2"}]),
)


@given(st.lists(RESULTS, max_size=30))
def test_the_counts_add_up_to_all(results: list[InstanceResult]) -> None:
    told = texts.format_counts(results)
    counts = [int(number) for number in re.findall(r"(?:^|, )(\d+)\b", re.sub(r" \(.*?\)", "", told))]
    assert sum(counts) == len(results) == sum(facts.count_parts(results).values())
    assert re.search(rf"(^| of ){len(results)} instances? ", told)
    assert not re.search(r", 0 |_", told)


def test_the_headline_names_each_part_in_one_order() -> None:
    kinds = ["unknown", "not_over", "rejected", "not_healthy", "no_backup", "not_begun", "bad_address"]
    results = [*[result_of(None), result_of(None), result_of(None)], *(result_of(ReasonKind(kind)) for kind in kinds)]
    assert texts.format_counts([*results, result_of(None, restore=UNSEEN)]) == (
        "4 of 11 instances restored and healthy (1 not responding as expected), 1 without a sign, 1 not healthy, "
        "1 rejected, 2 unknown, 1 can't be restored, 1 not begun"
    )


def test_equal_reasons_share_a_paragraph() -> None:
    alike = [result_of(ReasonKind.NO_BACKUP, number) for number in range(1, 8)]
    alike[6].reason = Reason(ReasonKind.NO_BACKUP)
    busy, rejected = result_of(ReasonKind.WRONG_STATUS, 8), result_of(ReasonKind.REJECTED, 9)
    other = replace(rejected, reason=Reason(ReasonKind.REJECTED, {"http_status": 403}))
    shown = texts.tell_results([*alike, busy, rejected, other], run(), NOW)
    assert re.match(r"(bot-\d \(id \d\),? ){5}and 2 more: For example bot-1 \(id 1\): It has ", shown[0])
    assert [text.partition(":")[0] for text in shown[1:]] == ["bot-8 (id 8)", "bot-9 (id 9)", "bot-9 (id 9)"]
    done = texts.tell_results([result_of(None, number) for number in (1, 2)], run(), NOW)
    assert done == ["bot-1 (id 1), bot-2 (id 2): Restored, and seen healthy."]


# Page and JSON


def write(story: Story, folder: Path, *results: InstanceResult, has_all: bool = True) -> dict[str, t.Any]:
    """Writes page and JSON of an incident, by the journal and these results, and returns the JSON."""
    one, state = run(restore_report_dir=str(folder)), story.state()
    one.service, shown = HOST, list(results) or (facts.build_recorded(state, NOW) if has_all else [])
    assert write_page(one, state, shown, NOW) == [f"Report: {folder}/INC-1.html", f"JSON: {folder}/INC-1.json"]
    written: dict[str, t.Any] = json.loads((folder / "INC-1.json").read_text(encoding="utf-8"))
    return written


FORMS = {
    r"\d+": "id given_id given_backup backup_id backup_ids ids",
    r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)": "at sent_at completed_at restored_at healthy_at taken_at created_at "
    "before since written_at confirmed_at ended_at interrupted_at",
    r"[a-z_]+": "kind result outcome event status health_status fault how state",
    r"\S+": "name given_name similar answer path journal user host incident service account code request_id",
}
"""The form of each text in the JSON, by its key: an id, a time, a word, or a name, which has no space here."""


def find_texts(content: object, key: str = "") -> t.Iterator[str]:
    """Yields each text of a JSON that has not the form that its key allows."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from [] if re.fullmatch(r"[a-z_]+|\d+", name) else [name]
            yield from find_texts(value, {"backups": "id", "names": "name"}.get(key, name))
    elif isinstance(content, list):
        for value in content:
            yield from find_texts(value, key)
    elif isinstance(content, str):
        form = next((form for form, keys in FORMS.items() if key in keys.split()), "")
        yield from [] if re.fullmatch(form, content) else [f"{key}: {content}"]


def test_the_json_has_facts_and_no_sentence_for_any_reason(story: Story) -> None:
    plans = [named(stopped(kind), f"bot-{number}", number) for number, kind in enumerate(ReasonKind, 1)]
    notes = [one.reason.to_dict() for one in plans if one.reason]
    refused = [{"id": number, "name": "web-bot", "reason": note} for number, note in enumerate(notes, 201)]
    confirmed = {"by": BY, "account": "7", "how": "typed", "backups": {"99": 70}, "names": {"99": "bot-99"}}
    story.run("1", "confirmed", refused=refused, **confirmed)
    for number, note in enumerate(notes, 101):
        story.restore(number, "intended", "accepted", **ERROR.facts).restore(number, "note failed", reason=note)
    story.restore(99, "intended", "accepted", "healthy", by=BY).restore(99, "intended", incident="INC-2")
    state, one = story.state(), run(*plans)
    one.service, one.account = HOST, "7"
    results = facts.build_results(one, None)
    results[0].seen = {**WEB, "health_status": "healthy"}
    results[0].newer = {"id": 13, "created_at": "2026-02-03T03:00:00Z"}
    report = facts.build_report(one, state, facts.merge_results(state, results, NOW), NOW)
    stored = [{**each["reason"], "at": ""} for each in report["instances"] if each["reason"]]
    # Each was found by the run, noted, and refused at the confirmation.
    assert all(stored.count({**note, "at": ""}) == 3 for note in notes)
    assert not [*find_texts(json.loads(json.dumps(report)))]


def test_the_page_covers_all_runs_of_the_incident(story: Story, tmp_path: Path) -> None:
    story.run("one", "confirmed", by=BY, how="typed", backups={"7": 70}).restore(7, "intended", "accepted", "healthy")
    story.run("one", "ended").run("two", "confirmed", by=BY, how="restore_confirm", backups={"8": 80})
    built = write(story, tmp_path)
    assert built["counts"] == {"restored": 1, "not_begun": 1}
    assert [one["state"] for one in built["runs"]] == ["ended", "interrupted"]
    page = (tmp_path / "INC-1.html").read_text(encoding="utf-8")
    for shown in ("1 of 2 instances restored and healthy, 1 not begun", "bot-7 (id 7)", "interrupted"):
        assert shown in page
    assert page.count("ann@node2") == 2


def test_a_run_that_sent_nothing_says_nothing_new_of_a_restored_instance(story: Story, tmp_path: Path) -> None:
    story.restore(7, "intended", "accepted", "healthy")
    one = run(named(plan(), "bot-7", 7))
    one.stop(ERROR, ReasonKind.SERVICE_DOWN)
    (shown,) = write(story, tmp_path, *facts.build_results(one, story.state()))["instances"]
    assert (shown["outcome"], shown["result"], shown["reason"]) == ("completed", "restored", None)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 100_000, b"[]", b'{"incident": "INC-1", "service": "clawhosters.com"}', b"\xff"]
)
def test_a_json_that_holds_no_such_incident_names_nothing_as_sent(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "INC-1.json").write_bytes(content)
    earlier_report = read_earlier_report(str(tmp_path / "INC-1.html"), "INC-1", HOST, "state")
    assert earlier_report.sent_at == {}
    assert bool(earlier_report.unreadable) == (content in (b"", b"{", b"[" * 100_000, b"\xff"))


def test_the_json_keeps_what_was_sent_and_the_journal_does_not_know(story: Story, tmp_path: Path) -> None:
    path = str(tmp_path / "INC-1.html")
    assert read_earlier_report(str(tmp_path / "missing/INC-1.html"), "INC-1", HOST, "state").sent_at == {}
    story.restore(7, "intended", "accepted").restore(8, "intended", "refused")
    write(story, tmp_path)
    for incident, host, sent in (("INC-1", HOST, ["7"]), ("INC-2", HOST, []), ("INC-1", "127.0.0.1:80", [])):
        assert [*read_earlier_report(path, incident, host, "state").sent_at] == sent
    # Another journal has another instance.
    write(story, tmp_path, has_all=False)
    assert [*read_earlier_report(path, "INC-1", HOST, "state").sent_at] == ["7"]


# For later jobs


def test_a_restore_that_was_refused_is_its_outcome(story: Story) -> None:
    finished = run(named(plan(), "bot-7", 7))
    (result,) = facts.build_results(finished, story.restore(7, "intended", "refused").state())
    found = result.summarize()
    assert (found["outcome"], found["id"], found["sent_at"]) == ("refused", 7, None)
