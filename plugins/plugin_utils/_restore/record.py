# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an incident, a JSON file with all runs of the role ``restore`` for it, and its page."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...module_utils._model.resource import as_objects
from ...module_utils._module.open_journal import open_journal
from ...module_utils._service.restore.history import RestoreHistory, read_restores
from ...module_utils._state.journal import JournalError
from ...module_utils._state.journal_store import RunStore
from ...module_utils._state.store import StoreError
from ...module_utils._text import one_line
from .._formatting import format_recorded
from .._reports.report_folder import ReportError, open_folder_of, render
from .failures import FAILURES, UNCONFIRMED
from .recorded_runs import format_record, knows_more, name_record, parse_record, put_run, read_runs
from .run_record import (
    build_run_record,
    find_rank,
    format_done,
    format_failures,
    format_restored,
    show_headline,
    show_result,
)

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Resource, Result
    from ...module_utils._state.journal_store import Holder
    from .run import Data
    from .run_steps import RunSteps

ROLES = Path(__file__).resolve().parents[3] / "roles"
TEMPLATE = ROLES / "restore/templates/incident.html.j2"
STYLE_SHEET = ROLES / "fleet_report/files/page.css"
"""All pages of the collection share it."""

RECORD_INTERVAL = 10.0
"""Seconds between two records of a run that goes on: each has all of the incident. The journal has what happens
meanwhile."""

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_UNSENT = {kind.value for kind, failure in FAILURES.items() if failure.is_unsent}


def build_head(runs: list[Data], latest: Data) -> Data:
    """Returns the head of the page, as the latest run has it, over all runs of the incident.

    Each instance has its latest result, and the timeline of its restore over all runs. A run that sent nothing says
    nothing new of an instance that was restored.
    """
    results: dict[str, Data] = {}
    timelines: dict[str, list[Data]] = {}
    shown: dict[str, Data] = {}
    for run in runs:
        if run.get("check_mode"):
            continue
        for result in as_objects(run.get("instances")):
            key = _find_key(results, result)
            earlier = results.get(key)
            if earlier is None or earlier.get("outcome") != "ok" or result.get("kind") not in _UNSENT:
                timelines[key] = _merge_timelines(earlier, timelines.get(key, []), result)
                results[key] = result
                shown[key] = show_result(result, run)
    instances = [{**shown[key], "timeline": timelines[key]} for key in results]
    is_of_latest = list(results.values()) == as_objects(latest.get("instances"))
    # That an earlier run has restored an instance is no news about the incident.
    if is_of_latest and latest.get("outcome") != "restored":
        return {**latest, "headline": show_headline(latest), "instances": instances}
    kinds = ["" if one.get("outcome") == "ok" else str(one.get("kind")) for one in instances]
    return {**latest, "headline": format_restored(kinds), "instances": instances}


def _merge_timelines(earlier: Data | None, timeline: list[Data], result: Data) -> list[Data]:
    """Returns what happened to an instance, with its latest ``result``. What a run sees again has its first time."""
    events = as_objects(result.get("timeline"))
    if earlier is None or earlier.get("sent_at") != result.get("sent_at"):
        return events
    seen = {find_rank(event): event for event in reversed(timeline) if event.get("ok")}
    merged = [*seen.values(), *(event for event in events if not event.get("ok") or find_rank(event) not in seen)]
    return sorted(sorted(merged, key=find_rank), key=lambda event: str(event.get("at")))


def _find_key(results: dict[str, Data], result: Data) -> str:
    """Returns the key of an instance: its id, or its name where a run failed before it knew the id."""
    if result.get("id") is not None:
        results.pop(f"name {result.get('name')}", None)
        return str(result["id"])
    named = [key for key, earlier in results.items() if earlier.get("name") == result.get("name")]
    return named[0] if len(named) == 1 else f"name {result.get('name')}"


