# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema of the database, and the changes that make or upgrade it. Jobs never run these (interface 1b)."""

from __future__ import annotations

VERSION = 1

UPGRADES = {
    1: """
CREATE TABLE clawhosters.version (version integer NOT NULL);
INSERT INTO clawhosters.version VALUES (0);

CREATE TABLE clawhosters.journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation text NOT NULL,
    step integer NOT NULL CHECK (step > 0),
    line text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (operation, step)
);

-- A crash of the server empties these two: a rate limit is measured anew, and a hold ends with its session.
CREATE UNLOGGED TABLE clawhosters.budgets (
    name text PRIMARY KEY,
    content text NOT NULL
);
CREATE UNLOGGED TABLE clawhosters.holders (
    operation text PRIMARY KEY,
    key bigint NOT NULL,
    backend integer NOT NULL,
    username text NOT NULL,
    host text NOT NULL,
    process integer NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE clawhosters.cursors (
    name text PRIMARY KEY,
    revision bigint NOT NULL,
    content text NOT NULL
);

-- The runs of the restore runbook, for its reports.
CREATE TABLE clawhosters.runs (
    incident text NOT NULL,
    run text NOT NULL,
    content text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (incident, run)
);
""",
}
"""The statements that lead to each version from the one before."""

GRANTS = {
    "version": ("SELECT",),
    "journal": ("INSERT", "SELECT"),
    "budgets": ("DELETE", "INSERT", "SELECT", "UPDATE"),
    "holders": ("DELETE", "INSERT", "SELECT", "UPDATE"),
    "cursors": ("DELETE", "INSERT", "SELECT", "UPDATE"),
    "runs": ("INSERT", "SELECT", "UPDATE"),
}
"""What a job needs."""
