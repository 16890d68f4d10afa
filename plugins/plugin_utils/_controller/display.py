# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen and the temporary folder that the processes of one Ansible command share.

A screen that goes away does not end the run.
"""

from __future__ import annotations

import errno
import os
import sys
import typing as t

from ansible import constants as C
from ansible.utils.display import Display

from ...module_utils._progress import Progress

_READER_GONE = (errno.EPIPE, errno.EIO)
"""Errors of a pipe and of a terminal that nobody reads any more."""


class DetachableStream:
    """A standard stream of the command that drops what it is given once nobody reads it any more.

    ansible-core ends its thread for results at the first such error, and waits forever for the result of the task; or
    it ends the run before the tasks that follow.
    """

    def __init__(self, stream: t.TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes the text, or drops it."""
        return self._keep_going(lambda: self._stream.write(text), len(text))

    def flush(self) -> None:
        """Writes what is buffered, or drops it."""
        self._keep_going(self._stream.flush, None)

    def _keep_going(self, function: t.Callable[[], t.Any], instead: t.Any) -> t.Any:
        try:
            return function()
        except OSError as error:
            if error.errno not in _READER_GONE:
                raise
            # What is still buffered goes there, too.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            return instead


# ansible-core imports action plugins before it forks a worker, and shows everything in that process.
for _name in ("stdout", "stderr"):
    setattr(sys, _name, DetachableStream(getattr(sys, _name)))


def display_progress(display: Display) -> Progress:
    """Returns a Progress that writes to standard error: standard output may be the JSON of a callback.

    ``CLAWHOSTERS_PROGRESS=0`` turns it off.
    """
    if os.environ.get("CLAWHOSTERS_PROGRESS") == "0":
        return Progress()
    return Progress(lambda line: display.display(line, stderr=True))


def show_lines(display: Display, lines: t.Sequence[str]) -> None:
    """Shows lines at once, unless the standard output is the JSON of a callback, which has them in the result."""
    if "json" not in str(C.DEFAULT_STDOUT_CALLBACK):
        display.display("\n".join(lines))


def outage_path() -> str:
    """Returns where they remember that the database of ``state_database`` can't be reached, until the command ends."""
    return f"{C.DEFAULT_LOCAL_TMP}/clawhosters-outage"
