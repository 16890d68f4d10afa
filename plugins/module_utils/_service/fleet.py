# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings many instances to their states at the price of a few lists (interface 3, ``claw_fleet``).

One listing answers for all entries, changes are asked for together, and one waiter reads the list for all of them.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from .._concurrency import map_ordered
from .._errors import (
    MESSAGE_LIMIT,
    ApiError,
    ClawHostersError,
    RefusedError,
    SettingsError,
    WaitTimeoutError,
    format_list,
    one_line,
)
from .._http.client import Client
from .._http.pagination import Resource
from .._waiter import Waiter
from .changes import LOST_BEFORE, Effect, request_change
from .instances import (
    Action,
    InstanceIndex,
    decide,
    fetch_or_none,
    is_busy,
    is_healthy,
    label,
    predicted,
    status_of,
)
from .power import PAUSED, StateReached, describe


class Phase(enum.Enum):
    """How far a job has come."""

    READY = "ready"  # its change can be asked for
    SETTLING = "settling"  # busy: what to do is decided when it no longer is
    ARRIVING = "arriving"  # asked for, or under way anyway
    ENDED = "ended"


@dataclass(frozen=True)
class Entry:
    """What the user declared of one instance."""

    instance_id: int | None
    name: str | None
    wanted: str


@dataclass
class Job:
    """One instance on its way to one state. ``error`` says why it failed; ``seen`` is None once it is gone."""

    wanted: str
    found: Resource | None = None
    seen: Resource | None = None
    phase: Phase = Phase.ENDED
    action: Action = Action.NONE
    error: str | None = None
    changed: bool = False
    is_lost: bool = False
    """Whether a request of its went out that may yet be carried out."""
    requests: int = 0
    refusal: ApiError | None = field(default=None, repr=False)
    cause: ApiError | None = field(default=None, repr=False)
    """The service's answer that made it fail, where it was one."""
    arrival: StateReached | None = field(default=None, repr=False)

    @property
    def instance(self) -> Resource:
        """The instance as it was seen last; only of jobs that have not ended."""
        return t.cast("Resource", self.seen)

    def fail(self, reason: object, cause: ClawHostersError | None = None) -> None:
        """Ends it as failed. Why a request was refused is told with what went wrong after it."""
        self.cause = cause if isinstance(cause, ApiError) else self.refusal
        before = f" It was asked for before, and refused: {self.refusal}" if self.refusal else ""
        lost = f" {LOST_BEFORE}" if self.is_lost else ""
        self.error, self.phase = one_line(f"{reason}{before}{lost}", MESSAGE_LIMIT), Phase.ENDED

    def end(self, seen: Resource | None) -> None:
        """Ends it as reached."""
        self.seen, self.phase = seen, Phase.ENDED

    def decide(self, instance: Resource) -> None:
        """What ``instance``, as it is now, takes to be as wanted."""
        self.seen = instance
        decision = decide(instance, self.wanted)
        self.action = decision.action
        if decision.action is Action.REJECT:
            self.fail(f"It has the status {instance.get('status')} and can't be {self.wanted}: {decision.reason}")
        elif decision.action is Action.NONE:
            self.end(instance)
        else:
            self.phase = Phase.SETTLING if decision.action is Action.WAIT else Phase.READY

    def would_change(self) -> bool:
        """Whether a change is to be expected; one that is busy counts as if it came to run."""
        if self.phase is Phase.SETTLING:
            return decide({**self.instance, "status": "running"}, self.wanted).action is not Action.NONE
        return self.phase is Phase.READY


def plan(entries: list[Entry], listing: list[Resource]) -> list[Job]:
    """The job of each entry, in order; entries that want the same of one instance share theirs. Pure."""
    there = InstanceIndex(listing)
    jobs: dict[str, Job] = {}
    planned = []
    for entry in entries:
        try:
            found = there.resolve(entry.instance_id, entry.name)
        except (RefusedError, SettingsError) as error:
            planned.append(Job(entry.wanted, error=str(error)))
            continue
        if found is None:
            missing = "There is no such instance: instances are created in the dashboard."
            planned.append(Job(entry.wanted, error=None if entry.wanted == "absent" else missing))
            continue
        job = jobs.get(str(found["id"]))
        if job is None:
            job = jobs[str(found["id"])] = Job(entry.wanted, found)
            job.decide(found)
        elif job.wanted != entry.wanted:
            contradiction = f"It is declared twice, to be {job.wanted} and {entry.wanted}."
            job.fail(contradiction)
            job.action = Action.NONE
            job = Job(entry.wanted, found, found, error=contradiction)
        planned.append(job)
    return planned


