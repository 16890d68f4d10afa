# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the journal for tasks that send restores and purchases, or list them."""

from __future__ import annotations

import typing as t

from .._state.folder_store import FolderStore
from .._state.journal import Journal
from .._state.machine_folder import MachineFolder
from .._state.store import key_digest

if t.TYPE_CHECKING:
    from .._state.journal_store import JournalStore
    from .runner import ModuleContext


def open_journal(context: ModuleContext, *, warns: bool = False) -> Journal:
    """Returns the journal of restores and purchases.

    ``warns`` is for tasks that send them: of a database that this machine has used, and that is not set now.
    """
    settings, store = context.client.settings, open_journal_store(context)
    folder = MachineFolder(_find_folder(context), key_digest(settings.api_url, settings.api_key or ""))
    if context.params.get("state_database"):
        return Journal(store, folder=folder)
    if warns and (warning := folder.find_warning()):
        context.warn(warning)
    return Journal(store)


def open_journal_store(context: ModuleContext) -> JournalStore:
    """Returns what keeps the journal: the database of the task, or else the folder."""
    if context.params.get("state_database"):
        return t.cast("JournalStore", context.store)
    return FolderStore(_find_folder(context))


def _find_folder(context: ModuleContext) -> str:
    return str(context.params.get("state_dir") or "")
