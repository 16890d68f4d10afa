# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cost of state in a database, compared with a folder, and of the folder, compared with an earlier commit."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contestants import OURS, PEERS, Contestant, hosts, play
from benchmarks.measure import BenchError, Workplace, log_progress, median_by, rotate
from benchmarks.rows_journal import measure_journal
from benchmarks.rows_record import measure_record
from benchmarks.services import Services, services
from benchmarks.table import Row, Section
from support.postgres import ADMIN, JOB, Postgres

ACCOUNT = 100
TASKS, ITEMS = 20, 50
ONE, MANY, LOOP = "one task", f"{TASKS} tasks", f"a loop of {ITEMS}"
RESTARTS, FLEET = f"a loop of {ITEMS} restarts", f"{ITEMS} restarts in one claw_fleet"
FOLDER, DATABASE, BEFORE = "folder", "database", "before"
GOAL_ITEM, GOAL_TASK = 5.0, 25.0
"""Milliseconds that a database may add."""
GOAL_LOOP = 10.0
GOAL_BEFORE = 1.05


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


def measure(workplace: Workplace, runs: int, before: str = "") -> Section:
    """Measures and returns the section. ``before``: a commit to compare with; none without it."""
    workplace.write("host.yml", hosts(1, 1))
    task = OURS.task("1")
    playbooks = {
        ONE: workplace.write("one.yml", play([task])),
        MANY: workplace.write("many.yml", play([task] * TASKS)),
        LOOP: workplace.write("loop.yml", play([_looped(OURS)])),
    }
    if before:
        # Each is a change, which the change log keeps.
        restart = {"clawhosters.cloud.claw_instance": {"id": "{{ item }}", "state": "restarted", "wait": False}}
        fleet = {"state": "restarted", "wait": False, "instances": [{"id": 1 + number} for number in range(ITEMS)]}
        looped: dict[str, object] = {**restart, "loop": list(range(1, ITEMS + 1))}
        playbooks[RESTARTS] = workplace.write("restarts.yml", play([looped]))
        playbooks[FLEET] = workplace.write("fleet.yml", play([{"clawhosters.cloud.claw_fleet": fleet}]))
    times, peers = Times(), {}
    with services(running=ACCOUNT) as account, Postgres() as server:
        account.simulated.configure()  # without a limit, which the playbooks would share and wait for
        stores: dict[str, Mapping[str, str]] = {FOLDER: {}, DATABASE: {"CLAWHOSTERS_STATE_DATABASE": server.url()}}
        if before:
            stores[BEFORE] = {"ANSIBLE_COLLECTIONS_PATH": str(_extract(before, workplace.folder / BEFORE))}
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
            peers[peer.name] = _seconds(workplace, workplace.write("peer.yml", play([_looped(peer)])), account, peer)
        journal_rows, journal_note = measure_journal(workplace, runs)
    section = _section(times, peers, runs, before)
    record_rows, record_note = measure_record(workplace, runs)
    section.rows += [*journal_rows, *record_rows]
    section.notes += [journal_note, record_note]
    return section


def _looped(contestant: Contestant) -> dict[str, object]:
    return {**contestant.task("item"), "loop": list(range(1, ITEMS + 1))}


def _make_schema(workplace: Workplace, server: Postgres) -> None:
    options = {"state_database": server.url(ADMIN), "role": JOB}
    schema = workplace.write("schema.yml", play([{"clawhosters.cloud.claw_state_database": options}], "localhost"))
    workplace.run(["ansible-playbook", schema], {})


def _extract(commit: str, folder: Path) -> Path:
    """Extracts the collection as of a commit, and returns the collections path."""
    collection = folder / "ansible_collections" / "clawhosters" / "cloud"
    collection.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "-C", str(Path(__file__).parents[2]), "archive", commit], capture_output=True, check=False
    )
    if archive.returncode:
        raise BenchError(f"There is no commit {commit}.")
    subprocess.run(["tar", "-x", "-C", str(collection)], input=archive.stdout, check=True)
    return folder


def _seconds(
    workplace: Workplace,
    playbook: str,
    account: Services,
    contestant: Contestant,
    environment: Mapping[str, str] | None = None,
) -> float:
    command = ["ansible-playbook", "-i", "host.yml", playbook]
    return workplace.run(command, {**contestant.environment(account), **(environment or {})}).wall


def _section(times: Times, peers: Mapping[str, float], runs: int, before: str) -> Section:
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
    if before:
        for name in (LOOP, MANY, RESTARTS, FLEET):
            paired = zip(times.seconds[name, FOLDER], times.seconds[name, BEFORE], strict=True)
            ratio = median_by([now / then for now, then in paired], float)
            section.rows.append(
                Row(
                    f"{name} with a folder, to {before}",
                    [f"{times.median(name, FOLDER):.2f} s", "-", "-"],
                    ratio=f"{ratio:.2f}x",
                    target=f"<= {GOAL_BEFORE:.2f}x",
                    met=ratio <= GOAL_BEFORE,
                )
            )
    section.notes = [
        (
            "Whole playbooks, start included. An item and a task: what each costs after the first, with the database "
            "less what it costs with a folder; the first includes the import of psycopg. PostgreSQL on loopback, "
            "without TLS and without fsync. The peers run once."
        ),
        (
            "Compare with an earlier commit: make bench ARGS='state before=COMMIT'. The stores, and both commits, take "
            "turns in each run."
        ),
    ]
    return section
