# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the store in a folder: its files and marks, damage, crashes, and owners."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import stat
import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import files, folder_journal
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_writer import FolderWriter
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    JournalError,
    NoteKind,
    OperationEvent,
    OperationKey,
    build_line,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_store import Holder, JournalLine
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    JournalConflictError,
    append_event,
    lock_operation,
    read_state,
    record_note,
)
from support.disk import Crash, LosingDisk
from support.users import STRANGER, Owners, as_ordinary_user

URL = "https://clawhosters.com/api/v1"
OPERATION = OperationKey("restore", URL, "INC-1", "7")
OTHER = OperationKey("restore", URL, "INC-2", "7")
ELSEWHERE = OperationKey("restore", URL, "INC-1", "8")
FILE = f"journal/{OPERATION.subject}.jsonl"
MARK = f"journal-marks/{OPERATION.subject}"
LINE = {**OPERATION.as_dict(), "at": "2026-02-01T10:00:00.000+00:00", "event": "intended"}


def open_journal(folder: Path) -> Journal:
    """Returns the journal of a folder, as of another process."""
    return Journal(FolderStore(str(folder)))


def append_four(folder: Path) -> Journal:
    """Appends two lines of each of two incidents of one instance."""
    journal = open_journal(folder)
    for operation in (OPERATION, OTHER):
        append_event(journal, operation, OperationEvent.INTENDED)
        append_event(journal, operation, OperationEvent.COMPLETED)
    return journal


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "line",
    [
        {**LINE, "at": None},
        {**LINE, "at": "2026-02-01T10:00:00"},
        {**LINE, "event": "thought of"},
        {**LINE, "instance_id": "8"},
        [],
        pytest.param("[" * 100_000, id="nested"),
    ],
)
def test_an_invalid_entry_is_an_error(tmp_path, line):
    text = line if isinstance(line, str) else json.dumps(build_line(line, []) if isinstance(line, dict) else line)
    FolderWriter(FolderStore(str(tmp_path))).append([JournalLine(OPERATION.subject, 1, text, OPERATION.name_digest)])
    with pytest.raises(JournalError, match=r"Line 1 of the journal .* can't be read"):
        read_state(open_journal(tmp_path), OPERATION)


def test_a_line_its_mark_and_their_folders_are_synced_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, int] = {}
    monkeypatch.setattr(os, "fsync", lambda file: synced.update({os.fstat(file).st_ino: os.fstat(file).st_size}))
    journal = open_journal(tmp_path)
    for event in (OperationEvent.INTENDED, OperationEvent.COMPLETED):
        append_event(journal, OPERATION, event)
        for name in (FILE, MARK):
            file = (tmp_path / name).stat()
            assert synced[file.st_ino] == file.st_size
    for name in (".", "journal", "journal-marks"):
        assert (tmp_path / name).stat().st_ino in synced


@pytest.mark.parametrize("behind", ["state", "more/state"])
def test_a_path_that_leaves_a_link_upwards_has_its_journal(tmp_path: Path, behind: str) -> None:
    """The same path without its ``..`` is another, which does not exist."""
    (tmp_path / "there/target").mkdir(parents=True)
    (tmp_path / "link").symlink_to("there/target")
    append_four(tmp_path / "there" / behind)
    journal = open_journal(tmp_path / "link/.." / behind)
    assert len(journal.read_entries()) == 4
    if behind == "more/state":
        (tmp_path / "there/more").chmod(0o777)
        with pytest.raises(JournalError, match="Others can replace"):
            journal.read_entries()


@pytest.mark.parametrize("path", ["missing/../open/state", "link"])
def test_a_missing_folder_before_a_parent_hides_no_folder(tmp_path: Path, path: str) -> None:
    append_four(tmp_path / "open/state")
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("missing/../open/state")
    with pytest.raises(JournalError, match="Others can replace"):
        open_journal(tmp_path / path).read_entries()


def test_a_path_through_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(JournalError, match="Too many levels of symbolic links"):
        open_journal(tmp_path / "link").read_entries()


def test_partial_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: write(file, data[:7], offset))
    append_four(tmp_path)
    assert {state.event for state in open_journal(tmp_path).read_states().values()} == {OperationEvent.COMPLETED}


