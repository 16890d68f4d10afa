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
    from .._state.open_store import JournalStore
    from .runner import ModuleContext

LOCK_TIMEOUT = 2.0
"""Seconds to wait for a lock that is held for a moment."""


def open_journal(context: ModuleContext, *, sends: bool = False) -> Journal:
    """Returns the journal of restores and purchases.

    A task that ``sends`` them remembers in the folder that it has used a database for this account, and warns where one
    was used and none is set.
    """
    settings, folder = context.client.settings, FolderStore(str(context.params.get("state_dir") or ""))
    document = f"database-{key_digest(settings.api_url, settings.api_key or '')}"
    if not context.params.get("state_database"):
        if sends:
            _warn_of_database(context, folder, document)
        return Journal(folder)
    if sends and not context.client.check_mode:
        # A folder that can't be written to stops nothing.
        with contextlib.suppress(StoreError), folder.locked_document(document, within=LOCK_TIMEOUT) as found:
            found.new_content = "used"
    return Journal(t.cast("JournalStore", context.store), folder=folder)


def _warn_of_database(context: ModuleContext, folder: FolderStore, document: str) -> None:
    with contextlib.suppress(StoreError):
        if folder.read_snapshot(document):
            context.warn(
                "On this machine, restores and purchases of this service and key were recorded in a database, and "
                "state_database is not set. This task runs without it, and does not know what is recorded there. "
                f"Set state_database, or, if that is no longer used, delete {one_line(folder.place)}/{document}.json."
            )


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
