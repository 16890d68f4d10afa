# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the store in a folder: its files, damage, take-over, and owners."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import stat
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import files
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal as journal_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_store import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    JournalEntry,
    JournalError,
    OperationEvent,
    OperationKey,
    build_line,
    parse_entry,
)
from support.users import STRANGER, Owners, as_ordinary_user

URL = "https://clawhosters.com/api/v1"
OPERATION = OperationKey("restore", URL, "INC-1", "7")
LOCK = f"{OPERATION.digest[:24]}.lock"
OTHER = OperationKey("restore", URL, "INC-2", "7")
LINE = {**OPERATION.as_dict(), "at": "2026-02-01T10:00:00.000+00:00", "event": "intended"}


def test_a_journal_of_an_earlier_version_is_taken_over_once(tmp_path):
    other_spelling = {**LINE, "service": URL.upper().replace("API/V1", "api/v1")}
    old = tmp_path / "journal.jsonl"
    old.write_text("".join(f"{json.dumps({**line, 'backup_id': 31})}\n" for line in (other_spelling, LINE)))
    before = old.read_bytes()
    journal = Journal(FolderStore(str(tmp_path)))
    assert journal.read_state(OPERATION).notes == {"backup_id": 31}
    assert list(tmp_path.iterdir()) == [old], "reading changes nothing"
    journal.append(OPERATION, OperationEvent.COMPLETED)
    assert old.read_bytes() == before
    old.write_text("no longer read")
    state = Journal(FolderStore(str(tmp_path))).read_state(OPERATION)
    assert state.event is OperationEvent.COMPLETED
    assert state.notes == {"backup_id": 31}


@pytest.mark.parametrize("damaged", ["", "\n", json.dumps(LINE)[:20], f"{json.dumps(LINE)}\n\0\0\n"])
def test_a_damaged_journal_of_an_earlier_version_is_not_taken_over(tmp_path, damaged):
    (tmp_path / "journal.jsonl").write_text(damaged)
    for use in (lambda journal: journal.read_states(), lambda journal: journal.append(OTHER, OperationEvent.INTENDED)):
        with pytest.raises(JournalError, match=r"journal\.jsonl (is empty|can't be read)"):
            use(Journal(FolderStore(str(tmp_path))))
    assert not (tmp_path / "journal-2.jsonl").exists()


def test_a_journal_of_an_earlier_version_that_was_cut_is_damaged(tmp_path):
    (tmp_path / "journal.jsonl").write_text(f"{json.dumps(LINE)}\n" * 2)
    (tmp_path / "journal.lock").write_text("3\n")
    with pytest.raises(JournalError, match="has 2 entries, but 3 were written"):
        Journal(FolderStore(str(tmp_path))).read_states()
    (tmp_path / "journal.lock").write_text("1\n")
    assert set(Journal(FolderStore(str(tmp_path))).read_states()) == {OPERATION}


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
    text = json.dumps(build_line(line, 1, "") if isinstance(line, dict) else line)
    (tmp_path / "journal-2.jsonl").write_text(f'{{"format": 2, "lines": 1}}\n{text}\n')
    with pytest.raises(JournalError, match=r"Line 2 of the journal .* can't be read"):
        Journal(FolderStore(str(tmp_path))).read_state(OPERATION)


def test_an_entry_and_its_file_are_synced_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = {}
    monkeypatch.setattr(os, "fsync", lambda file: synced.update({os.fstat(file).st_ino: os.fstat(file).st_size}))
    Journal(FolderStore(str(tmp_path))).append(OPERATION, OperationEvent.INTENDED)
    file = (tmp_path / "journal-2.jsonl").stat()
    assert synced[file.st_ino] == file.st_size
    assert tmp_path.stat().st_ino in synced


def test_partial_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    journal = Journal(FolderStore(str(tmp_path)))
    journal.append(OPERATION, OperationEvent.INTENDED)
    journal.append(OPERATION, OperationEvent.COMPLETED)
    record = journal.read_state(OPERATION)
    assert record is not None
    assert record.event is OperationEvent.COMPLETED


def test_an_unreadable_journal_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal-2.jsonl").mkdir()
    with pytest.raises(JournalError, match=r"can't be used \(Is a directory\)"):
        Journal(FolderStore(str(tmp_path))).read_state(OPERATION)


