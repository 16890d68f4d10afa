# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks, and restores in batches, for the role ``restore``. What happens to each instance is a step of the run.

Imports all that may be needed once something was sent, so the task imports it before that, and only if a plan is ready.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ...module_utils._errors import ClawHostersError
from ...module_utils._model.backup import has_good_status, taken_at
from ...module_utils._model.batches import parse_serial
from ...module_utils._model.instance import short_name
from ...module_utils._model.ownership import has_owner, may_belong, parse_owner
from ...module_utils._model.resource import Resource, normalize
from ...module_utils._service.backups import find_backup, list_backups
from ...module_utils._service.instance_requests import fetch_instance
from ...module_utils._service.restore.incident import Incident
from ...module_utils._service.restore.list_readings import read_by_ids
from ...module_utils._service.restore.plan import Target
from ...module_utils._service.restore.restore import (
    COMPLETED,
    NOT_BEGUN,
    REFUSED,
    InstanceGoneError,
    Restore,
    RestoreObserver,
    Stage,
)
from ...module_utils._service.restore.restore_batches import RestoreBatches
from ...module_utils._service.restore.surfaces import RestoreOptions
from ...module_utils._text import format_first, one_line
from ...module_utils._times import format_iso, format_time_of_day, parse_time
from ...module_utils._waiter import Waiter
from .._formatting import format_clock, format_value
from . import advice
from .address import check_address, parse_address
from .confirmation import PictureChangedError, format_sent_and_completed, require_confirmation, summarize_plan
from .failed_steps import describe_failure, describe_obstacle
from .failures import FAILURES, FailureKind, parse_kind
from .record import Recorder
from .run import RolePlan
from .runbook import Runbook

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Result

_LISTED = 3
"""Changes that a message lists."""
_NEEDED_BY_OTHERS = (advice,)
"""Imported here for those that import it when they need it, as in ``restore_batch.py``."""


@dataclass
class RestoreTask(Runbook):
    """Restores what was planned. ``ask`` asks at the terminal; raises NoTerminalError or PromptInterruptedError."""

    ask: t.Callable[[str], str]

    def restore(self) -> Result:
        """Asks for the answer that confirms what will be overwritten, and restores the instances in batches.

        Returns the result of the task. Not for check mode.
        """
        sends = any(one.sends for one in self.run.plans)
        asks = sends or self.variables["restore_confirm"]
        if asks and (failed := self.run_step("confirm", self._confirm)):
            return failed
        restorer = _RoleRestorer(self.recorder, self.incident)
        # Failures of instances are steps of their own.
        if failed := self.run_step("run", restorer.restore, lambda _error: FailureKind.INTERRUPTED):
            return failed
        return self.recorder.finish()

    def _confirm(self) -> str:
        shown = summarize_plan(self.run, self.client.stats.now())
        given = self.variables["restore_confirm"]
        how = require_confirmation(self.run.plans, given, lambda prompt: self.ask(self.steps.redact(prompt)), shown)
        if not given:
            self._require_same_picture()
        return how

    def _require_same_picture(self) -> None:
        """Reads account and backups again: the prompt may have waited for hours. Raises PictureChangedError.

        The instances are read under their locks.
        """
        account = self.context.account.label()
        changes = [f"The account is {account} now."] if account != self.run.account else []
        changes += [error.text for error in find_changed_backups(self.incident, self.run.plans).values()]
        if changes:
            raise PictureChangedError(format_first(changes, _LISTED))


def find_changed_backups(incident: Incident, plans: t.Iterable[RolePlan]) -> dict[str, ClawHostersError]:
    """Reads again the backups that will be sent. Returns how each changed one differs from its plan, by its id.

    A backup that another run restores meanwhile has another status. If the journal says that this was for the same
    incident, it is no change: this run waits for it.
    """
    client = incident.client
    sends = {str(plan.backup_id): plan for plan in plans if plan.sends}
    items, is_list, _pages = read_by_ids(client, "/backups", sends, lambda one: find_backup(client, one))
    if not is_list and sends.keys() - {str(backup["id"]) for backup in items}:
        # Only the list, by which the plan was made, shows that a backup is gone.
        items = list_backups(client)
    found = {str(backup["id"]): backup for backup in items}
    reasons = {key: _find_reason(incident, plan, found.get(key)) for key, plan in sends.items()}
    return {key: reason for key, reason in reasons.items() if reason}


