# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the pages of the roles, and files beside them, readable by their owner only unless a ``mode`` says otherwise.

They hold operational data. A file or link that another user may have created is never written to: each write creates
a new file and renames it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import stat
import typing as t
from pathlib import Path

import jinja2

from ...module_utils._errors import ClawHostersError
from ...module_utils._state.files import ROOT_UID, OpenFolder, read_from
from ...module_utils._state.snapshots import atomic_replace
from ...module_utils._text import one_line

Data = dict[str, t.Any]


class ReportError(ClawHostersError):
    """A report or another file for the user can't be written."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{one_line(path)} can't be written: {why}.")


class ReportFolder:
    """The open folder of a report. Its methods take file names and raise OSError.

    Unlike a state folder it may be writable for a group: nothing depends on the content of a report.
    """

    def __init__(self, folder: int, path: Path) -> None:
        self._folder = folder
        self._path = path

    def read(self, name: str) -> bytes | None:
        """Returns the content of a file, None if it is missing. Raises OSError for a file of another user."""
        try:
            with OpenFolder(self._folder, self._path).open(name, os.O_RDONLY) as file:
                return read_from(file, 0)
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str, mode: int = 0o600) -> None:
        """Replaces the file, atomically and synced to the disk."""
        # Other runs may write at the same moment.
        draft = f".{name}.{secrets.token_hex(4)}.draft"
        atomic_replace(self._folder, name, text.encode(errors="replace"), mode, draft=draft)

    def check_writable(self) -> None:
        """Creates a file and removes it."""
        name = f".{secrets.token_hex(8)}.draft"
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=self._folder))
        os.unlink(name, dir_fd=self._folder)


def render(template: str, variables: Data) -> str:
    """Returns the rendered template. The variables are escaped as HTML and never rendered themselves."""
    return _compile(Path(template).read_text(encoding="utf-8")).render(variables)


# A run writes its page several times. To compile the template takes longer than to render it.
@functools.lru_cache(maxsize=4)
def _compile(source: str) -> jinja2.Template:
    return jinja2.Environment(autoescape=True, trim_blocks=True, keep_trailing_newline=True).from_string(source)


def prepare_folder(path: str) -> None:
    """Creates the folder of the report at ``path`` and checks that it is writable. Raises ReportError."""
    try:
        with open_folder_of(path, creates=True) as (folder, _name):
            folder.check_writable()
    except ReportError as error:
        error.is_unsent = True
        raise


def read_report(path: str) -> str:
    """Returns the content of an earlier file; empty if there is none, or none that can be read."""
    with contextlib.suppress(ReportError), open_folder_of(path) as (folder, name):
        return (folder.read(name) or b"").decode(errors="replace")
    return ""


def write_report(path: str, text: str, fingerprint: str, *, check_mode: bool, mode: int = 0o600) -> bool:
    """Writes a file, except in check mode. Returns True if the previous one does not contain ``fingerprint``.

    Unchanged content is written, too, since it shows when it was written. Raises ReportError.
    """
    earlier = read_report(path)
    with open_folder_of(path) as (folder, name):
        if not check_mode:
            folder.write(name, text, mode)
    return fingerprint not in earlier


@contextlib.contextmanager
def open_folder_of(path: str, *, creates: bool = False) -> t.Iterator[tuple[ReportFolder, str]]:
    """Yields the folder of a file, and the file's name. An OSError in the block is raised as a ReportError.

    ``creates``: the folder may be missing, and must not be of another user.
    """
    absolute_path = Path(path).absolute()
    parent = absolute_path.parent
    try:
        with contextlib.ExitStack() as stack:
            if creates:
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _require_own(parent)
            _require_trusted_links(parent)
            # Not by the path that links lead to: the kernel of Linux follows no link of another user in /tmp.
            folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, folder)
            yield ReportFolder(folder, parent), absolute_path.name
    except OSError as error:
        raise ReportError(absolute_path, error.strerror or str(error)) from None


def _require_trusted_links(folder: Path) -> None:
    """Raises ReportError for a link on the way that another user has put into a folder of somebody else."""
    for path in (folder, *folder.parents):
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(path)
            trusted = (os.geteuid(), ROOT_UID, os.stat(path.parent).st_uid)
            if stat.S_ISLNK(status.st_mode) and status.st_uid not in trusted:
                raise ReportError(folder, f"{one_line(path)} is a symbolic link of another user")


def _require_own(folder: Path) -> None:
    """Raises ReportError if the folder, or a link to it, belongs to another user, who could replace its files."""
    for status in (os.lstat(folder), os.stat(folder)):
        if status.st_uid not in (os.geteuid(), ROOT_UID):
            raise ReportError(
                folder,
                "the folder belongs to another user. "
                "Set restore_report_dir (or fleet_report_path) to a folder of your own",
            )
