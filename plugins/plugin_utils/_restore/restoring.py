# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores the plans of a run of the role ``restore`` in batches, and records each step before the next one."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ...module_utils._model.batches import parse_serial
from ...module_utils._model.restore_item import COMPLETED, NOT_BEGUN, RestoreItem
from ...module_utils._module.runner import ModuleContext
from ...module_utils._service.fleet_restore import FleetRestore
from ...module_utils._service.instance_reader import InstanceReader
from ...module_utils._service.instances import refetch_instance
from ...module_utils._service.restore_member import RestoreTimeouts
from ...module_utils._service.restore_observer import RestoreObserver, RestoreStep
from ...module_utils._service.restore_target import RestoreFinder
from ...module_utils._text import format_count
from .._formatting import format_value
from .address import check_address, parse_address
from .commands import format_command, select_targets
from .failures import describe_failure
from .model import Data, RestorePlan, Run
from .recorder import Recorder
from .report import TITLES, UNSEEN

_RECORDED = (RestoreStep.SENDING, RestoreStep.DONE, RestoreStep.FAILED)
"""Steps after which the record is written: before a request, and when an instance is done. The journal has the rest."""


class RunRestorer(RestoreObserver):
    """Restores the plans of ``run`` that are ready, and adds their steps to it."""

    def __init__(self, context: ModuleContext, run: Run, recorder: Recorder, finder: RestoreFinder) -> None:
        self._client = context.client
        self._run = run
        self._recorder = recorder
        self._finder = finder
        self._plans: dict[int, RestorePlan] = {}
        self._counted = context.client.stats.requests
        self._statuses: dict[str, int] = {}
        """HTTP status of the address of each instance that was checked."""

    def restore(self) -> None:
        """Restores in batches. Failures are recorded as steps; ``run.stopped`` says why not all batches began.

        Any exception but KeyboardInterrupt is a bug.
        """
        settings = self._run.settings
        plans = [plan for plan in self._run.plans if plan.ready]
        items = [_build_item(plan) for plan in plans]
        self._plans = {id(item): plan for item, plan in zip(items, plans, strict=True)}
        command = format_command(select_targets(plans), settings)
        try:
            FleetRestore(
                self._finder,
                InstanceReader(self._client, self._run.list_pages),
                parse_serial("restore_serial", settings["restore_serial"]),
                settings["restore_max_failures"],
                RestoreTimeouts(settings["restore_wait_timeout"], settings["restore_healthy_timeout"]),
                observer=self,
                next_step=f"Run this to wait for what is under way, and to go on with the rest: {command}",
            ).run(items)
        except KeyboardInterrupt:
            # What was under way has been answered meanwhile, and is put on record.
            self._recorder.record(is_finished=False)
            raise
        failed = sum(item.error is not None for item in items)
        if any(item.outcome == NOT_BEGUN and item.error is None for item in items):
            allowed = settings["restore_max_failures"]
            self._run.stopped = f"{format_count(failed, 'restore')} failed, and restore_max_failures is {allowed}"

    # RestoreObserver

    def on_batch(self, number: int, total: int, items: t.Sequence[RestoreItem]) -> None:
        """Records the batch before anything of it is sent."""
        if total > 1:
            for item in items:
                self._plan(item).batch = number
        self._recorder.record(is_finished=False)

    def on_step(self, item: RestoreItem, step: RestoreStep, at: datetime) -> None:
        """Adds the step. A restore is on record before it is sent."""
        plan, backup_id = self._plan(item), (item.backup or {}).get("id")
        if step is RestoreStep.SENDING:
            self._add("send", item, at, message=f"Backup {backup_id} is about to be restored.")
        elif step is RestoreStep.ACCEPTED:
            self._add("accepted", item, at, message="The service accepted it.")
        elif step is RestoreStep.UNDER_WAY:
            self._add("accepted", item, at, message="An earlier run has sent it. This run waits for it.")
        elif step is RestoreStep.RESTORED:
            done = "was restored" if item.changed else "was already restored for this incident"
            self._add("restore", item, at, message=f"Backup {backup_id} {done}.", changed=item.changed)
        elif step is RestoreStep.STARTING:
            self._add("start", item, at, message="It is stopped.", changed=True)
        elif step is RestoreStep.RUNNING:
            self._add("healthy", item, at, message="It is running and healthy.")
        elif step is RestoreStep.DONE and self._run.settings["restore_http_check"]:
            status = self._statuses[str(item.instance["id"])]
            self._add("http", item, at, message=f"It responded with status {status}.")
        elif step is RestoreStep.FAILED and item.error is not None:
            name = self._find_failed_step(item)
            failure = describe_failure(item.error, name, plan, item.outcome)
            self._add(name, item, at, ok=False, changed=item.changed, **failure)
        if step in _RECORDED:
            self._recorder.record(is_finished=False)

    def verify(self, item: RestoreItem) -> None:
        """Requests the address of the instance, with ``restore_http_check``. Raises AddressError."""
        settings = self._run.settings
        if not settings["restore_http_check"]:
            return
        instance = item.current
        if "subdomain_url" not in instance:
            # The list does not show it (contract 4.1).
            instance = refetch_instance(self._client, instance)
        url = f"{parse_address(instance.get('subdomain_url'))}/{str(settings['restore_http_path']).lstrip('/')}"
        status = check_address(url, settings["restore_http_statuses"], self._client.settings.ca_path)
        self._statuses[str(item.instance["id"])] = status

    def _plan(self, item: RestoreItem) -> RestorePlan:
        return self._plans[id(item)]

    def _find_failed_step(self, item: RestoreItem) -> str:
        """Returns the step in which an item failed."""
        own = {step.step for step in self._run.steps if step.instance == self._plan(item).label and step.ok}
        if "healthy" in own:
            return "http"
        return "healthy" if item.outcome == COMPLETED else "restore"

    def _add(self, name: str, item: RestoreItem, at: datetime, *, ok: bool = True, **fields: t.Any) -> None:
        requests, self._counted = self._client.stats.requests - self._counted, self._client.stats.requests
        status = item.current.get("status")
        is_seen = status and fields.get("kind") not in UNSEEN
        self._run.add_step(
            name,
            TITLES[name],
            at,
            instance=self._plan(item).label,
            ok=ok,
            requests=requests,
            sent_at=item.restore.get("sent_at"),
            completed_at=item.restore.get("completed_at"),
            outcome=None if item.outcome == NOT_BEGUN else item.outcome,
            found=format_value(status, 40) if is_seen else None,
            **fields,
        )


def _build_item(plan: RestorePlan) -> RestoreItem:
    """Returns what the engine needs of a plan. Only what was confirmed is sent: see ``expected_sent_at``."""
    backup: Data | None = None
    if plan.backup:
        backup = {"id": plan.backup["id"], "created_at": plan.backup["taken_at"]}
    return RestoreItem(t.cast("Data", plan.instance), backup, expected_sent_at=plan.sent_at or "")
