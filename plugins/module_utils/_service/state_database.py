# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes and upgrades the schema of ``state_database``, grants what jobs need, and imports the journal of a folder."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._errors import RefusedError, SettingsError
from .._model.results import Result
from .._state.folder_store import FolderStore
from .._state.journal import parse_lines, stored_digest
from .._state.postgres_schema import GRANTS, UPGRADES, VERSION, find_tables
from .._state.postgres_session import Session, StatementError
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

Row: t.TypeAlias = "tuple[str, int, str]"
"""Operation, step and line of the journal."""


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
        lines = _read_folder(import_dir) if import_dir else []
        self.session.execute("BEGIN")
        try:
            self.session.execute("SELECT pg_catalog.pg_advisory_xact_lock(%(key)s::bigint)", {"key": SCHEMA_LOCK})
            result = self._ensure(role, lines)
            self.session.execute("ROLLBACK" if self.check_mode else "COMMIT")
        except BaseException:
            self.session.close()
            raise
        return result

    def _ensure(self, role: str | None, lines: list[Row]) -> Result:
        tables = find_tables(self.session, is_job=False)
        version = self._read_version() if "version" in tables else 0
        if version > VERSION:
            raise RefusedError(
                f"The schema in state_database has version {version}, but this collection knows only {VERSION}. "
                "Use a newer version of the collection. Nothing was changed."
            )
        grants = self._find_grants(role) if role else []
        rows = self._find_new_rows(lines, version)
        if not self.check_mode:
            if not tables:
                # Fails if another user has made it since: then it isn't ours.
                self.session.execute("CREATE SCHEMA clawhosters AUTHORIZATION SESSION_USER")
            for number in range(version + 1, VERSION + 1):
                self.session.execute(f"{UPGRADES[number]}; UPDATE clawhosters.version SET version = {number}")
            for statement in grants:
                self.session.execute(statement)
            self._insert(rows)
        before = {"version": version, "granted": None if grants else role, "imported": len(lines) - len(rows)}
        after = {"version": VERSION, "granted": role, "imported": len(lines)}
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

    def _find_new_rows(self, lines: list[Row], version: int) -> list[Row]:
        """Returns the lines that the database does not have. Raises RefusedError if it has others in their place."""
        if not lines or not version:
            return lines
        rows = self.session.execute("SELECT operation, step, line FROM clawhosters.journal")
        present = {(operation, step): line for operation, step, line in rows}
        new = [row for row in lines if row[:2] not in present]
        known = {operation for operation, _step in present}
        differs = any(present.get(row[:2], row[2]) != row[2] for row in lines) or any(row[0] in known for row in new)
        if differs:
            raise RefusedError(
                "The folder of import_dir and state_database both hold steps of one restore or purchase, and they "
                "differ. Nothing was changed."
            )
        return new

    def _insert(self, rows: list[Row]) -> None:
        for start in range(0, len(rows), ROWS_PER_INSERT):
            end = start + ROWS_PER_INSERT
            part = rows[start:end]
            values = ", ".join(f"(%(o{number})s, %(s{number})s, %(l{number})s)" for number in range(len(part)))
            params: dict[str, object] = {}
            for number, (operation, step, line) in enumerate(part):
                params |= {f"o{number}": operation, f"s{number}": step, f"l{number}": line}
            self.session.execute(f"INSERT INTO clawhosters.journal (operation, step, line) VALUES {values}", params)


def _read_folder(path: str) -> list[Row]:
    """Returns the journal of a folder. Raises RefusedError if there is none, DamageError if it is damaged."""
    store = FolderStore(path)
    try:
        lines = store.lines()
    except StoreError as error:
        raise RefusedError(f"import_dir: {error}. Nothing was changed.") from None
    if not lines:
        raise RefusedError(f"There is no journal in import_dir {one_line(path)}. Nothing was changed.")
    entries, _tails = parse_lines(lines, store.repair_hint)
    return [(stored_digest(entry), entry["step"], line.text) for entry, line in zip(entries, lines, strict=True)]
