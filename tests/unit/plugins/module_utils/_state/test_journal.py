# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the journal over each store: its entries, its positions, and who holds an operation."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import pwd
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import folder_journal
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal as journal_module
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    POSITION,
    History,
    Journal,
    JournalError,
    NoteKind,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    JournalConflictError,
    append_event,
    lock_operation,
    read_state,
    record_note,
    record_outcome,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store
from support.processes import PROCESSES, run_apart
from support.stores import StorePlace

URL = "https://clawhosters.com/api/v1"
OPERATION = OperationKey("restore", URL, "INC-1", "7")
OTHER = OperationKey("restore", URL, "INC-2", "7")
STARTED = datetime(2026, 2, 1, 10, tzinfo=UTC)


def test_all_machines_agree_on_the_digests() -> None:
    assert OPERATION.subject == "7af7c621b5abb92ae10129277cb58201f5f2868fcb1c13ffffadb86b92d4b194"
    assert OPERATION.name_digest == "39eca5d28c4bc504257cf40f802ecd54477e153a9440fd4baebdeb1611e9d8b7"


@pytest.mark.parametrize(
    ("events", "last", "attempt", "done"),
    [
        ("INTENDED", "INTENDED", 0, None),
        ("INTENDED ACCEPTED", "ACCEPTED", 0, None),
        ("INTENDED ACCEPTED COMPLETED", "COMPLETED", 0, 2),
        ("INTENDED ACCEPTED FAILED", "FAILED", 0, None),
        ("INTENDED COMPLETED UNCLEAR", "UNCLEAR", 0, None),
        # A new attempt replaces the state, unless it is refused.
        ("INTENDED FAILED INTENDED", "INTENDED", 2, None),
        ("INTENDED FAILED INTENDED REFUSED", "FAILED", 0, None),
        ("INTENDED REFUSED", None, None, None),
        ("INTENDED REFUSED INTENDED", "INTENDED", 2, None),
        # Events without an intent are ignored.
        ("COMPLETED", None, None, None),
    ],
)
def test_state_after_events(
    place: StorePlace, events: str, last: str | None, attempt: int | None, done: int | None
) -> None:
    minutes = iter(range(10))
    journal = Journal(place.open(), lambda: STARTED + timedelta(minutes=next(minutes)))
    for number, event in enumerate(events.split()):
        append_event(journal, OPERATION, OperationEvent[event], **{f"note {number}": event})
        append_event(journal, OTHER, OperationEvent.INTENDED)
    record = read_state(journal, OPERATION)
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
    # The facts of the attempt that counts, from its start to its last event.
    ends = 1 + max(number for number, event in enumerate(events.split()) if event == last)
    assert record.facts == {f"note {number}": events.split()[number] for number in range(attempt, ends)}


@pytest.mark.parametrize("name", ["Störung 7", "a\nb", "\ud83d", '"', "\0"])
def test_a_name_may_be_any_text(place: StorePlace, name: str) -> None:
    journal = place.journal()
    operation = OperationKey("restore", URL, name, "7")
    append_event(journal, operation, OperationEvent.INTENDED)
    with lock_operation(journal, operation) as is_free:
        assert is_free
    assert read_state(journal, operation) is not None
    assert read_state(journal, OPERATION) is None


def test_one_of_two_runs_that_read_the_same_writes_the_next_line(place: StorePlace) -> None:
    """A run that read an old state, of one operation or all, can't act on it, even if the lock was lost."""
    first, second = place.journal(), place.journal()
    assert read_state(first, OPERATION) is None
    assert second.read_states() == {}
    append_event(first, OPERATION, OperationEvent.INTENDED)
    with pytest.raises(JournalError, match="Another run has written to the journal"):
        append_event(second, OPERATION, OperationEvent.INTENDED)
    append_event(first, OPERATION, OperationEvent.REFUSED)
    assert read_state(second, OPERATION) is None
    append_event(second, OPERATION, OperationEvent.INTENDED)
    with pytest.raises(JournalError):
        append_event(first, OPERATION, OperationEvent.INTENDED)
    positions = [json.loads(line)[POSITION] for line in place.read_journal().splitlines()]
    assert positions == [1, 2, 3]