@pytest.mark.parametrize("name", [FILE, MARK])
def test_an_unreadable_journal_is_an_error(tmp_path: Path, name: str) -> None:
    append_four(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(JournalError, match=r"can't be used \(Is a directory\)"):
        read_state(open_journal(tmp_path), OPERATION)


DAMAGES = {
    "emptied": (lambda lines: b"", "has 0 lines, but 4 were written"),
    "zeros": (lambda lines: b"\0" * 500, "has 0 lines, but 4"),
    "without its first line": (lambda lines: b"".join(lines[1:]), "has 3 lines, but 4"),
    "cut in a line": (lambda lines: b"".join(lines)[: -len(lines[-1]) // 2], "has 3 lines, but 4"),
    "cut in the line break": (lambda lines: b"".join(lines)[:-1], "has 3 lines, but 4"),
    "a line twice": (lambda lines: b"".join([*lines[:2], lines[1], *lines[3:]]), "does not match its mark"),
    "its last line twice": (lambda lines: b"".join([*lines, lines[3]]), "Line 5 "),
    "two lines swapped": (lambda lines: b"".join([lines[1], lines[0], *lines[2:]]), "does not match its mark"),
    "two incidents swapped": (lambda lines: b"".join([*lines[2:], *lines[:2]]), "does not match its mark"),
    "an event altered": (lambda lines: b"".join(lines).replace(b"completed", b"failed", 1), "does not match its mark"),
    "zeros at its end": (lambda lines: b"".join(lines[:3]) + b"\0" * len(lines[3]), "has 3 lines, but 4"),
    "garbage after its end": (lambda lines: b"".join(lines) + b"garbage\n", "Line 5 "),
}


def assert_damaged(folder: Path, *operations: OperationKey, match: str) -> None:
    """Checks that these operations can be neither read nor continued, and that nothing changes."""
    before = kept(folder)
    for operation in operations:
        for journal in (open_journal(folder), Journal(FolderStore(str(folder), may_create=False))):
            with pytest.raises(JournalError, match=match) as caught:
                read_state(journal, operation)
            assert str(folder / f"journal/{operation.subject}.jsonl") in str(caught.value)
            assert "if no restore or purchase is in progress" in str(caught.value)
            assert "First check the dashboard: the journal then forgets all" in str(caught.value)
            assert str(caught.value).endswith("Nothing was sent.")
        with pytest.raises(JournalError, match=match):
            append_event(open_journal(folder), operation, OperationEvent.INTENDED)
        with pytest.raises(JournalError, match=match):
            open_journal(folder).read_states()
    assert kept(folder) == before


@pytest.mark.parametrize(("damaged", "words"), DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_file_is_an_error_and_unchanged(tmp_path, damaged, words):
    journal = append_four(tmp_path)
    assert len(journal.read_entries([OPERATION.subject])) == 4
    append_event(open_journal(tmp_path), ELSEWHERE, OperationEvent.INTENDED)
    path = tmp_path / FILE
    path.write_bytes(damaged(path.read_bytes().splitlines(keepends=True)))
    assert_damaged(tmp_path, OPERATION, OTHER, match=words)
    # So it is for a run that has read it before.
    with pytest.raises(JournalError, match=words):
        journal.read_entries([OPERATION.subject])
    # Another instance goes on.
    append_event(open_journal(tmp_path), ELSEWHERE, OperationEvent.COMPLETED)
    assert read_state(open_journal(tmp_path), ELSEWHERE).event is OperationEvent.COMPLETED


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        (FILE, 3, "has 3 lines, but 4 were written"),
        *((MARK, lines, "does not match its mark in journal-marks") for lines in (1, 2)),
    ],
)
def test_an_older_copy_of_the_file_or_the_mark_is_damage(tmp_path: Path, name: str, lines: int, words: str) -> None:
    journal = open_journal(tmp_path)
    copies = [b""]
    for event in (OperationEvent.INTENDED, OperationEvent.REFUSED, OperationEvent.INTENDED, OperationEvent.ACCEPTED):
        append_event(journal, OPERATION, event)
        copies.append((tmp_path / name).read_bytes())
    (tmp_path / name).write_bytes(copies[lines])
    assert_damaged(tmp_path, OPERATION, match=words)
    with pytest.raises(JournalError, match=words):
        append_event(journal, OPERATION, OperationEvent.COMPLETED)


@pytest.mark.parametrize("size", [0, 100, 9999])
def test_a_lock_makes_no_mark_for_a_file_that_has_lost_its_own(tmp_path: Path, size: int) -> None:
    """With a new mark, a file of no bytes would be a new journal."""
    append_four(tmp_path)
    (tmp_path / MARK).unlink()
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:size])
    with pytest.raises(JournalError, match="has no mark"), lock_operation(open_journal(tmp_path), OPERATION):
        pass
    assert_damaged(tmp_path, OPERATION, match="has no mark")


