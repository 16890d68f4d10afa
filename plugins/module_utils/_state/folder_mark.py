# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mark of a subject of the journal in a folder: how far its file was written.

It has two places in turn, each with a checksum. A new one says in both that nothing was written yet. So one without a
valid place is damaged, and never new. It also has the names of the incidents or orders of the subject, whose checksum
is in each place, and describes the run that works on it, which locks the mark meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import typing as t
import zlib
from dataclasses import asdict, dataclass, replace

from .files import read_from
from .journal_store import Holder

MARK_SIZE, HOLDER_AT, NAMES_AT, NAME_SIZE = 256, 512, 2048, 17
"""Bytes in the file of a mark: each of the two places, where holder and names begin, and a name."""
END_SIZE = 128
"""Bytes at the end of the journal's file that the mark covers. They hold the checksum of the last line, and so of
all."""


@dataclass(frozen=True)
class Mark:
    """How far a file was written: lines, bytes, and a digest of its end. How many names there are, and their sum."""

    lines: int = 0
    size: int = 0
    end: str = ""
    names: int = 0
    names_sum: int = 0

    def describe(self, content: bytes) -> Mark:
        """Returns the mark of a file with this content, and with the same names."""
        end = checksum(content[-END_SIZE:]) if content else ""
        return replace(self, lines=content.count(b"\n"), size=len(content), end=end)

    def covers(self, names: bytes) -> bool:
        """Returns True if these names begin with those that were marked."""
        size = self.names * NAME_SIZE
        return len(names) >= size and zlib.crc32(names[:size]) == self.names_sum


@dataclass(frozen=True)
class MarkFile:
    """The open file of a mark."""

    subject: str
    descriptor: int

    def read(self) -> Mark | None:
        """Returns the mark that was written last. None if it is damaged."""
        marks = self._read_places()
        return max(marks, key=lambda mark: mark.lines) if marks else None

    @property
    def is_torn(self) -> bool:
        """Returns True if one of the places is not valid."""
        return len(self._read_places()) < 2

    @property
    def says_nothing(self) -> bool:
        """Returns True if it says, in both places, that nothing was written."""
        return [mark.lines for mark in self._read_places()] == [0, 0]

    def _read_places(self) -> list[Mark]:
        places = (self._unseal(place, MARK_SIZE) for place in (0, MARK_SIZE))
        return [Mark(**place) for place in places if place is not None]

    def write(self, mark: Mark, *, at: int | None = None) -> None:
        """Writes the mark to its place, or to the place of the mark of ``at`` lines, and syncs the file."""
        place = MARK_SIZE * ((mark.lines if at is None else at) % 2)
        write_at(self.descriptor, _seal(self.subject, asdict(mark), MARK_SIZE), place)
        os.fsync(self.descriptor)

    def read_names(self) -> bytes:
        """Returns the names. A crash may have left one behind those that are marked, or a part of it."""
        return read_from(self.descriptor, NAMES_AT)

    def add_name(self, mark: Mark, name: str) -> Mark:
        """Adds a name if it is missing, and returns the mark that covers it and all before it."""
        names = self.read_names()
        names = names[: len(names) // NAME_SIZE * NAME_SIZE]
        if format_name(name) not in names[: mark.names * NAME_SIZE]:
            if format_name(name) not in names:
                names += format_name(name)
            # What a failed sync has left may be missing on the disk.
            covered = mark.names * NAME_SIZE
            write_at(self.descriptor, names[covered:], NAMES_AT + covered)
            os.fsync(self.descriptor)
        return replace(mark, names=len(names) // NAME_SIZE, names_sum=zlib.crc32(names))

    def may_have(self, name: str) -> bool:
        """Returns True if it has the name, or is damaged."""
        mark, names = self.read(), self.read_names()
        if mark is None or format_name(name) in names or not mark.covers(names):
            return True
        covered = mark.names * NAME_SIZE
        return not re.fullmatch("([0-9a-f]{16}\n)?", names[covered:].decode(errors="replace"))

    def read_holder(self) -> Holder:
        """Returns the holder that the mark names; without a name if it is just being written, or damaged."""
        content = self._unseal(HOLDER_AT, NAMES_AT - HOLDER_AT) or {}
        return Holder(**{**content, "subject": self.subject})

    def write_holder(self, holder: Holder | None) -> None:
        """Names the holder, or nobody. It is only for display: on a full disk it is missing."""
        size = NAMES_AT - HOLDER_AT
        with contextlib.suppress(OSError):
            data = _seal(self.subject, asdict(holder), size) if holder else b"\0" * size
            os.pwrite(self.descriptor, data[:size], HOLDER_AT)

    def _unseal(self, place: int, size: int) -> dict[str, t.Any] | None:
        return _unseal(self.subject, os.pread(self.descriptor, size, place))


def write_at(file: int, data: bytes, offset: int) -> None:
    """Writes all of the data at ``offset``."""
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def build_new(subject: str) -> bytes:
    """Returns the content of a new mark."""
    return (_seal(subject, asdict(Mark()), MARK_SIZE) * 2).ljust(NAMES_AT, b"\0")


def format_name(name: str) -> bytes:
    """Returns the name of an incident or order as a mark keeps it."""
    return f"{name[: NAME_SIZE - 1]}\n".encode()


def checksum(content: bytes) -> str:
    """Returns the checksum of a place, or of the end of a file."""
    return hashlib.sha256(content).hexdigest()[:32]


def _seal(subject: str, content: dict[str, t.Any], size: int) -> bytes:
    """Returns the content with a checksum, also over the subject, in so many bytes at least."""
    data = json.dumps(content).encode()
    return data + b" " + checksum(subject.encode() + data).encode().ljust(size - len(data) - 1, b"\0")


def _unseal(subject: str, data: bytes) -> dict[str, t.Any] | None:
    """Returns the content; None if it is not as it was sealed for this subject."""
    text, _space, digest = data.rstrip(b"\0").rpartition(b" ")
    return json.loads(text) if digest == checksum(subject.encode() + text).encode() else None
