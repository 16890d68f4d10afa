# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the store that the options name."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .folder_store import FolderStore
from .postgres_store import Outage, PostgresStore
from .store import Store

_kept: dict[object, PostgresStore] = {}
"""The store that an item of a loop has left open for the next one, by what must not have changed since."""


@contextlib.contextmanager
def open_store(
    params: t.Mapping[str, t.Any],
    *,
    may_create: bool = True,
    outage_path: str | None = None,
    keeps_session: bool = False,
) -> t.Iterator[Store]:
    """Yields the store of the options ``state_database`` or else ``state_dir``, and closes it.

    Nothing is connected or created before its first use. Without ``may_create``, a missing folder is not created.
    ``outage_path`` is where the processes of a play remember that the database can't be reached.
    With ``keeps_session`` a session stays open for the next block of this process: to open one costs nine times what
    its use does.

    Raises SettingsError for a connection string that can't be used, and ClawHostersError without psycopg.
    """
    database = str(params.get("state_database") or "").strip()
    # libpq takes from the environment what the connection string leaves out.
    key = (os.getpid(), database, outage_path, frozenset(os.environ.items()))
    store: Store
    if database:
        # Forks share the seed of hash(), which says nothing about the password in the string.
        path = f"{outage_path}-{hash(database):x}" if outage_path else None
        store = _take_kept(key) or PostgresStore(database, Outage(path))
    else:
        store = FolderStore(str(params.get("state_dir") or ""), may_create=may_create)
    has_failed = True
    try:
        yield store
        has_failed = False
    finally:
        if keeps_session and isinstance(store, PostgresStore) and not has_failed:
            _kept[key] = store
        else:
            store.close()


def _take_kept(key: object) -> PostgresStore | None:
    """Returns the store that was kept, if it can be used again, and closes any other."""
    kept_key, store = _kept.popitem() if _kept else (None, None)
    if store is None or (kept_key == key and store.is_reusable):
        return store
    store.close()
    return None
