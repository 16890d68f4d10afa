# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The stores that tests run over: a folder, and a database."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_store import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import Store


@dataclass(frozen=True)
class StorePlace:
    """A place for one store, which processes share."""

    options: dict[str, str]
    """The options of modules that name it."""
    open: t.Callable[[], Store]
    """Opens it like another process."""

    def journal(self) -> Journal:
        """Returns its journal, as of another process."""
        return Journal(self.open())


def folder_place(path: Path) -> StorePlace:
    """Returns the store of a folder."""
    return StorePlace({"state_dir": str(path)}, lambda: FolderStore(str(path)))
