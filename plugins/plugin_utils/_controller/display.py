# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen, the temporary folder, and the keys that the processes of one Ansible command share.

A key is read from its file once, so that no run changes its account. A screen that goes away does not end the run.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import sys
import typing as t

from ansible import constants as C
from ansible.utils.display import Display
from ansible.utils.multiprocessing import context

from ...module_utils._http.settings import read_key_file
from ...module_utils._progress import Progress

# ansible-core imports action plugins before it forks a worker. A worker ends with its task, and what it has read.
_memory = mmap.mmap(-1, 1 << 20)
_lock = context.Lock()

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
    is_on = os.environ.get("CLAWHOSTERS_PROGRESS") != "0"
    return Progress((lambda line: display.display(line, stderr=True)) if is_on else None, folder=C.DEFAULT_LOCAL_TMP)


def show_lines(display: Display, lines: t.Sequence[str]) -> bool:
    """Shows lines at once, and returns True, unless standard output is the JSON of a callback: its result has them."""
    is_shown = "json" not in str(C.DEFAULT_STDOUT_CALLBACK)
    if is_shown:
        display.display("\n".join(lines))
    return is_shown


def outage_path() -> str:
    """Returns where the processes of a command remember that the database of ``state_database`` can't be reached."""
    return f"{C.DEFAULT_LOCAL_TMP}/clawhosters-outage"


def read_key_once(path: str, warn: t.Callable[[str], None]) -> str:
    """Returns the key in a file as this command has first read it. Raises SettingsError."""
    # The temporary folder tells a command from another one of the same process.
    name = f"{C.DEFAULT_LOCAL_TMP}:{os.path.abspath(path)}"
    with _lock:
        keys: dict[str, str] = json.loads(_memory[:].rstrip(b"\0") or b"{}")
        if name not in keys:
            keys[name] = read_key_file(path, warn)
            content = json.dumps(keys).encode()
            _memory[: len(content)] = content
        return keys[name]