@dataclass
class Fleet:
    """Carries out a plan. Without a ``waiter`` nothing is waited for; in check mode nothing is sent but reads."""

    client: Client
    waiter: Waiter | None
    wait_healthy: bool
    warn: t.Callable[[str], None]

    def ensure(self, entries: list[Entry], max_changes: int | None) -> list[Job]:
        """Brings every entry to its end, and returns their jobs; one that fails stops no other.

        Raises RefusedError before the first change when there would be more than ``max_changes``, and what the client
        raises for the listing.
        """
        planned = plan(entries, self.client.fetch_all("/instances"))
        if self.waiter is not None:
            self.waiter.requests_per_poll = self.client.usage.requests
        jobs = list({id(job): job for job in planned}.values())
        for job in jobs:
            if job.wanted == "stopped" and job.action is Action.NONE and job.seen and status_of(job.seen) == "paused":
                self.warn(PAUSED.format(label(job.seen)))
            self._look_closer(job)
        expected = sum(job.would_change() for job in jobs)
        if max_changes is not None and expected > max_changes:
            raise RefusedError(
                f"{expected} of the instances would change, more than max_changes ({max_changes}): nothing was sent."
            )
        self._change(jobs)
        if self.waiter is None:
            self._leave(jobs)
        else:
            self._wait(self.waiter, jobs)
        return planned

    def _look_closer(self, job: Job) -> None:
        """Where the table says no, a flag may say yes, and only the detail shows flags (contract 0.2)."""
        if job.action is not Action.REJECT or job.found is None or status_of(job.found) == "deleting":
            return
        try:
            detail = fetch_or_none(self.client, job.found["id"])
        except ClawHostersError as error:
            job.fail(f"{job.error} Whether the service would allow it can't be read: {error}", error)
            return
        if detail is not None:
            job.error = None
            job.decide(detail)

    # Changing

    def _change(self, jobs: list[Job]) -> None:
        """Asks for the changes that are ready, several at a time."""
        ready = [job for job in jobs if job.phase is Phase.READY]
        for job in ready:
            if job.action is Action.DELETE and job.requests == 0:
                self.warn(f"Deleting {label(job.instance)} may delete its backups too.")
        if self.client.check_mode:
            for job in ready:
                job.changed = True
                job.end(_foreseen(job))
        elif ready:
            list(map_ordered(self._change_one, ready))

    def _change_one(self, job: Job) -> None:
        """Asks for one change, at most twice in all where contract 11 allows it."""
        before = job.instance
        try:
            while True:
                job.requests += 1
                change = request_change(self.client, job.instance, job.wanted, job.action, may_repeat=job.requests < 2)
                job.seen = change.instance
                if change.effect is not Effect.RESEND:
                    break
                job.is_lost = change.is_lost
        except ClawHostersError as error:
            job.fail(error, error)
            return
        job.refusal = change.refusal
        if change.effect is Effect.REDECIDE:
            job.phase = Phase.SETTLING
            return
        # The state is there: by this request, or by the one before it that was lost.
        job.changed = job.is_lost or change.effect is Effect.DONE
        job.is_lost = False
        if change.instance is None:
            job.end(None)
        else:
            self._arrive(job, before)

    def _arrive(self, job: Job, before: Resource) -> None:
        job.phase = Phase.ARRIVING
        job.arrival = StateReached(job.wanted, status_of(before), self.wait_healthy)

    # Waiting

    def _leave(self, jobs: list[Job]) -> None:
        """Ends what nobody waits for."""
        for job in jobs:
            if job.phase is Phase.SETTLING:
                job.fail(
                    f"It is {job.instance.get('status')}: what to do depends on what comes of that, so use wait: true."
                )
            elif job.phase is Phase.ARRIVING:
                job.end(_foreseen(job))

    def _wait(self, waiter: Waiter, jobs: list[Job]) -> None:
        for job in jobs:
            self._keep_waiting(job)
        watched = [job for job in jobs if job.phase is not Phase.ENDED]
        if not watched:
            return

        def is_done(listing: list[Resource]) -> bool:
            id_sort_key = InstanceIndex(listing).id_sort_key
            for job in watched:
                if job.phase is not Phase.ENDED:
                    self._observe(job, id_sort_key.get(str(job.instance["id"])))
            self._change(watched)
            return all(job.phase is Phase.ENDED for job in watched)

        try:
            waiter.until(
                lambda seconds: self.client.fetch_all("/instances", retry_timeout=seconds),
                is_done,
                lambda _listing: _describe(watched),
                "all as declared",
            )
        except ClawHostersError as error:
            for job in watched:
                if job.phase is not Phase.ENDED:
                    job.fail(_why_not(job, error, waiter.timeout), error)

    def _observe(self, job: Job, now: Resource | None) -> None:
        """Takes in what the list shows of a job's instance, which may be the end of it."""
        if now is None and job.wanted == "absent":
            job.end(None)
        elif now is None:
            job.fail("Somebody deleted it while this task waited for it.")
        elif job.phase is Phase.SETTLING:
            job.seen = now
            if not is_busy(now):
                job.decide(now)
                self._keep_waiting(job)
        else:
            job.seen = now
            try:
                if job.wanted != "absent" and t.cast("StateReached", job.arrival)(now):
                    job.end(now)
            except RefusedError as error:
                job.fail(error)

    def _keep_waiting(self, job: Job) -> None:
        """Goes on with a job that has nothing to change, where there is something to wait for all the same."""
        if self.client.check_mode or job.phase is not Phase.ENDED or job.error is not None or job.changed:
            return
        if job.seen is None:
            return
        unhealthy = self.wait_healthy and job.wanted == "started" and not is_healthy(job.seen)
        if job.wanted == "absent" or unhealthy:
            self._arrive(job, job.seen)


