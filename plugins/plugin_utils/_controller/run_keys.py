# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that one Ansible command has read from files: each file is read once, so that no run changes its account."""

from __future__ import annotations

import json
import mmap
import typing as t

from ansible import constants as C
from ansible.utils.multiprocessing import context

from ...module_utils._http.settings import read_key_file

# ansible-core imports action plugins before it forks a worker. A worker ends with its task, and what it has read.
_memory = mmap.mmap(-1, 1 << 20)
_lock = context.Lock()


def read_key_once(path: str, warn: t.Callable[[str], None]) -> str:
    """Returns the key in a file as this command has first read it. Raises SettingsError."""
    # The temporary folder tells a command from another one of the same process.
    name = f"{C.DEFAULT_LOCAL_TMP}:{path}"
    with _lock:
        keys: dict[str, str] = json.loads(_memory[:].rstrip(b"\0") or b"{}")
        if name not in keys:
            keys[name] = read_key_file(path, warn)
            content = json.dumps(keys).encode()
            _memory[: len(content)] = content
        return keys[name]