def test_a_line_never_follows_one_that_is_gone(tmp_path: Path) -> None:
    """Both were moved away, or replaced by older copies, while the run went on."""
    journal = append_four(tmp_path)
    copies = kept(tmp_path)
    append_event(journal, OPERATION, OperationEvent.INTENDED)
    for name in (FILE, MARK):
        (tmp_path / name).write_bytes(copies[name])
    with pytest.raises(JournalConflictError):
        append_event(journal, OPERATION, OperationEvent.ACCEPTED)
    assert kept(tmp_path) == copies
    for name in (FILE, MARK):
        (tmp_path / name).unlink()
    with pytest.raises(JournalConflictError):
        append_event(journal, OPERATION, OperationEvent.ACCEPTED)
    assert open_journal(tmp_path).read_states() == {}


@pytest.mark.parametrize("subjects", [None, [OPERATION.subject]], ids=["all", "one"])
@pytest.mark.parametrize("is_first", [True, False], ids=["folders too", "in folders"])
def test_what_is_created_while_it_is_read_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subjects: list[str] | None, is_first: bool
) -> None:
    """Before anything is opened or read, another run makes the mark and the file, and appends its first line."""
    calls = [(owner, name, getattr(owner, name)) for owner, name in ((os, "open"), (folder_journal, "read_from"))]
    moment, begun = 0, iter(())
    while moment == 0 or next(begun) > moment:
        moment, begun = moment + 1, itertools.count(1)
        folder = tmp_path / str(moment)
        folder.mkdir(mode=0o700)
        if not is_first:
            append_event(open_journal(folder), ELSEWHERE, OperationEvent.INTENDED)

        def run_other(folder: Path = folder, moment: int = moment, begun: t.Iterator[int] = begun) -> None:
            if next(begun) == moment:
                append_event(open_journal(folder), OPERATION, OperationEvent.INTENDED)

        with monkeypatch.context() as patch:
            for owner, name, call in calls:
                patch.setattr(owner, name, lambda *args, call=call, **options: run_other() or call(*args, **options))
            found = FolderStore(str(folder)).read_subjects(subjects)
        assert {one.damage for one in found} <= {""}, f"before call {moment}"
    assert moment > 3


@pytest.mark.parametrize("folders", [["journal"], ["journal-marks"], ["journal", "journal-marks"]])
def test_files_or_marks_of_two_instances_exchanged_are_damage(tmp_path: Path, folders: list[str]) -> None:
    append_four(tmp_path)
    for event in (OperationEvent.INTENDED, OperationEvent.REFUSED) * 2:
        append_event(open_journal(tmp_path), ELSEWHERE, event)
    for folder in folders:
        first, second = sorted((tmp_path / folder).glob("[!.]*"))
        first.rename(tmp_path / "first")
        second.rename(first)
        (tmp_path / "first").rename(second)
    assert_damaged(tmp_path, OPERATION, ELSEWHERE, match="does not match its mark|has a damaged mark")


class CrashAfter:
    """Lets so many bytes be written, and then ends the process in the middle of a write. A cut is a write, too."""

    def __init__(self, patch: pytest.MonkeyPatch, count: int) -> None:
        self.left = count
        self._write = os.pwrite
        patch.setattr(os, "pwrite", self.write)
        patch.setattr(os, "rename", self._count(os.rename))
        patch.setattr(os, "ftruncate", self._count(os.ftruncate))
        patch.setattr(os, "fsync", self._count(lambda _file: None))

    def write(self, file: int, data: bytes, offset: int) -> int:
        if len(data) <= self.left:
            self.left -= len(data)
            return self._write(file, data, offset)
        self._write(file, data[: self.left], offset)
        raise Crash

    def _count(self, function: t.Callable[..., None]) -> t.Callable[..., None]:
        def counted(*args: object, **options: int) -> None:
            if not self.left:
                raise Crash
            self.left -= 1
            function(*args, **options)

        return counted


