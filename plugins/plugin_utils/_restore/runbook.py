# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the steps of the role ``restore``. Each failure is recorded before its task ends."""

from __future__ import annotations

import traceback
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ...module_utils._errors import ClawHostersError, PartialError, one_line
from ...module_utils._http.client import Client
from ...module_utils._model.resource import Resource
from ...module_utils._model.restore import RestoreQuery
from ...module_utils._model.results import Result
from ...module_utils._module.runner import ModuleContext
from ...module_utils._service.health import measure_health
from ...module_utils._service.instance_state import InstanceManager
from ...module_utils._service.instances import find_instance
from ...module_utils._service.restore import Restore
from ...module_utils._service.restore_history import find_refused
from ...module_utils._service.restore_target import RestoreFinder
from ...module_utils._state.journal import JournalError
from ...module_utils._waiter import Waiter
from .._formatting import format_value
from .address import check_address, parse_address
from .dialogue import NobodyToAskError, require_confirmation, require_confirmed
from .failures import describe_error, describe_failure, explain, is_about_key
from .model import Data, RestorePlan, Run, Step
from .outcomes import list_outcomes
from .plan import build_plans, plan_lines
from .reading import TargetReader
from .recorder import Recorder
from .report import TITLES, UNSEEN


@dataclass
class Runbook:
    """Runs the steps. ``redact`` removes secrets from what is recorded or shown."""

    context: ModuleContext
    run: Run
    redact: t.Callable[[t.Any], t.Any]
    ask: t.Callable[[str], str]
    """Asks at the terminal. Raises NoTerminalError or PromptInterruptedError."""
    instances: list[Resource] = field(default_factory=list)
    """The instances of the account, as far as they were read."""

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.context, self.run, self.redact)

    @property
    def client(self) -> Client:
        return self.context.client

    @property
    def settings(self) -> Data:
        return self.run.settings

    # Before anything is planned

    def check_service(self) -> Result:
        """Checks that the service responds."""

        def check() -> str:
            health = measure_health(self.client)
            if not health["available"]:
                raise ClawHostersError(health["error"])
            return f"It responded in {health['latency']} s."

        return self._run_step("service", check, lambda _error: "service_down") or self._continue()

    def check_key(self) -> Result:
        """Checks that the key is accepted."""

        def check() -> str:
            self.client.fetch_object("/account")
            return "The key is valid."

        return self._run_step("key", check, _classify_reading) or self._continue()

    def plan(self) -> Result:
        """Chooses the backups, and finds what prevents a restore."""

        def plan() -> None:
            self.run.plans = self._build_plans()

        if failed := self._run_step("plan", plan, _classify_reading):
            return failed
        now = datetime.now(UTC)
        requests = self.client.stats.requests
        for one in self.run.plans:
            message = one_line(" ".join(line.strip() for line in plan_lines(one, now)), 600)
            kind = "" if one.ready else one.kind
            self._add_step("plan", now, instance=one.label, ok=one.ready, message=message, requests=requests, kind=kind)
            requests = 0
        if not any(one.ready for one in self.run.plans):
            return self._finish()
        sends = any(one.sends for one in self.run.plans)
        return {
            "run": self.run.to_dict(),
            "lines": [line for one in self.run.plans for line in plan_lines(one, now)],
            "title": self.run.plans[0].label if len(self.run.plans) == 1 else self._count_ready(),
            "asks": not self.run.check and (sends or bool(self.settings["restore_confirm"])),
        }

    def _count_ready(self) -> str:
        """Returns ``2 instances``, or ``2 of 3 instances`` if one can't be restored."""
        ready, total = sum(plan.ready for plan in self.run.plans), len(self.run.plans)
        return f"{total} instances" if ready == total else f"{ready} of {total} instances"

    def _build_plans(self) -> list[RestorePlan]:
        history = self.recorder.read_history()
        reader = TargetReader(self.client, self._finder(), history, self.settings, self.run.targets)
        try:
            candidates = reader.find_candidates()
        finally:
            self.instances = reader.instances
        now = datetime.now(UTC)
        return build_plans(candidates, history, self.settings, reader.known_instances, now, is_whole=reader.is_whole)

    # Confirmation

    def confirm(self) -> Result:
        """Requires the answer that confirms what will be overwritten."""

        def confirm() -> str:
            given = self.settings["restore_confirm"]
            return require_confirmation(self.run.plans, given, lambda prompt: self.ask(self.redact(prompt)))

        def classify(error: Exception) -> str:
            return "no_terminal" if isinstance(error, NobodyToAskError) else "not_confirmed"

        return self._run_step("confirm", confirm, classify) or self._continue()

    # Restoring

    def restore(self) -> Result:
        """Restores the instances of the plan, one after another. In check mode, predicts it."""
        if not self.run.check:
            if failed := self._run_step("confirm", lambda: require_confirmed(self.run), lambda _error: "not_confirmed"):
                return failed
            ready = [plan for plan in self.run.plans if plan.ready]
            for number, plan in enumerate(ready, start=1):
                # Recorded before the restore, in case the run is interrupted.
                self.recorder.record(is_finished=False)
                if len(ready) > 1:
                    self.client.progress.report(f"Restoring {plan.label}, {number} of {len(ready)}")
                self._restore_instance(plan)
        return self._finish()

    def _restore_instance(self, plan: RestorePlan) -> None:
        """Restores one instance. A failure is recorded as a step, and does not stop the other instances."""
        instance: Resource = {}

        def send(waiter: Waiter) -> Result:
            query = RestoreQuery(
                plan.instance["id"] if plan.instance else None,
                # Sends only what was confirmed: fails if the name or the journal has changed since the plan.
                (plan.instance or {}).get("name") or None,
                (plan.backup or {}).get("id"),
                None,
                None,
                expected_sent_at=plan.sent_at or "",
            )
            result = Restore(self._finder(), waiter, False).run(query)
            done = "was restored" if result["changed"] else "was already restored for this incident"
            return {**result, "message": f"Backup {query.backup_id} {done}."}

        def start(waiter: Waiter) -> Result:
            nonlocal instance
            manager = InstanceManager(self.client, waiter, True, self.context.warn)
            found = find_instance(self.client, (plan.instance or {}).get("id"), None)
            with self.client.progress.if_interrupted(f"{plan.label} is restored. Run the same command to check it."):
                change = manager.ensure_state(found, "started", plan.label)
            instance = change.resource or {}
            return {"changed": change.changed, "instance": instance, "message": "It is running and healthy."}

        def check_http(_waiter: Waiter) -> Result:
            url = parse_address(instance.get("subdomain_url"))
            path = str(self.settings["restore_http_path"]).lstrip("/")
            status = check_address(
                f"{url}/{path}", self.settings["restore_http_statuses"], self.client.settings.ca_path
            )
            return {"message": f"It responded with status {status}."}

        steps: list[tuple[str, str, t.Callable[[Waiter], Result]]] = [
            ("restore", "restore_wait_timeout", send),
            ("healthy", "restore_healthy_timeout", start),
        ]
        if self.settings["restore_http_check"]:
            steps.append(("http", "restore_wait_timeout", check_http))
        for name, timeout, function in steps:
            if not self._run_instance_step(name, plan, self._waiter(timeout), function).ok:
                return

    def _run_instance_step(
        self, name: str, plan: RestorePlan, waiter: Waiter, function: t.Callable[[Waiter], Result]
    ) -> Step:
        before = self.client.stats.requests
        try:
            result, failure = function(waiter), None
        except Exception as error:
            failure = error
            result = dict(error.result) if isinstance(error, PartialError) else {}
        fields: Data = {"kind": "", "message": result.get("message", "")}
        if failure is not None:
            fields = describe_failure(failure, name, plan, result)
        restore = result.get("restore") or {}
        status = (result.get("instance") or {}).get("status")
        return self._add_step(
            name,
            datetime.now(UTC),
            instance=plan.label,
            ok=failure is None,
            requests=self.client.stats.requests - before,
            changed=bool(result.get("changed")),
            sent_at=restore.get("sent_at"),
            completed_at=restore.get("completed_at"),
            outcome=restore.get("outcome"),
            found=format_value(status, 40) if status and fields["kind"] not in UNSEEN else None,
            **fields,
        )

    # Results

    def publish_outcome(self) -> Result:
        """Returns the outcome for later jobs, as ``set_stats`` does."""
        instances = list_outcomes(self.run, self.recorder.try_history(), self._find_refused())
        outcome = {"incident": self.run.incident, "instances": instances}
        return {"ansible_stats": {"data": {"clawhosters_restore": outcome}, "per_host": False, "aggregate": False}}

    def _find_refused(self) -> set[str]:
        """Returns the ids of the instances whose restore the service refused in this run."""
        try:
            entries = self.context.journal().read_entries()
        except JournalError:
            return set()
        return find_refused(entries, self.client.settings.api_url, self.run.incident, self.run.began_at)

    # Helpers

    def _run_step(
        self, name: str, function: t.Callable[[], str | None], classify: t.Callable[[Exception], str]
    ) -> Result | None:
        """Runs a step of the whole run, and adds it unless ``function`` returns None.

        If it fails, the run ends: returns the result of the task.
        """
        try:
            message, failure = function(), None
        except Exception as error:
            message, failure = explain(error), error
        if message is None:
            return None
        is_bug = failure is not None and not isinstance(failure, ClawHostersError)
        fields: Data = {}
        if failure is not None:
            fields = {**describe_error(failure), "kind": "interrupted" if is_bug else classify(failure)}
        requests = self.client.stats.requests
        self._add_step(name, datetime.now(UTC), ok=failure is None, message=message, requests=requests, **fields)
        if failure is None:
            return None
        return self._finish("".join(traceback.format_exception(failure)) if is_bug else "")

    def _continue(self) -> Result:
        """Returns the result of a task after which the run goes on."""
        return {"run": self.run.to_dict()}

    def _add_step(self, name: str, now: datetime, **fields: t.Any) -> Step:
        return self.run.add_step(name, TITLES[name], now, **fields)

    def _finder(self) -> RestoreFinder:
        force = bool(self.settings["restore_force"])
        return RestoreFinder(self.client, self.context.journal(), self.run.incident, force, self.context.warn)

    def _finish(self, traceback_text: str = "") -> Result:
        return self.recorder.finish(self.instances, traceback_text)

    def _waiter(self, timeout: str) -> Waiter:
        return Waiter(self.settings[timeout], self.client.progress, requests_left=lambda: self.client.stats.remaining)


def _classify_reading(error: Exception) -> str:
    return "bad_key" if is_about_key(error) else "not_planned"