def report(entries: list[Entry], jobs: list[Job]) -> dict[str, t.Any]:
    """What the task returns of the jobs of these entries; a change counts for the first entry that wanted it."""
    counted: set[int] = set()
    results = []
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for entry, job in zip(entries, jobs, strict=True):
        known = job.found or {"id": entry.instance_id, "name": entry.name}
        result = {
            "id": known["id"],
            "name": known.get("name"),
            "state": entry.wanted,
            "before": known.get("status"),
            "after": None if job.seen is None else job.seen.get("status"),
            "changed": job.changed and id(job) not in counted,
            "failed": job.error is not None,
            "msg": job.error or "",
        }
        counted.add(id(job))
        results.append(result)
        if job.found is not None:
            before[label(job.found)] = result["before"]
            after[label(job.found)] = _status_after(job)
    failed = sum(result["failed"] for result in results)
    changed = sum(result["changed"] and not result["failed"] for result in results)
    return {
        "changed": any(job.changed for job in jobs),
        "instances": results,
        "summary": {"ok": len(results) - changed - failed, "changed": changed, "failed": failed},
        "diff": {"before": before, "after": {name: status for name, status in after.items() if status is not None}},
    }


def _status_after(job: Job) -> object:
    """The status that a diff shows after a job: what was reached, or what it was if that failed."""
    if job.error is not None or not job.changed:
        return t.cast("Resource", job.found).get("status")
    after = predicted(t.cast("Resource", job.found), job.wanted, job.action)
    return f"{after['status']} (restarted)" if "restarted" in after else after.get("status")


def _foreseen(job: Job) -> Resource | None:
    """The instance as it will be once what was asked for is done."""
    after = predicted(job.instance, job.wanted, job.action)
    return {**job.instance, "status": after["status"]} if after else None


def _describe(jobs: list[Job]) -> str:
    """What the person who waits is told: ``5 to go: web-bot: deploying, ... and 2 more``."""
    waiting = [job.instance for job in jobs if job.phase is not Phase.ENDED]
    return f"{len(waiting)} to go: {format_list(map(describe, waiting), 3)}"


def _why_not(job: Job, error: ClawHostersError, timeout: float) -> str:
    if isinstance(error, WaitTimeoutError):
        return f"It is {job.instance.get('status')}, and not {job.wanted} within {timeout:g} s (wait_timeout)."
    return f"It is not known whether it is {job.wanted}: {error}"
