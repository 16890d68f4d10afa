# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings one instance to a state: a fleet of one, whose instance is read by itself, with all its fields."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from .._errors import ClawHostersError, NotFoundError, PartialError, RefusedError
from .._http.client import Client
from .._model.instance import Action, label, require_name, summarize
from .._model.instance_job import ANY_CHANGE, Consent, Job, Phase
from .._model.resource import Resource, ResourceChange
from .._names import require_names
from .instance_requests import fetch_existing_instance

if t.TYPE_CHECKING:
    from .._model.instance_index import InstanceIndex


class Found(t.NamedTuple):
    """An instance with its detail fields, or None.

    ``similar``: the name that a missing one is probably meant to be. ``missing``: the response for an id without one.
    """

    instance: Resource | None
    similar: str | None = None
    missing: NotFoundError | None = None


def find_instance(client: Client, instance_id: int | None, name: str | None) -> Found:
    """Returns the instance with its detail fields. For a name that no instance has, it looks for a very similar one.

    Raises RefusedError if several have the name, if the one with this id has another, or if it was renamed since it was
    listed; SettingsError for an empty name.
    """
    require_names(name=name)
    wanted_id: object = instance_id
    if instance_id is None:
        index = _list_instances(client)
        if (listed := index.resolve(None, name)) is None:
            return Found(None, index.find_similar_name(name))
        wanted_id = listed["id"]
    try:
        instance = fetch_existing_instance(client, wanted_id)
    except NotFoundError as missing:
        return Found(None, missing=None if instance_id is None else missing)
    require_name(instance, name)
    return Found(instance)


def _list_instances(client: Client, time_left: float | None = None) -> InstanceIndex:
    """Returns the instances. Imports what reads lists: with an id, only a deletion that takes long needs one."""
    from .._http.lists import fetch_all
    from .._model.instance_index import InstanceIndex

    return InstanceIndex(fetch_all(client, "/instances", time_left=time_left))


@dataclass
class InstanceManager:
    """Changes one instance. ``wait_timeout``: seconds of the wait, which begins now; None if nothing is waited for."""

    client: Client
    wait_timeout: float | None
    wait_healthy: bool
    warn: t.Callable[[str], None]
    consent: Consent = ANY_CHANGE

    def __post_init__(self) -> None:
        self._began = self.client.progress.clock()

    def ensure_state(
        self,
        found: Resource | None,
        wanted: str,
        sought: str = "that was asked for",
        missing: ClawHostersError | None = None,
    ) -> ResourceChange:
        """Brings ``found`` to the state ``wanted``; in check mode predicts it. ``sought`` describes the instance.

        ``missing``: the response of the service if it has no such instance. Raises RefusedError without an instance
        and for a protected one, and PartialError if the state is not reached.
        """
        if found is None:
            if wanted == "absent":
                return ResourceChange(False, None, {}, {})
            raise RefusedError(
                f"There is no instance {sought}, so it can't be {wanted}: instances are created in the dashboard.",
                missing,
            )
        if fault := self.consent.protection.find_fault(found, wanted):
            raise RefusedError(f"{fault}. Nothing was sent. To delete it, take it out of there first.")
        job = Job(wanted, found, self.consent)
        job.decide(found)
        if job.action is Action.DELETE and job.error is None:
            self.warn(f"Deleting {label(found)} may delete its backups too.")
        gone = None
        if job.phase is not Phase.DONE or self._waits_for_unchanged(job):
            gone = self._carry_out(job)
        elif warning := job.find_paused_warning():
            self.warn(warning)
        before = summarize(job.before)
        change = ResourceChange(job.changed, job.instance, before, job.summarize_after() if job.changed else before)
        if job.error is not None:
            result = change.as_result("instance") if job.changed else {"changed": False}
            raise PartialError(f"{label(found)}: {job.error}", result, gone or job.cause)
        return change

    def _waits_for_unchanged(self, job: Job) -> bool:
        waits = self.wait_timeout is not None and not self.client.check_mode
        return waits and job.is_unreached(wait_healthy=self.wait_healthy)

    def _carry_out(self, job: Job) -> NotFoundError | None:
        """Requests the change of the job, and waits for it. Returns the response that says that the instance is gone.

        Imports what does so.
        """
        from .instance_changes import DetailReader, InstanceChanges, PollReader

        changes = InstanceChanges(self.client, self.wait_healthy, self.warn)
        detail = DetailReader(self.client, job.instance["id"], functools.partial(_list_instances, self.client, 0.0))
        waiter = changes.begin_wait(self.wait_timeout, self._began)
        with self.client.progress.if_interrupted("", lambda: changes.explain_interruption([job])):
            changes.carry_out([job], PollReader(detail.read, detail.has_left), waiter)
        return detail.missing
