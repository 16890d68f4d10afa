# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet report as it is written: what is on the page, what is escaped, when it counts as changed."""

from __future__ import annotations

import functools
import re
import stat
import typing as t
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_store import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import text_width
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller, Run, extra_variables

HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "tab\tand\x00null\u202eesrever",
    "x" * 1_000_000,
]


def write(controller: Controller, *flags: str, **variables: t.Any) -> Run:
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet_report", *extra_variables(**variables), *flags)
    assert "Traceback" not in run.screen
    return run


def test_what_needs_attention_is_a_table_of_eighty_columns(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(
        state={
            "instances": [
                {"id": 1, "name": "web-bot"},
                {"id": 2, "name": "日本語のとても長い名前のボットです" * 3, "status": "pending_configuration"},
                {"id": 3, "name": "sick-bot", "health_status": "unhealthy"},
                {"id": 4, "name": "dead-bot", "status": "error"},
                {"id": 5, "name": "old-bot"},
            ],
            "backups": [
                {"id": number * 10, "instance_id": number, "created_at": "3h ago" if number < 4 else "40h ago"}
                for number in range(1, 6)
            ],
        }
    )
    run = write(controller)
    assert run.rc == 0, run.screen
    assert run.stdout.count("\nTASK [") == 4
    (lines,) = [result["msg"] for result in run.all if isinstance(result.get("msg"), list)]
    assert [line.split()[0] for line in lines[:-2]] == [
        "Service",
        "3",
        "NAME",
        "dead-bot",
        "sick-bot",
        "日本語のとても長い…",
    ]
    assert lines[0] == f"Service {urlsplit(simulator.url).netloc}, account user@example.com (id 1)."
    assert lines[1] == "3 of 5 instances need attention. 1 more has no fresh backup."
    assert lines[-2].split() == ["old-bot", "5", "running", "healthy", "1", "d", "16", "h,", "overdue"]
    assert lines[-1] == f"Page: {controller.folder / 'clawhosters-fleet-report.html'}"
    printed = [line for line in run.stdout.splitlines() if line.startswith('        "')]
    assert all(text_width(line) <= 80 for line in printed if "Page: " not in line)


@pytest.mark.slice
def test_the_page_of_a_fleet(simulator: Simulator, controller: Controller) -> None:
    path = controller.folder / "clawhosters-fleet-report.html"
    check = write(controller, "--check")
    assert check.changed_tasks
    assert not path.exists()
    first = write(controller)
    assert first.rc == 0, first.screen
    assert first.changed_tasks
    page = path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KEY not in page
    assert page.count("<tr data-id=") == 60
    assert "The journal of this controller has no restores." in page
    assert not re.findall(r"""(?:src|href)=|url\(|@import|https?://""", page)
    again = write(controller, fleet_report_path="")
    assert (again.rc, again.changed_tasks) == (0, 0), again.screen
    simulator.set_instance(1, status="error")
    assert write(controller).changed_tasks
    assert all(call.startswith("GET ") for call in simulator.calls())


def test_overdue_backups_restores_and_unreadable_parts_are_shown(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot"}, {"id": 2, "name": "old-bot"}, {"id": 3, "name": "bare-bot"}],
            "backups": [
                {"id": 11, "instance_id": 1, "created_at": "3h ago"},
                {"id": 21, "instance_id": 2, "created_at": "40h ago"},
            ],
        }
    )
    state = controller.folder / "state"
    events = [
        ("INC-<7>", "INTENDED", "2026-02-01T10:00:00+00:00"),
        ("INC-<7>", "ACCEPTED", "2026-02-01T10:00:01+00:00"),
        ("INC-<7>", "COMPLETED", "2026-02-01T10:02:30+00:00"),
        ("INC-8", "INTENDED", "2026-02-02T10:00:00+00:00"),
        ("INC-9", "INTENDED", "2026-02-02T10:00:00+00:00"),
        ("INC-9", "REFUSED", "2026-02-02T10:00:00+00:00"),
    ]
    for name, event, at in events:
        journal = Journal(FolderStore(str(state)), functools.partial(datetime.fromisoformat, at))
        key = OperationKey("restore", "https://s", name, "1")
        journal.append(key, OperationEvent[event], instance_name="web-bot", backup_id=11)
    (file,) = state.glob("journal/*.jsonl")
    file.write_bytes(file.read_bytes() + b'{"torn": \n')
    simulator.switch(forbidden=["GET /billing/*"])
    run = write(controller, fleet_report_state_dir=str(state), fleet_report_path="page.html")
    assert run.rc == 0, run.screen
    page = (controller.folder / "page.html").read_text(encoding="utf-8")
    assert page.count('<span class="tag warn">overdue</span>') == 1
    assert page.count('<span class="tag warn">missing</span>') == 1
    assert "INC-&lt;7&gt;" in page
    assert "2 min" in page
    assert "INC-8" in page
    assert "INC-9" not in page
    assert "1 lines of the journal" in page
    assert "Billing could not be read." in page
    assert "No forecast" in page


@pytest.mark.rest
def test_hostile_names_are_text(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state={"instances": [{"id": number, "name": name} for number, name in enumerate(HOSTILE, 1)]})
    run = write(controller)
    assert run.rc == 0, run.screen
    page = (controller.folder / "clawhosters-fleet-report.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page
    assert "\x00" not in page
    assert "\u202e" not in page
    assert len(page) < 40_000
