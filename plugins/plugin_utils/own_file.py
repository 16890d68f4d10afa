# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps reports out of files that another user laid in their place."""

from __future__ import annotations

import os

from ..module_utils.errors import SettingsError, one_line
from ..module_utils.statefolder import ROOT


def require_own_file(path: str) -> None:
    """Raises SettingsError if another user owns the file at ``path``, the link there, or the file that it leads to.

    Root is no other user: a task with ``become`` writes as root what is checked here as its caller.
    """
    given = os.path.abspath(os.path.expanduser(path))
    for place in (given, os.path.realpath(given)):
        try:
            owner = os.lstat(place).st_uid
        except OSError:
            # What is not there is made; what can't be looked at can't be written either, and that says so itself.
            continue
        if owner not in (ROOT, os.geteuid()):
            raise SettingsError(
                f"{one_line(place)} belongs to another user (uid {owner}), so nothing was written to it. Remove it, or "
                "name another file."
            )
