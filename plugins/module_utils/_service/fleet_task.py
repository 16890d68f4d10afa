# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of ``claw_fleet``: brings many instances to their states at the cost of a few lists.

One list serves all entries, changes are requested concurrently, and one waiter polls the list for all of them.
"""

from __future__ import annotations

import functools
import itertools
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .._concurrency import map_ordered
from .._errors import ClawHostersError, PartialError, SettingsError
from .._http.client import Client
from .._model.batches import BatchSize, begin_batches, parse_serial, require_max_failures, split_batches
from .._model.fleet_entries import (
    BEYOND_LIMITS,
    FAULTY,
    OUTDATED,
    ChangeLimits,
    FaultyListError,
    FleetEntry,
    build_result,
    format_failures,
    raise_failures,
)
from .._model.fleet_plan import (
    ACCEPTED,
    PLANNED,
    SEEN,
    build_diff,
    build_outcomes,
    explain_excess,
    find_excess,
    format_report,
    hold_back_excess,
    note_reached,
    plan,
)
from .._model.instance import Action, get_status, is_healthy, label
from .._model.instance_fields import FLAGS, NOT_KNOWN, lacks
from .._model.instance_index import InstanceIndex
from .._model.instance_job import UNPROTECTED, InstanceJob, Phase, Protection, warn_of_ends
from .._model.resource import Resource, Result
from .find_instance import find_instance
from .instance_changes import InstanceChanges, PollReader, explain_lapse, find_open, format_accepted, keeps_state
from .instance_list import list_instances

if t.TYPE_CHECKING:
    from .._progress import Progress
    from .._waiter import Waiter
    from .plan_approval import PlanApproval


class Batches(t.NamedTuple):
    """The options ``serial`` and ``max_failures``. Without sizes, all entries are one batch."""

    sizes: t.Sequence[BatchSize] = ()
    max_failures: int = 0

    def split(self, jobs: t.Sequence[InstanceJob]) -> list[list[InstanceJob]]:
        """Returns the jobs in batches, and sets the numbers of these."""
        if not self.sizes:
            return [list(jobs)]
        batches = split_batches(jobs, self.sizes)
        for number, batch in enumerate(batches, 1):
            for job in batch:
                job.batch = number
        return batches

    def begin(self, batches: t.Sequence[list[InstanceJob]], progress: Progress | None) -> t.Iterator[list[InstanceJob]]:
        """Yields and announces each batch that begins."""
        for job in itertools.chain.from_iterable(batches):
            job.is_begun = False
        begun = begin_batches(batches, self.max_failures, progress, _has_failed, lambda job: job.name)
        for _number, batch in begun:
            for job in batch:
                job.is_begun = True
            yield batch


def _has_failed(job: InstanceJob) -> bool:
    """Returns True if the job has failed in this run."""
    return job.error is not None and not job.is_of_earlier_run


AT_ONCE = Batches()


def parse_batches(options: t.Mapping[str, t.Any], prefix: str) -> Batches:
    """Returns the batches of a task that has them only if ``serial`` is set. Raises SettingsError."""
    serial = f"{prefix}serial"
    if options["serial"] is None:
        if options["max_failures"] is not None:
            raise SettingsError(f"{prefix}max_failures needs {serial}: without it, all entries begin.", is_unsent=True)
        return AT_ONCE
    if not options["wait"]:
        raise SettingsError("serial needs wait: a batch begins when the one before has ended.", is_unsent=True)
    max_failures = require_max_failures(options["max_failures"] or 0, prefix)
    return Batches(parse_serial(serial, options["serial"]), max_failures)


@dataclass(eq=False, repr=False)
class FleetChanges(InstanceChanges):
    """Changes the instances of a fleet. The limits are for all its ``jobs``."""

    jobs: list[InstanceJob] = field(default_factory=list)
    limits: ChangeLimits = field(default_factory=ChangeLimits)

    def check_flags(self, jobs: t.Iterable[InstanceJob], time_left: float | None = None) -> None:
        """Decides rejected jobs again with the detail, which alone shows the flags. Where no status is, it was read."""
        final = ("deleting", NOT_KNOWN)
        rejected = [job for job in jobs if job.action is Action.REJECT and get_status(job.instance) not in final]
        list(map_ordered(lambda job: self._check_flags(job, time_left), rejected))
        for job in rejected:
            self.await_unchanged(job)

    def _check_flags(self, job: InstanceJob, time_left: float | None) -> None:
        try:
            detail = find_instance(self.client, job.instance["id"], time_left=time_left)
        except ClawHostersError as error:
            job.error = f"{job.error} Its flags, which may allow it, can't be read: {error}"
            job.cause = error.response or job.cause
            return
        if detail is not None:
            job.error = job.cause = None
            job.decide(detail)

    def request_changes(self, jobs: list[InstanceJob]) -> None:
        """Reads each instance that was given by its name first: a list may be older than a new name."""
        list(map_ordered(self._read_named, [job for job in jobs if job.phase is Phase.READY and job.consent.name]))
        super().request_changes(jobs)

    def _read_named(self, job: InstanceJob) -> None:
        try:
            detail = find_instance(self.client, job.instance["id"])
        except ClawHostersError as error:
            error.add(f"Nothing {'more ' if job.requests else ''}was sent for it.")
            job.fail(error, error)
            return
        _decide_again(job, detail)
        self.await_unchanged(job)

    def review(self, decided: list[InstanceJob], seconds: float) -> None:
        """Decides with the flags, and within the limits."""
        self.check_flags(decided, seconds)
        hold_back_excess(self.jobs, self.limits)

    def look_back(self, listed: dict[str, Resource], at: datetime) -> None:
        """Fails jobs that are done if their instances, as they were ``listed``, are not in their states any more."""
        for job in self.jobs:
            if not job.is_begun or job.error is not None or job.found is None:
                continue
            now = listed.get(str(job.found["id"]))
            if keeps_state(now, job.wanted, wait_healthy=self.wait_healthy):
                job.healthy_at = at if self.waits_for_health(job) and now and is_healthy(now) else None
            else:
                job.fail(f"{format_accepted(job)}{explain_lapse(job.current, job.healthy_at, now, at)}")
                job.current = now


def _decide_again(job: InstanceJob, now: Resource | None) -> None:
    """Decides a job from the instance as it was just read, before its request; None if it does not exist any more."""
    if now is not None:
        job.decide(now)
    elif job.wanted == "absent":
        job.finish(None)
    else:
        job.fail("It was deleted during this task and does not exist any more.")


@dataclass(eq=False, repr=False)
class Fleet:
    """Carries out a plan, in check mode only by reading.

    ``wait_timeout``: seconds in which each batch is waited for; None if nothing is.
    """

    client: Client
    wait_timeout: float | None
    wait_healthy: bool
    warn: t.Callable[[str], None]
    protection: Protection = UNPROTECTED
    batches: Batches = AT_ONCE
    plan_approval: PlanApproval | None = None

    def ensure(self, entries: list[FleetEntry], limits: ChangeLimits) -> Result:
        """Brings every entry to its state, and returns the result of the task.

        Raises PartialError with the result if an entry failed, which does not stop the others. Before the first change,
        raises FaultyListError, PartialError if the plan exceeds the limits, and what the client raises for the list.
        """
        check_mode, changes = self.client.check_mode, FleetChanges(self.client, self.wait_healthy, self.warn)
        waiter = changes.begin_wait(self.wait_timeout)
        reader = _FleetReader(self.client, ("status", FLAGS, *["health_status"] * self.wait_healthy))
        approve = self.plan_approval.begin() if self.plan_approval else None
        try:
            given = {str(one) for entry in entries for one in (entry.instance_id, entry.name)}
            listing = reader.fetch(lambda one: not given.isdisjoint((str(one["id"]), str(one.get("name")))), None)
            jobs = plan(entries, listing, self.protection, approve)
        except FaultyListError as error:
            self.batches.split(error.jobs)
            error.result = self._build_result(entries, error.jobs, PLANNED, refused=FAULTY) | error.result
            raise
        changes.jobs, changes.limits, changes.timeout_option = jobs, limits, f"{limits.prefix}wait_timeout"
        batches = self.batches.split(jobs)
        for entry, job in zip(entries, jobs, strict=True):
            if job.warning:
                self.warn(f"{entry.label}: {job.warning} Nothing is deleted for this entry.")
        changes.check_flags(jobs)
        if self.plan_approval and (outdated := self.plan_approval.find_outdated(jobs, reader.listed)):
            result = self._build_result(entries, jobs, PLANNED, refused=OUTDATED)
            raise PartialError(str(outdated), {**result, **outdated.result})
        excess = find_excess(jobs, limits)
        if check_mode or not excess:
            self._warn_of_deletions(jobs)
        if excess:
            if check_mode:  # the plan is shown all the same
                changes.request_changes(jobs)
            warn_of_ends(jobs, self.warn, waits_healthy=False)
            result = self._build_result(entries, jobs, PLANNED, refused="" if check_mode else BEYOND_LIMITS)
            explained = " ".join(explain_excess(**one, prefix=limits.prefix) for one in excess)
            raise PartialError(f"{explained} Nothing was sent.", {**result, "exceeded": excess})
        with self.client.progress.if_interrupted(lambda: changes.explain_interruption(jobs)):
            self._carry_out(changes, batches, reader, waiter)
        known = PLANNED if check_mode else ACCEPTED if self.wait_timeout is None else SEEN
        result = self._build_result(entries, jobs, known)
        outcomes = build_outcomes(entries, jobs, done=not check_mode)
        if failures := format_failures(outcomes, self.batches.max_failures, prefix=limits.prefix):
            raise_failures(failures, result, (job.cause for job in jobs if job.error))
        return {**result, "plan": self.plan_approval.make(jobs)} if self.plan_approval and check_mode else result

    def _carry_out(
        self, changes: FleetChanges, batches: list[list[InstanceJob]], reader: _FleetReader, waiter: Waiter | None
    ) -> None:
        """Changes one batch after the other. ``waiter`` is that of the first."""
        for batch in self.batches.begin(batches, None if self.client.check_mode else self.client.progress):
            if batch is not batches[0]:
                waiter = changes.begin_wait(self.wait_timeout)
                self._look_again(batch, reader)
                changes.review(batch, waiter.timeout if waiter else 0.0)
            if waiter is not None:
                waiter.requests_per_poll = reader.pages
            changes.carry_out(batch, PollReader(functools.partial(reader.read, batch)), waiter)
            waits = waiter is not None and not self.client.check_mode
            # Without batches, only if the last poll shows all instances.
            if waits and (self.batches.sizes or reader.is_newest) and reader.renew(changes.jobs):
                changes.look_back(reader.listed, reader.read_at)

    def _look_again(self, jobs: list[InstanceJob], reader: _FleetReader) -> None:
        """Decides the changes of a batch anew, by the list that was read after the batch before."""
        if error := reader.error:
            error.add("This task sent nothing for it.")
        for job in jobs:
            if job.error is not None or job.found is None:
                continue
            if error:
                job.fail(error, error)
                continue
            now = reader.listed.get(str(job.instance["id"]))
            if now is not None:
                job.found, job.phase = now, Phase.DONE
            _decide_again(job, now)

    def _build_result(
        self, entries: list[FleetEntry], jobs: list[InstanceJob], known: int, *, refused: str = ""
    ) -> Result:
        saved = self.plan_approval.saved if self.plan_approval else None
        if saved:
            note_reached(saved, entries, jobs)
        outcomes = build_outcomes(entries, jobs, refused=refused)
        result = build_result(outcomes, build_diff(jobs), has_batches=bool(self.batches.sizes))
        return {**result, "report": [*([saved.label()] if saved else []), *format_report(entries, jobs, known)]}

    def _warn_of_deletions(self, jobs: list[InstanceJob]) -> None:
        """Warns before the first request: the warnings of a task are shown when it ends."""
        warn = self.warn if self.client.check_mode else self.client.progress.report
        for job in jobs:
            if job.phase is Phase.READY and job.action is Action.DELETE:
                warn(f"Deleting {label(job.instance)} may delete its backups too.")


@dataclass(eq=False, repr=False)
class _FleetReader:
    """Reads the list of instances, and keeps it by id in ``listed``. ``read_at``: when it was read.

    ``needs``: the fields that it takes to decide, see :func:`list_instances`.
    """

    client: Client
    needs: t.Collection[str]
    pages: int = 1
    """The requests that it took."""
    listed: dict[str, Resource] = field(default_factory=dict)
    read_at: datetime = field(init=False)
    error: ClawHostersError | None = None
    """Why it can't be read now."""
    _requests: int = -1
    """How many requests were sent until it was read; -1 if that failed."""

    def fetch(self, is_needed: t.Callable[[Resource], bool], seconds: float | None) -> list[Resource]:
        """Returns the instances, with their fields where they are needed; ``seconds`` are those left."""
        before, self._requests = self.client.stats.requests, -1
        instances = list_instances(self.client, self.needs, is_needed, seconds)
        self.listed, self._requests = InstanceIndex(instances).by_id, self.client.stats.requests
        self.pages, self.read_at = self._requests - before, datetime.fromtimestamp(self.client.progress.now(), UTC)
        return instances

    def read(self, jobs: list[InstanceJob], seconds: float | None) -> dict[str, Resource]:
        """Returns the instances by id. Those of the jobs that are open have the fields that they need."""
        ids = {str(job.instance["id"]) for job in find_open(jobs)}
        self.fetch(lambda one: str(one["id"]) in ids, seconds)
        return self.listed

    @property
    def is_newest(self) -> bool:
        """True if no request was sent since the list was read."""
        return self.client.stats.requests == self._requests

    def renew(self, jobs: list[InstanceJob]) -> bool:
        """Reads the list for all jobs, unless the last poll is the newest request of all, and shows all that it takes.

        Returns False if that fails.
        """
        self.error, ids = None, {str(job.found["id"]) for job in jobs if job.found}
        known = [self.listed[one] for one in ids & self.listed.keys()]
        if not self.is_newest or any(lacks(one, name) for one in known for name in self.needs):
            try:
                self.fetch(lambda one: str(one["id"]) in ids, None)
            except ClawHostersError as error:
                self.error = error
        return self.error is None
