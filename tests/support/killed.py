# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a task in a separate process, and kills it at a line of the collection's code, or lets it wait there while
something happens.

The process is a fork of ``python -m support.killed``, which has imported the modules: starting Python takes longer than
a task. A line, unlike a time, does not depend on the speed of the machine. SIGKILL allows no clean-up; the system frees
locks.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
import os
import signal
import socket
import sys
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, SimpleNamespace

from . import warm
from .controller import REPOSITORY
from .processes import find_children

CODE = ("/plugins/module_utils/", "/plugins/plugin_utils/")
TIMEOUT = 300
"""Seconds after which a process is killed."""
LOCK_TIMEOUT = 2.0
"""Seconds that a process which waits at a line, or meets one that does, waits for the lock of a journal."""
WAITING = "waiting\n"
"""The line that a process prints when it waits at its line."""
SCOPES = {
    "all": "",
    "around what is sent": (
        "_service/restore/backup_restore_task.py _service/restore/fleet_restore_task.py "
        "_service/restore/account_reader.py _service/restore/restore_task.py "
        "_service/restore/executor.py _service/purchase.py _service/at_most_once.py "
        "_state/journal.py _state/journal_writer.py _state/folder_journal.py _state/folder_writer.py "
        "_state/postgres_store.py _service/fleet_task.py "
        "_service/instance_changes.py _service/instance_task.py _service/plan_approval.py _service/planned_restarts.py"
    ),
    "between the lines of the journal": (
        "_state/journal_writer.py:append_event _state/journal_writer.py:record_outcome _state/journal_writer.py:_store "
        "_state/folder_writer.py:append _state/folder_writer.py:_append _state/folder_writer.py:_create_mark "
        "_state/files.py:write_at _state/snapshots.py:atomic_replace _state/postgres_store.py:append "
        "_service/at_most_once.py:send _service/at_most_once.py:before_send "
        "_service/at_most_once.py:record_event _service/restore/executor.py:_request _service/purchase.py:_run"
    ),
    "the runbook": (
        "_restore_role/role_planner.py _restore_role/role_executor.py _restore_role/finish.py "
        "_restore_role/incident_report.py:write_page "
        "_reports/report_folder.py _state/journal.py _state/journal_writer.py _state/folder_journal.py "
        "_state/folder_writer.py _state/postgres_store.py _service/at_most_once.py"
    ),
    "between the readings": "_service/restore/account_reader.py:read",
    "after the lists": "_time_options.py:require_past",
    "after the request": "_service/at_most_once.py:record_event",
    "before the last look": (
        "_service/fleet_task.py _service/instance_task.py _service/instance_changes.py:carry_out "
        "_service/instance_changes.py:request_changes _service/instance_changes.py:_request_change "
        "_service/instance_changes.py:send_change _http/client.py:request _http/client.py:_send_with_retries "
        "_rate/shared_budget.py:slot _rate/shared_budget.py:acquire"
    ),
}
"""The files or functions of module_utils and plugin_utils whose lines are counted."""


@functools.cache
def name_of(path: str) -> str:
    """Returns the name of a file below module_utils or plugin_utils; empty for others."""
    return next((path.partition(folder)[2] for folder in CODE if folder in path), "")


def kill_tree(process: int) -> None:
    """Kills a process and its descendants. Ansible's workers have process groups and sessions of their own."""
    tree = [process]
    for parent in tree:
        tree += find_children(parent)
    for member in tree:
        os.kill(member, signal.SIGKILL)


@dataclass(frozen=True)
class Ending:
    """The end of a process: killed, or with a result after this number of counted lines.

    ``known_position``: the last position of its instance in the journal that it had read when it planned.
    """

    was_killed: bool
    result: dict[str, t.Any]
    lines: int
    known_position: int = 0


