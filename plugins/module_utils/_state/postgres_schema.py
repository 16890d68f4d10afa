# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema of the database: the statements that make it, which jobs never run, and whom it must belong to."""

from __future__ import annotations

from .._text import one_line
from .postgres_session import Session
from .store import StoreError

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
