# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of many machines: a PostgreSQL database. Its schema is made by ``claw_state_database``, never by a job.

A unique key over subject and position decides which of several runs writes a line. Advisory locks only make the others
wait: they end with their session, even if a machine is gone.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from dataclasses import asdict

from .._text import one_line
from .._times import format_iso
from .journal_store import ConflictError, Holder, JournalLine, SubjectLines
from .postgres_session import NO_SCHEMA, SCHEMA_ADVICE, UNREACHABLE_ADVICE, Rows, Session, UnreachableError
from .store import Document, StoreError

VERSION = 1

CREATE_TABLES = f"""
CREATE TABLE clawhosters.version (version integer NOT NULL);
INSERT INTO clawhosters.version VALUES ({VERSION});

CREATE TABLE clawhosters.journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject pg_catalog.text NOT NULL,
    step integer NOT NULL CHECK (step > 0),
    name pg_catalog.text NOT NULL,
    line pg_catalog.text NOT NULL,
    written_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    UNIQUE (subject, step)
);
CREATE INDEX ON clawhosters.journal (name);

-- A crash of the server empties these two: a rate limit is measured anew, and a hold ends with its session.
CREATE UNLOGGED TABLE clawhosters.budgets (
    name pg_catalog.text PRIMARY KEY,
    content pg_catalog.text NOT NULL
);
CREATE UNLOGGED TABLE clawhosters.holders (
    subject pg_catalog.text PRIMARY KEY,
    key bigint NOT NULL,
    backend integer NOT NULL,
    name pg_catalog.text NOT NULL,
    username pg_catalog.text NOT NULL,
    host pg_catalog.text NOT NULL,
    process integer NOT NULL,
    since timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

CREATE TABLE clawhosters.snapshots (
    name pg_catalog.text PRIMARY KEY,
    content pg_catalog.text NOT NULL
)
"""

GRANTS = {
    "version": ("SELECT",),
    "journal": ("INSERT", "SELECT"),
    "budgets": ("DELETE", "INSERT", "SELECT", "UPDATE"),
    "holders": ("DELETE", "INSERT", "SELECT", "UPDATE"),
    "snapshots": ("DELETE", "INSERT", "SELECT", "UPDATE"),
}
"""The tables, and what a job needs of each."""

_TRUST_AS_JOB = "An administrator must make that role the owner of the database if it can be trusted"
_TRUST_AS_ADMINISTRATOR = "Connect as that role if it can be trusted"
_OBJECTS = f"""
WITH trusted AS (
    SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname = session_user
    OR %(is_job)s AND oid = (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
), own AS (
    SELECT oid, nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'clawhosters'
), objects AS (
    SELECT '' AS name, nspowner AS owner, true AS is_ordinary FROM own
    UNION ALL
    SELECT relname, relowner, relkind = 'r' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = pg_class.oid AND (tgqual IS NOT NULL OR proowner NOT IN (SELECT oid FROM trusted))
    ) FROM pg_catalog.pg_class WHERE relnamespace = (SELECT oid FROM own)
        AND relname IN ({", ".join(f"'{table}'" for table in GRANTS)})
)
SELECT name, rolname, owner IN (SELECT oid FROM trusted), is_ordinary
FROM objects JOIN pg_catalog.pg_roles ON pg_roles.oid = owner ORDER BY name
"""
"""The schema, whose name is empty here, and its tables. To read a view, or to write to a table with a trigger, runs
code of whoever made that, with the rights of the session."""

