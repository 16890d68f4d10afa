# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the schema of ``state_database``, grants what jobs need, and imports the journal of a folder."""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass

from .._errors import RefusedError, SettingsError
from .._model.resource import Result
from .._state.folder_journal import FolderStore
from .._state.journal import (
    POSITION,
    JournalEntry,
    OperationKey,
    build_journal_line,
    build_line,
    identify,
    parse_subjects,
)
from .._state.journal_store import JournalLine
from .._state.postgres_schema import CREATE_TABLES, GRANTS, VERSION, find_tables
from .._state.postgres_session import Session, StatementError
from .._state.postgres_store import READ_SUBJECTS, PostgresStore, parse_rows
from .._state.store import StoreError
from .._text import one_line

SCHEMA_LOCK = 4_812_790_157_293_410
"""The advisory lock of those who change the schema."""
ROWS_PER_INSERT = 500
RIGHTS_ADVICE = "Use a user who may create a schema, and who owns it if it exists"

_READ_GRANTS = """
SELECT relname, privilege_type FROM pg_catalog.pg_class, pg_catalog.aclexplode(relacl)
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'clawhosters') AND relkind = 'r'
    AND grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(role)s)
UNION ALL
SELECT '', privilege_type FROM pg_catalog.pg_namespace, pg_catalog.aclexplode(nspacl)
WHERE nspname = 'clawhosters' AND grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(role)s)
"""
_OWNS_SCHEMA = """
SELECT 1 FROM pg_catalog.pg_namespace JOIN pg_catalog.pg_roles ON pg_roles.oid = nspowner
WHERE nspname = 'clawhosters' AND rolname = %(role)s
"""

Entries: t.TypeAlias = "dict[str, list[JournalEntry]]"
"""The entries of each subject."""


@contextlib.contextmanager
def open_state_database(connection: str | None, *, check_mode: bool) -> t.Iterator[StateDatabase]:
    """Yields the database, and ends the session with it. Raises SettingsError if the string can't be used."""
    if not (connection or "").strip():
        raise SettingsError("state_database is not set. Name the database, with a user who may create a schema in it.")
    session = Session(str(connection))
    try:
        yield StateDatabase(session, check_mode)
    except StatementError as error:
        advice = RIGHTS_ADVICE if error.sqlstate == "42501" else error.advice
        raise RefusedError(f"{error}. {advice}. Nothing was changed.") from None
    except StoreError as error:
        raise RefusedError(f"{error}. {error.advice}, and run this again.") from None
    finally:
        session.close()


