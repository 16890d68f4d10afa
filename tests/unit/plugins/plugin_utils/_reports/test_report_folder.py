# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of report files: permissions, locking, and concurrent runs of an incident."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports import report_folder
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.report_folder import (
    ReportError,
    prepare_folder,
    write_report,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.record import record_run

RUN = {
    "id": "a",
    "revision": 1,
    "incident": "INC-1",
    "began_at": "2026-02-03T10:00:00+00:00",
    "service": "",
    "outcome": "restored",
    "steps": [],
}


@pytest.fixture
def template(tmp_path):
    """Returns the path of a template that lists the runs."""
    path = tmp_path / "page.j2"
    path.write_text("{{ latest.id }} of {% for run in runs %}{{ run.id }}{% endfor %}{{ text }}\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def page(tmp_path):
    return tmp_path / "reports/INC-1.html"


def runs_of(page):
    return [run["id"] for run in json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["runs"]]


def record_many(start, page, template, names):
    start.wait()
    for name in names:
        for revision, outcome in enumerate(("unfinished", "restored")):
            record_run(str(page), template, {}, {**RUN, "id": name, "revision": revision, "outcome": outcome})


def test_concurrent_runs_are_all_recorded(page, template):
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    groups = [[f"{group}{number}" for number in range(8)] for group in "xyz"]
    processes = [context.Process(target=record_many, args=(start, page, template, group)) for group in groups]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(runs_of(page)) == sorted(name for group in groups for name in group)
    record = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert {run["outcome"] for run in record["runs"]} == {"restored"}
    assert not list(page.parent.glob("*.draft"))


def test_a_page_is_escaped_and_readable_by_its_owner_only(page, template):
    prepare_folder(str(page))
    assert list(page.parent.iterdir()) == []
    record_run(str(page), template, {"text": "<b>\ud800"}, RUN)
    assert page.read_text(encoding="utf-8") == "a of a&lt;b&gt;?\n"
    for path in (page, page.with_suffix(".json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700


def test_an_unchanged_page_is_written_and_not_reported_as_changed(page):
    prepare_folder(str(page))

    def write(text, mark, *, check_mode=False):
        return write_report(str(page), text + mark, mark, check_mode=check_mode)

    assert write("x1", "x", check_mode=True) is True
    assert not page.exists()
    assert write("x1", "x") is True
    assert write("x2", "x") is False
    assert page.read_text(encoding="utf-8") == "x2x"
    assert write("y", "y") is True


@pytest.mark.parametrize("content", ['{"runs":[{"began_at":"x"}]}', "[" * 100_000, '{"incident": "INC-2", "runs": []}'])
def test_a_record_that_can_not_be_parsed_is_renamed(page, template, content):
    page.parent.mkdir()
    page.write_text("the page of then", encoding="utf-8")
    page.with_suffix(".json").write_text(content, encoding="utf-8")
    for _time in range(2):
        record_run(str(page), template, {}, RUN)
    assert runs_of(page) == ["a"]
    (record,) = page.parent.glob("INC-1.json.unreadable-*")
    assert record.read_text(encoding="utf-8") == content
    (old_page,) = page.parent.glob("INC-1.html.unreadable-*")
    assert old_page.read_text(encoding="utf-8") == "the page of then"


def test_links_and_pipes_are_replaced_and_never_written_to(page, template, tmp_path):
    page.parent.mkdir()
    victims = [tmp_path / "victim.json", tmp_path / "victim.html"]
    for victim, suffix in zip(victims, (".json", ".html"), strict=True):
        victim.write_text('{"incident": "INC-1", "runs": []}', encoding="utf-8")
        page.with_suffix(suffix).symlink_to(victim)
    record_run(str(page), template, {}, RUN)
    assert {victim.read_text(encoding="utf-8") for victim in victims} == {'{"incident": "INC-1", "runs": []}'}
    assert runs_of(page) == ["a"]
    fleet = page.with_name("fleet.html")
    fleet.symlink_to(tmp_path)
    assert write_report(str(fleet), "x", "x", check_mode=False) is True
    assert fleet.is_file()
    assert not fleet.is_symlink()
    pipe = page.with_name("INC-3.json")
    os.mkfifo(pipe)
    record_run(str(pipe.with_suffix(".html")), template, {}, {**RUN, "incident": "INC-3"})
    assert runs_of(pipe) == ["a"]


def test_a_folder_of_another_user_is_rejected(page, template, owners, tmp_path):
    page.parent.mkdir()
    own = tmp_path / "own"
    own.mkdir()
    link, their_link = tmp_path / "link", tmp_path / "their link"
    link.symlink_to(page.parent)
    their_link.symlink_to(own)
    owners.give(page.parent, their_link)
    for write in (
        lambda: prepare_folder(str(page)),
        lambda: prepare_folder(str(link / "INC-1.html")),
        lambda: prepare_folder(str(their_link / "INC-1.html")),
        lambda: record_run(str(page), template, {}, RUN),
    ):
        with pytest.raises(ReportError, match="the folder belongs to another user"):
            write()
    assert not [*page.parent.iterdir(), *own.iterdir()]


def test_an_unusable_folder_is_an_error_before_anything_is_sent(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ReportError) as raised:
        prepare_folder(str(tmp_path / "file/INC-1.html"))
    assert str(raised.value).startswith(f"{tmp_path}/file/INC-1.html can't be written: ")
    assert str(raised.value).endswith(". Nothing was sent.")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_run_is_recorded_on_a_file_system_without_locks(page, template, monkeypatch, number):
    def no_locks(*_args, **_named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(report_folder, "lock_file", no_locks)
    prepare_folder(str(page))
    record_run(str(page), template, {}, RUN)
    assert runs_of(page) == ["a"]


def lock_of(page):
    return page.parent / f".clawhosters-{os.geteuid()}.lock"


@pytest.mark.parametrize("way", ["of another user", "readable for others", "a link", "a pipe", "a folder"])
def test_a_lock_file_that_others_could_hold_keeps_no_report_waiting(page, template, monkeypatch, owners, way):
    monkeypatch.setattr(report_folder, "LOCK_TIMEOUT", 0.01)
    prepare_folder(str(page))
    lock, other = lock_of(page), page.parent / "other"
    other.touch(0o600)
    {"a link": lambda: lock.symlink_to(other), "a pipe": lambda: os.mkfifo(lock), "a folder": lock.mkdir}.get(
        way, lock.touch
    )()
    if way == "of another user":
        owners.give(lock)
    elif way == "readable for others":
        lock.chmod(0o644)
    held = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.flock(held, fcntl.LOCK_EX)
    record_run(str(page), template, {}, RUN)
    os.close(held)
    assert runs_of(page) == ["a"]


def test_a_link_of_another_user_in_a_folder_of_all_is_not_followed(page, owners, tmp_path):
    prepare_folder(str(page))
    link = tmp_path / "link"
    link.symlink_to(page.parent)
    assert write_report(str(link / "fleet.html"), "x", "x", check_mode=False) is True
    owners.give(link)
    with pytest.raises(ReportError, match="link is a symbolic link of another user"):
        write_report(str(link / "fleet.html"), "y", "y", check_mode=False)
    assert (page.parent / "fleet.html").read_text(encoding="utf-8") == "x"


def test_waiting_for_the_lock_times_out(page, template, monkeypatch):
    monkeypatch.setattr(report_folder, "LOCK_TIMEOUT", 0.01)
    prepare_folder(str(page))
    with (
        report_folder.open_folder_of(str(page)),
        pytest.raises(ReportError, match="another run has held its lock"),
    ):
        record_run(str(page), template, {}, RUN)
    assert not Path(page).exists()