LOCK_DOCUMENT = """
BEGIN; SET LOCAL lock_timeout = %(within)s;
INSERT INTO clawhosters.budgets AS own (name, content) VALUES (%(name)s, '')
ON CONFLICT (name) DO UPDATE SET content = own.content
RETURNING content, extract(epoch FROM pg_catalog.clock_timestamp())::double precision
"""
WRITE_DOCUMENT = "UPDATE clawhosters.budgets SET content = %(content)s WHERE name = %(name)s; COMMIT"
READ_VERSION = """
SELECT version, extract(epoch FROM pg_catalog.clock_timestamp())::double precision FROM clawhosters.version
"""
READ_SUBJECTS = """
SELECT id, subject, step, name, line FROM clawhosters.journal
WHERE %(subjects)s::pg_catalog.text[] IS NULL OR subject = ANY(%(subjects)s::pg_catalog.text[]) ORDER BY id
"""
READ_POSITIONS = "SELECT subject, pg_catalog.max(step) FROM clawhosters.journal GROUP BY subject"
FIND_SUBJECTS = """
SELECT DISTINCT subject FROM clawhosters.journal
WHERE name = %(name)s OR name < '0' OR name > '9g' AND name < 'a' OR name >= 'g'
"""
"""Also those of a row with a name that can't begin a digest, as the index tells: to read such a row is an error."""
APPEND = """
INSERT INTO clawhosters.journal (subject, step, name, line) SELECT %(subject)s, %(position)s, %(name)s, %(text)s
WHERE %(position)s = 1
OR EXISTS (SELECT FROM clawhosters.journal WHERE subject = %(subject)s AND step = %(position)s - 1)
ON CONFLICT (subject, step) DO NOTHING RETURNING id
"""
HOLD = """
INSERT INTO clawhosters.holders AS own (subject, key, backend, name, username, host, process)
SELECT %(subject)s, %(key)s, pg_catalog.pg_backend_pid(), %(name)s, %(user)s, %(host)s, %(process)s
WHERE pg_catalog.pg_try_advisory_lock(%(key)s::bigint)
ON CONFLICT (subject) DO UPDATE SET key = excluded.key, backend = excluded.backend, name = excluded.name,
    username = excluded.username, host = excluded.host, process = excluded.process,
    since = pg_catalog.clock_timestamp()
RETURNING subject
"""
RELEASE = """
DELETE FROM clawhosters.holders WHERE subject = %(subject)s AND backend = pg_catalog.pg_backend_pid();
SELECT pg_catalog.pg_advisory_unlock(%(key)s::bigint)
"""
HOLDERS = """
SELECT coalesce(subject, %(subject)s), coalesce(username, 'database role ' || usename::pg_catalog.text), host,
    coalesce(process, pid), since, name
FROM (
    SELECT pid, classid::bigint << 32 | objid::bigint AS lock
    FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objsubid = 1::smallint AND granted
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
) AS locks
LEFT JOIN pg_catalog.pg_stat_activity USING (pid)
LEFT JOIN clawhosters.holders ON key = lock AND backend = pid
WHERE lock = %(key)s::bigint OR %(key)s::bigint IS NULL AND subject IS NOT NULL
"""
"""A lock can be taken by anyone who may connect. Without a row of ours it is described by its role and its process on
the server, so that an administrator can end it."""
READ_SNAPSHOT = "SELECT content FROM clawhosters.snapshots WHERE name = %(name)s"
WRITE_SNAPSHOT = """
INSERT INTO clawhosters.snapshots (name, content) VALUES (%(name)s, %(content)s)
ON CONFLICT (name) DO UPDATE SET content = excluded.content
"""

FAILURE_TTL = 10.0
"""Seconds for which a failed connection counts as the answer to the next attempts of this task."""


