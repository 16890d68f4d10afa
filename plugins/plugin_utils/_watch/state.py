# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file in which the event source remembers what it has told, so that it goes on after a restart (interface 6)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ...module_utils._errors import MESSAGE_LIMIT, ClawHostersError, one_line
from ...module_utils._http.settings import Settings
from ...module_utils._state.files import (
    UntrustedError,
    atomic_replace,
    open_folder,
    open_owned,
    require_not_replaceable,
)
from .transitions import Event, Known, Seen, Waiting

FORMAT = 1
CHANGES_LOST = "Changes from before are not told then."


class StateError(ClawHostersError):
    """The state file can't be used."""


@dataclass(frozen=True)
class State:
    """What the source knows of the fleet, None before the first look, and the events that are still to be told."""

    known: Known | None = None
    untold: list[Event] = field(default_factory=list)


class StateFile:
    """The state file at ``path``, which one source alone may use, for one service and key.

    Only its owner can read it, and it is whole at any moment. A link is refused, and so is a file or a folder that
    another user owns or could replace: it could tell anything.
    """

    def __init__(self, path: str, settings: Settings) -> None:
        self._path = Path(os.path.abspath(path))
        self._owner = hashlib.sha256(f"{settings.api_url}\n{settings.api_key}".encode()).hexdigest()[:16]

    @contextlib.contextmanager
    def held(self) -> t.Iterator[None]:
        """Keeps other sources away from the file. Raises StateError when one has it already."""
        with contextlib.ExitStack() as stack:
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with self._folder() as folder:
                    lock = self._open(folder, f"{self._path.name}.lock", os.O_RDWR | os.O_CREAT)
                stack.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateError(
                    f"{self._shown} is in use by another event source. Give each a state_file of its own."
                ) from None
            except OSError as error:
                raise self._unusable(error) from None
            yield

    def read(self) -> State:
        """What was written last, an empty state when there is no file. Raises StateError."""
        try:
            content = self._content()
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise self._unusable(error) from None
        try:
            written = json.loads(content)
            if written["format"] != FORMAT:
                raise ValueError(f"format {written['format']}")
            owner = written["owner"]
            state = State(
                {str(entry["item"]["id"]): _seen(entry) for entry in written["instances"]},
                [dict(event) for event in written["untold"]],
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # To begin anew by itself could mean to lose a transition, or to tell one twice.
            raise StateError(
                f"{self._shown} is damaged or no state file, so what was told before is not known. "
                f"Move it away to begin anew with what is there then. {CHANGES_LOST}"
            ) from None
        if owner != self._owner:
            raise StateError(
                f"{self._shown} belongs to another api_url or API key. Name another one; or, if the key of the same "
                f"account was replaced, move it away to begin anew. {CHANGES_LOST}"
            )
        return state

    def write(self, state: State) -> None:
        """Replaces what was written before, at once and synced to the disk. Raises StateError."""
        content = {
            "format": FORMAT,
            "owner": self._owner,
            "instances": [_entry(seen) for seen in (state.known or {}).values()],
            "untold": state.untold,
        }
        try:
            # Nobody else is at it, as the file is held.
            with self._folder() as folder:
                atomic_replace(folder, self._path.name, json.dumps(content, ensure_ascii=True).encode())
        except OSError as error:
            raise self._unusable(error) from None

    def _content(self) -> bytes:
        with self._folder() as folder:
            file = self._open(folder, self._path.name, os.O_RDONLY)
        with open(file, "rb") as stream:
            return stream.read()

    def _open(self, folder: int, name: str, flags: int) -> int:
        status = os.fstat(folder)
        # Some container platforms open all files of a volume to the group that may write to it.
        group = status.st_gid if status.st_mode & stat.S_IWGRP else None
        return open_owned(folder, name, flags, self._path.parent, group=group)

    @contextlib.contextmanager
    def _folder(self) -> t.Iterator[int]:
        """The file's folder. A shared one, such as a volume or ``/tmp``, will do if nobody can replace the file."""
        place = Path(os.path.realpath(self._path.parent)) / self._path.name
        require_not_replaceable(self._path)
        require_not_replaceable(place)
        with open_folder(place.parent) as folder:
            yield folder

    @property
    def _shown(self) -> str:
        return f"state_file {one_line(self._path)}"

    def _unusable(self, error: OSError) -> StateError:
        if isinstance(error, UntrustedError):
            return StateError(f"state_file: {one_line(error, MESSAGE_LIMIT)}. Name a file in a folder of your own.")
        return StateError(
            f"{self._shown} can't be used ({error.strerror or error}). Name a file in a folder of your own."
        )


def _entry(seen: Seen) -> dict[str, t.Any]:
    waiting = seen.waiting
    return {
        "item": seen.item,
        "waiting": waiting and {"before": waiting.before, "since": waiting.since, "last": waiting.last},
    }


def _seen(entry: dict[str, t.Any]) -> Seen:
    waiting = entry["waiting"]
    if waiting is None:
        return Seen(dict(entry["item"]))
    return Seen(dict(entry["item"]), Waiting(dict(waiting["before"]), float(waiting["since"]), float(waiting["last"])))
