# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The second part of a run of the role ``restore``: confirms its plan, and observes how ``executor.py`` carries it out.

Imports at its top all that may be needed after a restore was sent, so the run imports it before it sends one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
import typing as t
from dataclasses import replace

from ...module_utils._errors import ClawHostersError
from ...module_utils._model.backup import has_good_status, taken_at
from ...module_utils._model.instance import short_name
from ...module_utils._model.ownership import has_owner, may_belong, parse_owner
from ...module_utils._model.resource import Resource, normalize
from ...module_utils._service.account_check import AccountCheck
from ...module_utils._service.backups import find_backup, list_backups
from ...module_utils._service.find_instance import find_instance
from ...module_utils._service.restore.account_reader import read_by_ids
from ...module_utils._service.restore.executor import BatchExecutor, RestoreObserver
from ...module_utils._service.restore.reason import Reason, ReasonError, ReasonKind
from ...module_utils._service.restore.recorded_incident import run_key
from ...module_utils._service.restore.restore_job import REFUSED, ExecutorOptions, RestoreJob, Stage
from ...module_utils._service.restore.restore_task import RestoreTask
from ...module_utils._service.restore.target_plan import RestoreAction
from ...module_utils._state.journal import JournalError, NoteKind
from ...module_utils._state.journal_writer import describe_sender, lock_operation, record_note
from ...module_utils._text import format_first, one_line
from ...module_utils._waiter import Waiter
from .._formatting import format_clock, wrap_lines
from .address_check import check_address, parse_address
from .finish import write_pages
from .role_run import GIVEN, NOT_ASKED, TYPED, UNHEALTHY, expected_answer, is_confirmed
from .unhealthy_limit import UnhealthyLimit

if t.TYPE_CHECKING:
    from ...module_utils._state.journal import OperationKey
    from .role_planner import RolePlanner
    from .role_run import RoleRun, RoleTargetPlan

_PARENT_INTERVAL = 1.0
"""Seconds after which it is seen that the parent process has ended."""
TRIES = 3
"""Answers that are accepted at the terminal before the run ends."""
_LISTED = 3
"""Changes that a message lists."""


