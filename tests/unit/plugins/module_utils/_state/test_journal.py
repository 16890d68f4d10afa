# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the journal: its entries, damage, locks, and owners."""

from __future__ import annotations

import json
import os
import resource
import stat
import tempfile
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    JournalError,
    OperationEvent,
    OperationKey,
    normalize_url,
)
from support.users import FORK, STRANGER, Owners, as_ordinary_user

URL = "https://clawhosters.com/api/v1"
OPERATION = OperationKey("restore", URL, "INC-1", "7")
LINE = {**OPERATION.as_dict(), "at": "2026-02-01T10:00:00.000+00:00", "event": "intended"}


@pytest.mark.parametrize(
    "spelling",
    [
        "https://clawhosters.com/api/v1/",
        "https://ClawHosters.com/api/v1",
        "HTTPS://clawhosters.com:443/api/v1",
    ],
)
def test_spellings_of_a_url_are_one_service(tmp_path, spelling):
    Journal(str(tmp_path)).append(OPERATION, OperationEvent.INTENDED)
    other = OperationKey("restore", spelling, "INC-1", "7")
    assert Journal(str(tmp_path)).read_state(other).event is OperationEvent.INTENDED
    assert other.lock_name == OPERATION.lock_name


@pytest.mark.parametrize(
    "other",
    [
        "http://clawhosters.com/api/v1",
        "https://clawhosters.com:8443/api/v1",
        "https://clawhosters.com/API/v1",
        "https://clawhosters.com/api/v2",
    ],
)
def test_different_urls_are_different_services(tmp_path, other):
    Journal(str(tmp_path)).append(OPERATION, OperationEvent.INTENDED)
    assert Journal(str(tmp_path)).read_state(OperationKey("restore", other, "INC-1", "7")) is None


def test_only_the_default_port_is_removed():
    assert normalize_url("http://127.0.0.1:80/api/") == "http://127.0.0.1/api"
    assert normalize_url("http://127.0.0.1:443") == "http://127.0.0.1:443"
    assert normalize_url("https://[::1]:443/api") == "https://[::1]/api"


def test_an_entry_of_an_earlier_version_with_another_spelling_counts(tmp_path):
    (tmp_path / "journal.jsonl").write_text(
        json.dumps({**LINE, "service": URL.upper().replace("API/V1", "api/v1")}) + "\n"
    )
    assert Journal(str(tmp_path)).read_state(OPERATION).event is OperationEvent.INTENDED


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
def test_an_invalid_entry_is_an_error(tmp_path, line):
    (tmp_path / "journal.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(JournalError, match=r"Line 1 of the journal .* can't be read"):
        Journal(str(tmp_path)).read_state(OPERATION)


def test_the_error_names_the_unreadable_line(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text(f"{json.dumps(LINE)}\n\n{json.dumps(LINE)}\n")
    with pytest.raises(JournalError, match=r"Line 2 of the journal .* can't be read"):
        Journal(str(tmp_path)).read_state(OPERATION)


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
        # A new attempt replaces the state, unless it is refused.
        ("INTENDED FAILED INTENDED", "INTENDED", 2, None),
        ("INTENDED FAILED INTENDED REFUSED", "FAILED", 0, None),
        ("INTENDED REFUSED", None, None, None),
        ("INTENDED REFUSED INTENDED REFUSED", None, None, None),
        ("INTENDED REFUSED INTENDED", "INTENDED", 2, None),
        # Events without an intent are ignored.
        ("COMPLETED", None, None, None),
        ("REFUSED", None, None, None),
        ("", None, None, None),
    ],
)
def test_state_after_events(
    tmp_path: Path, events: str, last: str | None, attempt: int | None, done: int | None
) -> None:
    minutes = iter(range(10))
    journal = Journal(str(tmp_path), lambda: STARTED + timedelta(minutes=next(minutes)))
    for number, event in enumerate(events.split()):
        journal.append(OPERATION, OperationEvent[event], **{f"note {number}": event})
        journal.append(OperationKey("restore", URL, "INC-2", "7"), OperationEvent.INTENDED)
    record = journal.read_state(OPERATION)
    if last is None or attempt is None:
        assert record is None
        return

    def moment(number: int) -> str:
        """Time of an entry; each is followed by one of another operation."""
        return (STARTED + timedelta(minutes=2 * number)).isoformat(timespec="milliseconds")

    assert record is not None
    assert record.event is OperationEvent[last]
    assert record.sent_at == moment(attempt)
    assert record.completed_at == (None if done is None else moment(done))
    # The notes of the attempt that counts, from its start to its last event.
    ends = 1 + max(number for number, event in enumerate(events.split()) if event == last)
    assert record.notes == {f"note {number}": events.split()[number] for number in range(attempt, ends)}


