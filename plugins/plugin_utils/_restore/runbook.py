# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the steps of the role ``restore``. Each failure is recorded before its task ends."""

from __future__ import annotations

import json
import re
import traceback
import typing as t
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

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
from ...module_utils._service.restore_history import OUTCOMES, RestoreHistory, find_refused
from ...module_utils._service.restore_target import RestoreFinder
from ...module_utils._state.journal import JournalError
from ...module_utils._state.store import StoreError
from ...module_utils._times import parse_timestamp
from ...module_utils._waiter import Waiter
from .._formatting import format_value
from .._reports.files import ReportError, record_run
from .address import check_address, parse_address
from .confirmation import expected_answer, explain_wrong_answer, format_prompt, format_question, is_confirmed
from .failures import describe_error, describe_failure, explain, is_about_key, translate_options
from .model import Data, RestorePlan, Run, Step
from .plan import build_plans, match_backups, plan_lines, plan_row
from .record import parse_record
from .report import TITLES, UNSEEN, build_report
from .settings import report_path

ROLES = Path(__file__).resolve().parents[3] / "roles"
TEMPLATE = ROLES / "restore/templates/incident.html.j2"
STYLE_SHEET = ROLES / "fleet_report/files/page.css"
"""All pages of the collection share it."""

TRIES = 3
"""Answers that are accepted at the terminal before the run ends."""

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class NoTerminalError(ClawHostersError):
    """There is no terminal to ask at."""


class PromptInterruptedError(ClawHostersError):
    """Ctrl-C was pressed at the prompt."""


class NotConfirmedError(ClawHostersError):
    """The restores were not confirmed."""


