# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuses a Python that is too old, in one line, and keeps the files below compiled.

Any Python 3 can read this file, which is the first that runs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import typing as t

if t.TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    from ansible.errors import AnsibleError

    version = ".".join(map(str, sys.version_info[:3]))
    raise AnsibleError(
        f"clawhosters.cloud needs Python 3.11 or newer where Ansible runs. {sys.executable} is Python {version}. "
        "Install ansible-core 2.18 or newer for a newer Python. Nothing was sent."
    )


class CompiledFiles:
    """Leaves the import of files below this package to Python, which keeps them compiled where it can write.

    Ansible loads plugins in the same way, but compiles what they import anew in every command.
    """

    @staticmethod
    def find_spec(name: str, path: t.Sequence[str], _target: object = None) -> ModuleSpec | None:
        """Returns how a file of this package is loaded; None for all else, which others find."""
        if name.startswith(__name__ + "."):
            source = os.path.join(path[0], name.rpartition(".")[2] + ".py")
            if os.path.isfile(source):
                return importlib.util.spec_from_file_location(name, source)
        return None


sys.meta_path.insert(0, t.cast("t.Any", CompiledFiles))
