# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: what it remembers, what it refuses to go by, and who can read it."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils.journal import (
    Event,
    Journal,
    JournalError,
    Subject,
    service_name,
)

URL = "https://clawhosters.com/api/v1"
SUBJECT = Subject("restore", URL, "INC-1", "7")
LINE = {**SUBJECT.as_dict(), "at": "2026-02-01T10:00:00.000+00:00", "event": "intended"}


@pytest.mark.parametrize(
    "spelling",
    [
        "https://clawhosters.com/api/v1/",
        "https://ClawHosters.com/api/v1",
        "HTTPS://clawhosters.com:443/api/v1",
    ],
)
def test_a_service_is_one_however_its_url_is_written(tmp_path, spelling):
    Journal(str(tmp_path)).write(SUBJECT, Event.INTENDED)
    other = Subject("restore", spelling, "INC-1", "7")
    assert Journal(str(tmp_path)).record_of(other).event is Event.INTENDED
    assert other.lock_name == SUBJECT.lock_name


@pytest.mark.parametrize(
    "other",
    [
        "http://clawhosters.com/api/v1",
        "https://clawhosters.com:8443/api/v1",
        "https://clawhosters.com/API/v1",
        "https://clawhosters.com/api/v2",
    ],
)
def test_another_service_is_another(tmp_path, other):
    Journal(str(tmp_path)).write(SUBJECT, Event.INTENDED)
    assert Journal(str(tmp_path)).record_of(Subject("restore", other, "INC-1", "7")) is None


def test_only_the_default_port_of_the_scheme_is_dropped():
    assert service_name("http://127.0.0.1:80/api/") == "http://127.0.0.1/api"
    assert service_name("http://127.0.0.1:443") == "http://127.0.0.1:443"
    assert service_name("https://[::1]:443/api") == "https://[::1]/api"


def test_a_line_that_an_earlier_version_wrote_with_another_spelling_still_counts(tmp_path):
    (tmp_path / "journal.jsonl").write_text(
        json.dumps({**LINE, "service": URL.upper().replace("API/V1", "api/v1")}) + "\n"
    )
    assert Journal(str(tmp_path)).record_of(SUBJECT).event is Event.INTENDED


