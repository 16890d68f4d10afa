# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node is lost in the middle of a restore, and another one runs the same job (interface 1b).

Four restores run on the node at once, each stopped at another moment, so that one loss meets all of them.
"""

from __future__ import annotations

import json
import random
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.incident_state import read_incident
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import (
    HOLDERS,
    Outage,
    PostgresStore,
)
from support.postgres import ADMIN, JOB
from support.seeds import REPEAT

from .conftest import Site
from .gateway import Hold
from .jobs import Job, JobResult, wait_for
from .nodes import Node

FREED_WITHIN = 30
"""Seconds that docs/many-machines.md promises."""
TIMEOUT = 240
"""Seconds for a job to end, on a busy machine."""
INVENTORY = {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}}


@dataclass
class Restore:
    """A restore for an incident of its own."""

    incident: str
    name: str
    instance_id: int
    backup_id: int
    jobs: dict[str, Job] = field(default_factory=dict)
    hold: Hold | None = None

    @property
    def post(self) -> str:
        return f"POST */backups/{self.backup_id}/restore"

    @property
    def read(self) -> str:
        return f"GET */instances/{self.instance_id}"

    def start(self, site: Site, node: Node) -> None:
        """Starts it on a node."""
        variables = {
            "restore_incident": self.incident,
            "restore_instances": [self.name],
            "restore_confirm": self.name,
            "restore_report_dir": "~/reports",
        }
        self.jobs[node.name] = site.job(
            node,
            playbook="restore.yml",
            variables=variables,
            inventory=INVENTORY,
            environment={"CLAWHOSTERS_TIMEOUT": "60"},
        )
        self.jobs[node.name].start()


class UncommittedLine:
    """The first line of a restore in the journal, written by another session that has not committed it.

    So the line of the restore itself waits, until this one is rolled back.
    """

    def __init__(self, site: Site, restore: Restore) -> None:
        self._database = site.database
        self._connection = psycopg.connect(site.database.url(ADMIN))
        key = OperationKey("restore", site.gateway.url, restore.incident, str(restore.instance_id))
        statement = "INSERT INTO clawhosters.journal (subject, step, name, line) VALUES (%s, 1, '', '')"
        self._connection.execute(statement, [key.subject])

    def find_waiting(self) -> list[tuple[int]]:
        """Returns the server's processes that wait for it."""
        return self._database.query(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s", [JOB]
        )

    def end(self, *, is_lost: bool) -> None:
        """Rolls it back. With ``is_lost`` the waiting line is not written, as if it had never arrived."""
        if is_lost:
            self._database.query("SELECT pg_terminate_backend(%s, 5000)", self.find_waiting()[0])
        self._connection.rollback()
        self._connection.close()


