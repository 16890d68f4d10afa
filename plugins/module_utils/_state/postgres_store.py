# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of many machines: a PostgreSQL database. Its schema is made by ``claw_state_database``.

A unique key over subject and position decides which of several runs writes a line. Advisory locks only make the others
wait: they end with their session, even if a machine is gone.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import time
import typing as t
from dataclasses import asdict, dataclass

from .._errors import ClawHostersError
from .._times import format_iso
from .journal_store import ConflictError, Holder, JournalLine, SubjectLines, describe_process
from .postgres_schema import VERSION, find_tables
from .postgres_session import NO_SCHEMA, SCHEMA_ADVICE, Rows, Session, UnreachableError, load_psycopg
from .store import KnownOutageError, StoreError

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
READ_JOURNAL = "SELECT id, subject, step, name, line FROM clawhosters.journal ORDER BY id"
READ_SUBJECTS = """
SELECT id, subject, step, name, line FROM clawhosters.journal
WHERE subject = ANY(%(subjects)s::pg_catalog.text[]) ORDER BY id
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
_LOCKS = """
pg_catalog.pg_locks WHERE locktype = 'advisory' AND objsubid = 1::smallint AND granted
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""
HOLDERS = f"""
SELECT subject, username, host, process, since, name FROM clawhosters.holders
JOIN (SELECT pid, classid::bigint << 32 | objid::bigint AS lock FROM {_LOCKS}) AS locks ON pid = backend AND lock = key
"""
HOLDER = f"""
SELECT %(subject)s, coalesce(username, 'database role ' || usename::pg_catalog.text), host, coalesce(process, pid),
    since, name
FROM (SELECT pid FROM {_LOCKS} AND classid::bigint << 32 | objid::bigint = %(key)s::bigint) AS locks
LEFT JOIN pg_catalog.pg_stat_activity USING (pid)
LEFT JOIN clawhosters.holders ON subject = %(subject)s AND backend = pid
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


class Outage:
    """Remembers for a play, in a file of its forks, that the database can't be reached: each look costs seconds."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._is_known = False

    def is_known(self) -> bool:
        """Returns True if a look at the database failed."""
        return self._is_known or (self._path is not None and os.path.exists(self._path))

    def record(self) -> None:
        """Remembers that it failed."""
        self._is_known = True
        if self._path:
            with contextlib.suppress(OSError), open(self._path, "w", encoding="utf-8"):
                pass

    def clear(self) -> None:
        """Forgets it."""
        self._is_known = False
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)


class PostgresStore:
    """Keeps documents, snapshots and the journal in the database that ``connection`` names."""

    place = "state_database"
    repair_hint = "Restore the table from a backup, or delete all rows of that subject"
    min_delay = 0.1

    def __init__(self, connection: str, outage: Outage) -> None:
        self._session = Session(connection)
        self._outage = outage
        self._token = secrets.token_hex(4)
        self._holds: dict[str, int] = {}
        """The subjects that are held, and the server's process that holds each."""
        self._failure: tuple[float, StoreError] | None = None
        self.clock_offset = 0.0
        """Seconds by which the database's clock is ahead of this machine's, once it is connected."""

    @contextlib.contextmanager
    def locked_document(self, name: str, *, within: float) -> t.Iterator[RowDocument]:
        """Locks a row, after waiting for ``within`` seconds at most."""
        with self._outage_recorded(), self._session.lock:
            limit = f"{within * 1000:.0f}ms"
            ((content, now),) = self._execute(LOCK_DOCUMENT, {"name": name, "within": limit})
            document = RowDocument(content, now - time.time())
            try:
                yield document
            finally:
                if document.new_content is None:
                    self._session.execute("ROLLBACK")
                else:
                    self._session.execute(WRITE_DOCUMENT, {"name": name, "content": document.new_content})

    def read_subjects(self, subjects: t.Collection[str] | None = None) -> list[SubjectLines]:
        """Returns the rows of these subjects, or of all."""
        statement = READ_JOURNAL if subjects is None else READ_SUBJECTS
        return parse_rows(self._execute(statement, {"subjects": [*(subjects or ())]}))

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
    def hold(self, subject: str, name: str) -> t.Iterator[Holder | None]:
        """Takes an advisory lock, which ends with the session."""
        key = lock_key(subject)
        try:
            rows = self._execute(HOLD, {**asdict(describe_process(subject, name)), "key": key})
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
        if subject is None:
            rows = self._execute(HOLDERS)
        else:
            rows = self._execute(HOLDER, {"subject": subject, "key": lock_key(subject)})
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

    def process_id(self) -> str:
        """Returns a name that no process of another machine has, even if the hosts have one name."""
        return f"{platform.node()}:{os.getpid()}:{self._token}"

    def has_ended(self, process_id: str) -> bool:
        """Returns False: a process of another machine can't be seen."""
        return False

    def close(self) -> None:
        """Ends the session."""
        self._session.close()

    def _still_holds(self, subject: str) -> bool:
        """Returns False if the session that held the subject is lost."""
        backend = self._holds.get(subject)
        return backend is None or (self._session.is_open and self._session.backend == backend)

    @contextlib.contextmanager
    def _outage_recorded(self) -> t.Iterator[None]:
        """Raises KnownOutageError if the database could not be reached before, and remembers if it can't be now."""
        if not self._session.is_open and self._outage.is_known():
            raise KnownOutageError
        try:
            yield
        except UnreachableError:
            self._outage.record()
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
            ((version, now),) = self._session.execute(READ_VERSION)
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
        self._outage.clear()
        self._failure = None


def preload_library() -> None:
    """Imports psycopg, if it is installed: forks of this process then need not."""
    with contextlib.suppress(ClawHostersError):
        load_psycopg()


@dataclass
class RowDocument:
    """A locked row."""

    _content: str
    clock_offset: float
    new_content: str | None = None

    def read(self) -> str:
        """Returns the content, empty at first."""
        return self._content

    def write(self, text: str) -> None:
        """Replaces the content, when the block ends."""
        self.new_content = text


def parse_rows(rows: Rows) -> list[SubjectLines]:
    """Returns the lines in rows of READ_JOURNAL or READ_SUBJECTS, by subject."""
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