def run_killed(
    folder: Path,
    collections: Path,
    module: str,
    options: dict[str, t.Any],
    at: int = 0,
    scope: str = "all",
    *,
    meanwhile: t.Callable[[], None] | None = None,
) -> Ending:
    """Runs a task, and kills it at the counted line number ``at``; 0 means never.

    With ``meanwhile``, it is not killed there, but waits until that has returned.
    """
    wanted = {"module": module, "options": options, "at": at, "scope": scope, "waits": meanwhile is not None}
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "tests"), str(collections)])}
    command = warm.Command([json.dumps(wanted)], str(folder), {**own, "HOME": str(folder)})
    warm_process = _warm_process(tuple(own.items()))
    ours, theirs = socket.socketpair()
    with ours, theirs, warm_process.started(command, [theirs.fileno()] * 2 + [2]) as (process, report):
        theirs.close()
        watchdog = threading.Timer(TIMEOUT, os.kill, (process, signal.SIGKILL))
        watchdog.start()
        try:
            with ours.makefile("rw", encoding="utf-8") as output:
                line = output.readline()
                if meanwhile and line == WAITING:
                    meanwhile()
                    output.write("\n")
                    output.flush()
                    line = output.readline()
        except BaseException:
            os.kill(process, signal.SIGKILL)
            raise
        finally:
            watchdog.cancel()
        code = int(report.readline())
    if code == -signal.SIGKILL and not line:
        return Ending(True, {}, at)
    return Ending(False, **json.loads(line))


@functools.cache
def _warm_process(environment: tuple[tuple[str, str], ...]) -> warm.WarmProcess:
    return warm.WarmProcess(dict(environment), ("-m", "support.killed"))


class Countdown:
    """A trace function that counts lines, and kills the process at line ``at``, or lets it wait."""

    def __init__(self, at: int, scope: str, *, waits: bool = False) -> None:
        self.lines = 0
        self.known_position: int | None = None
        self._numbers = itertools.count(1)  # threads must not get the same one
        self._at = at
        self._waits = waits
        self._places = SCOPES[scope].split()

    def __call__(self, frame: FrameType, _event: str, _arg: object) -> t.Any:
        code = frame.f_code
        name = name_of(code.co_filename)
        if not name:
            return None
        if self.known_position is None and (name, code.co_name) == ("_service/restore/restore_task.py", "read_history"):
            return self._keep_position
        counts = not self._places or name in self._places or f"{name}:{code.co_name}" in self._places
        return self._count if counts else None

    def _keep_position(self, _frame: FrameType, event: str, value: t.Any) -> t.Any:
        if event == "return" and value is not None:
            self.known_position = max(value.positions.values(), default=0)
        return self._keep_position

    def _count(self, _frame: FrameType, event: str, _arg: object) -> t.Any:
        if event == "line":
            number = next(self._numbers)
            self.lines = max(self.lines, number)
            if number == self._at:
                if not self._waits:
                    os.kill(os.getpid(), signal.SIGKILL)
                print(WAITING, end="", flush=True)
                sys.stdin.readline()
        return self._count


def main() -> None:
    """Imports what tasks need, and runs each in a fork."""
    from ansible_collections.clawhosters.cloud.plugins.module_utils._state import folder_journal, folder_writer

    from .cases import CASES, Case, module_of
    from .runbook import MODULE, Runbook
    from .worker import Worker

    for case in CASES:
        if case.module != "inventory":
            module_of(case)
    with contextlib.suppress(ImportError):
        importlib.import_module("psycopg")
    wanted = json.loads(warm.become_command().argv[0])
    if wanted["waits"]:
        folder_journal.LOCK_TIMEOUT = folder_writer.LOCK_TIMEOUT = LOCK_TIMEOUT
    options = wanted["options"]
    worker = Worker(t.cast("t.Any", SimpleNamespace(url=options.pop("api_url"))))
    if wanted["module"] == MODULE:
        worker.defaults = {name: options.pop(name) for name in ("state_dir", "state_database") if name in options}
        run: t.Callable[..., dict[str, t.Any]] = Runbook(worker, Path()).run
    else:
        run = functools.partial(worker.run, module_of(Case("", wanted["module"])))
    countdown = Countdown(wanted["at"], wanted["scope"], waits=wanted["waits"])
    threading.settrace(countdown)
    sys.settrace(countdown)
    result = run(**options)
    sys.settrace(None)
    ending = {"result": result, "lines": countdown.lines, "known_position": countdown.known_position or 0}
    print(json.dumps(ending), flush=True)
    # Without an end of the interpreter, which would free all objects and so copy all shared memory.
    os._exit(0)


if __name__ == "__main__":
    main()