@dataclass
class StateDatabase:
    """The database of an administrator's session."""

    session: Session
    check_mode: bool

    def ensure(self, role: str | None, import_dir: str | None) -> Result:
        """Brings the schema, the grants and the imported journal to the wanted state, all or nothing.

        Raises RefusedError, StoreError, and DamageError for a damaged journal in the folder.
        """
        entries = _read_folder(import_dir) if import_dir else {}
        self.session.execute("BEGIN")
        try:
            self.session.execute("SELECT pg_catalog.pg_advisory_xact_lock(%(key)s::bigint)", {"key": SCHEMA_LOCK})
            result = self._ensure(role, entries)
            self.session.execute("ROLLBACK" if self.check_mode else "COMMIT")
        except BaseException:
            self.session.close()
            raise
        return result

    def _ensure(self, role: str | None, entries: Entries) -> Result:
        tables = find_tables(self.session, is_job=False)
        version = self._read_version() if "version" in tables else 0
        if version > VERSION:
            raise RefusedError(
                f"The schema in state_database has version {version}, but this collection knows only {VERSION}. "
                "Use a newer version of the collection. Nothing was changed."
            )
        grants = self._find_grants(role) if role else []
        lines = self._find_new_lines(entries, version)
        if not self.check_mode:
            if not tables:
                # Fails if another user has made it since: then it isn't ours.
                self.session.execute("CREATE SCHEMA clawhosters AUTHORIZATION SESSION_USER")
            if not version:
                self.session.execute(CREATE_TABLES)
            for statement in grants:
                self.session.execute(statement)
            self._insert(lines)
        count = sum(map(len, entries.values()))
        before = {"version": version, "granted": None if grants else role, "imported": count - len(lines)}
        after = {"version": VERSION, "granted": role, "imported": count}
        return {"changed": before != after, "schema": after, "diff": {"before": before, "after": after}}

    def _read_version(self) -> int:
        ((version,),) = self.session.execute("SELECT version FROM clawhosters.version")
        return version

    def _find_grants(self, role: str) -> list[str]:
        """Returns the statements that give the role exactly what jobs need; none if it has that."""
        if not self.session.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %(role)s", {"role": role}):
            raise RefusedError(f"There is no role {one_line(role)}: create it first. Nothing was changed.")
        if self.session.execute(_OWNS_SCHEMA, {"role": role}):
            return []
        wanted = {("", "USAGE"), *((table, right) for table, rights in GRANTS.items() for right in rights)}
        if set(self.session.execute(_READ_GRANTS, {"role": role})) == wanted:
            return []
        name = '"' + role.replace('"', '""') + '"'
        return [
            f"REVOKE ALL ON ALL TABLES IN SCHEMA clawhosters FROM {name}",
            f"REVOKE ALL ON SCHEMA clawhosters FROM {name}",
            f"GRANT USAGE ON SCHEMA clawhosters TO {name}",
            *(f"GRANT {', '.join(rights)} ON clawhosters.{table} TO {name}" for table, rights in GRANTS.items()),
        ]

    def _find_new_lines(self, entries: Entries, version: int) -> list[JournalLine]:
        """Returns the lines that the database lacks, at the positions after those that it has of their subject.

        Raises RefusedError if it has other lines of the same operation, and DamageError.
        """
        known: Entries = {}
        if entries and version:
            rows = self.session.execute(READ_SUBJECTS, {"subjects": [*entries]})
            known = parse_subjects(parse_rows(rows), PostgresStore.repair_hint)
        lines = []
        for subject, found in entries.items():
            present = known.get(subject, [])
            before, wanted = _group(present), _group(found)
            for operation, imported in wanted.items():
                if before.get(operation, [])[: len(imported)] not in ([], imported):
                    raise RefusedError(
                        "The folder of import_dir and state_database both hold lines of one restore or purchase, and "
                        "they differ. Nothing was changed."
                    )
            for entry in found:
                if identify(entry) not in before:
                    present = [*present, build_line(entry, present)]
                    lines.append(build_journal_line(present[-1]))
        return lines

    def _insert(self, lines: list[JournalLine]) -> None:
        for start in range(0, len(lines), ROWS_PER_INSERT):
            end = start + ROWS_PER_INSERT
            part = lines[start:end]
            columns = ("subject", "position", "name", "text")
            values = ", ".join(
                f"({', '.join(f'%({column}{number})s' for column in columns)})" for number in range(len(part))
            )
            params = {f"{column}{number}": vars(line)[column] for number, line in enumerate(part) for column in columns}
            self.session.execute(f"INSERT INTO clawhosters.journal (subject, step, name, line) VALUES {values}", params)


def _read_folder(path: str) -> Entries:
    """Returns the journal of a folder. Raises RefusedError if there is none, DamageError if it is damaged."""
    store = FolderStore(os.path.abspath(path))
    try:
        subjects = store.read_subjects()
    except StoreError as error:
        raise RefusedError(f"import_dir: {error}. {error.advice}. Nothing was changed.") from None
    if not subjects:
        raise RefusedError(f"There is no journal in import_dir {one_line(path)}. Nothing was changed.")
    return parse_subjects(subjects, store.repair_hint)


def _group(entries: t.Iterable[JournalEntry]) -> dict[OperationKey, list[JournalEntry]]:
    """Returns the lines of each operation, without what depends on those before: it differs between two journals."""
    groups: dict[OperationKey, list[JournalEntry]] = {}
    for entry in entries:
        lines = groups.setdefault(identify(entry), [])
        lines.append({name: value for name, value in entry.items() if name not in (POSITION, "checksum")})
    return groups
