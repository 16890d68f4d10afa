# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives files to another user: with chown as root, otherwise by patching os.stat in this process."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from .processes import run_apart

STRANGER = 65533

is_root = os.geteuid() == 0


class Owners:
    """Changes the owners of files until ``patch`` is undone."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._owners: dict[tuple[int, int], int] = {}
        if not is_root:
            for name in ("stat", "lstat", "fstat"):
                patch.setattr(os, name, self._patched(getattr(os, name)))

    def give(self, *paths: Path, to: int = STRANGER) -> None:
        for path in paths:
            if is_root:
                os.chown(path, to, -1, follow_symlinks=False)
            else:
                status = os.lstat(path)
                self._owners[status.st_dev, status.st_ino] = to

    def _patched(self, function: t.Callable[..., os.stat_result]) -> t.Callable[..., os.stat_result]:
        def patched(*args: t.Any, **options: t.Any) -> os.stat_result:
            status = function(*args, **options)
            owner = self._owners.get((status.st_dev, status.st_ino))
            return status if owner is None else os.stat_result([*status[:4], owner, *status[5:]])

        return patched


def as_ordinary_user(groups: t.Sequence[int], work: t.Callable[..., None], *args: object) -> None:
    """Runs a function of a module as an ordinary user in these groups."""
    if is_root:
        run_apart(_become_and_run, groups, work, *args)
    else:
        work(*args)


def _become_and_run(groups: t.Sequence[int], work: t.Callable[..., None], *args: object) -> None:
    os.setgroups(groups)
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    work(*args)
