# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of reading the change log: from its end, only as far as is wanted, whatever the clocks did."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.change_listing import EARLIER, list_changes
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import folder_changes
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore

NOW = datetime(2026, 2, 20, 12, tzinfo=UTC)
URL, OTHER_URL = "https://clawhosters.com/api/v1", "https://other.example/api/v1"
FIELDS = {"action": "stop", "instance_name": "bot", "addon_id": None, "outcome": "accepted", "incident": None}


def entry(minutes_ago: float, instance_id: int = 1, service: str = URL) -> str:
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat()
    sender = {"user": "ops", "host": "node"}
    return json.dumps({"at": at, "service": service, "instance_id": instance_id, **FIELDS, "by": sender})


def write_log(folder: Path, entries: t.Iterable[str], month: str = "2026-02") -> FolderStore:
    """Writes the file of a month, as appending does, and returns its store."""
    folder.chmod(0o700)
    path = folder / f"changes-{month}.jsonl"
    path.write_text("".join(f"\n{one}\n" for one in entries), encoding="utf-8")
    path.chmod(0o600)
    return FolderStore(str(folder))


def list_ids(store: FolderStore, **options: t.Any) -> list[int]:
    """Returns the ids of the instances whose changes are listed."""
    warnings: list[str] = []
    found = list_changes(store, NOW, warnings.append, since=NOW - timedelta(hours=1), **options)
    assert warnings == []
    return [change["instance_id"] for change in found]


@given(st.binary(max_size=99), st.integers(1, 9))
def test_a_file_is_read_back_whatever_the_size_of_a_block(content: bytes, block: int) -> None:
    lines = content.split(b"\n")
    with tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(content)
        file.flush()
        patch.setattr(folder_changes, "_BLOCK", block)
        found = [*folder_changes._read_back(file.fileno())]
    assert len(found) == len(lines)
    for line, text in zip(reversed(lines), found, strict=True):
        assert len(line) > block or text == line.decode(errors="replace")


def test_a_month_of_changes_costs_no_more_than_the_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pread = os.pread

    def counted(file: int, size: int, offset: int) -> bytes:
        read.append(size)
        return pread(file, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    costs = []
    for number in (EARLIER, 20 * EARLIER):
        old = [entry(60 * 24 * 15 * (number - index) / number + 60, 2) for index in range(number)]
        store = write_log(tmp_path, [*old, entry(30), entry(20)])
        read.clear()
        assert list_ids(store) == [1, 1]
        costs.append(sum(read))
    assert costs[1] <= costs[0] + folder_changes._BLOCK


def test_changes_before_a_clock_was_set_back_are_listed(tmp_path: Path) -> None:
    # At 11:30 the clock goes back an hour, and the next entries have the times of 10:31 and later.
    before, after = [entry(40, 1), entry(30, 2)], [entry(89 - minute, 3) for minute in range(25)]
    assert list_ids(write_log(tmp_path, [entry(300, 4), *before, *after])) == [2, 1]


def test_of_many_changes_those_recorded_last_are_listed(tmp_path: Path) -> None:
    entries = [entry(50 - number / 100, number, (URL, OTHER_URL)[number % 2]) for number in range(1000)]
    store = write_log(tmp_path, entries)
    assert list_ids(store, service=URL, limit=3) == [998, 996, 994]
    assert len(list_ids(store, service=URL)) == 500


def test_the_hour_may_begin_in_the_month_before(tmp_path: Path) -> None:
    write_log(tmp_path, [entry(60 * 24 * 19 + 730, 1), entry(60 * 24 * 19 + 725, 2)], "2026-01")
    store = write_log(tmp_path, [entry(60 * 24 * 19 + 715, 3)])
    found = list_changes(store, NOW, lambda _text: None, since=NOW - timedelta(days=20))
    assert [change["instance_id"] for change in found] == [3, 2, 1]
