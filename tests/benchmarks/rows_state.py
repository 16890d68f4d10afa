# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cost of state in a database, compared with a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.contestants import OURS, PEERS, Contestant, hosts, play
from benchmarks.measure import Workplace, log_progress, median_by, rotate
from benchmarks.rows_tasks import looped
from benchmarks.services import Services, services
from benchmarks.table import Row, Section
from support.postgres import ADMIN, JOB, Postgres

ACCOUNT = 100
TASKS, ITEMS = 20, 50
ONE, MANY, LOOP = "one task", f"{TASKS} tasks", f"a loop of {ITEMS}"
FOLDER, DATABASE = "folder", "database"
GOAL_ITEM, GOAL_TASK = 5.0, 25.0
"""Milliseconds that a database may add."""
GOAL_LOOP = 10.0


@dataclass
class Times:
    """Seconds of playbooks, by playbook and store, one of each run."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, playbook: str, store: str, seconds: float) -> None:
        self.seconds.setdefault((playbook, store), []).append(seconds)

    def median(self, playbook: str, store: str) -> float:
        return median_by(self.seconds[playbook, store], float)

    def added(self, playbook: str, count: int) -> float:
        """Returns the milliseconds that the database adds to each task or item after the first."""
        rounds = zip(
            *(self.seconds[name, store] for store in (DATABASE, FOLDER) for name in (playbook, ONE)), strict=True
        )
        extra = [(many - one) - (many_in_folder - one_in_folder) for many, one, many_in_folder, one_in_folder in rounds]
        return 1000 * median_by(extra, float) / (count - 1)


def measure(workplace: Workplace, runs: int) -> Section:
    """Measures and returns the section."""
    workplace.write("host.yml", hosts(1, 1))
    task = OURS.task("1")
    playbooks = {
        ONE: workplace.write("one.yml", play([task])),
        MANY: workplace.write("many.yml", play([task] * TASKS)),
        LOOP: workplace.write("loop.yml", play([looped(OURS)])),
    }
    times, peers = Times(), {}
    with services(running=ACCOUNT) as account, Postgres() as server:
        account.simulated.configure()  # without a limit, which the playbooks would share and wait for
        stores: dict[str, Mapping[str, str]] = {FOLDER: {}, DATABASE: {"CLAWHOSTERS_STATE_DATABASE": server.url()}}
        _make_schema(workplace, server)
        for store in stores:
            _seconds(workplace, playbooks[ONE], account, OURS, stores[store])  # warms up the bytecode caches
        for run in range(runs):
            for name, playbook in playbooks.items():
                for store in rotate([*stores], run):
                    seconds = _seconds(workplace, playbook, account, OURS, stores[store])
                    times.add(name, store, seconds)
                    log_progress(f"state, run {run + 1} of {runs}: {name}, {store}: {seconds:.2f} s")
        for peer in PEERS:
            peers[peer.name] = _seconds(workplace, workplace.write("peer.yml", play([looped(peer)])), account, peer)
    return _section(times, peers, runs)


def _make_schema(workplace: Workplace, server: Postgres) -> None:
    options = {"state_database": server.url(ADMIN), "role": JOB}
    schema = workplace.write("schema.yml", play([{"clawhosters.cloud.claw_state_database": options}], "localhost"))
    workplace.run(["ansible-playbook", schema], {})


def _seconds(
    workplace: Workplace,
    playbook: str,
    account: Services,
    contestant: Contestant,
    environment: Mapping[str, str] | None = None,
) -> float:
    command = ["ansible-playbook", "-i", "host.yml", playbook]
    return workplace.run(command, {**contestant.environment(account), **(environment or {})}).wall


def _section(times: Times, peers: Mapping[str, float], runs: int) -> Section:
    section = Section(f"State: one unchanged instance, in a folder and in a database, medians of {runs}")

    def added(title: str, playbook: str, count: int, goal: float) -> Row:
        milliseconds = times.added(playbook, count)
        target = f"<= {goal:g} ms"
        return Row(title, [f"{milliseconds:+.1f} ms", "-", "-"], target=target, met=milliseconds <= goal)

    first = 1000 * (times.median(ONE, DATABASE) - times.median(ONE, FOLDER))
    loop = times.median(LOOP, DATABASE)
    factor = min(peers.values()) / loop
    section.rows = [
        added("the database adds to an item of a loop", LOOP, ITEMS, GOAL_ITEM),
        added("the database adds to a task", MANY, TASKS, GOAL_TASK),
        Row("the database adds to a play, first task", [f"{first:+.0f} ms", "-", "-"]),
        Row(
            f"{LOOP} with the database",
            [f"{loop:.2f} s", *(f"{seconds:.2f} s" for seconds in peers.values())],
            ratio=f"{factor:.1f}x",
            target=f">= {GOAL_LOOP:g}x",
            met=factor >= GOAL_LOOP,
        ),
    ]
    section.notes = [
        (
            "Whole playbooks, start included. An item and a task: what each costs after the first, with the database "
            "less what it costs with a folder; the first includes the import of psycopg. PostgreSQL on loopback, "
            "without TLS and without fsync. The peers run once."
        ),
    ]
    return section
