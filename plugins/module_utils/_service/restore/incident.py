# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An incident: what all restores of a task share, and what the journal holds of them."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace
from datetime import timedelta

from ..._errors import SettingsError
from ..._model.instance import is_busy, label, short_name
from ..._state.journal import JournalError
from ..._time_options import parse_duration, parse_timestamp, require_past
from ..at_most_once import OperationGuard
from . import messages
from .history import CLOCK_TOLERANCE, RestoreHistory
from .plan import ObstacleKind, Rules, plan_restores
from .restore import Stage

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._errors import RefusedError
    from ..._http.client import Client
    from ..._model.resource import Resource
    from ..._progress import InterruptNote
    from ..._state.journal import Journal
    from .history import RestoreRecord
    from .plan import AccountView, RestorePlan, Target
    from .restore import Restore

PRECISION = timedelta(milliseconds=1)
"""Of the times in the journal, which are rounded down."""


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
class Incident:
    """The incident ``name``, for which each instance is restored at most once."""

    client: Client
    journal: Journal
    name: str
    rules: Rules
    warn: t.Callable[[str], None]
    read_record: t.Callable[[], RestoreRecord] | None = None
    """Reads the record that the role keeps beside the journal."""
    option_prefix: str = ""
    """Before the names of options, in messages about them."""
    _began: float | None = None
    """When the journal was first read, by the monotonic clock."""
    _sizes: dict[str, int] | None = None
    """The size of each subject's lines in the journal then, if that is known."""
    _damaged: dict[str, JournalError] = field(default_factory=dict)
    """The damage of subjects that were found by the incident, by their digests: each may be of any instance."""

    @property
    def now(self) -> datetime:
        """The time by which backups are judged."""
        return self.client.stats.now()

    def read_history(self, targets: t.Iterable[Target], *, with_holders: bool = False) -> RestoreHistory:
        """Returns what the journal holds of the targets: by the instance's id, or by the incident for one without.

        Raises JournalError.
        """
        self._began = time.monotonic() if self._began is None else self._began
        ids = {target.instance_id for target in targets}
        if None in ids:
            self._sizes = self.journal.read_sizes()
        subjects: set[str] = set()
        if None in ids:
            subjects = self.journal.find_subjects("restore", self.client.settings.api_url, self.name)
        # Before the states: what ends in between is then known.
        holders = self.journal.read_holders() if with_holders else {}
        record = self.read_record() if self.read_record else None
        history = RestoreHistory(
            self.client.settings.api_url, self.name, {}, holders, self.journal.now(), record=record
        )
        for subject in self._read_more(history, subjects, ids - {None}):
            history.positions[subject] = len(self.journal.known_times(subject))
        return history

    def plan(self, targets: t.Sequence[Target], account: AccountView, history: RestoreHistory) -> list[RestorePlan]:
        """Returns a plan for each target, in order.

        Adds to ``history`` the instances that are known by now, of targets without id. One that the journal does not
        know, and the folder of this machine beside the database does, has an obstacle. Raises JournalError, and
        RefusedError for a limit in the future.
        """
        require_past(f"{self.option_prefix}before", self.rules.before, self.now, is_unsent=True)
        named = (account.index.by_name.get(str(target.name), []) for target in targets if target.instance_id is None)
        ids = {target.instance_id for target in targets} | {one["id"] for found in named for one in found}
        for subject in self._read_more(history, set(), ids - {None}):
            history.positions[subject] = self._find_position_before(subject, history.read_at)
        history = replace(history, service_time=self.client.stats.service_time())
        plans = plan_restores(targets, account, history, self.rules, self.now)
        if self._read_busy_again(plans, history):
            first, plans = plans, plan_restores(targets, account, history, self.rules, self.now)
            for before, plan in zip(first, plans, strict=True):
                if plan.obstacle and plan.obstacle.kind is ObstacleKind.WRONG_STATUS and not plan.obstacle.other:
                    # It ended between the two readings of the journal, and perhaps since the status was read.
                    plan.stop(ObstacleKind.WRONG_STATUS, other=before.unfinished)
        for error in self._damaged.values():
            if any(plan.obstacle and plan.obstacle.kind is ObstacleKind.NO_INSTANCE for plan in plans):
                # It may have been restored before it was renamed or deleted.
                error.is_unsent = True
                raise error
        for plan in plans:
            # The folder says more than the record: how its journal becomes the database's.
            kind = plan.obstacle.kind if plan.obstacle else None
            if (plan.sends or kind is ObstacleKind.ONLY_IN_RECORD) and plan.earlier is None and plan.instance:
                try:
                    self.journal.require_not_in_folder(history.key(plan.instance["id"]))
                except JournalError as error:
                    plan.stop(ObstacleKind.OTHER_MEMORY, cause=error)
        return plans

    def _read_busy_again(self, plans: list[RestorePlan], history: RestoreHistory) -> bool:
        """Reads the journal again for busy instances: a restore may have been sent after it was read the first time.

        Returns False if there are none.
        """
        stopped = [plan for plan in plans if plan.obstacle and plan.obstacle.kind is ObstacleKind.WRONG_STATUS]
        busy = [plan.instance for plan in stopped if plan.instance and is_busy(plan.instance)]
        if busy:
            history.states.update(self.journal.read_states({history.key(one["id"]).subject for one in busy}))
        return bool(busy)

    def _read_more(self, history: RestoreHistory, found: set[str], instance_ids: t.Iterable[object]) -> set[str]:
        """Reads the subjects of the instances, and those that were ``found`` by the incident, if not read before.

        Returns them, but for those that were found and are damaged. If one is of a target, it is read again, by its id.
        Raises JournalError for damage to a subject of the instances.
        """
        keys = {str(one): history.key(one) for one in instance_ids}
        subjects = {key.subject for key in keys.values()} - history.positions.keys()
        if subjects:
            history.states.update(self.journal.read_states(subjects))
        if found := found - subjects:
            states, self._damaged = self.journal.read_intact_states(found)
            history.states.update(states)
            subjects |= found - self._damaged.keys()
        if sent_at := history.record and history.record.sent_at:
            for one in keys.keys() & sent_at.keys():
                if sent_at[one] in self.journal.find_attempts(keys[one]):
                    # It was refused, perhaps after another run had recorded that it waits for it.
                    del sent_at[one]
        return subjects

    def _find_position_before(self, subject: str, read_at: datetime) -> int:
        """Returns the last position that a subject had when the task began at ``read_at``: it was read only now.

        Its id was not known before. In a folder, the size that its lines had tells. In a database, times must tell
        which lines were written meanwhile, by the clock as it was then or as it is now, in case it was set: how long
        this took is known.
        """
        if self._sizes is not None:
            return self.journal.count_lines(subject, self._sizes.get(subject, 0))
        passed = timedelta(seconds=time.monotonic() - (self._began or 0.0))
        now = self.journal.now()
        first, last = min(read_at, now - passed) - PRECISION, max(read_at + passed, now) + CLOCK_TOLERANCE
        times = self.journal.known_times(subject)
        return next((position for position, at in enumerate(times) if first <= at <= last), len(times))

    def build_error(self, plan: RestorePlan) -> RefusedError:
        """Returns the error of a plan with an obstacle."""
        return messages.build_error(plan, self.name, self.rules, self.now)

    def warn_of_choice(self, plan: RestorePlan) -> None:
        """Warns of what the choice of a backup passes over, and of what can't be told of it."""
        for note in messages.describe_choice(plan, self.name, self.rules, self.now):
            self.warn(f"{label(plan.instance or {})}: {note.text}")

    def warn_of_clock(self) -> None:
        """Warns of a clock of this machine that differs from the service's."""
        if difference := messages.describe_clock(self.client.stats.find_clock_lead()):
            self.warn(difference)

    def predict(self, restore: Restore) -> None:
        """Sets the results that a restore would have, for check mode."""
        if restore.plan.obstacle:
            restore.fail(self.build_error(restore.plan), restore.outcome)
            return
        if restore.plan.sends:
            restore.is_sent, restore.current = True, {**restore.current, "status": "running"}
        restore.stage = Stage.DONE

    def guard(self, instance: Resource, note: InterruptNote) -> OperationGuard:
        """Returns the guard of the restore of this instance. ``note`` is what Ctrl-C shows of it."""
        key = RestoreHistory(self.client.settings.api_url, self.name).key(instance["id"])
        return OperationGuard(self.journal, key, self.warn, f"the restore of {short_name(instance)}", note)
