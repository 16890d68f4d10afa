# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Opens the store that the options name (interface 1b)."""

from __future__ import annotations

import contextlib
import typing as t

from .folder_store import FolderStore
from .postgres_store import Outage, PostgresStore
from .store import Store


@contextlib.contextmanager
def open_store(
    params: t.Mapping[str, t.Any], *, may_create: bool = True, outage_path: str | None = None
) -> t.Iterator[Store]:
    """Yields the store of the options ``state_database`` or else ``state_dir``, and closes it.

    Nothing is connected or created before its first use. Without ``may_create``, a missing folder is not created.
    ``outage_path`` is where the processes of a play remember that the database can't be reached.

    Raises SettingsError for a connection string that can't be used, and ClawHostersError without psycopg.
    """
    store: Store
    if database := str(params.get("state_database") or "").strip():
        store = PostgresStore(database, Outage(outage_path))
    else:
        store = FolderStore(str(params.get("state_dir") or ""), may_create=may_create)
    try:
        yield store
    finally:
        store.close()
