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
from .._state.postgres_session import Session, StatementError
from .._state.postgres_store import (
    APPEND,
    CREATE_TABLES,
    GRANTS,
    READ_SUBJECTS,
    VERSION,
    PostgresStore,
    find_tables,
    parse_rows,
    read_version,
)
from .._state.store import StoreError
from .._text import one_line

SCHEMA_LOCK = 4_812_790_157_293_410
"""The advisory lock of those who change the schema."""
RIGHTS_ADVICE = "Use a user who may create a schema, and who owns it if it exists"

_READ_GRANTS = """
SELECT relname, privilege_type FROM pg_catalog.pg_class, pg_catalog.aclexplode(relacl)
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'clawhosters') AND relkind = 'r'
    AND grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(role)s)
UNION ALL
SELECT '', privilege_type FROM pg_catalog.pg_namespace, pg_catalog.aclexplode(nspacl)
WHERE nspname = 'clawhosters' AND grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(role)s)
"""
_FIND_ROLE = """
SELECT oid IN (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'clawhosters')
FROM pg_catalog.pg_roles WHERE rolname = %(role)s
"""
"""Tells of a role that exists whether it owns the schema, and so has all rights."""

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
        version = read_version(self.session)[0] if "version" in tables else 0
        if version > VERSION:
            raise RefusedError(
                f"The schema in state_database has version {version}, but this collection knows only {VERSION}. "
                "Use a newer version of the collection. Nothing was changed."
            )
        if not tables:
            # Fails if another user has made it since: then it isn't ours.
            self.session.execute("CREATE SCHEMA clawhosters AUTHORIZATION SESSION_USER")
        if not version:
            self.session.execute(CREATE_TABLES)
        is_granted = role is None or self._grant(role)
        lines = self._find_new_lines(entries)
        for line in lines:
            self.session.execute(APPEND, vars(line))
        count = sum(map(len, entries.values()))
        before = {"version": version, "granted": role if is_granted else None, "imported": count - len(lines)}
        after = {"version": VERSION, "granted": role, "imported": count}
        return {"changed": before != after, "schema": after, "diff": {"before": before, "after": after}}

    def _grant(self, role: str) -> bool:
        """Gives the role exactly what jobs need. Returns True if it had that."""
        rows = self.session.execute(_FIND_ROLE, {"role": role})
        if not rows:
            raise RefusedError(f"There is no role {one_line(role)}: create it first. Nothing was changed.")
        if rows[0][0]:
            return True
        before = self.session.execute(_READ_GRANTS, {"role": role})
        name = '"' + role.replace('"', '""') + '"'
        self.session.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA clawhosters FROM {name}")
        self.session.execute(f"REVOKE ALL ON SCHEMA clawhosters FROM {name}")
        self.session.execute(f"GRANT USAGE ON SCHEMA clawhosters TO {name}")
        for table, rights in GRANTS.items():
            self.session.execute(f"GRANT {', '.join(rights)} ON clawhosters.{table} TO {name}")
        return set(before) == set(self.session.execute(_READ_GRANTS, {"role": role}))

    def _find_new_lines(self, entries: Entries) -> list[JournalLine]:
        """Returns the lines that the database lacks, at the positions after those that it has of their subject.

        Raises RefusedError if it has other lines of the same operation, and DamageError.
        """
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