class Loss:
    """The loss of node-a: ``cut`` or ``kill``. A node that was cut off ``returns`` if the seed is odd."""

    def __init__(self, site: Site, how: str, seed: int) -> None:
        self.site, self.how = site, how
        self.chance = random.Random(f"{how} {seed}")
        self.returns = how == "cut" and seed % 2 == 1
        self.a, self.b = site.mesh.a, site.mesh.b
        self.seconds = self.chance.choice([2, 20, 45])
        names = ("before-line", "before-post", "after-post", "waiting")
        site.service.reset(
            state={
                "instances": [{"name": name, "id": number} for number, name in enumerate(names, start=1)],
                "backups": [{"instance": name, "created_at": "3h ago"} for name in names],
            },
            switches={"transition_seconds": self.seconds},
        )
        backups = {one["instance_id"]: one["id"] for one in site.service.state()["backups"]}
        self.restores = [
            Restore(f"INC-{how}-{seed}-{name}", name, number, backups[number])
            for number, name in enumerate(names, start=1)
        ]
        self.before_line, self.before_post, self.after_post, self.waiting = self.restores
        self.line_arrives = False
        self.is_post_lost = self.chance.random() < 0.5
        self.freed_after: float | None = None
        self.returned_after: float | None = None

    def start(self) -> None:
        """Starts the restores on node-a, and returns when each has come to its moment."""
        gateway, address = self.site.gateway, self.a.address
        self.before_line.hold = gateway.hold(address, self.before_line.read)
        self.before_post.hold = gateway.hold(address, self.before_post.post)
        self.after_post.hold = gateway.hold(address, self.after_post.post, is_response=True)
        is_response = self.chance.random() < 0.5
        self.waiting.hold = gateway.hold(address, self.waiting.read, after=self.waiting.post, is_response=is_response)
        for restore in self.restores:
            restore.start(self.site, self.a)
        for restore in self.restores:
            assert restore.hold
            wait_for(restore.hold.reached.is_set, f"{restore.name} on node-a", TIMEOUT)

    def lose(self) -> None:
        """Loses the node: half of the time just before a line of the journal, else while it is being written."""
        line = UncommittedLine(self.site, self.before_line) if self.chance.random() < 0.5 else None
        if line:
            assert self.before_line.hold
            self.before_line.hold.release()
            wait_for(line.find_waiting, "the line that waits", 30)
        if self.how == "cut":
            self.a.link.cut()
        else:
            self.a.kill()
        self.lost_at = time.monotonic()
        if line:
            self.line_arrives = self.chance.random() < 0.5
            line.end(is_lost=not self.line_arrives)

    def run_on_b(self) -> None:
        """Starts the same jobs on node-b, and returns when they have ended. Meanwhile node-a may return."""
        for restore in self.restores:
            restore.start(self.site, self.b)
        delay = self.chance.uniform(0, 35)
        begun_at: float | None = None
        is_over = False
        deadline = time.monotonic() + TIMEOUT
        while not is_over or not all(job.has_ended for job in self._jobs()):
            assert time.monotonic() < deadline, [restore.name for restore in self.restores]
            if self.freed_after is None and not self._find_holds():
                self.freed_after = time.monotonic() - self.lost_at
            if begun_at is None and self.site.gateway.calls(self.b.address):
                begun_at = time.monotonic()
            has_ended = all(restore.jobs[self.b.name].has_ended for restore in self.restores)
            if not is_over and begun_at and (has_ended or time.monotonic() - begun_at > delay):
                is_over = True
                self._settle()
            time.sleep(0.1)

    def _jobs(self) -> list[Job]:
        nodes = [self.b, self.a] if self.returns else [self.b]
        return [restore.jobs[node.name] for restore in self.restores for node in nodes]

    def _find_holds(self) -> list[t.Any]:
        return [row for row in self.site.database.query(HOLDERS) if row[2] == self.a.name]

    def _settle(self) -> None:
        """Lets the node return, if it does, and delivers or loses what was under way."""
        if self.returns:
            self.returned_after = time.monotonic() - self.lost_at
            self.a.link.restore()
        for restore in self.restores:
            assert restore.hold
            is_post = restore is self.before_post
            if (is_post and self.is_post_lost) or (not is_post and not self.returns):
                restore.hold.drop()
            else:
                restore.hold.release()

    def clean_up(self) -> None:
        """Puts node-a back as it was."""
        self.site.gateway.clear()
        if not self.returns:
            if self.how == "cut":
                self.a.kill()
                self.a.link.restore()
            self.a.start()
        self.site.mesh.wait_for(self.a)

    # Results

    def find_faults(self, restore: Restore, result: JobResult) -> list[str]:
        """Returns what is wrong with a restore after node-b has run it."""
        faults = []
        (report,) = result.artifacts["clawhosters_restore"]["instances"]
        sent_by = {node.name: len(self.site.gateway.calls(node.address, restore.post)) for node in (self.a, self.b)}
        done = self.site.service.calls(restore.post)
        if len(done) > 1:
            faults.append(f"sent twice: {sent_by}")
        if result.status == "successful":
            if report["outcome"] != "completed" or len(done) != 1:
                faults.append(f"successful, but {report}, sent by {sent_by}")
            now = self.site.service.instance(restore.instance_id)
            if now["_restored_from"] != restore.backup_id or now["status"] != "running":
                faults.append(f"successful, but {now}")
        elif report["outcome"] != "unknown" or sent_by[self.b.name] or "unknown" not in result.screen:
            faults.append(f"{result.status}, {report}, sent by {sent_by}")
        wanted = self._expect(restore)
        if report["outcome"] not in wanted:
            faults.append(f"{report['outcome']} instead of {' or '.join(wanted)}")
        return [*faults, *self._find_faults_of_evidence(restore, result)]

    def _expect(self, restore: Restore) -> tuple[str, ...]:
        """Returns the outcomes that node-b may find."""
        if restore is self.waiting or (restore is self.before_line and not self.line_arrives):
            return ("completed",)
        return ("completed", "unknown")

    def _find_faults_of_evidence(self, restore: Restore, result: JobResult) -> list[str]:
        faults = []
        store = PostgresStore(self.site.database.url(), Outage())
        journal = Journal(store)
        runs = read_incident(journal, self.site.gateway.url, restore.incident).runs
        found = {run.by["host"]: run.state for run in runs}
        if self.a.name not in found or (not self.returns and found[self.a.name] != "interrupted"):
            faults.append(f"the runs in the journal: {found}")
        # One that can send nothing asks for no confirmation, and leaves no note.
        if result.status == "successful" and found.get(self.b.name) != "ended":
            faults.append(f"the runs in the journal: {found}")
        page = Path(self.b.home, "reports", f"{restore.incident}.html")
        report = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        if [run["id"] for run in report["runs"]] != [run.id for run in runs]:
            faults.append(f"the report of node-b: {report['runs']}")
        if self.a.name not in page.read_text(encoding="utf-8"):
            faults.append("the page of node-b")
        key = OperationKey("restore", self.site.gateway.url, restore.incident, str(restore.instance_id))
        state = journal.read_state(key)
        store.close()
        if result.status == "successful" and (not state or state.event is not OperationEvent.COMPLETED):
            faults.append(f"the journal: {state}")
        return faults

    def figures(self, outcomes: dict[str, str]) -> str:
        """Returns the line for the summary, with the number of requests that the service got."""
        returned = f", back after {self.returned_after:.0f} s" if self.returned_after else ""
        freed = f"{self.freed_after:.1f} s" if self.freed_after is not None else "not"
        found = ", ".join(
            f"{one.name} {outcomes[one.name]} ({len(self.site.service.calls(one.post))} POST)" for one in self.restores
        )
        return f"{self.how}{returned}, restores take {self.seconds} s: holder freed after {freed}; {found}"


def test_the_same_job_on_another_node(
    site: Site, how: str, seed: int, record_property: t.Callable[[str, object], None]
) -> None:
    record_property(REPEAT, f"make mesh ARGS='--seed={seed} -k {how}'")
    loss = Loss(site, how, seed)
    try:
        loss.start()
        loss.lose()
        loss.run_on_b()
        results = {restore.name: restore.jobs[loss.b.name].finish() for restore in loss.restores}
        outcomes = {
            name: result.artifacts["clawhosters_restore"]["instances"][0]["outcome"] for name, result in results.items()
        }
        record_property("figures", f"--seed={seed}, {loss.figures(outcomes)}")
        faults = {
            restore.name: found
            for restore in loss.restores
            if (found := loss.find_faults(restore, results[restore.name]))
        }
        screens = "\n".join(results[name].screen for name in faults)
        assert not faults, f"--seed={seed}: {faults}\n{screens}"
        if loss.returned_after is None or loss.returned_after > FREED_WITHIN:
            assert loss.freed_after
            assert loss.freed_after <= FREED_WITHIN
    finally:
        loss.clean_up()