def test_one_run_at_a_time_locks_an_operation(tmp_path: Path) -> None:
    first, second = Journal(str(tmp_path)), Journal(str(tmp_path))
    with first.lock(OPERATION) as is_first:
        assert is_first is True
        with second.lock(OPERATION) as is_second, second.lock(OperationKey("restore", URL, "INC-2", "7")) as is_another:
            assert is_second is False
            assert is_another is True
    with second.lock(OPERATION) as is_second:
        assert is_second is True


def test_an_entry_and_its_file_are_synced_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = {}
    monkeypatch.setattr(os, "fsync", lambda file: synced.update({os.fstat(file).st_ino: os.fstat(file).st_size}))
    Journal(str(tmp_path)).append(OPERATION, OperationEvent.INTENDED)
    file = (tmp_path / "journal.jsonl").stat()
    assert synced[file.st_ino] == file.st_size
    assert tmp_path.stat().st_ino in synced


def test_partial_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    journal = Journal(str(tmp_path))
    journal.append(OPERATION, OperationEvent.INTENDED)
    journal.append(OPERATION, OperationEvent.COMPLETED)
    record = journal.read_state(OPERATION)
    assert record is not None
    assert record.event is OperationEvent.COMPLETED


def test_an_unreadable_journal_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(JournalError, match=r"can't be used \(Is a directory\)"):
        Journal(str(tmp_path)).read_state(OPERATION)


@pytest.mark.parametrize("name", ["Störung 7", "a\nb", "\ud83d", '"', "\0"])
def test_a_name_may_be_any_text(tmp_path: Path, name: str) -> None:
    journal = Journal(str(tmp_path))
    operation = OperationKey("restore", URL, name, "7")
    journal.append(operation, OperationEvent.INTENDED)
    with journal.lock(operation) as is_free:
        assert is_free
    assert journal.read_state(operation) is not None
    assert journal.read_state(OPERATION) is None


