# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: what it remembers, what it refuses to go by, and who can read it."""

from __future__ import annotations

import json
import stat

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils.errors import (
    AnswerError,
    ApiError,
    ClawHostersError,
    RedirectedError,
    TlsError,
    TransportError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils.journal import (
    Event,
    Journal,
    JournalError,
    Subject,
    service_name,
    was_surely_not_done,
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


def test_what_a_crash_left_of_a_line_counts_for_nothing_and_spoils_no_other(tmp_path):
    journal = Journal(str(tmp_path))
    journal.write(SUBJECT, Event.INTENDED)
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"event": "comp')
    assert journal.record_of(SUBJECT).event is Event.INTENDED
    journal.write(SUBJECT, Event.COMPLETED)
    assert journal.record_of(SUBJECT).event is Event.COMPLETED


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


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ApiError("POST /x", 422), True),
        (ApiError("POST /x", 429), True),
        (ApiError("POST /x", 408), False),
        (ApiError("POST /x", 500), False),
        (RedirectedError("", 303), False),
        (RedirectedError("", 307), True),
        (TransportError("", sent=True), False),
        (TransportError("", sent=False), True),
        (TlsError(""), True),
        (AnswerError(""), False),
        (ClawHostersError("something new"), False),
    ],
)
def test_what_was_surely_not_done(error, expected):
    assert was_surely_not_done(error, sent=True) is expected
    # What went wrong before anything was sent has done nothing, whatever it is.
    assert was_surely_not_done(error, sent=False) is True
