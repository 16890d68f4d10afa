# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A journal of which a part is left is damage: it is never taken for one that is new."""

from __future__ import annotations

import itertools
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationKey
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_fleet_restore,
    claw_journal_info,
)
from simulator.handle import Simulator
from support.postgres import Postgres
from support.stores import StorePlace, database_place, folder_place
from support.worker import Worker

Spoil = t.Callable[[bytes], bytes | None]
"""Returns what is left of a file; None if it is removed."""

RECORDS_AT, RECORD_SIZE = 2048, 98
FILES: dict[str, Spoil] = {
    "intact": lambda content: content,
    "missing": lambda content: None,
    "emptied": lambda content: b"",
    "garbage": lambda content: b"\xfe\x01" * (len(content) // 2),
    "garbage lines": lambda content: b"garbage\n" * content.count(b"\n"),
    "zeroed": lambda content: b"\0" * len(content),
    "cut in its first line": lambda content: content[: content.find(b"\n") // 2],
    "older copy": lambda content: content[: content.find(b"\n") + 1],
}
MARKS: dict[str, Spoil] = {name: FILES[name] for name in ("intact", "missing", "emptied", "garbage", "zeroed")}
CELLS = [("intact", mark) for mark in MARKS] + [(file, "missing") for file in FILES if file != "intact"]
CELLS += [(both, both) for both in MARKS if both not in ("intact", "missing")]
"""Files damaged beside their mark: test_folder_store.py."""
PARTS: dict[str, Spoil] = {
    "its records zeroed": lambda content: content[:RECORDS_AT] + bytes(len(content) - RECORDS_AT),
    "its records garbled": lambda content: content[:RECORDS_AT] + b"x" * (len(content) - RECORDS_AT),
    "an older record garbled": lambda content: content[: -2 * RECORD_SIZE] + b"x" + content[1 - 2 * RECORD_SIZE :],
    "cut in its first record": lambda content: content[: RECORDS_AT + 1],
    "cut before the records": lambda content: content[:RECORDS_AT],
    "cut behind its first record": lambda content: content[: RECORDS_AT + RECORD_SIZE],
    "cut in the last record but one": lambda content: content[: -RECORD_SIZE - 1],
    "its last record twice": lambda content: content + content[-RECORD_SIZE:],
    "a name altered": lambda content: content[: -RECORD_SIZE - 9] + b"?" + content[-RECORD_SIZE - 8 :],
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def prepare(simulator: Simulator, place: StorePlace) -> Worker:
    """Restores instance 1 for two incidents, and forgets the requests."""
    instances = [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "shop-bot"}]
    backups = [{"id": 11, "instance_id": 1}, {"id": 12, "instance_id": 2}]
    simulator.reset(state={"instances": instances, "backups": backups})
    worker = Worker(simulator, place.options)
    for incident in ("INC-1", "INC-2"):
        assert worker.run(claw_backup_restore, incident=incident, instance_id=1, wait=False)["changed"] is True
        simulator.set_instance(1, status="running")
    simulator.clear_log()
    return worker


def spoil(path: Path, change: Spoil) -> None:
    content = change(path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def find_file(state: Path) -> Path:
    (file,) = state.glob("journal/*.jsonl")
    return file


def find_mark(state: Path) -> Path:
    return state / f"journal-marks/{find_file(state).stem}"


def is_noticed(worker: Worker, place: str) -> bool:
    """Returns True if nothing of the instance is sent again, and every task that reads the journal says why."""
    restores = [
        worker.run(claw_backup_restore, incident=incident, instance_id=1, wait=False, check=check)
        for incident, check in itertools.product(("INC-1", "INC-3"), (True, False))
    ]
    is_told = all(
        result["failed"] and place in result["msg"] and "so earlier requests are unknown" in result["msg"]
        for result in [*restores, worker.run(claw_journal_info)]
    )
    is_refused = is_told and all(result["msg"].endswith("Nothing was sent.") for result in restores)
    return is_refused and worker.simulator.calls("POST *") == []


@pytest.mark.parametrize(("file", "mark"), CELLS, ids=[f"{file}, mark {mark}" for file, mark in CELLS])
def test_file_and_mark_never_vouch_for_each_other(simulator: Simulator, state: Path, file: str, mark: str) -> None:
    """Only what is whole is known, and only what is missing altogether is new."""
    worker = prepare(simulator, folder_place(state))
    path, marks = find_file(state), find_mark(state)
    spoil(path, FILES[file])
    spoil(marks, MARKS[mark])
    assert is_noticed(worker, path.name) is ((file, mark) not in (("intact", "intact"), ("missing", "missing")))


@pytest.mark.parametrize("part", PARTS)
def test_a_mark_of_which_a_part_is_damaged_is_damage(simulator: Simulator, state: Path, part: str) -> None:
    worker = prepare(simulator, folder_place(state))
    spoil(find_mark(state), PARTS[part])
    assert is_noticed(worker, find_file(state).name)
    # So does whoever looks for one of its incidents.
    assert folder_place(state).journal().find_subjects("restore", simulator.url, "INC-1") == {find_file(state).stem}


@pytest.mark.parametrize("torn", [bytes(RECORD_SIZE), b"x" * RECORD_SIZE, b"x"], ids=["zeroed", "garbled", "cut"])
def test_a_torn_mark_does_not_hide_that_the_file_was_cut(simulator: Simulator, state: Path, torn: bytes) -> None:
    """A crash tears the last record only while its line is in the file."""
    worker = prepare(simulator, folder_place(state))
    path = find_file(state)
    whole = path.read_bytes()
    spoil(find_mark(state), lambda content: content[:-RECORD_SIZE] + torn)
    spoil(path, lambda content: b"".join(content.splitlines(keepends=True)[:-1]))
    assert is_noticed(worker, path.name)
    path.write_bytes(whole)
    assert worker.run(claw_backup_restore, incident="INC-2", instance_id=1, wait=False)["changed"] is False
    assert worker.run(claw_backup_restore, incident="INC-3", instance_id=1, wait=False)["changed"] is True


@pytest.mark.parametrize(
    "content",
    [b"\0", b"x", b'{"subject": "", "user": "mallory", "name": "INC-9"}', b"[" * 1000, b"5", b"{}"],
    ids=["zeroed", "garbage", "another holder", "nested", "a number", "nothing"],
)
def test_a_garbled_holder_is_neither_believed_nor_damage(simulator: Simulator, state: Path, content: bytes) -> None:
    place = folder_place(state)
    worker = prepare(simulator, place)
    key = OperationKey("restore", simulator.url, "INC-3", "1")
    mark = find_mark(state)

    def garble() -> None:
        mark.write_bytes(content.ljust(RECORDS_AT, b"\0") + mark.read_bytes()[RECORDS_AT:])

    with journal_writer.lock_operation(place.journal(), key):
        garble()
        holder = place.journal().find_holder(key)
        assert holder is not None
        assert (holder.user, holder.name) == (None, None)
        result = worker.run(claw_backup_restore, incident="INC-3", instance_id=1, wait=False)
        assert result["changed"] is False
        assert simulator.calls("POST *") == []
    garble()
    assert place.journal().find_holder(key) is None
    assert worker.run(claw_backup_restore, incident="INC-3", instance_id=1, wait=False)["changed"] is True


ROWS = {
    "the first row deleted": "DELETE FROM clawhosters.journal WHERE step = 1",
    "a row deleted": "DELETE FROM clawhosters.journal WHERE step = 2",
    "all but the last deleted": "DELETE FROM clawhosters.journal WHERE step < 4",
    "a row emptied": "UPDATE clawhosters.journal SET line = '' WHERE step = 2",
    "the last row emptied": "UPDATE clawhosters.journal SET line = '' WHERE step = 4",
    "a row garbled": "UPDATE clawhosters.journal SET line = 'x' || line WHERE step = 3",
    "all rows garbled": "UPDATE clawhosters.journal SET line = md5(line)",
    "all rows emptied": "UPDATE clawhosters.journal SET line = '', name = ''",
    "an event altered": "UPDATE clawhosters.journal SET line = replace(line, 'accepted', 'refused') WHERE step = 4",
    "a position altered": "UPDATE clawhosters.journal SET step = 9 WHERE step = 4",
    "a name emptied": "UPDATE clawhosters.journal SET name = '' WHERE step = 1",
    "a name altered": "UPDATE clawhosters.journal SET name = md5(name) WHERE step = 1",
    "names exchanged": "UPDATE clawhosters.journal SET name = (SELECT min(name) FROM clawhosters.journal)",
}


@pytest.mark.parametrize("rows", ROWS)
def test_rows_that_are_missing_or_not_whole_are_damage(simulator: Simulator, postgres: Postgres, rows: str) -> None:
    with database_place(postgres) as place:
        worker = prepare(simulator, place)
        postgres.query(ROWS[rows])
        assert is_noticed(worker, "of the journal in state_database")


def test_names_that_are_lost_in_the_database_hide_no_row(simulator: Simulator, postgres: Postgres) -> None:
    with database_place(postgres) as place:
        worker = prepare(simulator, place)
        for name in ("''", "'?'", "'xyz'", "'INC-1'"):
            postgres.query(f"UPDATE clawhosters.journal SET name = {name}")
            result = worker.run(claw_backup_restore, incident="INC-1", instance_id=1, wait=False)
            assert "of the journal in state_database can't be read or was changed" in result["msg"]
            assert len(place.open().find_subjects("0" * 64)) == 1
        # No name that is whole is taken for a damaged one.
        postgres.query(
            "INSERT INTO clawhosters.journal (subject, step, name, line) SELECT 's' || n, 1, "
            "encode(sha256(n::text::bytea), 'hex'), '' FROM generate_series(1, 500) n; UPDATE clawhosters.journal SET "
            "name = encode(sha256(name::bytea), 'hex') WHERE line <> ''"
        )
        assert place.open().find_subjects("0" * 64) == set()


@pytest.mark.parametrize("rows", ["DELETE FROM clawhosters.holders", "UPDATE clawhosters.holders SET name = 'INC-9'"])
def test_a_row_of_a_holder_that_is_lost_frees_nothing(simulator: Simulator, postgres: Postgres, rows: str) -> None:
    with database_place(postgres) as place:
        worker = prepare(simulator, place)
        key = OperationKey("restore", simulator.url, "INC-3", "1")
        with journal_writer.lock_operation(place.journal(), key):
            postgres.query(rows)
            result = worker.run(claw_backup_restore, incident="INC-3", instance_id=1, wait=False)
            assert result["changed"] is False
        assert simulator.calls("POST *") == []


# One damaged journal, and the others


def test_a_damaged_journal_stops_no_other_instance(simulator: Simulator, place: StorePlace) -> None:
    worker = prepare(simulator, place)
    place.damage()
    for options in ({"instance_id": 2}, {"instance_id": 1}):
        assert worker.run(claw_backup_restore, incident="INC-3", wait=False, **options)["changed"] is True
    # The first one shows no sign of its restore.
    ids = [{"id": 1}, {"id": 2}]
    result = worker.run(claw_fleet_restore, incident="INC-2", instances=ids, max_failures=1)
    assert "so earlier requests are unknown" not in str(result)
    listed = worker.run(claw_journal_info, instance_id=2)
    assert [one["name"] for one in listed["operations"]] == ["INC-2", "INC-3"]
    assert worker.run(claw_journal_info, instance_id=3)["operations"] == []
    listed = worker.run(claw_journal_info)
    assert "so earlier requests are unknown" in listed["msg"]
    assert "7" * 64 in listed["msg"] or "of the journal in state_database" in listed["msg"]


def test_a_damaged_journal_stops_no_other_instance_that_is_named(simulator: Simulator, place: StorePlace) -> None:
    worker = prepare(simulator, place)
    place.damage()
    result = worker.run(claw_backup_restore, incident="INC-3", instance_name="web-bot", wait=False)
    assert result["changed"] is True
    place.damage(OperationKey("restore", simulator.url, "INC-4", "2").subject)
    result = worker.run(claw_fleet_restore, incident="INC-4", names=["web-bot", "shop-bot"])
    assert "so earlier requests are unknown" in result["msg"]
    assert result["msg"].endswith("Nothing was sent.")
    assert len(simulator.calls("POST *")) == 1


@pytest.mark.parametrize("folder", ["journal", "journal-marks"])
def test_a_foreign_file_stops_its_one_instance(simulator: Simulator, state: Path, tmp_path: Path, folder: str) -> None:
    """Such as one that a backup by hard links, or a run as another user, has left."""
    worker = prepare(simulator, folder_place(state))
    path = state / folder / (find_file(state).name if folder == "journal" else find_mark(state).name)
    (tmp_path / "copy").hardlink_to(path)
    assert is_noticed(worker, path.name)
    worker.warnings.clear()
    result = worker.run(claw_backup_restore, incident="INC-3", instance_name="shop-bot", wait=False)
    assert result["changed"] is True
    (tmp_path / "copy").unlink()
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert worker.run(claw_backup_restore, incident="INC-4", instance_id=2, wait=False)["changed"] is True
    states, damaged = folder_place(state).journal().read_intact_states()
    assert ({key.instance_id for key in states}, len(damaged)) == ({"2"}, 1)


def test_an_instance_is_listed_for_its_service_alone(simulator: Simulator, place: StorePlace) -> None:
    worker = prepare(simulator, place)
    other = OperationKey("restore", "https://other.example/api/v1", "INC-1", "1")
    journal_writer.append_event(place.journal(), other, OperationEvent.INTENDED)
    listed = worker.run(claw_journal_info, instance_id=1)["operations"]
    assert {one["service"] for one in listed} == {simulator.url}
    (found,) = worker.run(claw_journal_info, instance_id=1, api_url=other.service)["operations"]
    assert found["service"] == other.service
