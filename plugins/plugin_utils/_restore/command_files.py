# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the variables of next commands in files beside the report, so that a long command is a short line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from .._formatting import format_path
from .._reports.report_folder import ReportError, open_report
from .commands import Command, format_without_file

_SHORT = 160
"""Characters up to which a command has its variables in its line, if that can be."""


@dataclass
class CommandFiles:
    """Formats the commands of a run. ``folder`` is that of its report, None if nothing may be written."""

    folder: Path | None
    _written: set[Path] = field(default_factory=set)

    def format(self, command: Command, *, writes: bool = True) -> str:
        """Returns the command as a line that can be pasted, or else a sentence.

        Writes the file that it needs; without ``writes`` it has one if that was written before.
        """
        inline = command.format_inline()
        if inline and len(inline) <= _SHORT:
            return inline
        path = self._write(command.format_file(), writes=writes)
        return command.format_with_file(path) if path else format_without_file(command)

    def _write(self, content: str, *, writes: bool) -> str | None:
        """Writes a file, and returns its path as the command names it; None if that can't be.

        The name is that of the content: what is written later changes no command that was printed. All names are of
        one length, so that none is a part of another.
        """
        if self.folder is None:
            return None
        path = self.folder / f"next-{hashlib.sha256(content.encode(errors='replace')).hexdigest()[:12]}.yml"
        shown = format_path(path, Path.cwd())
        if shown is None or not (writes or path in self._written):
            return None
        if path not in self._written:
            try:
                with open_report(str(path), creates=True) as (folder, name):
                    folder.write(name, content)
            except ReportError:
                return None
            self._written.add(path)
        return shown
