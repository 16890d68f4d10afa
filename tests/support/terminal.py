# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command at a terminal: answers its prompts, and presses Ctrl-C."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import subprocess
import sys
import termios
import time
import typing as t

from .controller import Controller
from .processes import find_children

TERMINAL = """
import os, pty, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""
"""Gives a command a terminal, in a process of its own: one with threads, as pytest-xdist has them, must not fork.

The tests may run below ``nohup``, which lets all processes ignore that a terminal is closed.
"""
CTRL_C = "\x03"
AGAIN_AFTER = 6.0
"""Seconds after which an answer is typed again, or the workers get a signal. A command that waits for its last response
must not be disturbed."""
TIMEOUT = 200


class Screen(t.NamedTuple):
    """The text that the command left on the terminal, and its exit code."""

    rc: int
    text: str
    left: t.Sequence[int] = ()
    """The processes of the command when the terminal was closed."""


def run_at_terminal(
    controller: Controller,
    command: t.Sequence[str],
    prompt: str = "",
    answers: t.Sequence[str] = (),
    *,
    interrupt: t.Callable[[], bool] = lambda: False,
    close_at: str | None = None,
    reactions: t.Mapping[str, t.Callable[[], object]] | None = None,
) -> Screen:
    """Types one of ``answers`` each time that ``prompt`` is shown. Presses Ctrl-C once ``interrupt`` returns True.

    Closes the terminal once it shows ``close_at`` and no answer is left. Calls each of ``reactions`` once its text is
    shown.

    On Ctrl-C, ansible-core sometimes waits for its workers, which have a session of their own, without a word to them.
    So, if it still runs later, they get the signal that it sends otherwise. Ctrl-C is not pressed again: that discards
    all that was written to the terminal and not yet read, such as what the worker has just said.
    """
    screen, answered, deadline = b"", 0, time.monotonic() + TIMEOUT
    pressed_at, typed_at, left, reactions = -AGAIN_AFTER, -AGAIN_AFTER, [], dict(reactions or {})
    with subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *command],
        cwd=controller.folder,
        env={**controller.environment, "TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        while True:
            if time.monotonic() > deadline:
                process.kill()
                raise AssertionError(screen.decode())
            if select.select([process.stdout], [], [], 0.2)[0]:
                part = os.read(process.stdout.fileno(), 4096)
                screen += part
                if not part:
                    break
                for text in [text for text in reactions if text.encode() in screen]:
                    reactions.pop(text)()
            elif screen.count(prompt.encode()) > answered < len(answers):
                answered += _listens(process.pid)
                typed_at = -AGAIN_AFTER
            elif answered == screen.count(prompt.encode()) > 0 and _listens(process.pid):
                # Just before it listens, it drops what was typed. Afterwards it listens no more.
                if time.monotonic() - typed_at > AGAIN_AFTER:
                    time.sleep(0.2)
                    os.write(process.stdin.fileno(), f"{answers[answered - 1]}\r".encode())
                    typed_at = time.monotonic()
            elif close_at and close_at.encode() in screen and answered == len(answers):
                left = _descendants(process.pid)
                process.kill()
                break
            elif interrupt() and time.monotonic() - pressed_at > AGAIN_AFTER:
                if pressed_at < 0:
                    os.write(process.stdin.fileno(), CTRL_C.encode())
                else:
                    for worker in itertools.chain(*map(find_children, find_children(process.pid))):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(worker, signal.SIGTERM)
                pressed_at = time.monotonic()
    return Screen(process.returncode, screen.decode().replace("\r\n", "\n"), left)


def _listens(process: int) -> bool:
    """Returns True if the command reads an answer key by key, as Ansible's prompt does once it listens."""
    with contextlib.suppress(OSError, ValueError):
        (child,) = find_children(process)
        terminal = os.open(f"/proc/{child}/fd/0", os.O_RDWR | os.O_NOCTTY)
        try:
            return not termios.tcgetattr(terminal)[3] & termios.ICANON
        finally:
            os.close(terminal)
    return False


def _descendants(process: int) -> list[int]:
    return [one for child in find_children(process) for one in (child, *_descendants(child))]