@pytest.mark.parametrize(
    "line",
    [
        {name: value for name, value in LINE.items() if name != "at"},
        {**LINE, "at": None},
        {**LINE, "at": 5},
        {**LINE, "at": "yesterday"},
        {**LINE, "at": "2026-02-01T10:00:00"},
        {**LINE, "event": "thought of"},
        {name: value for name, value in LINE.items() if name != "event"},
        [],
        "text",
        None,
    ],
)
def test_a_line_that_does_not_say_what_happened_when_stops_everything(tmp_path, line):
    (tmp_path / "journal.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(JournalError, match=r"Line 1 of the journal .* can't be read"):
        Journal(str(tmp_path)).record_of(SUBJECT)


def test_the_line_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text(f"{json.dumps(LINE)}\n\n{json.dumps(LINE)}\n")
    with pytest.raises(JournalError, match=r"Line 2 of the journal .* can't be read"):
        Journal(str(tmp_path)).record_of(SUBJECT)


STARTED = datetime(2026, 2, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("events", "last", "attempt", "done"),
    [
        ("INTENDED", "INTENDED", 0, None),
        ("INTENDED ACCEPTED", "ACCEPTED", 0, None),
        ("INTENDED UNCLEAR", "UNCLEAR", 0, None),
        ("INTENDED ACCEPTED COMPLETED", "COMPLETED", 0, 2),
        ("INTENDED ACCEPTED FAILED", "FAILED", 0, None),
        ("INTENDED COMPLETED UNCLEAR", "UNCLEAR", 0, None),
        # A new attempt counts for what it comes to itself, unless it was refused.
        ("INTENDED FAILED INTENDED", "INTENDED", 2, None),
        ("INTENDED FAILED INTENDED REFUSED", "FAILED", 0, None),
        ("INTENDED REFUSED", None, None, None),
        ("INTENDED REFUSED INTENDED REFUSED", None, None, None),
        ("INTENDED REFUSED INTENDED", "INTENDED", 2, None),
        # What nobody intended is no attempt.
        ("COMPLETED", None, None, None),
        ("REFUSED", None, None, None),
        ("", None, None, None),
    ],
)
def test_what_the_lines_of_a_subject_come_to(
    tmp_path: Path, events: str, last: str | None, attempt: int | None, done: int | None
) -> None:
    minutes = iter(range(10))
    journal = Journal(str(tmp_path), lambda: STARTED + timedelta(minutes=next(minutes)))
    for number, event in enumerate(events.split()):
        journal.write(SUBJECT, Event[event], **{f"note {number}": event})
        journal.write(Subject("restore", URL, "INC-2", "7"), Event.INTENDED)
    record = journal.record_of(SUBJECT)
    if last is None or attempt is None:
        assert record is None
        return

    def moment(number: int) -> str:
        """When a line was written, with one of the other subject after each."""
        return (STARTED + timedelta(minutes=2 * number)).isoformat(timespec="milliseconds")

    assert record is not None
    assert record.event is Event[last]
    assert record.sent_at == moment(attempt)
    assert record.completed_at == (None if done is None else moment(done))
    # Notes are those of the attempt that counts, from its start to its last event.
    ends = 1 + max(number for number, event in enumerate(events.split()) if event == last)
    assert record.notes == {f"note {number}": events.split()[number] for number in range(attempt, ends)}


def test_who_works_on_a_subject_holds_it_until_done(tmp_path: Path) -> None:
    mine, yours = Journal(str(tmp_path)), Journal(str(tmp_path))
    with mine.held(SUBJECT) as is_mine:
        assert is_mine is True
        with yours.held(SUBJECT) as is_yours, yours.held(Subject("restore", URL, "INC-2", "7")) as is_another:
            assert is_yours is False
            assert is_another is True
    with yours.held(SUBJECT) as is_yours:
        assert is_yours is True


def test_a_line_is_on_the_disk_and_so_is_its_file_before_anything_can_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = {}
    monkeypatch.setattr(os, "fsync", lambda file: synced.update({os.fstat(file).st_ino: os.fstat(file).st_size}))
    Journal(str(tmp_path)).write(SUBJECT, Event.INTENDED)
    file = (tmp_path / "journal.jsonl").stat()
    assert synced[file.st_ino] == file.st_size
    assert tmp_path.stat().st_ino in synced


def test_a_disk_that_takes_a_line_in_pieces_gets_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    journal = Journal(str(tmp_path))
    journal.write(SUBJECT, Event.INTENDED)
    journal.write(SUBJECT, Event.COMPLETED)
    record = journal.record_of(SUBJECT)
    assert record is not None
    assert record.event is Event.COMPLETED


def test_a_journal_that_can_not_be_read_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(JournalError, match=r"can't be used \(Is a directory\)"):
        Journal(str(tmp_path)).record_of(SUBJECT)


@pytest.mark.parametrize("name", ["Störung 7", "a\nb", "\ud83d", '"', "\0"])
def test_a_name_may_be_any_text(tmp_path: Path, name: str) -> None:
    journal = Journal(str(tmp_path))
    subject = Subject("restore", URL, name, "7")
    journal.write(subject, Event.INTENDED)
    with journal.held(subject) as is_free:
        assert is_free
    assert journal.record_of(subject) is not None
    assert journal.record_of(SUBJECT) is None


def test_what_a_crash_left_of_a_line_counts_for_nothing_and_spoils_no_other(tmp_path):
    journal = Journal(str(tmp_path))
    journal.write(SUBJECT, Event.INTENDED)
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"event": "comp')
    assert journal.record_of(SUBJECT).event is Event.INTENDED
    journal.write(SUBJECT, Event.COMPLETED)
    assert journal.record_of(SUBJECT).event is Event.COMPLETED


def test_a_whole_line_counts_though_an_editor_took_its_end(tmp_path):
    journal = Journal(str(tmp_path))
    journal.write(SUBJECT, Event.INTENDED)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert journal.record_of(SUBJECT).event is Event.INTENDED
    journal.write(SUBJECT, Event.UNCLEAR)
    assert journal.record_of(SUBJECT).event is Event.UNCLEAR
    assert path.read_bytes().count(b"\n") == 2


def test_files_and_folder_are_the_owners_alone(tmp_path):
    journal = Journal(str(tmp_path / "deep" / "state"))
    journal.write(SUBJECT, Event.INTENDED)
    with journal.held(SUBJECT):
        pass
    assert stat.S_IMODE((tmp_path / "deep/state").stat().st_mode) == 0o700
    paths = list((tmp_path / "deep/state").iterdir())
    assert len(paths) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path, mode):
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)
    with pytest.raises(JournalError, match="Others can write to"):
        Journal(str(state)).write(SUBJECT, Event.INTENDED)
    with pytest.raises(JournalError, match="Others can write to"), Journal(str(state)).held(SUBJECT):
        pass
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.lock", SUBJECT.lock_name])
def test_a_link_that_somebody_planted_is_not_followed(tmp_path, name):
    target = tmp_path / "target"
    target.write_text("untouched")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / name).symlink_to(target)
    journal = Journal(str(state))
    with pytest.raises(JournalError, match="can't be used"), journal.held(SUBJECT):
        journal.write(SUBJECT, Event.INTENDED)
    assert target.read_text() == "untouched"
