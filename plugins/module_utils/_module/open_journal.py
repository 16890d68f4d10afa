# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the journal for tasks that send restores and purchases, or list them. Parses the name of what is sent."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import SettingsError
from .._names import find_invisible, format_character, normalize_name
from .._state.folder_journal import FolderStore
from .._state.journal import Journal
from .._state.store import StoreError, key_digest
from .._text import one_line

if t.TYPE_CHECKING:
    from .._state.store_protocol import JournalStore
    from .runner import ModuleContext


def open_journal(context: ModuleContext, *, warns: bool = False) -> Journal:
    """Returns the journal of restores and purchases.

    ``warns`` is for tasks that send them: of a database that this machine has used, and that is not set now.
    """
    settings, folder = context.client.settings, FolderStore(_find_folder(context))
    document = f"database-{key_digest(settings.api_url, settings.api_key or '')}"
    if context.params.get("state_database"):
        from .._state.machine_folder import MachineFolder

        return Journal(open_journal_store(context), folder=MachineFolder(folder, document))
    if warns:
        _warn_of_database(context, folder, document)
    return Journal(folder)


def _warn_of_database(context: ModuleContext, folder: FolderStore, document: str) -> None:
    """Warns in a run without a database if one was used for this account: the document in the folder says so."""
    with contextlib.suppress(StoreError):
        if folder.has_document(document):
            context.warn(
                "On this machine, restores and purchases of this service and key were recorded in a database, and "
                "state_database is not set. This task runs without it, and does not know what is recorded there. "
                f"Set state_database, or, if that is no longer used, delete {one_line(folder.place)}/{document}.json."
            )


def open_journal_store(context: ModuleContext) -> JournalStore:
    """Returns what keeps the journal: the database of the task, or else the folder."""
    if context.params.get("state_database"):
        return t.cast("JournalStore", context.store)
    return FolderStore(_find_folder(context))


def _find_folder(context: ModuleContext) -> str:
    return str(context.params.get("state_dir") or "")


def parse_operation_name(option: str, name: str) -> str:
    """Returns the name of an incident or order, in one spelling, so that one ticket can't be two.

    Raises SettingsError if it is empty or holds a character that can't be seen.
    """
    name = name.strip()
    if not name:
        text = f"{option} is empty. Set it to a name that identifies the restore or purchase."
        raise SettingsError(text, is_unsent=True)
    if hidden := find_invisible(name):
        raise SettingsError(
            f"{option} has a character that can't be seen: {format_character(hidden)}, at position "
            f"{name.index(hidden) + 1} of {len(name)}. With it, this is a different name, and the restore or purchase "
            "could be sent twice. Type the name again without it.",
            is_unsent=True,
        )
    return normalize_name(name)