class PostgresStore:
    """Keeps documents, snapshots and the journal in the database that ``connection`` names.

    ``outage_path`` is where the processes of a play remember that it can't be reached: each look costs seconds.
    """

    place = "state_database"
    repair_hint = "Restore the table from a backup, or delete all rows of that subject"

    def __init__(self, connection: str, outage_path: str | None = None) -> None:
        self._session = Session(connection)
        self._outage_path = outage_path
        self._is_out = False
        self._holds: dict[str, int] = {}
        """The subjects that are held, and the server's process that holds each."""
        self._failure: tuple[float, StoreError] | None = None
        self.clock_offset = 0.0
        """Seconds by which the database's clock is ahead of this machine's, once it is connected."""

    @contextlib.contextmanager
    def locked_document(self, name: str, *, within: float) -> t.Iterator[Document]:
        """Locks a row, after waiting for ``within`` seconds at most."""
        with self._outage_recorded(), self._session.lock:
            ((content, now),) = self._execute(LOCK_DOCUMENT, {"name": name, "within": f"{within * 1000:.0f}ms"})
            document = Document(content, now - time.monotonic())
            try:
                yield document
            finally:
                if document.new_content is None:
                    self._session.execute("ROLLBACK")
                else:
                    self._session.execute(WRITE_DOCUMENT, {"name": name, "content": document.new_content})

    def read_subjects(self, subjects: t.Collection[str] | None = None) -> list[SubjectLines]:
        """Returns the rows of these subjects, or of all."""
        return parse_rows(self._execute(READ_SUBJECTS, {"subjects": None if subjects is None else [*subjects]}))

    def find_subjects(self, name: str) -> set[str]:
        """Returns the subjects that have a row with this ``name``, and those with a damaged one."""
        return {subject for (subject,) in self._execute(FIND_SUBJECTS, {"name": name})}

    def read_positions(self) -> dict[str, int]:
        """Returns the last position that each subject has now."""
        return dict(self._execute(READ_POSITIONS))

    def append(self, lines: t.Sequence[JournalLine], *, again: bool = False) -> None:
        """Adds a row, and returns when the server has committed it."""
        subject, present = lines[-1].subject, len(lines) - 1
        if again:
            # Some rows may exist, even the last one: if it was committed, and the response was lost.
            rows = [row.text for found in self.read_subjects([subject]) for row in found.lines]
            present = len(rows)
            if rows != [one.text for one in lines[:present]]:
                raise ConflictError
        elif not self._still_holds(subject):
            raise UnreachableError("the connection was lost")
        for one in lines[present:]:
            # There is none if the line exists already, or if the one before it is missing.
            if not self._execute(APPEND, vars(one)):
                raise ConflictError

    @contextlib.contextmanager
    def hold(self, own: Holder) -> t.Iterator[Holder | None]:
        """Takes an advisory lock for this process, ``own``, which ends with the session."""
        subject, key = own.subject, lock_key(own.subject)
        try:
            rows = self._execute(HOLD, {**asdict(own), "key": key})
        except StoreError:
            self._session.close()  # and with it a lock that may have been taken
            raise
        if not rows:
            yield self.holders(subject).get(subject, Holder(subject))
            return
        self._holds[subject] = self._session.backend
        try:
            yield None
        finally:
            if self._still_holds(subject):
                # A lock that can't be released ends with the session.
                with contextlib.suppress(StoreError):
                    self._session.execute(RELEASE, {"subject": subject, "key": key})
            del self._holds[subject]

    def holders(self, subject: str | None = None) -> dict[str, Holder]:
        """Returns who holds which subject now, or this one."""
        rows = self._execute(HOLDERS, {"subject": subject, "key": None if subject is None else lock_key(subject)})
        return {
            found: Holder(found, user, host, process, since and format_iso(since), name)
            for found, user, host, process, since, name in rows
        }

    def read_snapshot(self, name: str) -> str:
        """Returns what was written last under this name; empty if nothing was."""
        rows = self._execute(READ_SNAPSHOT, {"name": name})
        return rows[0][0] if rows else ""

    def write_snapshot(self, name: str, text: str) -> None:
        """Replaces it."""
        self._execute(WRITE_SNAPSHOT, {"name": name, "content": text})

    def now(self) -> float:
        """Returns Unix time by the database's clock, as of the last connection; by this machine's if there is none."""
        with contextlib.suppress(StoreError), self._session.lock:
            if not self._session.is_open:
                self._connect()
        return time.time() + self.clock_offset

    def close(self) -> None:
        """Ends the session."""
        self._session.close()

    def _still_holds(self, subject: str) -> bool:
        """Returns False if the session that held the subject is lost."""
        backend = self._holds.get(subject)
        return backend is None or (self._session.is_open and self._session.backend == backend)

    @contextlib.contextmanager
    def _outage_recorded(self) -> t.Iterator[None]:
        """Raises StoreError if the database could not be reached before, and remembers if it can't be now."""
        if not self._session.is_open and (self._is_out or os.path.exists(self._outage_path or "")):
            raise StoreError("state_database could not be reached", UNREACHABLE_ADVICE, is_known=True)
        try:
            yield
        except UnreachableError:
            self._is_out = True
            if self._outage_path:
                with contextlib.suppress(OSError), open(self._outage_path, "w", encoding="utf-8"):
                    pass
            raise

    def _execute(self, statements: str, params: t.Mapping[str, object] | None = None) -> Rows:
        with self._session.lock:
            if not self._session.is_open:
                self._connect()
            return self._session.execute(statements, params)

    def _connect(self) -> None:
        """Opens the session, and checks the schema. For some seconds after a failure, raises that again."""
        if self._failure and time.monotonic() - self._failure[0] < FAILURE_TTL:
            raise self._failure[1]
        try:
            if "version" not in find_tables(self._session, is_job=True):
                raise StoreError(NO_SCHEMA, SCHEMA_ADVICE)
            version, now = read_version(self._session)
            self.clock_offset = now - time.time()
            if version > VERSION:
                raise StoreError(
                    "the schema in state_database is newer than this collection",
                    "Use a newer version of the collection",
                )
        except StoreError as error:
            self._session.close()
            self._failure = time.monotonic(), error
            raise
        self._is_out = False
        if self._outage_path:
            with contextlib.suppress(OSError):
                os.unlink(self._outage_path)
        self._failure = None