OTHER = OperationKey("restore", URL, "INC-2", "7")
DAMAGES = {
    "emptied": (lambda lines: b"", "is empty"),
    "a line break": (lambda lines: b"\n", "Line 1 "),
    "half a line": (lambda lines: lines[0][: len(lines[0]) // 2], "Line 1 "),
    "its second half": (lambda lines: lines[0][len(lines[0]) // 2 :] + lines[1], "Line 1 "),
    "cut in a line": (lambda lines: b"".join(lines)[: -len(lines[-1]) // 2], "Line 4 "),
    "cut between two lines": (lambda lines: b"".join(lines[:2]), "has 2 lines, but 4 were written"),
    "zeros at its end": (lambda lines: b"".join(lines[:3]) + b"\0" * len(lines[3]), "Line 4 "),
    "no URL in it": (lambda lines: lines[0].replace(b"https://", b"https://["), "Line 1 "),
}


@pytest.mark.parametrize(("damaged", "words"), DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_journal_is_an_error_and_unchanged(tmp_path, damaged, words):
    journal = Journal(str(tmp_path))
    for operation in (OPERATION, OTHER):
        journal.append(operation, OperationEvent.INTENDED)
        journal.append(operation, OperationEvent.COMPLETED)
    path = tmp_path / "journal.jsonl"
    left = damaged(path.read_bytes().splitlines(keepends=True))
    path.write_bytes(left)
    with pytest.raises(JournalError, match=words) as caught:
        Journal(str(tmp_path)).read_state(OTHER)
    assert str(path) in str(caught.value)
    assert "if no restore or purchase is in progress" in str(caught.value)
    assert str(caught.value).endswith("Nothing was sent.")
    with pytest.raises(JournalError, match=words):
        Journal(str(tmp_path)).append(OTHER, OperationEvent.INTENDED)
    assert path.read_bytes() == left


def test_a_cut_journal_continues_after_the_count_is_deleted(tmp_path):
    journal = Journal(str(tmp_path))
    journal.append(OPERATION, OperationEvent.INTENDED)
    journal.append(OTHER, OperationEvent.INTENDED)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(JournalError, match="has 1 lines, but 2 were written"):
        journal.read_states()
    (tmp_path / "journal.lock").unlink()
    assert set(journal.read_states()) == {OPERATION}
    journal.append(OTHER, OperationEvent.INTENDED)
    assert set(journal.read_states()) == {OPERATION, OTHER}


def test_a_journal_that_was_moved_away_starts_over_with_its_count(tmp_path):
    journal = Journal(str(tmp_path))
    for _time in range(3):
        journal.append(OPERATION, OperationEvent.INTENDED)
    (tmp_path / "journal.jsonl").unlink()
    assert journal.read_states() == {}
    journal.append(OTHER, OperationEvent.INTENDED)
    assert set(journal.read_states()) == {OTHER}


@pytest.mark.parametrize("count", [b"", b"many\n", b"\0\0\0", b"1\n"])
def test_a_missing_or_too_low_count_is_no_damage(tmp_path, count):
    (tmp_path / "journal.jsonl").write_text(f"{json.dumps(LINE)}\n" * 2)
    (tmp_path / "journal.lock").write_bytes(count)
    journal = Journal(str(tmp_path))
    assert journal.read_state(OPERATION) is not None
    journal.append(OTHER, OperationEvent.INTENDED)
    assert set(journal.read_states()) == {OPERATION, OTHER}
    assert (tmp_path / "journal.lock").read_bytes().startswith(b"3\n")


@pytest.mark.parametrize("lines", [0, 1])
def test_a_full_disk_leaves_the_journal_unchanged(tmp_path, lines):
    journal = Journal(str(tmp_path))
    for _line in range(lines):
        journal.append(OPERATION, OperationEvent.INTENDED)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    room = len(before.get("journal.jsonl", b"")) + 20
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(JournalError, match=r"can't be used \(File too large\)"):
            journal.append(OTHER, OperationEvent.INTENDED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"journal.lock": b"", **before}
    # A draft that a crash left is replaced.
    (tmp_path / ".journal.jsonl.draft").write_text('{"at')
    journal.append(OTHER, OperationEvent.INTENDED)
    assert OTHER in journal.read_states()
    assert not (tmp_path / ".journal.jsonl.draft").exists()


def test_concurrent_processes_lose_no_entry(tmp_path):
    def write(number: int) -> None:
        journal = Journal(str(tmp_path / "state"))
        for line in range(5):
            journal.append(OperationKey("restore", URL, f"INC-{number}-{line}", "7"), OperationEvent.INTENDED)
            assert len(journal.read_states()) > line

    processes = [FORK.Process(target=write, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(Journal(str(tmp_path / "state")).read_states()) == 20


def test_a_missing_newline_at_the_end_is_no_damage(tmp_path):
    journal = Journal(str(tmp_path))
    journal.append(OPERATION, OperationEvent.INTENDED)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert journal.read_state(OPERATION).event is OperationEvent.INTENDED
    journal.append(OPERATION, OperationEvent.UNCLEAR)
    assert journal.read_state(OPERATION).event is OperationEvent.UNCLEAR
    assert path.read_bytes().count(b"\n") == 2


def test_files_and_folder_are_private(tmp_path):
    journal = Journal(str(tmp_path / "deep" / "state"))
    journal.append(OPERATION, OperationEvent.INTENDED)
    with journal.lock(OPERATION):
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
        Journal(str(state)).append(OPERATION, OperationEvent.INTENDED)
    with pytest.raises(JournalError, match="Others can write to"), Journal(str(state)).lock(OPERATION):
        pass
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.lock", OPERATION.lock_name])
def test_symbolic_links_are_not_followed(tmp_path, name):
    target = tmp_path / "target"
    target.write_text("untouched")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / name).symlink_to(target)
    journal = Journal(str(state))
    with pytest.raises(JournalError, match="can't be used"), journal.lock(OPERATION):
        journal.append(OPERATION, OperationEvent.INTENDED)
    assert target.read_text() == "untouched"


# Other users


def test_a_folder_of_another_user_is_refused(tmp_path: Path, owners: Owners) -> None:
    state = tmp_path / "state"
    Journal(str(state)).append(OPERATION, OperationEvent.INTENDED)
    owners.give(state, *state.iterdir())
    before = sorted(path.name for path in state.iterdir())
    journal = Journal(str(state))
    words = r"state belongs to another user \(uid \d+\), so the journal is not used\. Set state_dir"
    for use in (journal.read_states, lambda: journal.read_state(OTHER), journal.lock(OTHER).__enter__):
        with pytest.raises(JournalError, match=rf"{words}.* Nothing was sent\."):
            use()
    with pytest.raises(JournalError, match=words):
        journal.append(OTHER, OperationEvent.INTENDED)
    assert sorted(path.name for path in state.iterdir()) == before


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.lock", OPERATION.lock_name])
def test_a_file_of_another_user_or_that_others_can_write_to_is_refused(
    tmp_path: Path, owners: Owners, name: str
) -> None:
    journal = Journal(str(tmp_path / "state"))
    with journal.lock(OPERATION):
        journal.append(OPERATION, OperationEvent.INTENDED)
    path = tmp_path / "state" / name

    def refused(words: str) -> None:
        with pytest.raises(JournalError, match=f"{words}, so the journal is not used"), journal.lock(OPERATION):
            journal.append(OTHER, OperationEvent.INTENDED)

    owners.give(path)
    refused(rf"{name} belongs to another user \(uid {STRANGER}\)")
    owners.give(path, to=os.geteuid())
    for mode in (0o620, 0o602):
        path.chmod(mode)
        refused(f"Others can write to .*{name}")
    path.chmod(0o600)
    (tmp_path / "second").hardlink_to(path)
    refused(r"has another hard link")
    (tmp_path / "second").unlink()
    with journal.lock(OPERATION):
        journal.append(OTHER, OperationEvent.INTENDED)


@pytest.mark.parametrize("by_link", [False, True])
def test_a_folder_that_others_can_replace_is_refused(tmp_path: Path, owners: Owners, by_link: bool) -> None:
    above = tmp_path / "above"
    above.mkdir()
    state = above / "state"
    if by_link:
        (tmp_path / "elsewhere").mkdir()
        state.symlink_to(tmp_path / "elsewhere")
    journal = Journal(str(state))
    for mode in (0o755, 0o1777, 0o775):
        above.chmod(mode)
        journal.append(OPERATION, OperationEvent.INTENDED)
    above.chmod(0o777)
    for use in (journal.read_states, journal.lock(OPERATION).__enter__):
        with pytest.raises(JournalError, match=r"Others can replace .*state, since they own or can write to .*above,"):
            use()
    above.chmod(0o755)
    owners.give(above)
    with pytest.raises(JournalError, match=r"Others can replace .*state"):
        journal.append(OPERATION, OperationEvent.INTENDED)


@pytest.mark.parametrize("link", ["state", "above", "above/state"])
def test_a_link_of_another_user_is_not_followed(tmp_path: Path, owners: Owners, link: str) -> None:
    # Its owner could point it to another folder later, with an empty journal.
    (tmp_path / "real/state").mkdir(parents=True, mode=0o700)
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o1777)
    target = {"state": "real/state", "above": "real", "above/state": "real/state"}[link]
    (place / link).parent.mkdir(exist_ok=True)
    (place / link).symlink_to(tmp_path / target)
    journal = Journal(str(place / ("above/state" if link != "state" else "state")))
    journal.append(OPERATION, OperationEvent.INTENDED)
    owners.give(place / link)
    for use in (journal.read_states, journal.lock(OPERATION).__enter__):
        with pytest.raises(JournalError, match="is a symbolic link of another user"):
            use()


@pytest.fixture
def volume(owners: Owners) -> t.Iterator[Path]:
    """A folder that root owns, and that a group of the user may write to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o2775)
        owners.give(folder, to=0)
        yield folder


def test_in_a_volume_the_state_is_in_a_subfolder_of_the_user(volume: Path) -> None:
    def work() -> None:
        journal = Journal(str(volume))
        assert journal.read_states() == {}
        assert list(volume.iterdir()) == []
        journal.append(OPERATION, OperationEvent.INTENDED)
        (own,) = volume.iterdir()
        assert own.name == f"clawhosters-{os.geteuid()}"
        assert own.stat().st_mode & 0o7777 == 0o700
        # A container platform makes everything in a volume writable for its group at each mount.
        for path in (own, *own.iterdir()):
            os.chown(path, -1, volume.stat().st_gid)
            path.chmod(0o2770 if path == own else 0o660)
        assert set(Journal(str(volume)).read_states()) == {OPERATION}
        assert own.stat().st_mode & 0o7777 == 0o2770, "check mode changes nothing"
        Journal(str(volume)).append(OTHER, OperationEvent.INTENDED)
        assert set(Journal(str(volume)).read_states()) == {OPERATION, OTHER}
        assert own.stat().st_mode & 0o7777 == 0o700
        own.chmod(0o702)
        with pytest.raises(JournalError, match="Others can write to"):
            journal.read_states()

    as_ordinary_user(work, groups=[volume.stat().st_gid])