@dataclass
class Recorder:
    """Records the run of ``steps``. ``instances``: those of the account, as far as they were read."""

    steps: RunSteps
    instances: t.Sequence[Resource] = ()
    _problems: list[str] = field(default_factory=list)
    """Problems of which the user was warned."""
    _holders: dict[str, Holder] | None = None
    """Who works on what, as read once: what another run begins later is of no run that the record has."""

    def __post_init__(self) -> None:
        self.context, self.run, self._redact = self.steps.context, self.steps.run, self.steps.redact

    def read_history(self) -> RestoreHistory | None:
        """Returns what the journal holds of the incident's instances; None if it can't be read."""
        return read_restores(open_journal(self.context), self.context.client.settings.api_url, self.run.incident)

    def finish(self, traceback_text: str = "") -> Result:
        """Writes the record, and returns the result of the task: a failure if an instance was not restored."""
        recorded, problem = self.record(is_finished=True)
        path = self.run.report_path
        if self.run.check:
            where = ["Check mode: nothing was sent, asked or written."]
        elif problem:
            where = [problem]
        else:
            where = [f"Report: {path}", f"Record: {path.removesuffix('.html')}.json"]
        changed = any(step.changed for step in self.run.steps)
        if self.run.check:
            changed = any(plan.sends for plan in self.run.plans)
        done = [one for one in recorded["instances"] if one["outcome"] == "ok"]
        failed = [one for one in recorded["instances"] if one["outcome"] != "ok"]
        result: Result = {"changed": changed, "_ansible_verbose_always": True}
        if recorded["outcome"] != "failed":
            lines = [] if self.run.check else format_done(done)
            return {**result, "msg": [recorded["headline"], *lines, *where]}
        result.update(failed=True, msg=f"{recorded['headline']}.", failures=format_failures(failed), report=where)
        if done and not self.run.check:
            result["restored"] = format_done(done)
        return {**result, "exception": traceback_text} if traceback_text else result

    @contextlib.contextmanager
    def recording(self) -> t.Iterator[None]:
        """Records the run before the block, and during the block what is new every RECORD_INTERVAL seconds.

        A thread of its own writes: no request waits for the record.
        """
        self.record(is_finished=False)
        has_ended = threading.Event()
        writer = threading.Thread(target=self._record_until, args=(has_ended,), daemon=True)
        writer.start()
        try:
            yield
        finally:
            has_ended.set()
            writer.join()

    def _record_until(self, has_ended: threading.Event) -> None:
        recorded = len(self.run.steps)
        while not has_ended.wait(RECORD_INTERVAL):
            if recorded < (steps := len(self.run.steps)):
                recorded = steps
                self.record(is_finished=False)

    def record(self, *, is_finished: bool) -> tuple[Data, str]:
        """Writes the record and the page. Returns what it has of this run, and why it could not be written."""
        now = self.steps.now()
        self.run.revision += 1
        recorded: Data = self._redact(
            build_run_record(
                # Other threads may add steps meanwhile.
                replace(self.run, steps=[*self.run.steps]),
                self.read_history,
                now,
                is_finished=is_finished,
                instances=self.instances,
            )
        )
        if self.run.check:
            return recorded, ""
        title = _CONTROL_CHARACTERS.sub(" ", self.run.incident).strip()
        problem = ""
        try:
            variables = {
                "incident": title if len(title) <= 80 else f"{title[:77]}...",
                "css": STYLE_SHEET.read_text(encoding="utf-8"),
            }
            shared = self._share(recorded)
            path, known = self.run.report_path, (run for run, _text in shared.values())
            runs = record_run(path, str(TEMPLATE), variables, recorded, known, self._has_ended)
            if shared:
                self._share_better(runs, shared)
        except ReportError as error:
            problem = str(error)
        except Exception as error:  # A record must never prevent a restore.
            problem = f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."
        if problem and problem not in self._problems:
            self._problems.append(problem)
            self.context.warn(problem)
        return recorded, problem

    def _has_ended(self, run: Data) -> bool:
        """Returns True if a run that the record has without an end can't go on: nobody works on its instances."""
        if self._holders is None:
            try:
                self._holders = open_journal(self.context).read_holders()
            except JournalError:
                return False
        history = RestoreHistory(self.context.client.settings.api_url, self.run.incident, holders=self._holders)
        return not any(history.find_holder(one.get("id")) for one in as_objects(run.get("instances")))

    def _share(self, recorded: Data) -> dict[str, tuple[Data, str]]:
        """Keeps the run in the database, and returns all runs of the incident, of any machine, by id.

        Of each, also the text that the database holds. There are none without a database, or if it can't be used.
        """
        store = self.context.store
        if not isinstance(store, RunStore):
            return {}
        try:
            texts = store.put_run(self.run.incident, self.run.id, json.dumps(recorded))
        except StoreError as error:
            self.context.warn(f"{error}, so the record of this run is only in its own file. {error.advice}.")
            return {}
        head = json.dumps({"incident": self.run.incident})[:-1]
        return {
            run["id"]: (run, text)
            for text in texts
            for run in parse_record(f'{head}, "runs": [{text}]}}'.encode(), self.run.incident) or ()
        }

    def _share_better(self, runs: list[Data], shared: t.Mapping[str, tuple[Data, str]]) -> None:
        """Gives the database the runs of which the file knows more: it was away when they ended."""
        store = t.cast("RunStore", self.context.store)
        with contextlib.suppress(StoreError):
            for run in runs:
                known, text = shared.get(run["id"], (None, None))
                if known is None or knows_more(run, known):
                    store.replace_run(self.run.incident, run["id"], json.dumps(run), text)


def record_run(
    path: str,
    template: str,
    variables: Data,
    run: Data,
    shared_runs: t.Iterable[Data] = (),
    has_ended: t.Callable[[Data], bool] = lambda _run: False,
) -> list[Data]:
    """Adds a run to the record of its incident, next to the page at ``path``, writes the page, and returns all runs.

    ``shared_runs`` are those of all machines, if a database keeps them; they are added, too. ``has_ended`` tells of a
    run without an end whether it can't go on: then it was interrupted.

    A lock serializes concurrent runs. A record that can't be parsed, or is of another incident, is renamed. Raises
    ReportError.
    """
    with open_folder_of(path, creates=True) as (folder, page_name):
        record_name = name_record(page_name)
        runs = read_runs(folder, page_name, run["incident"])
        for one in (*shared_runs, run):
            runs = put_run(runs, one)
        found = {"interrupted": True, "found_ended": {"at": run.get("ended_at"), "by": run.get("by")}}
        runs = [
            {**one, **found} if one["id"] != run["id"] and _is_open(one) and has_ended(one) else one
            for one in sorted(runs, key=lambda one: one["began_at"])
        ]
        folder.write(record_name, format_record(run["incident"], runs))
        page = {
            **variables,
            "runs": runs,
            "latest": run,
            "head": build_head(runs, run),
            "clock": format_recorded,
            "unconfirmed": UNCONFIRMED,
        }
        folder.write(page_name, render(template, page))
    return runs


def _is_open(run: Data) -> bool:
    return run.get("outcome") == "unfinished" and not run.get("interrupted")
