# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cause that a message names if the database can't be reached."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_session import Session, UnreachableError


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        ("host=db.invalid dbname=clawhosters", "the host is unknown"),
        ("host=127.0.0.1 port=1", "no server listens at this address"),
        ("service=nowhere", "its service is not defined"),
    ],
)
def test_a_connection_that_fails_is_explained(connection, reason, monkeypatch, tmp_path):
    (tmp_path / "services").touch()
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with pytest.raises(UnreachableError, match=rf"can't be reached \({reason}\)"):
        Session(connection).execute("SELECT 1")