def race(options: dict[str, str], all_have_read: threading.Barrier, number: int) -> None:
    with open_store(options, folder_journal.FolderStore) as store:
        journal = Journal(store)
        journal.read_states()
        all_have_read.wait()
        with contextlib.suppress(JournalConflictError):
            append_event(journal, OPERATION, OperationEvent.UNCLEAR, number=number)
            os._exit(7)


def test_of_racing_processes_one_writes_a_line(place: StorePlace) -> None:
    append_event(place.journal(), OPERATION, OperationEvent.INTENDED)
    all_have_read = PROCESSES.Barrier(4)
    processes = [PROCESSES.Process(target=race, args=(place.options, all_have_read, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(process.exitcode for process in processes) == [0] * 3 + [7]
    assert len(place.journal().read_entries()) == 2


def die_with_a_lock(options: dict[str, str]) -> None:
    with open_store(options, folder_journal.FolderStore) as store, lock_operation(Journal(store), OPERATION):
        os._exit(0)


def test_a_holder_is_named_until_its_process_ends(place: StorePlace) -> None:
    journal = place.journal()
    assert journal.find_holder(OPERATION) is None
    with lock_operation(journal, OPERATION) as is_free:
        assert is_free
        other = place.journal()
        holder = other.find_holder(OPERATION)
        assert holder == other.read_holders()[OPERATION.subject]
        user = pwd.getpwuid(os.geteuid()).pw_name
        assert (holder.user, holder.host, holder.process) == (user, platform.node(), os.getpid())
        assert holder.name == "INC-1"
        assert abs(datetime.fromisoformat(holder.since).timestamp() - time.time()) < 60
        with lock_operation(other, OPERATION) as is_free_again:
            assert not is_free_again
    assert journal.find_holder(OPERATION) is None
    run_apart(die_with_a_lock, place.options)
    deadline = time.monotonic() + 60
    while place.journal().find_holder(OPERATION):
        assert time.monotonic() < deadline
    with lock_operation(journal, OPERATION) as is_free:
        assert is_free


def test_threads_share_a_journal_and_hold_many_operations_at_once(place: StorePlace) -> None:
    """As the restores of a batch do."""
    journal = place.journal()
    keys = [OperationKey("restore", URL, "INC-1", str(number)) for number in range(12)]
    with contextlib.ExitStack() as locks:
        are_free = [locks.enter_context(lock_operation(journal, key)) for key in keys]
        assert are_free == [True] * len(keys)
        other = place.journal()
        with lock_operation(other, keys[3]) as is_free:
            assert not is_free

        def work(key: OperationKey) -> None:
            append_event(journal, key, OperationEvent.INTENDED)
            journal.read_states()
            append_event(journal, key, OperationEvent.ACCEPTED)

        with ThreadPoolExecutor(len(keys)) as pool:
            list(pool.map(work, keys))
        assert {journal.known_state(key).event for key in keys} == {OperationEvent.ACCEPTED}
    assert len(place.journal().read_states()) == len(keys)
    with lock_operation(other, keys[3]) as is_free:
        assert is_free


def test_of_two_incidents_of_one_instance_one_writes_the_next_line(place: StorePlace) -> None:
    """Also where both runs have lost their locks."""
    first, second = place.journal(), place.journal()
    assert read_state(first, OPERATION) is read_state(second, OTHER) is None
    append_event(first, OPERATION, OperationEvent.INTENDED)
    with pytest.raises(JournalConflictError):
        append_event(second, OTHER, OperationEvent.INTENDED)
    assert set(second.read_states([OTHER.subject])) == {OPERATION}
    append_event(second, OTHER, OperationEvent.INTENDED)
    # An outcome is recorded behind the lines of the other.
    record_outcome(first, OPERATION, OperationEvent.ACCEPTED, first.known_state(OPERATION).attempt)
    assert read_state(first, OPERATION).event is OperationEvent.ACCEPTED


def test_only_the_subjects_that_are_asked_for_are_read(place: StorePlace) -> None:
    keys = [OperationKey("restore", URL, f"INC-{number % 2}", str(number)) for number in range(4)]
    keys.append(OperationKey("purchase", URL, "INC-1"))
    for key in keys:
        append_event(place.journal(), key, OperationEvent.INTENDED)
    append_event(place.journal(), keys[3], OperationEvent.REFUSED)
    append_event(place.journal(), OperationKey("restore", URL, "INC-2", "1"), OperationEvent.INTENDED)
    journal = place.journal()
    place.damage()
    assert set(journal.read_states([keys[0].subject, keys[4].subject])) == {keys[0], keys[4]}
    assert journal.read_states([]) == {}
    with pytest.raises(JournalError, match="so earlier requests are unknown"):
        journal.read_states()
    place_of_damage = {"7" * 64}
    assert journal.find_subjects("restore", URL, "INC-1") - place_of_damage == {keys[1].subject, keys[3].subject}
    assert journal.find_subjects("restore", f"{URL}/", "INC-2") - place_of_damage == {keys[1].subject}
    assert journal.find_subjects("purchase", URL, "INC-1") - place_of_damage == {keys[4].subject}
    assert journal.find_subjects("restore", URL, "INC-3") <= place_of_damage


def test_the_age_of_a_subject_costs_one_pass_of_its_lines(place: StorePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = place.journal()
    for _number in range(30):
        record_note(before, OPERATION, NoteKind.FAILED)
    calls = []
    for owner, name in ((journal_module, "parse_entry"), (History, "_replay"), (folder_journal, "build_record")):
        counted = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, f=counted, name=name: (calls.append(name), f(*args))[1])
    journal = place.journal()
    with lock_operation(journal, OPERATION):
        assert read_state(journal, OPERATION) is None
        append_event(journal, OPERATION, OperationEvent.INTENDED)
        for event in (OperationEvent.ACCEPTED, OperationEvent.COMPLETED):
            record_outcome(journal, OPERATION, event, journal.known_state(OPERATION).attempt)
    assert journal.read_states([OPERATION.subject])[OPERATION].outcome == "completed"
    assert (calls.count("parse_entry"), calls.count("_replay")) == (30, 3)
    assert calls.count("build_record") < 60


def test_a_note_decides_nothing(place: StorePlace) -> None:
    journal = place.journal()
    record_note(journal, OPERATION, NoteKind.FAILED, failure="too_old")
    assert read_state(journal, OPERATION) is None
    append_event(journal, OPERATION, OperationEvent.INTENDED, backup_id=11)
    before = journal.known_state(OPERATION)
    record_note(journal, OPERATION, NoteKind.FAILED, failure="not_over")
    assert read_state(place.journal(), OPERATION) == before
    assert [entry["event"] for entry in place.journal().read_entries()] == ["note", "intended", "note"]


def test_a_note_stands_behind_the_lines_of_other_runs(place: StorePlace) -> None:
    first, second = place.journal(), place.journal()
    assert read_state(first, OPERATION) is None
    append_event(second, OPERATION, OperationEvent.INTENDED)
    record_note(first, OPERATION, NoteKind.FAILED)
    assert [entry["event"] for entry in place.journal().read_entries()] == ["intended", "note"]


@pytest.mark.parametrize(
    "name", ["service", "kind", "name", "instance_id", "event", "note", "at", POSITION, "checksum"]
)
def test_a_fact_can_not_replace_what_identifies_a_line(place: StorePlace, name: str) -> None:
    journal = place.journal()
    for append, event in ((record_note, NoteKind.FAILED), (append_event, OperationEvent.INTENDED)):
        with pytest.raises(ValueError, match=f"like fields of a line: {name}"):
            append(journal, OPERATION, event, **{name: "other"})
    assert place.journal().read_entries() == []
