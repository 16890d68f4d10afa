# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node is lost in the middle of a restore, and another one runs the same playbook (interface 1b).

Four restores run on the node at once, each stopped at another moment, so that one loss meets all of them. The node
does not end: what it and the others send to each other is lost, without a sign.
"""

from __future__ import annotations

import json
import random
import time
import typing as t
from dataclasses import dataclass, field

import psycopg

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.recorded_incident import read_incident
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import read_state
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import HOLDERS, PostgresStore
from support.postgres import ADMIN, JOB
from support.seeds import REPEAT

from .conftest import Site
from .node import Job, Node

FREED_WITHIN = 30
"""Seconds that docs/many-machines.md promises."""
TIMEOUT = 240
"""Seconds for a job to end, on a busy machine."""
FOREVER = 3600


def wait_for(condition: t.Callable[[], t.Any], what: str) -> t.Any:
    deadline = time.monotonic() + TIMEOUT
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {TIMEOUT} s"
        time.sleep(0.05)
    return value


@dataclass
class RestoreJob:
    """A restore for an incident of its own."""

    site: Site
    incident: str
    name: str
    number: int
    """The id of its instance, and of its backup."""
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/backups/{self.number}/restore"

    @property
    def key(self) -> OperationKey:
        return OperationKey("restore", self.site.service.url, self.incident, str(self.number))

    def start(self, node: Node) -> None:
        names = {"restore_instances": [self.name], "restore_confirm": self.name}
        self.jobs[node.name] = self.site.start(node, self.incident, **names)

    def has_posted(self) -> bool:
        return bool(self.site.service.calls(f"POST {self.path}"))

    def sent_by(self, node: Node) -> int:
        """Returns the number of its requests that the service has seen of a node."""
        log = self.site.service.log()
        return sum(one["path"] == self.path and one["client"].startswith(f"{node.address}:") for one in log)

    def count_done(self) -> int:
        """Returns the number of its requests that the service has carried out."""
        return sum(one["path"] == self.path and one["effect"] for one in self.site.service.log())


class UncommittedLine:
    """The first line of a restore in the journal, written by another session that has not committed it.

    So the line of the restore itself waits, until this one is rolled back.
    """

    def __init__(self, site: Site, restore: RestoreJob) -> None:
        self._database = site.database
        self._connection = psycopg.connect(site.database.url(ADMIN))
        statement = "INSERT INTO clawhosters.journal (subject, step, name, line) VALUES (%s, 1, '', '')"
        self._connection.execute(statement, [restore.key.subject])

    def find_waiting(self) -> list[tuple[int]]:
        """Returns the server's processes that wait for it."""
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s"
        return self._database.query(waiting, [JOB])

    def end(self, *, is_lost: bool) -> None:
        """Rolls it back. With ``is_lost`` the waiting line is not written, as if it had never arrived."""
        if is_lost:
            self._database.query("SELECT pg_terminate_backend(%s, 5000)", self.find_waiting()[0])
        self._connection.rollback()
        self._connection.close()


