# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task of ``claw_instance``: finds the instance, decides by a job, and has ``instance_changes.py`` do the rest."""

from __future__ import annotations

import functools
import typing as t

from .._errors import NotFoundError, PartialError, RefusedError
from .._http.client import Client
from .._model.instance import NAME_LIMIT, Action, label, require_name, summarize
from .._model.instance_fields import is_gone
from .._model.instance_job import ANY_CHANGE, Consent, InstanceJob, Phase, warn_of_ends
from .._model.resource import Resource, ResourceChange
from .._names import require_names
from .._text import one_line
from .find_instance import fetch_instance

if t.TYPE_CHECKING:
    from .._model.instance_index import InstanceIndex


def _list_instances(client: Client, time_left: float | None = None) -> InstanceIndex:
    """Returns the instances. Imports what reads lists: with an id, only a deletion that takes long needs one."""
    from .._model.instance_index import InstanceIndex
    from .instance_list import list_instances

    return InstanceIndex(list_instances(client, time_left=time_left))


class InstanceTask:
    """Changes one instance. ``wait_timeout``: seconds of the wait, which begins now; None if nothing is waited for."""

    def __init__(
        self,
        client: Client,
        wait_timeout: float | None,
        wait_healthy: bool,
        warn: t.Callable[[str], None],
        consent: Consent = ANY_CHANGE,
    ) -> None:
        self.client = client
        self.wait_timeout, self.wait_healthy = wait_timeout, wait_healthy
        self.warn = warn
        self.consent = consent
        self._began = client.progress.clock()

    def find(self, instance_id: int | None, wanted: str) -> Resource | None:
        """Returns the instance with this id, or else the name of the consent, with its detail fields.

        Returns None for one that does not exist and is to be absent. Raises RefusedError for any other that does not
        exist, if several have the name, if the one with this id has another, or if it was renamed since it was listed;
        SettingsError for an empty name.
        """
        name, similar, missing = self.consent.name, None, None
        found_id: object = instance_id
        require_names(name=name)
        if instance_id is None:
            index = _list_instances(self.client)
            if listed := index.resolve(None, name):
                found_id = listed["id"]
            else:
                similar = index.find_similar_name(name)
        if found_id is not None:
            try:
                instance = fetch_instance(self.client, found_id)
            except NotFoundError as error:
                missing = None if instance_id is None else error
            else:
                require_name(instance, name)
                if not is_gone(instance):
                    return instance
        sought = f"{f'named {name}' if instance_id is None else f'with id {instance_id}'} in the account of this key"
        sought += f" (did you mean {one_line(similar, NAME_LIMIT)}?)" if similar else ""
        if wanted != "absent":
            reason = f"There is no instance {sought}, so it can't be {wanted}: instances are created in the dashboard."
            raise RefusedError(reason, missing)
        if similar:
            self.warn(f"There is no instance {sought}, so nothing is deleted.")
        return None

    def ensure_state(self, found: Resource | None, wanted: str) -> ResourceChange:
        """Brings ``found`` to the state ``wanted``; in check mode predicts it.

        Raises RefusedError for a protected instance, and PartialError if the state is not reached.
        """
        if found is None:
            return ResourceChange(False, None, {}, {})
        if fault := self.consent.protection.find_fault(found, wanted):
            raise RefusedError(f"{fault}. Nothing was sent. To delete it, remove it from that list first.")
        job = InstanceJob(wanted, found, self.consent)
        job.decide(found)
        if job.action is Action.DELETE and job.error is None:
            self.warn(f"Deleting {label(found)} may delete its backups too.")
        if job.phase is not Phase.DONE or job.is_unreached(wait_healthy=self.wait_healthy):
            self._carry_out(job)
        else:
            warn_of_ends([job], self.warn, waits_healthy=self.wait_healthy and self.wait_timeout is not None)
        before = summarize(job.before)
        change = ResourceChange(job.changed, job.instance, before, job.summarize_after() if job.changed else before)
        if job.error is not None:
            result = change.as_result("instance") if job.changed else {"changed": False}
            raise PartialError(f"{label(found)}: {job.error}", result, job.cause)
        return change

    def _carry_out(self, job: InstanceJob) -> None:
        """Requests the change of the job, and waits for it. Imports what does so."""
        from .instance_changes import DetailReader, InstanceChanges, PollReader

        changes = InstanceChanges(self.client, self.wait_healthy, self.warn)
        detail = DetailReader(self.client, job.instance["id"], functools.partial(_list_instances, self.client, 0.0))
        waiter = changes.begin_wait(self.wait_timeout, self._began)
        with self.client.progress.if_interrupted(lambda: changes.explain_interruption([job])):
            changes.carry_out([job], PollReader(detail.read, detail.is_gone), waiter)
        job.cause = detail.missing or job.cause