@dataclass
class Runbook:
    """Runs the steps. ``redact`` removes secrets from what is recorded or shown."""

    context: ModuleContext
    run: Run
    redact: t.Callable[[t.Any], t.Any]
    ask: t.Callable[[str], str]
    """Asks at the terminal. Raises NoTerminalError or PromptInterruptedError."""
    instances: list[Resource] = field(default_factory=list)
    """The instances of the account, once they were read."""
    _problems: list[str] = field(default_factory=list)
    """Problems with the record of which the user was warned."""

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
        history = replace(self._read_history(), holders=self.context.journal().read_holders())
        self.instances = self.client.fetch_all("/instances")
        backups = self.client.fetch_all("/backups")
        is_latest = self.settings["restore_backup"] == "latest"
        before = parse_timestamp("restore_before", self.settings["restore_before"] or None) if is_latest else None
        candidates = match_backups(self.run.targets, self.instances, backups, before)
        if not is_latest and candidates[0].instance is not None:
            # Only one instance can be restored from a backup that is given by its id.
            candidate = candidates[0]
            query = RestoreQuery(candidates[0].instance["id"], None, int(self.settings["restore_backup"]), None, None)
            candidate.kind = candidate.problem = candidate.left_out = ""
            try:
                _instance, backup = self._finder().find_target(query)
                candidate.backup, candidate.is_given = backup or {"id": query.backup_id}, True
            except ClawHostersError as error:
                candidate.kind, candidate.problem = "not_now", translate_options(str(error))
        return build_plans(candidates, history, self.settings, self.instances, datetime.now(UTC))

    # Confirmation

    def confirm(self) -> Result:
        """Requires the answer that confirms what will be overwritten."""
        return self._run_step("confirm", self._require_confirmation, lambda _error: "not_confirmed") or self._continue()

    def _require_confirmation(self) -> str:
        plans = self.run.plans
        if given := self.settings["restore_confirm"]:
            if not is_confirmed(given, plans):
                raise NotConfirmedError(explain_wrong_answer("restore_confirm is", given, plans))
            return "The name was given as restore_confirm."
        now = datetime.now(UTC)
        prompt = format_prompt(plans, [plan_row(plan, now) for plan in plans])
        problem = ""
        for _attempt in range(TRIES):
            answer = self._ask(prompt)
            if not answer:
                raise NotConfirmedError("Nothing was typed.")
            if is_confirmed(answer, plans):
                return "The name was typed at the terminal."
            problem = explain_wrong_answer("You typed", answer, plans)
            prompt = "\n".join([problem, *format_question(plans)])
        raise NotConfirmedError(problem)

    def _ask(self, prompt: str) -> str:
        try:
            return self.ask(self.redact(prompt)).strip()
        except NoTerminalError:
            answer = expected_answer(self.run.plans)
            raise NotConfirmedError(
                "restore_confirm is empty, and no name was typed. There is no terminal to ask at: "
                f"set restore_confirm to {answer}."
            ) from None
        except PromptInterruptedError:
            raise NotConfirmedError("Interrupted at the prompt.") from None

    def _require_confirmed(self) -> None:
        """Raises NotConfirmedError if the task that confirms failed or was left out: a play may ignore errors."""
        has_confirmed = any(step.step == "confirm" and step.ok for step in self.run.steps)
        if not has_confirmed and any(plan.sends for plan in self.run.plans):
            raise NotConfirmedError("The task before this one did not confirm it.")

    # Restoring

    def restore(self) -> Result:
        """Restores the instances of the plan, one after another. In check mode, predicts it."""
        if not self.run.check:
            if failed := self._run_step("confirm", self._require_confirmed, lambda _error: "not_confirmed"):
                return failed
            ready = [plan for plan in self.run.plans if plan.ready]
            for number, plan in enumerate(ready, start=1):
                # Recorded before the restore, in case the run is interrupted.
                self._record(is_finished=False)
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
        outcome = {"incident": self.run.incident, "instances": self._list_outcomes()}
        return {"ansible_stats": {"data": {"clawhosters_restore": outcome}, "per_host": False, "aggregate": False}}

    def _list_outcomes(self) -> list[Data]:
        """Returns what the journal holds of each instance: ids, times and outcomes only."""
        history, refused = self._try_history(), self._find_refused()
        found: list[tuple[Data, RestorePlan | None]] = [(target, None) for target in self.run.targets]
        if self.run.plans:
            found = [({"id": (plan.instance or {}).get("id"), "name": None}, plan) for plan in self.run.plans]
        outcomes = []
        for target, plan in found:
            state = history.find_own(target["id"], target["name"])
            unsent = "refused" if str(target["id"]) in refused else "not_begun"
            if self.run.check and plan and plan.sends:
                unsent = "planned"
            backup = (plan.backup if plan else None) or {}
            outcomes.append(
                {
                    "id": target["id"],
                    "backup_id": state.notes.get("backup_id") if state else backup.get("id"),
                    "outcome": OUTCOMES.get(state.event, unsent) if state else unsent,
                    "sent_at": state.sent_at if state else None,
                    "completed_at": state.completed_at if state else None,
                }
            )
        return outcomes

    def _find_refused(self) -> set[str]:
        """Returns the ids of the instances whose restore the service refused in this run."""
        try:
            entries = self.context.journal().read_entries()
        except JournalError:
            return set()
        return find_refused(entries, self.client.settings.api_url, self.run.incident, self.run.began_at)

    def _finish(self, traceback_text: str = "") -> Result:
        """Writes the record, and returns the result of the task: a failure if an instance was not restored."""
        report, problem = self._record(is_finished=True)
        path = report_path(self.settings)
        if self.run.check:
            where = ["Check mode: nothing was sent, asked or written."]
        elif problem:
            where = [problem]
        else:
            where = [f"Report: {path}", f"Record: {path.removesuffix('.html')}.json"]
        changed = any(step.changed for step in self.run.steps)
        if self.run.check:
            changed = any(plan.sends for plan in self.run.plans)
        done = [one for one in report["instances"] if one["outcome"] == "ok"]
        result: Result = {"changed": changed, "_ansible_verbose_always": True}
        if report["outcome"] != "failed":
            lines = [] if self.run.check else [f"{one['label']}: {one['state']}" for one in done]
            return {**result, "msg": [report["headline"], *lines, *where]}
        result.update(failed=True, msg=f"{report['headline']}.", failures=report["failures"], report=where)
        if done and not self.run.check:
            result["restored"] = [f"{one['label']}: {one['state']}" for one in done]
        return {**result, "exception": traceback_text} if traceback_text else result

    def _record(self, *, is_finished: bool) -> tuple[Data, str]:
        """Writes the record and the page. Returns the report, and why it could not be written."""
        report: Data = self.redact(
            build_report(
                self.run,
                self._try_history(),
                datetime.now(UTC),
                is_finished=is_finished,
                instances=self.instances,
            )
        )
        if self.run.check:
            return report, ""
        title = _CONTROL_CHARACTERS.sub(" ", self.run.incident).strip()
        problem = ""
        try:
            variables = {
                "incident": title if len(title) <= 80 else f"{title[:77]}...",
                "css": STYLE_SHEET.read_text(encoding="utf-8"),
            }
            record_run(report_path(self.settings), str(TEMPLATE), variables, report, self._share(report))
        except ReportError as error:
            problem = str(error)
        except Exception as error:  # A record must never prevent a restore.
            problem = f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."
        if problem and problem not in self._problems:
            self._problems.append(problem)
            self.context.warn(problem)
        return report, problem

    def _share(self, report: Data) -> list[Data]:
        """Keeps the run in the database, if there is one, and returns all runs of the incident, of any machine."""
        try:
            texts = self.context.store.put_run(self.run.incident, self.run.id, json.dumps(report))
        except StoreError as error:
            self.context.warn(f"{error}, so the record of this run is only in its own file. {error.advice}.")
            return []
        record = json.dumps({"incident": self.run.incident, "runs": [json.loads(text) for text in texts]})
        return parse_record(record.encode(), self.run.incident) or []

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

    def _read_history(self) -> RestoreHistory:
        """Returns what the journal holds. Raises JournalError."""
        return RestoreHistory(self.client.settings.api_url, self.run.incident, self.context.journal().read_states())

    def _try_history(self) -> RestoreHistory:
        """Returns what the journal holds; nothing if it can't be read."""
        try:
            return self._read_history()
        except JournalError:
            return RestoreHistory(self.client.settings.api_url, self.run.incident)

    def _waiter(self, timeout: str) -> Waiter:
        return Waiter(self.settings[timeout], self.client.progress, requests_left=lambda: self.client.stats.remaining)


def _classify_reading(error: Exception) -> str:
    return "bad_key" if is_about_key(error) else "not_planned"