@contextlib.contextmanager
def ended_with_terminal() -> t.Iterator[None]:
    """During the block, ends this process once the one that reads the terminal has ended: nobody answers any more.

    That one ends when the terminal is closed. From ansible-core 2.19, workers have a planner of their own.
    """
    parent, has_answer, waiting = os.getppid(), threading.Event(), threading.get_ident()

    def watch() -> None:
        while not has_answer.wait(_PARENT_INTERVAL):
            if os.getppid() != parent:
                signal.pthread_kill(waiting, signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        has_answer.set()


def require_confirmation(run: RoleRun, given: str, ask: t.Callable[[str], str]) -> str:
    """Returns how the plans were confirmed: ``TYPED`` at the terminal, or ``GIVEN`` in the variable.

    ``ask`` asks at the terminal, below the plan. Raises ReasonError.
    """
    plans, incident = run.plans, run.incident
    if given:
        if is_confirmed(given, plans, incident, in_advance=True):
            return GIVEN
        raise ReasonError(ReasonKind.NOT_CONFIRMED, explain_wrong_answer("restore_confirm is", given, plans, incident))
    question = (
        f"An empty answer or Ctrl-C sends nothing.\nTo overwrite, type exactly: {expected_answer(plans, incident)}"
    )
    above: list[str] = []
    for _attempt in range(TRIES):
        answer = ask("\n".join([*above, question])).strip()
        if not answer:
            raise ReasonError(ReasonKind.NOT_CONFIRMED, "Nothing was typed.")
        if is_confirmed(answer, plans, incident):
            return TYPED
        problem = explain_wrong_answer("You typed", answer, plans, incident)
        above = wrap_lines([problem])
    raise ReasonError(ReasonKind.NOT_CONFIRMED, problem)


def explain_wrong_answer(source: str, answer: str, plans: list[RoleTargetPlan], incident: str) -> str:
    """Returns a sentence that shows an answer beside the one that is needed."""
    needed = expected_answer(plans, incident) or ",".join(plan.answer for plan in plans)
    return f"{source}: {one_line(answer)}. It must be: {needed}."


def find_changed_backups(task: RestoreTask, plans: t.Iterable[RoleTargetPlan]) -> dict[str, ClawHostersError]:
    """Reads again the backups that will be sent. Returns how each changed one differs from its plan, by its id.

    A backup that another run restores meanwhile has another status. If the journal says that this was for the same
    incident, it is no change: this run waits for it.
    """
    client = task.client
    sends = {str(plan.backup_id): plan for plan in plans if plan.sends}
    items, is_list, _pages = read_by_ids(client, "/backups", sends, lambda one: find_backup(client, one))
    if not is_list and sends.keys() - {str(backup["id"]) for backup in items}:
        # Only the list, by which the plan was made, shows that a backup is gone.
        items = list_backups(client)
    found = {str(backup["id"]): backup for backup in items}
    changes = {key: explain_changed_backup(plan, found.get(key)) for key, plan in sends.items()}
    texts = {key: _explain_change(task, sends[key], change) for key, change in changes.items() if change}
    return {key: ReasonError(ReasonKind.CONFIRMED_CHANGED, text) for key, text in texts.items() if text}


def _explain_change(task: RestoreTask, plan: RoleTargetPlan, change: str) -> str:
    """Returns what is to be told of a changed backup; empty if another run of the incident has sent it."""
    instance = t.cast("Resource", plan.instance)
    history = task.read_history([instance["id"]])
    own, other = history.find_own(instance["id"]), history.find_unfinished(instance)
    if own and own.position > plan.known_position:
        return ""
    if find_instance(task.client, instance["id"]) is None:
        return f"{plan.label} does not exist any more: it was deleted."
    return f"{plan.label}: {other.describe()}." if other else f"{change}."


def explain_changed_backup(plan: RoleTargetPlan, now: Resource | None) -> str:
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


class RoleExecutor(RestoreObserver):
    """Confirms the plan of a run, has its restores carried out, and observes that.

    It notes in the journal who confirmed what, how that ended, and what the journal has no event for.
    """

    def __init__(self, planner: RolePlanner) -> None:
        self._planner = planner
        self._run, self._client, self._task = planner.run, planner.client, planner.task
        self._key = run_key(self._client.settings.api_url, self._run.incident, f"run-{secrets.token_hex(8)}")

    def confirm(self, held: contextlib.ExitStack) -> None:
        """Asks for the answer that confirms what will be overwritten, and notes it. ``held`` keeps the lock of the run.

        Raises ReasonError, or what the client and the journal raise.
        """
        run, given = self._run, self._run.variables["restore_confirm"]
        how = NOT_ASKED
        if given or any(plan.sends for plan in run.plans):
            how = require_confirmation(run, given, self._ask)
            if not given:
                self._require_same_facts()
        journal = self._task.journal
        if run.chosen_by == UNHEALTHY:
            limit = UnhealthyLimit(journal, self._client.settings.api_url, int(run.variables["restore_at_most"]))
            for plan in run.plans:
                if plan.sends:
                    limit.claim(str((plan.instance or {})["id"]), run.incident)
        held.enter_context(lock_operation(journal, self._key))
        instances = {str(plan.instance["id"]): plan for plan in self._ready if plan.instance}
        record_note(
            journal,
            self._key,
            NoteKind.CONFIRMED,
            by=describe_sender(),
            account=run.account,
            how=run.chosen_by or how,
            backups={key: plan.backup_id if plan.sends else None for key, plan in instances.items()},
            names={key: plan.name for key, plan in instances.items()},
            refused=[
                {"id": plan.found_id, "name": plan.shown_name, "reason": plan.reason.to_dict()}
                for plan in run.plans
                if plan.reason
            ],
        )

    def _ask(self, prompt: str) -> str:
        with ended_with_terminal():
            return self._planner.screen.ask(self._planner.redact(prompt))

    @property
    def _ready(self) -> list[RoleTargetPlan]:
        return [plan for plan in self._run.plans if plan.reason is None]

    def _require_same_facts(self) -> None:
        """Reads account and backups again: the prompt may have waited for hours. Raises ReasonError.

        The instances are read under their locks.
        """
        # Read anew, not from the account that the plan has read.
        account = AccountCheck(self._client).label()
        changes = [f"The account is {account} now."] if account != self._run.account else []
        changes += [error.text for error in find_changed_backups(self._task, self._run.plans).values()]
        if changes:
            raise ReasonError(ReasonKind.CONFIRMED_CHANGED, format_first(changes, _LISTED))

    def carry_out(self) -> None:
        """Restores in batches. Those of batches that did not begin have a reason afterwards.

        Any exception but KeyboardInterrupt is a bug.
        """
        variables, progress = self._run.variables, self._client.progress
        # Of copies: they are decided again under the locks, and the plans stay as they were confirmed.
        restores = [RestoreJob(replace(plan)) for plan in self._ready]
        for restore, plan in zip(restores, self._ready, strict=True):
            plan.restore = restore
        options = ExecutorOptions(
            variables["restore_wait_timeout"],
            variables["restore_healthy_timeout"],
            sizes=variables["restore_serial"],
            max_failures=variables["restore_max_failures"],
        )
        executor = BatchExecutor(self._task, self._planner.reader.list_pages, options, self)
        progress.unwinds = True
        try:
            write_pages(self._planner)
            executor.run(restores)
        except KeyboardInterrupt:
            # What was under way has been answered meanwhile, and is in the journal.
            self._note(self._key, NoteKind.INTERRUPTED)
            write_pages(self._planner)
            raise
        finally:
            progress.unwinds = False
        facts = {"failed": sum(map(RestoreJob.proves_nothing, restores)), "max_failures": options.max_failures}
        for restore in restores:
            if restore.stage is Stage.PLANNED and restore.plan.action is not RestoreAction.NONE:
                restore.fail(Reason(ReasonKind.NOT_BEGUN, facts), restore.outcome)
        self._note(self._key, NoteKind.ENDED)

    # RestoreObserver

    def on_batch(self, number: int, restores: t.Sequence[RestoreJob]) -> None:
        """Fails the restores of a further batch whose backups have changed; all, if that can't be read.

        The batches before may have taken hours since the plan was confirmed.
        """
        by_backup = {str(one.plan.backup_id): one for one in restores if one.plan.sends and number > 1}
        plans = [t.cast("RoleTargetPlan", one.plan) for one in by_backup.values()]
        try:
            errors = find_changed_backups(self._task, plans) if plans else {}
        except ClawHostersError as error:
            errors = dict.fromkeys(by_backup, error)
        for key, change in errors.items():
            kind = change.reason_kind if isinstance(change, ReasonError) else ReasonKind.REJECTED
            facts = {"backup_id": by_backup[key].plan.backup_id, **change.facts}
            by_backup[key].fail(Reason(kind, facts), REFUSED, change)

    def on_end(self, restore: RestoreJob) -> None:
        """Notes why it has failed, or that the address responded. The journal has the rest already."""
        key = self._task.key(restore.instance["id"])
        if restore.reason is not None:
            self._note(key, NoteKind.FAILED, reason=restore.reason.to_dict())
        elif self._run.variables["restore_http_check"]:
            self._note(key, NoteKind.RESPONDED)

    def _note(self, key: OperationKey, kind: NoteKind, **facts: t.Any) -> None:
        try:
            record_note(self._task.journal, key, kind, **facts)
        except JournalError as error:
            self._task.warn(error.text)

    def verify(self, restore: RestoreJob) -> None:
        """Requests the address of the instance until it responds, with ``restore_http_check``. Raises AddressError."""
        variables = self._run.variables
        if not variables["restore_http_check"]:
            return
        instance = restore.current
        if "subdomain_url" not in instance:
            # Only the detail shows it.
            instance = find_instance(self._client, instance["id"]) or {}
            if not instance:
                raise ReasonError(ReasonKind.GONE)
        url = f"{parse_address(instance.get('subdomain_url'))}/{str(variables['restore_http_path']).lstrip('/')}"
        waiter = Waiter(variables["restore_healthy_timeout"], self._client.progress)
        ca_path = self._client.settings.ca_path
        check_address(url, variables["restore_http_statuses"], waiter, short_name(instance), ca_path)
