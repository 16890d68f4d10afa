# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task that restores: what its restores share, and their plans, from what account and journal hold."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import ClawHostersError, PartialError, RefusedError, SettingsError
from ..._http.client import Client
from ..._state.journal import JournalError
from ..._text import one_line
from ..._time_options import parse_duration, parse_timestamp, require_past
from .history import RestoreHistory
from .options import MODULE, Rules
from .reason import ReasonKind
from .target_plan import AccountView, Target, plan_restores

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._state.journal import Journal, OperationKey
    from .account_reader import AccountReader
    from .history import EarlierReport
    from .options import Wording
    from .reason import Reason
    from .restore_job import RestoreJob
    from .target_plan import TargetPlan


def parse_rules(params: t.Mapping[str, t.Any]) -> Rules:
    """Returns the rules of a task from its options. Raises SettingsError for an invalid one."""
    try:
        return Rules(
            parse_timestamp("before", params["before"]),
            parse_duration("max_age", params["max_age"]),
            parse_duration("min_interval", params["min_interval"]),
            params["force"],
        )
    except SettingsError as error:
        error.is_unsent = True
        raise


@dataclass
class RestoreTask:
    """Shared by the restores of one task, or of one run of the role. All are for ``incident``.

    ``read_report`` reads the JSON that the role has written. ``wording`` has the words of messages. ``positions``: the
    last position of each subject in the journal when the task began.
    """

    client: Client
    journal: Journal
    incident: str
    rules: Rules
    warn: t.Callable[[str], None]
    read_report: t.Callable[[], EarlierReport] | None = None
    wording: Wording = MODULE
    positions: dict[str, int] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The time by which backups are judged."""
        return self.client.stats.now()

    def key(self, instance_id: object) -> OperationKey:
        """Returns the key of the restore of an instance."""
        return RestoreHistory(self.client.settings.api_url, self.incident).key(instance_id)

    def read_history(self, instance_ids: t.Iterable[object], *, with_holders: bool = False) -> RestoreHistory:
        """Returns what the journal holds of these instances. Raises JournalError."""
        keys, service = {str(one): self.key(one) for one in instance_ids}, self.client.settings.api_url
        # Before the states: what ends in between is then known.
        holders = self.journal.read_holders() if with_holders else {}
        earlier_report = self.read_report() if self.read_report else None
        states = self.journal.read_states({key.subject for key in keys.values()})
        for one in keys.keys() & (earlier_report.sent_at if earlier_report else {}).keys():
            if earlier_report and earlier_report.sent_at[one] in self.journal.find_attempts(keys[one]):
                # It was refused, perhaps after another run had recorded that it waits for it.
                del earlier_report.sent_at[one]
        now = self.journal.now()
        return RestoreHistory(service, self.incident, states, holders, now, self.positions, earlier_report)

    def find_other_case(self) -> str:
        """Returns that the journal has an incident whose name differs in case alone; empty if it has this one, or none.

        Raises JournalError.
        """
        if self.journal.find_subjects("restore", self.client.settings.api_url, self.incident):
            return ""
        states, _damaged = self.journal.read_intact_states()
        names = {key.name for key in states if key.kind == "restore" and key.name.lower() == self.incident.lower()}
        told = "The journal has the incident {}, whose name differs in case alone: {} is another incident."
        return told.format(one_line(min(names)), one_line(self.incident)) if names else ""

    def build_error(self, job: RestoreJob) -> ClawHostersError:
        """Returns the error of a restore that has a reason. Imports the table of reasons.

        Its class says if something was or may have been sent, by this run or an earlier one.
        """
        from .reason_texts import TABLE, ReasonContext, tell_reason

        reason, cause = t.cast("Reason", job.reason), job.cause
        context = ReasonContext(
            self.wording, self.incident, self.now, job.current, job.state, job.plan.older, cause.text if cause else ""
        )
        message = " ".join(filter(None, tell_reason(reason, context)))
        # What the journal has of it, or another run is about to send, belongs to the result.
        if job.changed or job.state or job.outcome == "in_flight" or TABLE[reason.kind].may_be_sent:
            return PartialError(message, {}, cause)
        return RefusedError(message, cause)


# Plans


def plan_task(
    task: RestoreTask,
    targets: t.Sequence[Target],
    reader: AccountReader,
    *,
    complete: t.Callable[[Target], Target] = lambda target: target,
) -> tuple[list[TargetPlan], AccountView, RestoreHistory]:
    """Reads account and journal, and returns a plan for each target, in order, and what was read.

    ``complete`` adds the instance to a target that names a backup alone. The journal is read last, so that it explains
    what the account shows. Nothing is sent if the folder of this machine was not imported. Raises
    JournalError, what the client raises, and RefusedError for a limit in the future.
    """
    # A restore that is sent from now on for another incident is not overwritten.
    task.positions = task.journal.read_positions()
    targets = [*map(complete, targets)]
    account = reader.read(targets)
    require_past(task.wording.option("before"), task.rules.before, task.now, is_unsent=True)
    named = (account.index.by_name.get(str(target.name), []) for target in targets if target.instance_id is None)
    ids = {target.instance_id for target in targets} | {one["id"] for found in named for one in found}
    history = task.read_history(ids - {None}, with_holders=True)
    plans = plan_restores(targets, account, history, task.rules, task.now)
    for plan in plans:
        # The folder says more than the JSON: how its journal becomes the database's.
        kind = plan.reason.kind if plan.reason else None
        sends = plan.sends or kind is ReasonKind.ONLY_IN_REPORT
        if task.journal.folder and sends and plan.instance:
            from ..._state.journal_writer import require_imported

            try:
                require_imported(task.journal, history.key(plan.instance["id"]))
            except JournalError as error:
                plan.stop(ReasonKind.OTHER_MEMORY, error)
    return plans, account, history
