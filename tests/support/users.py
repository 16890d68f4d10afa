# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of another user. Root gives them away for real; anybody else makes this process see them so."""

from __future__ import annotations

import multiprocessing
import os
import typing as t
from pathlib import Path

import pytest

STRANGER = 65533
FORK = multiprocessing.get_context("fork")

is_root = os.geteuid() == 0


class Owners:
    """Says whose files are, for as long as ``patch`` lasts."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._owners: dict[tuple[int, int], int] = {}
        if not is_root:
            for name in ("stat", "lstat", "fstat"):
                patch.setattr(os, name, self._seen(getattr(os, name)))

    def give(self, *paths: Path, to: int = STRANGER) -> None:
        """Makes the files that user's."""
        for path in paths:
            if is_root:
                os.chown(path, to, -1, follow_symlinks=False)
            else:
                status = os.lstat(path)
                self._owners[status.st_dev, status.st_ino] = to

    def _seen(self, look: t.Callable[..., os.stat_result]) -> t.Callable[..., os.stat_result]:
        def seen(*args: t.Any, **options: t.Any) -> os.stat_result:
            status = look(*args, **options)
            owner = self._owners.get((status.st_dev, status.st_ino))
            return status if owner is None else os.stat_result([*status[:4], owner, *status[5:]])

        return seen


def as_ordinary_user(work: t.Callable[[], None], groups: t.Sequence[int]) -> None:
    """Does ``work`` as somebody who is not root, but in these groups."""
    if not is_root:
        work()
        return

    def become() -> None:
        os.setgroups(groups)
        os.setgid(STRANGER)
        os.setuid(STRANGER)
        work()

    process = FORK.Process(target=become)
    process.start()
    process.join()
    assert process.exitcode == 0, "see the output"
