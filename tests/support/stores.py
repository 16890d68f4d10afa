# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The stores that tests run over: a folder, and a database."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.state_database import StateDatabase
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_session import Session
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import PostgresStore

from .postgres import ADMIN, JOB, Postgres

ANY_SUBJECT = "7" * 64


@dataclass(frozen=True)
class StorePlace:
    """A place for one store, which processes share."""

    options: dict[str, str]
    """The options of modules that name it."""
    open: t.Callable[[], FolderStore | PostgresStore]
    """Opens it like another process."""
    spoil: t.Callable[[], None]
    """Makes it unusable."""
    damage: t.Callable[..., None]
    """Puts a damaged line there, of the subject that is given, or of any."""

    def journal(self) -> Journal:
        """Returns its journal, as of another process."""
        return Journal(self.open())

    def read_journal(self) -> str:
        """Returns the lines of its journal; nothing if there are none."""
        return "\n".join(line.text for one in self.open().read_subjects() for line in one.lines)


def read_journal(state_dir: Path) -> str:
    """Returns the lines of the journal in a folder that are wholly written now; nothing if there is none."""
    subjects = FolderStore(str(state_dir)).read_subjects()
    return "\n".join(line.text for one in subjects for line in one.lines if line.name)


def folder_place(path: Path) -> StorePlace:
    def spoil() -> None:
        path.mkdir(exist_ok=True)
        path.chmod(0o777)

    def damage(subject: str = ANY_SUBJECT) -> None:
        (path / "journal").mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / f"journal/{subject}.jsonl").write_text("{broken\n", encoding="utf-8")

    return StorePlace({"state_dir": str(path)}, lambda: FolderStore(str(path)), spoil, damage)


def prepare(server: Postgres) -> None:
    """Makes the schema, and empties its tables. Ends sessions of earlier tests: one may still lock a row."""
    session = Session(server.url(ADMIN))
    StateDatabase(session, check_mode=False).ensure(JOB, None)
    session.close()
    server.end_sessions()
    # In one connection: it costs more than what it sends.
    tables = ("journal", "budgets", "holders", "snapshots")
    server.query("; ".join(f"DELETE FROM clawhosters.{table}" for table in tables))


@contextlib.contextmanager
def database_place(server: Postgres) -> t.Iterator[StorePlace]:
    """Yields the empty store of a database. Closes all sessions at the end."""
    prepare(server)

    def spoil() -> None:
        server.query(f"REVOKE ALL ON ALL TABLES IN SCHEMA clawhosters FROM {JOB}")

    def damage(subject: str = ANY_SUBJECT) -> None:
        row = f"('{subject}', 1, '', '{{broken')"
        server.query(f"INSERT INTO clawhosters.journal (subject, step, name, line) VALUES {row}")

    with contextlib.ExitStack() as opened:

        def open_store() -> PostgresStore:
            store = PostgresStore(server.url())
            opened.callback(store.close)
            return store

        yield StorePlace({"state_database": server.url()}, open_store, spoil, damage)
