# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The terminal at which a question is asked: it may not be where Ansible's output goes, and it may be closed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import typing as t

_STDIN, _STDOUT = 0, 1
_PARENT_INTERVAL = 1.0
"""Seconds after which it is seen that the parent process has ended."""


def _open_hidden_terminal() -> int | None:
    """Opens the terminal at which the user types; None if there is none, or standard output goes there."""
    with contextlib.suppress(OSError):
        if os.isatty(_STDIN) and not os.isatty(_STDOUT):
            return os.open(os.ttyname(_STDIN), os.O_WRONLY | os.O_NOCTTY)
    return None


_hidden_terminal = _open_hidden_terminal()
"""Opened before the worker is forked, which may have no terminal: ansible-core imports action plugins before."""


def show_question(text: str) -> None:
    """Shows a question at the terminal if Ansible's own output goes elsewhere, such as into a file."""
    if _hidden_terminal is not None:
        with contextlib.suppress(OSError):
            os.write(_hidden_terminal, f"{text}\n".encode(errors="replace"))


@contextlib.contextmanager
def ended_with_terminal() -> t.Iterator[None]:
    """During the block, ends this process once the one that reads the terminal has ended: nobody answers any more.

    That one ends when the terminal is closed. From ansible-core 2.19, workers have a session of their own.
    """
    parent, has_answer, waiting = os.getppid(), threading.Event(), threading.get_ident()

    def watch() -> None:
        while not has_answer.wait(_PARENT_INTERVAL):
            if os.getppid() != parent:
                signal.pthread_kill(waiting, signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        has_answer.set()
