# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and writes the file of a plan, which somebody approves between two runs."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from ..module_utils._errors import SettingsError
from ..module_utils._http.settings import expand_home
from ..module_utils._state.files import ROOT_UID
from ..module_utils._text import one_line
from ._reports.report_folder import write_report

MAX_BYTES = 1 << 20
"""Of a file: some thousand instances."""


def read_plan_file(option: str, path: str) -> tuple[object, str]:
    """Returns the JSON in the file that ``option`` names, None if it is none or too long, and a warning of its owner.

    The warning is empty unless another user owns it. Raises SettingsError for a file that can't be read.
    """
    shown = one_line(path)
    try:
        file = os.open(expand_home(option, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(file, "rb") as opened:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise SettingsError(f"{option} is {shown}, which is no regular file.", is_unsent=True)
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{option} is {shown}, but that can't be read: {error.strerror}.", is_unsent=True) from None
    warning = ""
    if status.st_uid not in (ROOT_UID, os.geteuid()):
        warning = f"{option}: {shown} belongs to another user (uid {status.st_uid}), who may have edited it."
    try:
        return (json.loads(content) if len(content) <= MAX_BYTES else None), warning
    except (ValueError, RecursionError):
        return None, warning


def write_plan_file(path: str, plan: dict[str, t.Any]) -> None:
    """Writes a plan, readable by its owner only, through no link. Raises ReportError."""
    text = json.dumps(plan, indent=4) + "\n"
    write_report(path, text, text, check_mode=False)