KEYS = [OPERATION, OTHER, ELSEWHERE, OperationKey("purchase", URL, "INC-1")]


def append(journal: Journal, key: OperationKey, number: int) -> None:
    """Appends a line that decides, or a note: a torn one is cut like any line."""
    if number % 2:
        record_note(journal, key, NoteKind.FAILED, number=number)
    else:
        append_event(journal, key, OperationEvent.INTENDED, number=number)


ACTIONS = st.tuples(st.integers(0, 2), st.sampled_from(KEYS), st.integers(0, 3500) | st.none())


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=12))
def test_what_returned_is_read_back_whatever_crashes(actions: list[tuple[int, OperationKey, int | None]]) -> None:
    """Several processes append; some crash at any byte. Only the last line of a crash may be there or not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journals = [open_journal(folder) for _number in range(3)]
        written: dict[str, list[int]] = {}
        for number, (process, key, crash_after) in enumerate(actions):
            known = written.setdefault(key.subject, [])
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash):
                if crash_after is not None:
                    CrashAfter(patch, crash_after)
                try:
                    append(journals[process], key, number)
                except JournalConflictError:
                    journals[process].read_entries([key.subject])
                    append(journals[process], key, number)
                known.append(number)
                continue
            journals[process] = open_journal(folder)
            # It may have been written in full.
            read = [entry["number"] for entry in open_journal(folder).read_entries([key.subject])]
            assert read in (known, [*known, number])
            written[key.subject] = read
            candidates = open_journal(folder).find_subjects(key.kind, key.service, key.name)
            assert number not in read or key.subject in candidates
        for subject, numbers in written.items():
            assert [entry["number"] for entry in open_journal(folder).read_entries([subject])] == numbers


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 14) | st.none()), min_size=1, max_size=8), st.data())
def test_a_power_cut_loses_no_line_that_returned_and_damages_none(
    actions: list[tuple[OperationKey, int | None]], data: st.DataObject
) -> None:
    """Whatever is not synced may be lost or not, of each file and each name in a folder."""
    with tempfile.TemporaryDirectory() as name:
        disk = LosingDisk(Path(name))
        written: dict[str, list[int]] = {}
        for number, (key, at) in enumerate(actions):
            known = written.setdefault(key.subject, [])
            with pytest.MonkeyPatch.context() as patch:
                disk.install(patch, at)
                try:
                    append(open_journal(Path(name)), key, number)
                    known.append(number)
                    continue
                except Crash:
                    pass
            disk.lose(lambda: data.draw(st.booleans()))
            read = [entry["number"] for entry in open_journal(Path(name)).read_entries([key.subject])]
            assert read in (known, [*known, number])
            written[key.subject] = read
        for subject, numbers in written.items():
            assert [entry["number"] for entry in open_journal(Path(name)).read_entries([subject])] == numbers


@pytest.mark.parametrize("crash_after", [0, 1, 2, 99, 200, 201, 202, 203, 204, 999])
def test_a_snapshot_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, crash_after: int) -> None:
    store = FolderStore(str(tmp_path))
    assert store.read_snapshot("watch") == ""
    store.write_snapshot("watch", "old")
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash):
        CrashAfter(patch, crash_after)
        store.write_snapshot("watch", "new" * 66)
    assert store.read_snapshot("watch") in ("old", "new" * 66)
    store.write_snapshot("watch", "newest")
    assert store.read_snapshot("watch") == "newest"


def test_files_and_folder_are_private(tmp_path):
    journal = Journal(FolderStore(str(tmp_path / "deep" / "state")))
    append_event(journal, OPERATION, OperationEvent.INTENDED)
    with lock_operation(journal, OPERATION):
        pass
    assert stat.S_IMODE((tmp_path / "deep/state").stat().st_mode) == 0o700
    paths = list((tmp_path / "deep/state").rglob("*"))
    assert len(paths) == 4 + 1, "and one that is locked to create a mark"
    assert {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in paths} == {True: 0o700, False: 0o600}


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path, mode):
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)
    with pytest.raises(JournalError, match="Others can write to"):
        append_event(Journal(FolderStore(str(state))), OPERATION, OperationEvent.INTENDED)
    with (
        pytest.raises(JournalError, match="Others can write to"),
        lock_operation(Journal(FolderStore(str(state))), OPERATION),
    ):
        pass
    assert list(state.iterdir()) == []


# Other users


@pytest.mark.parametrize("name", [FILE, MARK, "journal", "journal-marks"])
def test_a_file_of_another_user_or_that_others_can_write_to_is_refused(
    tmp_path: Path, owners: Owners, name: str
) -> None:
    journal = Journal(FolderStore(str(tmp_path / "state")))
    with lock_operation(journal, OPERATION):
        append_event(journal, OPERATION, OperationEvent.INTENDED)
    path = tmp_path / "state" / name

    def refused(words: str) -> None:
        what = "the journal is not used" if path.is_dir() else "earlier requests are unknown"
        with pytest.raises(JournalError, match=f"{words}, so {what}"), lock_operation(journal, OPERATION):
            append_event(journal, OTHER, OperationEvent.INTENDED)

    owners.give(path)
    refused(rf"{name} belongs to another user \(uid {STRANGER}\)")
    owners.give(path, to=os.geteuid())
    for mode in (0o720, 0o702):
        path.chmod(mode)
        refused(f"Others can write to .*{name}")
    path.chmod(0o700)
    if not path.is_dir():
        (tmp_path / "second").hardlink_to(path)
        refused(r"has another hard link")
        (tmp_path / "second").unlink()
    with lock_operation(journal, OPERATION):
        append_event(journal, OTHER, OperationEvent.INTENDED)


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
        append_event(journal, OPERATION, OperationEvent.INTENDED)
    above.chmod(0o777)
    for use in (journal.read_states, lock_operation(journal, OPERATION).__enter__):
        with pytest.raises(JournalError, match=r"Others can replace .*state, since they own or can write to .*above,"):
            use()
    above.chmod(0o755)
    owners.give(above)
    with pytest.raises(JournalError, match=r"Others can replace .*state"):
        append_event(journal, OPERATION, OperationEvent.INTENDED)


@pytest.mark.parametrize(
    ("uid_map", "is_trusted"),
    [
        (None, False),
        ("0 1000 1\n1 100000 65536\n", False),
        ("0 100000 65534\n65534 1000 1\n", False),
        ("0 1000 1\n1 100000 65533\n", True),
    ],
    ids=["no namespaces", "65537 users", "it alone", "up to 65533"],
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
        append_event(journal, OPERATION, OperationEvent.INTENDED)
        return
    with pytest.raises(JournalError, match=r"Others can replace .*state, since they own or can write to .*above,"):
        append_event(journal, OPERATION, OperationEvent.INTENDED)


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
    append_event(journal, OPERATION, OperationEvent.INTENDED)
    owners.give(place / link)
    for use in (journal.read_states, lock_operation(journal, OPERATION).__enter__):
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


def use_volume(volume: Path) -> None:
    journal = Journal(FolderStore(str(volume)))
    assert journal.read_states() == {}
    assert list(volume.iterdir()) == []
    append_event(journal, OPERATION, OperationEvent.INTENDED)
    (own,) = volume.iterdir()
    assert own.name == f"clawhosters-{os.geteuid()}"
    assert own.stat().st_mode & 0o7777 == 0o700
    # A container platform makes everything in a volume writable for its group at each mount.
    for path in (own, *own.rglob("*")):
        os.chown(path, -1, volume.stat().st_gid)
        path.chmod(0o2770 if path.is_dir() else 0o660)
    assert set(Journal(FolderStore(str(volume))).read_states()) == {OPERATION}
    assert own.stat().st_mode & 0o7777 == 0o2770, "check mode changes nothing"
    append_event(Journal(FolderStore(str(volume))), OTHER, OperationEvent.INTENDED)
    assert set(Journal(FolderStore(str(volume))).read_states()) == {OPERATION, OTHER}
    assert own.stat().st_mode & 0o7777 == 0o700
    own.chmod(0o702)
    with pytest.raises(JournalError, match="Others can write to"):
        journal.read_states()


def test_in_a_volume_the_state_is_in_a_subfolder_of_the_user(volume: Path) -> None:
    as_ordinary_user([volume.stat().st_gid], use_volume, volume)


def test_more_operations_are_held_than_files_may_be_open(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    store = FolderStore(str(tmp_path))
    writer = FolderWriter(store)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with contextlib.ExitStack() as holds:
            for number in range(300):
                assert holds.enter_context(writer.hold(Holder(f"{number:064}"))) is None
            assert len(store.holders()) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