def _find_reason(incident: Incident, plan: RolePlan, now: Resource | None) -> ClawHostersError | None:
    """Returns why a backup is not sent as planned; None if it is, or if another run of the incident has sent it."""
    if not (change := explain_changed_backup(plan, now)):
        return None
    instance = plan.instance or {}
    history = incident.read_history([Target(instance["id"], None)])
    own, other = history.find_own(instance["id"]), history.find_unfinished(instance)
    if own and own.position > plan.known_position:
        return None
    if now is None and fetch_instance(incident.client, instance["id"]) is None:
        return InstanceGoneError(instance)
    return PictureChangedError(f"{plan.label}: {other.describe()}." if other else f"{change}.")


def explain_changed_backup(plan: RolePlan, now: Resource | None) -> str:
    """Returns how a backup differs from what its plan shows; empty if it does not. ``now``: None if it is gone.

    A field that it does not show now is no difference: list and detail may show different ones.
    """
    backup = f"Backup {plan.backup_id} of {plan.label}"
    if now is None:
        return f"{backup} does not exist any more"
    taken = taken_at(now)
    if taken is not None and taken != plan.taken_at:
        return f"{backup} is of {format_clock(taken)} now"
    if has_owner(now) and not may_belong(now, plan.instance or {}):
        return f"{backup} belongs to {one_line(parse_owner(now))} now"
    status, confirmed = now.get("status"), (plan.backup or {}).get("status")
    if has_good_status(now) or normalize(status) == normalize(confirmed):
        return ""
    return f"{backup} can't be used any more: its status is {one_line(status)}"


