# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the store that the options name.

The only code that imports what a database needs, and only for a task or an environment that names one.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._errors import ClawHostersError
from .files import FolderDocuments

if t.TYPE_CHECKING:
    from .folder_journal import FolderStore
    from .postgres_store import PostgresStore
    from .snapshots import FolderSnapshots

    Store: t.TypeAlias = FolderDocuments | PostgresStore
    SnapshotStore: t.TypeAlias = FolderSnapshots | PostgresStore
    JournalStore: t.TypeAlias = FolderStore | PostgresStore


@contextlib.contextmanager
def open_store(
    params: t.Mapping[str, t.Any],
    folder: type[FolderDocuments] = FolderDocuments,
    *,
    may_create: bool = True,
    outage_path: str | None = None,
) -> t.Iterator[Store]:
    """Yields the store of the options ``state_database`` or else ``state_dir``, a ``folder``, and closes it.

    Nothing is connected or created before its first use. Without ``may_create``, a missing folder is not created.
    ``outage_path`` is where the processes of a play remember that the database can't be reached.

    Raises SettingsError for a connection string that can't be used, and ClawHostersError without psycopg.
    """
    database = str(params.get("state_database") or "").strip()
    if not database:
        yield folder(str(params.get("state_dir") or ""), may_create=may_create)
        return
    from .postgres_store import PostgresStore

    # Forks share the seed of hash(), which says nothing about the password in the string.
    store = PostgresStore(database, f"{outage_path}-{hash(database):x}" if outage_path else None)
    try:
        yield store
    finally:
        store.close()


def find_database_secrets(params: t.Mapping[str, t.Any]) -> set[str]:
    """Returns the connection string in the option ``state_database`` and the passwords in it; nothing without one."""
    database = str(params.get("state_database") or "").strip()
    if not database:
        return set()
    from .postgres_session import find_secrets

    return find_secrets(database)


def preload_database() -> None:
    """Imports what a database needs in a process whose forks need it, if the environment names one."""
    if os.environ.get("CLAWHOSTERS_STATE_DATABASE"):
        from .postgres_session import load_psycopg

        # Without it, the task says so.
        with contextlib.suppress(ClawHostersError):
            load_psycopg()