def parse_rows(rows: Rows) -> list[SubjectLines]:
    """Returns the lines in rows of READ_SUBJECTS, by subject."""
    found: dict[str, SubjectLines] = {}
    for number, subject, position, name, text in rows:
        place = f"Row {number} of the journal in state_database"
        found.setdefault(subject, SubjectLines(subject, [])).lines.append(
            JournalLine(subject, position, text, name, place)
        )
    return [*found.values()]


def lock_key(subject: str) -> int:
    """Returns the number of the advisory lock: 63 bits of the digest. All machines must agree on it."""
    return int(subject[:16], 16) >> 1


def read_version(session: Session) -> tuple[int, float]:
    """Returns the version of the schema, and Unix time. Raises StoreError if there is not one version."""
    rows = session.execute(READ_VERSION)
    if len(rows) != 1:
        raise StoreError(
            f"the table clawhosters.version in state_database is damaged (it has {len(rows)} rows instead of one)",
            "Restore the schema clawhosters from one complete backup, which forgets what was sent since",
        )
    return rows[0][0], rows[0][1]


def find_tables(session: Session, *, is_job: bool) -> set[str]:
    """Returns the names of the tables that are there, and an empty one for the schema itself.

    The schema and its tables must belong to the user of the connection or a superuser, for a job also to the owner of
    the database. Raises StoreError for one that doesn't, before any of them is read. Nobody else can replace them
    afterwards, except one that is missing.
    """
    names = set()
    for name, owner, is_trusted, is_ordinary in session.execute(_OBJECTS, {"is_job": is_job}):
        label = f"the table clawhosters.{name}" if name else "the schema clawhosters"
        if not is_trusted:
            others = "this connection's user" + (" nor the database's owner" if is_job else "")
            advice = _TRUST_AS_JOB if is_job else _TRUST_AS_ADMINISTRATOR
            raise StoreError(
                f"{label} in state_database belongs to {one_line(owner)}, who is neither {others} nor a superuser",
                f"{advice}, or else drop {label}, which forgets what was sent",
            )
        if not is_ordinary:
            raise StoreError(
                f"{label} in state_database is no ordinary table, or has a trigger of another role",
                "An administrator must drop the view or the trigger",
            )
        names.add(name)
    return names