DAMAGES = {
    "emptied": (lambda lines: b"", "is empty"),
    "a line break": (lambda lines: b"\n", "does not begin with its header"),
    "zeros": (lambda lines: b"\0" * 500, "does not begin with its header"),
    "half a line": (lambda lines: lines[1][: len(lines[1]) // 2], "does not begin with its header"),
    "a line of it": (lambda lines: lines[1], "does not begin with its header"),
    "without its header": (lambda lines: b"".join(lines[1:]), "does not begin with its header"),
    "its header alone": (lambda lines: lines[0], "has 0 entries, but 4 were written"),
    "cut in a line": (lambda lines: b"".join(lines)[: -len(lines[-1]) // 2], "Line 5 "),
    "cut between two lines": (lambda lines: b"".join(lines[:3]), "has 2 entries, but 4 were written"),
    "a line less": (lambda lines: b"".join([*lines[:2], *lines[3:]]), "has 3 entries, but 4 were written"),
    "a line twice": (lambda lines: b"".join([*lines[:2], lines[1], *lines[3:]]), "Line 3 "),
    "two lines swapped": (lambda lines: b"".join([lines[0], lines[2], lines[1], *lines[3:]]), "Line 2 "),
    "text in a line altered": (lambda lines: b"".join(lines).replace(b"INC-2", b"INC-9"), "Line 4 "),
    "an event altered": (lambda lines: b"".join(lines).replace(b"completed", b"failed", 1), "Line 3 "),
    "zeros at its end": (lambda lines: b"".join(lines[:4]) + b"\0" * len(lines[4]), "Line 5 "),
    "garbage after its end": (lambda lines: b"".join(lines) + b"garbage", "has 5 entries, but 4 were written"),
    "no URL in it": (lambda lines: b"".join(lines).replace(b"https://", b"https://["), "Line 2 "),
    "another format": (lambda lines: b"".join(lines).replace(b'"format": 2', b'"format": 3'), "its header"),
}


@pytest.mark.parametrize(("damaged", "words"), DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_journal_is_an_error_and_unchanged(tmp_path, damaged, words):
    journal = Journal(FolderStore(str(tmp_path)))
    for operation in (OPERATION, OTHER):
        journal.append(operation, OperationEvent.INTENDED)
        journal.append(operation, OperationEvent.COMPLETED)
    path = tmp_path / "journal-2.jsonl"
    left = damaged(path.read_bytes().splitlines(keepends=True))
    path.write_bytes(left)
    with pytest.raises(JournalError, match=words) as caught:
        Journal(FolderStore(str(tmp_path))).read_state(OTHER)
    assert str(path) in str(caught.value)
    assert "if no restore or purchase is in progress" in str(caught.value)
    assert "What was sent after the copy was made" in str(caught.value)
    assert str(caught.value).endswith("Nothing was sent.")
    for writer in (journal, Journal(FolderStore(str(tmp_path)))):
        with pytest.raises(JournalError, match=words):
            writer.append(OTHER, OperationEvent.INTENDED)
    assert path.read_bytes() == left


def test_each_line_is_parsed_once_however_often_the_journal_is_read_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def parse(text: str) -> JournalEntry:
        parsed.append(text)
        return parse_entry(text)

    monkeypatch.setattr(journal_module, "parse_entry", parse)
    journal = Journal(FolderStore(str(tmp_path)))
    for number in range(30):
        journal.append(OperationKey("restore", URL, "INC-1", str(number)), OperationEvent.INTENDED)
        assert len(journal.read_states()) == number + 1
    # Once by the store, which writes it, and once by the journal.
    assert len(parsed) <= 2 * 30


def test_a_journal_that_was_moved_away_starts_over(tmp_path):
    journal = Journal(FolderStore(str(tmp_path)))
    for _time in range(3):
        journal.append(OPERATION, OperationEvent.INTENDED)
    (tmp_path / "journal-2.jsonl").unlink()
    journal = Journal(FolderStore(str(tmp_path)))
    assert journal.read_states() == {}
    journal.append(OTHER, OperationEvent.INTENDED)
    assert set(journal.read_states()) == {OTHER}


@pytest.mark.parametrize("lines", [0, 1])
def test_a_full_disk_leaves_the_journal_unchanged(tmp_path, lines):
    journal = Journal(FolderStore(str(tmp_path)))
    for _line in range(lines):
        journal.append(OPERATION, OperationEvent.INTENDED)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    room = len(before.get("journal-2.jsonl", b"")) + 20
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(JournalError, match=r"can't be used \(File too large\)"):
            journal.append(OTHER, OperationEvent.INTENDED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"journal.lock": b"", **before}
    # A draft that a crash left is replaced.
    (tmp_path / ".journal-2.jsonl.draft").write_text('{"at')
    journal.append(OTHER, OperationEvent.INTENDED)
    assert OTHER in journal.read_states()
    assert not (tmp_path / ".journal-2.jsonl.draft").exists()


def test_a_missing_newline_at_the_end_is_no_damage(tmp_path):
    journal = Journal(FolderStore(str(tmp_path)))
    journal.append(OPERATION, OperationEvent.INTENDED)
    path = tmp_path / "journal-2.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert journal.read_state(OPERATION).event is OperationEvent.INTENDED
    journal.append(OPERATION, OperationEvent.UNCLEAR)
    assert journal.read_state(OPERATION).event is OperationEvent.UNCLEAR
    assert path.read_bytes().count(b"\n") == 3


def test_files_and_folder_are_private(tmp_path):
    journal = Journal(FolderStore(str(tmp_path / "deep" / "state")))
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
        Journal(FolderStore(str(state))).append(OPERATION, OperationEvent.INTENDED)
    with pytest.raises(JournalError, match="Others can write to"), Journal(FolderStore(str(state))).lock(OPERATION):
        pass
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("name", ["journal-2.jsonl", "journal.lock", LOCK])
def test_symbolic_links_are_not_followed(tmp_path, name):
    target = tmp_path / "target"
    target.write_text("untouched")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / name).symlink_to(target)
    journal = Journal(FolderStore(str(state)))
    with pytest.raises(JournalError, match="can't be used"), journal.lock(OPERATION):
        journal.append(OPERATION, OperationEvent.INTENDED)
    assert target.read_text() == "untouched"


# Other users


def test_a_folder_of_another_user_is_refused(tmp_path: Path, owners: Owners) -> None:
    state = tmp_path / "state"
    Journal(FolderStore(str(state))).append(OPERATION, OperationEvent.INTENDED)
    owners.give(state, *state.iterdir())
    before = sorted(path.name for path in state.iterdir())
    journal = Journal(FolderStore(str(state)))
    words = r"state belongs to another user \(uid \d+\), so the journal is not used\. Set state_dir"
    for use in (journal.read_states, lambda: journal.read_state(OTHER), journal.lock(OTHER).__enter__):
        with pytest.raises(JournalError, match=rf"{words}.* Nothing was sent\."):
            use()
    with pytest.raises(JournalError, match=words):
        journal.append(OTHER, OperationEvent.INTENDED)
    assert sorted(path.name for path in state.iterdir()) == before


@pytest.mark.parametrize("name", ["journal-2.jsonl", "journal.lock", LOCK])
def test_a_file_of_another_user_or_that_others_can_write_to_is_refused(
    tmp_path: Path, owners: Owners, name: str
) -> None:
    journal = Journal(FolderStore(str(tmp_path / "state")))
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
    journal = Journal(FolderStore(str(state)))
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


@pytest.mark.parametrize(
    ("uid_map", "is_trusted"),
    [
        (None, False),
        ("         0          0 4294967295\n", False),
        ("0 1000 1\n1 100000 65536\n", False),
        ("0 100000 65534\n65534 1000 1\n", False),
        ("         0       1000          1\n", True),
        ("0 1000 1\n1 100000 65533\n", True),
        ("0 1000 1\n65535 100000 10\n", True),
    ],
    ids=["no namespaces", "none", "65537 users", "it alone", "root alone", "up to 65533", "from 65535"],
)
def test_uid_65534_is_another_user_unless_a_namespace_has_none(
    tmp_path: Path, owners: Owners, monkeypatch: pytest.MonkeyPatch, uid_map: str | None, is_trusted: bool
) -> None:
    if uid_map is not None:
        (tmp_path / "uid_map").write_text(uid_map)
    monkeypatch.setattr(files, "UID_MAP", tmp_path / "uid_map")
    above = tmp_path / "above"
    above.mkdir()
    owners.give(above, to=65534)
    journal = Journal(FolderStore(str(above / "state")))
    if is_trusted:
        journal.append(OPERATION, OperationEvent.INTENDED)
        return
    with pytest.raises(JournalError, match=r"Others can replace .*state, since they own or can write to .*above,"):
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
    journal = Journal(FolderStore(str(place / ("above/state" if link != "state" else "state"))))
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
        journal = Journal(FolderStore(str(volume)))
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
        assert set(Journal(FolderStore(str(volume))).read_states()) == {OPERATION}
        assert own.stat().st_mode & 0o7777 == 0o2770, "check mode changes nothing"
        Journal(FolderStore(str(volume))).append(OTHER, OperationEvent.INTENDED)
        assert set(Journal(FolderStore(str(volume))).read_states()) == {OPERATION, OTHER}
        assert own.stat().st_mode & 0o7777 == 0o700
        own.chmod(0o702)
        with pytest.raises(JournalError, match="Others can write to"):
            journal.read_states()

    as_ordinary_user(work, groups=[volume.stat().st_gid])


def test_more_operations_are_held_than_files_may_be_open(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    store = FolderStore(str(tmp_path))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with contextlib.ExitStack() as holds:
            for number in range(300):
                assert holds.enter_context(store.hold(f"{number:024}")) is None
            assert len(store.holders()) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
