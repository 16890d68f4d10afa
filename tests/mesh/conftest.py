# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the mesh, the number of its seeds, and the figures at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest

from project.archive import build
from simulator.handle import Simulator
from support import KEY
from support.certificates import make_certificates
from support.postgres import NOBODY, Postgres
from support.seeds import choose_seed

from .__main__ import postgres_programs
from .gateway import Gateway
from .jobs import Job
from .network import ADDRESS, make_bridge
from .nodes import Mesh

FAILED_ONCE = [("cut", 680403)]
"""Cases of a node that is lost that once failed. They are run each time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often each test is repeated, or the seed of an earlier run."""
    group = parser.getgroup("clawhosters.cloud")
    group.addoption("--seeds", type=int, default=2, metavar="N", help="how many random cases are run of each kind")
    group.addoption("--seed", type=int, metavar="SEED", help="only the case of this seed, which an earlier run printed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives a test with the arguments ``how`` and ``seed`` the cases of a lost node."""
    if "seed" in metafunc.fixturenames:
        given, number = (metafunc.config.getoption(name) for name in ("seed", "seeds"))
        # One is even, the next one odd: half of the nodes that were cut off return.
        seeds = [2 * choose_seed() + index % 2 for index in range(number)] if given is None else [given]
        cases = [(how, seed) for how in ("cut", "kill") for seed in seeds]
        metafunc.parametrize(("how", "seed"), cases if given is not None else [*FAILED_ONCE, *cases])


def pytest_terminal_summary(terminalreporter: t.Any) -> None:
    """Prints what was measured."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "figures":
                terminalreporter.write_line(value)


@pytest.fixture(scope="session")
def folder() -> t.Iterator[Path]:
    """A folder that the database's user can enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="mesh-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Returns the files of the CA, the servers' certificate and its key."""
    paths = make_certificates(folder, ADDRESS)
    paths[1].chmod(0o644)
    os.chown(paths[2], NOBODY, NOBODY)
    return paths


@pytest.fixture(scope="session")
def mesh(folder: Path, certificates: tuple[Path, Path, Path]) -> t.Iterator[Mesh]:
    """Three nodes that run."""
    make_bridge()
    mesh = Mesh(folder)
    archive = build(folder)
    for node in (mesh.a, mesh.b):
        shutil.copy(certificates[0], node.home / "ca.pem")
        node.environment["PGSSLROOTCERT"] = node.environment["CLAWHOSTERS_CA_PATH"] = str(node.home / "ca.pem")
        node.install(archive)
    with mesh:
        yield mesh


@pytest.fixture(scope="session")
def database(mesh: Mesh, certificates: tuple[Path, Path, Path]) -> t.Iterator[Postgres]:
    """A PostgreSQL that the nodes reach over the network, by TLS only."""
    _ca, certificate, key = certificates
    with Postgres(
        postgres_programs(),
        listen_addresses=f"127.0.0.1,{ADDRESS}",
        max_connections="150",
        ssl="on",
        ssl_cert_file=str(certificate),
        ssl_key_file=str(key),
    ) as server:
        ((hba,),) = server.query("SHOW hba_file")
        with Path(hba).open("a", encoding="utf-8") as file:
            file.write("hostssl all all 198.18.0.0/24 scram-sha-256\n")
        server.query("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def service() -> t.Iterator[Simulator]:
    """The service, without a gateway."""
    with Simulator(instances=1, rate_limit=1_000_000) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def gateway_process(mesh: Mesh, service: Simulator, certificates: tuple[Path, Path, Path]) -> t.Iterator[Gateway]:
    """The gateway to the service."""
    with Gateway(ADDRESS, certificates[1], certificates[2], service.url) as gateway:
        yield gateway


class Site:
    """All of it: the mesh, the database with an empty schema, the service with an empty log."""

    def __init__(self, mesh: Mesh, database: Postgres, service: Simulator, gateway: Gateway) -> None:
        self.mesh, self.database, self.service, self.gateway = mesh, database, service, gateway

    def job(self, node: t.Any, **options: t.Any) -> Job:
        """Returns a job with the credential of a controller, see :class:`Job`."""
        credential = {
            "CLAWHOSTERS_API_KEY": KEY,
            "CLAWHOSTERS_API_URL": self.gateway.url,
            "CLAWHOSTERS_STATE_DATABASE": self.database.url().replace("127.0.0.1", ADDRESS),
            **options.pop("environment", {}),
        }
        return Job(self.mesh, node, credential=credential, **options)


@pytest.fixture
def site(mesh: Mesh, database: Postgres, service: Simulator, gateway_process: Gateway) -> Site:
    """A site as it was at its start."""
    # The collection can't be imported before pytest-ansible has set up its path.
    from support.stores import prepare

    prepare(database)
    service.reset()
    gateway_process.clear()
    return Site(mesh, database, service, gateway_process)
