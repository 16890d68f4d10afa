# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of report files: permissions, links, owners, and concurrent runs of an incident."""

from __future__ import annotations

import json
import os
import stat

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import (
    RecordedIncident,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.report_folder import (
    ReportError,
    prepare_folder,
    write_report,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.incident_report import (
    read_earlier_report,
    write_page,
)
from support.processes import PROCESSES
from support.restores import NOW, run

REPORT = {"incident": "INC-1", "service": "host", "account": "ops", "instances": [], "runs": []}


@pytest.fixture
def page(tmp_path):
    return tmp_path / "reports/INC-1.html"


def write_incident(page, headline="restored", **fields):
    contents = iter([{**REPORT, **fields}, {"headline": headline, "shown": []}])
    shown = run(restore_report_dir=str(page.parent), restore_incident=page.stem)
    lines = write_page(shown, RecordedIncident("host", page.stem), [], NOW, lambda _built: next(contents))
    if len(lines) == 1:
        raise ReportError(page, lines[0])


def read_json(page):
    return json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))


def write_many(start, page, name):
    start.wait()
    for number in range(8):
        write_incident(page, account=f"{name}{number}")


def test_concurrent_runs_leave_a_whole_page_and_a_whole_json(page):
    start = PROCESSES.Barrier(3)
    processes = [PROCESSES.Process(target=write_many, args=(start, page, name)) for name in "xyz"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert read_json(page)["account"] in {"x7", "y7", "z7"}
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert sorted(path.name for path in page.parent.iterdir()) == ["INC-1.html", "INC-1.json"]


def test_a_page_is_escaped_and_readable_by_its_owner_only(page):
    prepare_folder(str(page))
    assert list(page.parent.iterdir()) == []
    write_incident(page, headline="<b>\ud800")
    assert "&lt;b&gt;?" in page.read_text(encoding="utf-8")
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


def test_links_and_pipes_are_replaced_and_never_written_to(page, tmp_path):
    page.parent.mkdir()
    victims = [tmp_path / "victim.json", tmp_path / "victim.html"]
    for victim, suffix in zip(victims, (".json", ".html"), strict=True):
        victim.write_text("{}", encoding="utf-8")
        page.with_suffix(suffix).symlink_to(victim)
    write_incident(page)
    assert {victim.read_text(encoding="utf-8") for victim in victims} == {"{}"}
    assert read_json(page)["account"] == "ops"
    fleet = page.with_name("fleet.html")
    fleet.symlink_to(tmp_path)
    assert write_report(str(fleet), "x", "x", check_mode=False) is True
    assert fleet.is_file()
    assert not fleet.is_symlink()
    pipe = page.with_name("INC-3.json")
    os.mkfifo(pipe)
    write_incident(pipe.with_suffix(".html"))
    assert read_json(pipe)["account"] == "ops"


def test_a_file_of_another_user_is_neither_read_nor_written(page, owners):
    write_incident(page, instances=[{"id": 1, "sent_at": "2026-02-03T10:00:00+00:00", "events": []}])
    files = (page, page.with_suffix(".json"))
    contents = [path.read_bytes() for path in files]
    theirs = [path.open("rb") for path in files]
    owners.give(*files)
    earlier_report = read_earlier_report(str(page), "INC-1", "host", "the journal")
    assert (earlier_report.sent_at, bool(earlier_report.unreadable)) == ({}, True)
    write_incident(page)
    assert "not_in_journal" not in read_json(page)
    assert [path.read_bytes() for path in files] != contents
    for file, content in zip(theirs, contents, strict=True):
        with file:
            assert file.read() == content


def test_a_folder_of_another_user_is_rejected(page, owners, tmp_path):
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
        lambda: write_incident(page),
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


def test_a_link_of_another_user_in_a_folder_of_all_is_not_followed(page, owners, tmp_path):
    prepare_folder(str(page))
    link = tmp_path / "link"
    link.symlink_to(page.parent)
    assert write_report(str(link / "fleet.html"), "x", "x", check_mode=False) is True
    owners.give(link)
    with pytest.raises(ReportError, match="link is a symbolic link of another user"):
        write_report(str(link / "fleet.html"), "y", "y", check_mode=False)
    assert (page.parent / "fleet.html").read_text(encoding="utf-8") == "x"