class _RoleRestorer(RestoreObserver):
    """Restores the plans of a run that are ready, and adds their steps to it."""

    def __init__(self, recorder: Recorder, incident: Incident) -> None:
        self._recorder = recorder
        self._run = recorder.run
        self._client = recorder.context.client
        self._incident = incident
        self._plans: dict[int, RolePlan] = {}
        self._statuses: dict[str, int] = {}
        """HTTP status of the address of each instance that was checked."""
        self._is_alone = True
        """True if the batch is one restore."""
        self._healthy: set[int] = set()
        """The restores whose instances were seen running and healthy."""

    def restore(self) -> None:
        """Restores in batches. Failures are recorded as steps; ``run.failures`` says that not all batches began.

        Any exception but KeyboardInterrupt is a bug.
        """
        variables = self._run.variables
        plans = [plan for plan in self._run.plans if plan.ready]
        restores = [Restore.begin(replace(plan)) for plan in plans]
        self._plans = {id(restore): plan for restore, plan in zip(restores, plans, strict=True)}
        options = RestoreOptions(variables["restore_wait_timeout"], variables["restore_healthy_timeout"])
        progress = self._client.progress
        progress.unwinds = True
        try:
            with self._recorder.recording():
                RestoreBatches(
                    self._incident,
                    self._run.list_pages,
                    options,
                    parse_serial("restore_serial", variables["restore_serial"]),
                    variables["restore_max_failures"],
                    observer=self,
                ).run(restores)
        except KeyboardInterrupt:
            # What was under way has been answered meanwhile, and is put on record.
            self._run.interrupted_at = format_iso(self._recorder.steps.now())
            self._recorder.record(is_finished=False)
            raise
        finally:
            progress.unwinds = False
        failed = sum(restore.error is not None for restore in restores)
        if any(restore.stage is Stage.PLANNED for restore in restores):
            self._run.failures = failed

    # RestoreObserver

    def on_batch(self, number: int, total: int, restores: t.Sequence[Restore]) -> None:
        """Sets the number of the batch, and looks at its backups again."""
        self._is_alone = len(restores) == 1
        if total > 1:
            for restore in restores:
                self._plan(restore).batch = number
        if number > 1:
            # The batches before may have taken hours since the plan was confirmed.
            self._fail_changed([restore for restore in restores if self._plan(restore).sends])

    def _fail_changed(self, restores: t.Sequence[Restore]) -> None:
        """Fails the restores whose backups have changed since they were confirmed; all, if that can't be read."""
        by_backup = {str(self._plan(restore).backup_id): restore for restore in restores}
        try:
            errors = find_changed_backups(self._incident, map(self._plan, restores))
        except ClawHostersError as error:
            errors = dict.fromkeys(by_backup, error)
        for key, reason in errors.items():
            if isinstance(reason, InstanceGoneError):
                continue  # found out under its lock, as of any other
            by_backup[key].fail(reason, REFUSED)
            self.on_stage(by_backup[key], Stage.FAILED, datetime.now(UTC))

    def on_stage(self, restore: Restore, stage: Stage, at: datetime) -> None:
        """Adds the stage. What is being sent is in the journal; the record follows within ten seconds."""
        backup_id = restore.plan.backup_id
        if stage is Stage.SENDING:
            self._add("send", restore, message=f"Backup {backup_id} is about to be restored.")
        elif stage is Stage.ACCEPTED:
            self._add("accepted" if _find_accepted(restore) else "begun", restore, message=_explain_begun(restore))
        elif stage is Stage.RESTORED:
            self._add(
                "restore", restore, message=f"Backup {backup_id} {_explain_restored(restore)}.", changed=restore.changed
            )
        elif stage is Stage.STARTING:
            self._add("start", restore, message="It is stopped.", changed=True)
        elif stage is Stage.RUNNING:
            self._healthy.add(id(restore))
            self._add("healthy", restore, message="It is running and healthy.")
        elif stage is Stage.DONE and self._run.variables["restore_http_check"]:
            status = self._statuses[str(restore.instance["id"])]
            self._add("http", restore, message=f"It responded with status {status}.")
        elif stage is Stage.FAILED and restore.error is not None:
            self._add_failure(restore, restore.error, at)

    def _add_failure(self, restore: Restore, error: Exception, at: datetime) -> None:
        name, incident = self._find_failed_step(restore), self._incident
        failure = describe_failure(error, name, restore.outcome, restore.current, sends=self._plan(restore).sends)
        if obstacle := restore.plan.obstacle:
            told = describe_obstacle(restore.plan, incident.name, incident.rules, at, incident.surface)
            failure |= {"kind": obstacle.kind.value, "is_unsent": False, **told}
        self._add(name, restore, ok=False, changed=restore.changed, **failure)

    def verify(self, restore: Restore) -> None:
        """Requests the address of the instance until it responds, with ``restore_http_check``. Raises AddressError."""
        variables = self._run.variables
        if not variables["restore_http_check"]:
            return
        instance = restore.current
        if "subdomain_url" not in instance:
            # Only the detail shows it.
            instance = fetch_instance(self._client, instance["id"]) or {}
            if not instance:
                raise InstanceGoneError(restore.current)
        url = f"{parse_address(instance.get('subdomain_url'))}/{str(variables['restore_http_path']).lstrip('/')}"
        waiter = Waiter(variables["restore_healthy_timeout"], self._client.progress)
        ca_path = self._client.settings.ca_path
        name = short_name(instance) if self._is_alone else ""

        def describe(problem: str) -> tuple[str, str]:
            # Those of a batch wait side by side, and share a line.
            return (name, f"its address: {problem}") if name else ("addresses of this batch", "not all respond yet")

        status = check_address(url, variables["restore_http_statuses"], waiter, describe, ca_path)
        self._statuses[str(restore.instance["id"])] = status

    def _plan(self, restore: Restore) -> RolePlan:
        return self._plans[id(restore)]

    def _find_failed_step(self, restore: Restore) -> str:
        """Returns the step in which a restore failed."""
        if id(restore) in self._healthy:
            return "http"
        return "healthy" if restore.outcome == COMPLETED else "restore"

    def _add(self, name: str, restore: Restore, *, ok: bool = True, **fields: t.Any) -> None:
        status, kind, state = restore.current.get("status"), fields.get("kind"), restore.state
        is_seen = status and (not kind or FAILURES[parse_kind(kind)].is_status_known)
        self._recorder.steps.add_step(
            name,
            instance=self._plan(restore).label,
            ok=ok,
            sent_at=state.sent_at if state else None,
            sent_by=state.by if state else "",
            accepted_at=_find_accepted(restore),
            restored_at=state.facts.get("restored_at") if state else None,
            completed_at=state.completed_at if state else None,
            outcome=None if restore.outcome == NOT_BEGUN else restore.outcome,
            found=format_value(status, 40) if is_seen else None,
            **fields,
        )


def _find_accepted(restore: Restore) -> str | None:
    """Returns when the service accepted a restore; None if no response said so."""
    return restore.state.accepted_at if restore.state and not restore.state.facts.get("seen") else None


def _explain_begun(restore: Restore) -> str:
    """Returns how it is known that a restore has begun."""
    if restore.lost:
        status = format_value(restore.current.get("status"), 40)
        return f"{restore.lost} Its status is {status} now, so the restore has begun."
    return "The service accepted it." if restore.is_sent else "An earlier run has sent it. This run waits for it."


def _explain_restored(restore: Restore) -> str:
    """Returns when a backup was restored: as the service shows it, or else that this run sees it now."""
    state = restore.state
    if not restore.changed:
        when = format_sent_and_completed(state.sent_at, state.completed_at, state.by) if state else ""
        return ", ".join(filter(None, ("was already restored for this incident", when)))
    restored_at = parse_time(state.facts.get("restored_at")) if state else None
    return f"was restored at {format_time_of_day(restored_at)}" if restored_at else "is seen to be restored"
