# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the pages of the roles, and the record of an incident, for their owner alone.

They hold operational data. So nothing is written into a file or through a link that another user may have put there:
each file is made anew beside the old one, and takes its place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import typing as t
from pathlib import Path

import jinja2

from ..module_utils.errors import ClawHostersError, one_line
from ..module_utils.statefolder import StateFolder
from .restore_report import earlier_runs, record_text, with_run

Data = dict[str, t.Any]

LOCK_TIMEOUT = 10.0
"""Seconds to wait for another run at the same records; it holds them for some milliseconds."""


_ROOT = 0
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class ReportError(ClawHostersError):
    """A report can't be written; ``str(error)`` says where, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"The report can't be written to {one_line(path)}: {why}.")


class ReportFolder:
    """The folder of a report. What can't be done raises OSError, or ReportError where it would not be safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = StateFolder(str(path))

    def make(self) -> None:
        """Makes the folder if it is not there."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def require_own(self) -> None:
        """Raises ReportError for a folder, or a link to one, of another user, who could exchange what is in it."""
        for status in (os.lstat(self._path), os.stat(self._path)):
            if status.st_uid not in (os.geteuid(), _ROOT):
                raise ReportError(self._path, "the folder belongs to another user. Name one of your own")

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[None]:
        """Keeps other runs of this user from the records of the folder. Raises TimeoutError."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._files.locked(f".clawhosters-{os.geteuid()}.lock", within=LOCK_TIMEOUT))
            except OSError as error:
                # A file system without locks is no reason to go without a record.
                if error.errno not in _NO_LOCKS:
                    raise
            yield

    def read(self, name: str) -> bytes | None:
        """Returns the content of a file, None where there is none. Raises OSError for anything but an own file."""
        try:
            # O_NONBLOCK: to open a pipe would wait for somebody to write to it.
            with (
                self._files.opened(name, os.O_RDONLY | os.O_NONBLOCK) as file,
                open(file, "rb", closefd=False) as whole,
            ):
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                    raise PermissionError(f"{name} is not a file of your own")
                return whole.read()
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """Puts a new file into the place of whatever has this name, at once and synced to the disk."""
        with self._draft(text) as draft:
            draft.rename(self._files.path / name)
        with self._files.opened(".", os.O_RDONLY | os.O_DIRECTORY) as folder:
            os.fsync(folder)

    def try_to_write(self) -> None:
        """Writes a file that is not kept."""
        with self._draft(""):
            pass

    @contextlib.contextmanager
    def _draft(self, text: str) -> t.Iterator[Path]:
        """A new file; it is gone afterwards, unless it was given another name."""
        draft = self._files.path / f".{secrets.token_hex(8)}.draft"
        try:
            with self._files.opened(draft.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                with open(file, "wb", closefd=False) as stream:
                    stream.write(text.encode(errors="replace"))
                os.fsync(file)
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def set_aside(self, *names: str) -> None:
        """Gives files that are there another name."""
        mark = secrets.token_hex(4)
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (self._files.path / name).rename(self._files.path / f"{name}.unreadable-{mark}")


def render(template: str, variables: Data) -> str:
    """Returns the page that the file ``template`` makes of ``variables``, in which nothing is run or taken for HTML."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, keep_trailing_newline=True)
    return environment.from_string(Path(template).read_text(encoding="utf-8")).render(variables)


def prepare(path: str) -> None:
    """Makes the folder of the report at ``path``, and tries it before anything is sent. Raises ReportError."""
    try:
        with _said(path) as (folder, _name):
            folder.make()
            folder.require_own()
            with folder.locked():
                folder.try_to_write()
    except ReportError as error:
        error.add("Nothing was sent.")
        raise


def write_page(path: str, template: str, variables: Data, fingerprint: str, *, check_mode: bool) -> bool:
    """Writes a page, which holds its ``fingerprint``; in check mode it does not. Raises ReportError.

    Returns True if the page of before has another fingerprint: a page that says the same is written anew, too, since
    it says of when it is.
    """
    with _said(path) as (folder, name):
        folder.require_own()
        try:
            earlier = folder.read(name) or b""
        except OSError:
            earlier = b""
        if not check_mode:
            folder.write(name, render(template, variables))
    return fingerprint.encode() not in earlier


def record_run(path: str, template: str, variables: Data, run: Data) -> None:
    """Adds a run to the record of its incident, beside the page at ``path``, and writes the page. Raises ReportError.

    Runs that are at it at the same time take turns. A record that can't be read, or is of another incident, is kept
    under another name.
    """
    with _said(path) as (folder, page_name):
        record_name = str(Path(page_name).with_suffix(".json"))
        folder.make()
        folder.require_own()
        with folder.locked():
            runs = _runs_before(folder, record_name, run["incident"])
            if runs is None:
                folder.set_aside(record_name, page_name)
            runs = with_run(runs or [], run)
            folder.write(record_name, record_text(run["incident"], runs))
            folder.write(page_name, render(template, {**variables, "runs": runs, "latest": run}))


def _runs_before(folder: ReportFolder, name: str, incident: str) -> list[Data] | None:
    """Returns the runs that are on record, None for a record that can't be read."""
    try:
        content = folder.read(name)
    except OSError:
        return None
    return [] if content is None else earlier_runs(content, incident)


@contextlib.contextmanager
def _said(path: str) -> t.Iterator[tuple[ReportFolder, str]]:
    """The folder and the name of a report. What goes wrong becomes a ReportError."""
    place = Path(path).absolute()
    try:
        yield ReportFolder(place.parent), place.name
    except TimeoutError:
        raise ReportError(place, "another run has been at it for too long") from None
    except OSError as error:
        raise ReportError(place, error.strerror or str(error)) from None
