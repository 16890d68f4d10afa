# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes of a worker that signals end, in a process of its own, and the lines that show what a task waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from ansible.utils.display import Display

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._controller.display import display_progress

COLLECTION = "ansible_collections.clawhosters.cloud.plugins"
IMPORTS = f"""
import os
import signal
import threading
import time
from pathlib import Path

from {COLLECTION}.module_utils._progress import Progress
from {COLLECTION}.plugin_utils._controller.interruption import interrupt_texts_shown
"""
CODE = """
class Interrupted(Progress):
    is_ended = False

    @property
    def interrupt_texts(self):
        if not self.is_ended:
            self.is_ended = True
            os.kill(os.getpid(), signal.SIGTERM)
        return ["The restore goes on."]


with interrupt_texts_shown(Interrupted()):
    os.kill(os.getpid(), signal.SIGINT)
"""


UNWOUND = """
progress = Progress()
progress.unwinds = True
with interrupt_texts_shown(progress), progress.if_interrupted(lambda: ["The restore goes on."]):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGTERM)
        print("It is on record.", flush=True)
print("It went on.")
"""

ORPHAN = """
progress = Progress()
ours, theirs = os.pipe()
parent = os.getpid()
if os.fork():
    os.close(theirs)
    os.read(ours, 1)
    os._exit(0)
with interrupt_texts_shown(progress), progress.if_interrupted(lambda: ["The restore goes on."]):
    progress.require_controller()
    print("It goes on.", flush=True)
    os.write(theirs, b".")
    while os.getppid() == parent:
        time.sleep(0.01)
    progress.require_controller()
    print("It went on.", flush=True)
"""
STOPPED = """
progress = Progress()
parent = os.getpid()
child = os.fork()
if child:
    os.waitpid(child, 0)
    os._exit(0)


def resume():
    print("It is continued.", flush=True)
    os.kill(parent, signal.SIGCONT)


with interrupt_texts_shown(progress):
    os.kill(parent, signal.SIGSTOP)
    while " T " not in Path(f"/proc/{parent}/stat").read_text():
        time.sleep(0.01)
    threading.Timer(0.5, resume).start()
    progress.require_controller()
    print("It goes on.", flush=True)
"""


def run(code):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", IMPORTS + code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_worker_killed_while_it_handles_ctrl_c_still_shows_its_notes():
    ended = run(CODE)
    assert (ended.returncode, ended.stderr) == (-signal.SIGTERM, "The restore goes on.\n")


def test_what_is_put_on_record_after_ctrl_c_is_not_cut_short():
    ended = run(UNWOUND)
    assert ended.stdout == "It is on record.\n"
    assert ended.stderr.startswith("The restore goes on.\n")
    assert ended.returncode == -signal.SIGINT


def test_a_worker_whose_controller_process_has_ended_is_interrupted():
    ended = run(ORPHAN)
    assert ended.stdout == "It goes on.\n"
    assert ended.stderr == "The process of the Ansible command has ended: no more is sent.\nThe restore goes on.\n"


def test_a_worker_waits_while_its_controller_process_is_stopped():
    ended = run(STOPPED)
    assert (ended.stdout, ended.stderr) == ("It is continued.\nIt goes on.\n", "")


# Tests of the lines that show what a task waits for


@pytest.mark.parametrize(("switch", "shown"), [("", "web-bot: deploying"), ("1", "web-bot: deploying"), ("0", "")])
def test_waits_are_shown_on_standard_error_unless_switched_off(switch, shown, monkeypatch, capsys):
    """Standard output may be the JSON of a callback."""
    monkeypatch.setenv("CLAWHOSTERS_PROGRESS", switch)
    progress = display_progress(Display())
    progress.sleep(0.0, lambda _now: "web-bot: deploying", since=progress.clock() - 20.0, limit=300.0)
    screen = capsys.readouterr()
    assert screen.out == ""
    assert screen.err.startswith(shown)
    assert bool(screen.err) == bool(shown)
