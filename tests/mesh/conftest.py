# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the mesh, and the number of its seeds."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import KEY
from support.certificates import make_certificates
from support.near_simulator import NearSimulator
from support.postgres import NOBODY, Postgres
from support.seeds import choose_seed

from .__main__ import postgres_programs
from .node import ADDRESS, Job, Node, make_bridge


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often each test is repeated, or the seed of an earlier run."""
    group = parser.getgroup("clawhosters.cloud")
    group.addoption("--seeds", type=int, default=2, metavar="N", help="how many random cases are run")
    group.addoption("--seed", type=int, metavar="SEED", help="only the case of this seed, which an earlier run printed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives a test with the argument ``seed`` its cases."""
    if "seed" in metafunc.fixturenames:
        given, number = (metafunc.config.getoption(name) for name in ("seed", "seeds"))
        # One is even, the next one odd: half of the nodes that were cut off return.
        seeds = [2 * choose_seed() + index for index in range(number)] if given is None else [given]
        metafunc.parametrize("seed", seeds)


@dataclass
class Site:
    """Two nodes, and what they reach over the network by TLS only: a database, and the service."""

    a: Node
    b: Node
    database: Postgres
    service: NearSimulator
    ca: Path
    timeout: int = 30
    """Seconds for one HTTP request."""

    @property
    def environment(self) -> dict[str, str]:
        """The credential of all jobs."""
        return {
            "CLAWHOSTERS_API_KEY": KEY,
            "CLAWHOSTERS_API_URL": self.service.url,
            "CLAWHOSTERS_CA_PATH": str(self.ca),
            "CLAWHOSTERS_TIMEOUT": str(self.timeout),
            "CLAWHOSTERS_STATE_DATABASE": self.database.url().replace("127.0.0.1", ADDRESS),
            "PGSSLROOTCERT": str(self.ca),
        }

    def start(self, node: Node, incident: str, **variables: t.Any) -> Job:
        return node.start(incident, self.environment, restore_report_dir="~/reports", **variables)


@pytest.fixture(scope="session")
def whole_site(tmp_path_factory: pytest.TempPathFactory, collections: Path) -> t.Iterator[Site]:
    make_bridge()
    tls = {"ssl": "on", "ssl_cert_file": "server.pem", "ssl_key_file": "server.key"}
    server = Postgres(postgres_programs(), listen_addresses=f"127.0.0.1,{ADDRESS}", **tls)
    ca, certificate, key = make_certificates(server.folder, ADDRESS)
    os.chown(key, NOBODY, NOBODY)
    with (server.folder / "pg_hba.conf").open("a", encoding="utf-8") as file:
        file.write("hostssl all all 198.18.0.0/24 scram-sha-256\n")
    folder = tmp_path_factory.mktemp("nodes")
    with server:
        a, b = (Node(f"node-{one}", f"198.18.0.1{number}", folder, collections) for number, one in enumerate("ab"))
        yield Site(a, b, server, NearSimulator(ADDRESS, (certificate, key)), ca)
        for node in (a, b):
            node.kill()


@pytest.fixture
def site(whole_site: Site) -> Site:
    """A site with an empty schema and an empty log."""
    # The collection can't be imported before pytest-ansible has set up its path.
    from support.stores import prepare

    prepare(whole_site.database)
    whole_site.service.reset()
    return whole_site