class Loss:
    """The loss of node-a, which ``returns`` if the seed is odd."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.returns = seed % 2 == 1
        # On a slow machine a restore that hangs would else have ended before the node is lost.
        site.timeout = 30 if self.returns else FOREVER
        self.a, self.b = site.a, site.b
        seconds = self.chance.choice([2, 20, 45])
        names = ("before-line", "before-post", "after-post", "waiting")
        self.restores = [RestoreJob(site, f"INC-{seed}-{name}", name, number) for number, name in enumerate(names, 1)]
        numbers = {one.name: one.number for one in self.restores}
        instances = [{"name": name, "id": number} for name, number in numbers.items()]
        backups = [{"id": number, "instance": name, "created_at": "3h ago"} for name, number in numbers.items()]
        state = {"instances": instances, "backups": backups}
        site.service.reset(state=state, switches={"transition_seconds": seconds})
        self.before_line, self.before_post, self.after_post, self.waiting = self.restores
        self.line_arrives = self.chance.random() < 0.5
        self.freed_after: float | None = None
        self.returned_after: float | None = None

    def lose(self) -> None:
        """Starts the restores on node-a, and loses it when each has come to its moment."""
        service = self.site.service
        # It arrives when the faults are cleared, or is lost on its way.
        kind = self.chance.choice(["slow", "hang"])
        service.fault(kind, method="POST", path=self.before_post.path, seconds=FOREVER)
        service.fault("slow", method="POST", path=self.after_post.path, seconds=FOREVER, after_effect=True)
        for restore in (self.before_post, self.after_post, self.waiting):
            restore.start(self.a)
        wait_for(self.waiting.has_posted, "the restore that waits")
        service.fault("slow", path=f"/instances/{self.waiting.number}", seconds=FOREVER)
        wait_for(lambda: not service.faults(), "restores that hang")
        line = UncommittedLine(self.site, self.before_line)
        self.before_line.start(self.a)
        wait_for(line.find_waiting, "the line that waits")
        self.a.cut()
        self.lost_at = time.monotonic()
        line.end(is_lost=not self.line_arrives)

    def run_on_b(self) -> None:
        """Runs the same on node-b, and returns when all has ended. Meanwhile node-a may return."""
        for restore in self.restores:
            restore.start(self.b)
        settle_at = time.monotonic() + self.chance.uniform(3, 40)
        is_settled = False
        deadline = time.monotonic() + TIMEOUT
        while not is_settled or not all(job.has_ended for job in self._jobs()):
            assert time.monotonic() < deadline, [restore.name for restore in self.restores]
            if self.freed_after is None and not self._find_holds():
                self.freed_after = time.monotonic() - self.lost_at
            if not is_settled and time.monotonic() > settle_at:
                is_settled = True
                if self.returns:
                    self.returned_after = time.monotonic() - self.lost_at
                    self.a.plug_in()
                self.site.service.clear_faults()
            time.sleep(0.1)

    def _jobs(self) -> list[Job]:
        nodes = [self.b, self.a] if self.returns else [self.b]
        return [restore.jobs[node.name] for restore in self.restores for node in nodes]

    def _find_holds(self) -> list[t.Any]:
        rows = self.site.database.query(HOLDERS, {"subject": None, "key": None})
        return [row for row in rows if row[2] == self.a.name]

    def clean_up(self) -> None:
        for node in (self.a, self.b):
            node.kill()
        self.a.plug_in()

    # Results

    def find_faults(self, restore: RestoreJob) -> list[str]:
        """Returns what is wrong with a restore after node-b has run it."""
        faults = []
        job = restore.jobs[self.b.name]
        (report,) = job.artifacts["clawhosters_restore"]["instances"]
        sent_by = {node.name: restore.sent_by(node) for node in (self.a, self.b)}
        done = restore.count_done()
        if done > 1 or sum(sent_by.values()) > 1:
            faults.append(f"sent twice: {sent_by}")
        if job.process.returncode == 0:
            if report["outcome"] != "completed" or done != 1:
                faults.append(f"successful, but {report}, sent by {sent_by}")
            now = self.site.service.instance(restore.number)
            if now["_restored_from"] != restore.number or now["status"] != "running":
                faults.append(f"successful, but {now}")
        elif report["outcome"] != "unknown" or sent_by[self.b.name] or "unknown" not in job.screen:
            faults.append(f"{report}, sent by {sent_by}")
        is_certain = restore is self.waiting or (restore is self.before_line and not self.line_arrives)
        if report["outcome"] not in (("completed",) if is_certain else ("completed", "unknown")):
            faults.append(str(report["outcome"]))
        return [*faults, *self._find_faults_of_evidence(restore, has_ended_well=job.process.returncode == 0)]

    def _find_faults_of_evidence(self, restore: RestoreJob, *, has_ended_well: bool) -> list[str]:
        faults = []
        store = PostgresStore(self.site.database.url())
        journal = Journal(store)
        runs = read_incident(journal, self.site.service.url, restore.incident).runs
        state = read_state(journal, restore.key)
        store.close()
        found = {run.by["host"]: run.state for run in runs}
        if self.a.name not in found or (not self.returns and found[self.a.name] != "interrupted"):
            faults.append(f"the runs in the journal: {found}")
        # One that can send nothing asks for no confirmation, and leaves no note.
        if has_ended_well and found.get(self.b.name) != "ended":
            faults.append(f"the runs in the journal: {found}")
        if has_ended_well and (not state or state.event is not OperationEvent.COMPLETED):
            faults.append(f"the journal: {state}")
        page = self.b.folder / "home/reports" / f"{restore.incident}.html"
        report = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        if [run["id"] for run in report["runs"]] != [run.id for run in runs]:
            faults.append(f"the report of node-b: {report['runs']}")
        if self.a.name not in page.read_text(encoding="utf-8"):
            faults.append("the page of node-b")
        return faults


def test_the_same_job_on_another_node(site: Site, seed: int, record_property: t.Callable[[str, object], None]) -> None:
    record_property(REPEAT, f"make mesh ARGS='--seed={seed}'")
    loss = Loss(site, seed)
    try:
        loss.lose()
        loss.run_on_b()
        faults = {restore.name: found for restore in loss.restores if (found := loss.find_faults(restore))}
        screens = "\n".join(restore.jobs[loss.b.name].screen for restore in loss.restores if restore.name in faults)
        assert not faults, f"--seed={seed}: {faults}\n{screens}"
        if loss.returned_after is None or loss.returned_after > FREED_WITHIN:
            assert loss.freed_after
            assert loss.freed_after <= FREED_WITHIN
    finally:
        loss.clean_up()
