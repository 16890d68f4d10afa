# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from support.postgres import Postgres


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    count: int = request.config.getoption("kills")
    return count


@pytest.fixture(params=["folder", "database"])
def server(request: pytest.FixtureRequest) -> Postgres | None:
    """The server of a store in a database; None for one in a folder."""
    return request.getfixturevalue("postgres") if request.param == "database" else None
