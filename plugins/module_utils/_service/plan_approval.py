# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the plans of ``claw_fleet`` that somebody approves, and checks those that it applies."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ClawHostersError, PartialError
from .._model.fleet_plan import find_outdated_changes, list_changes
from .._model.instance import Action
from .._model.saved_plan import Approval, SavedPlan, parse_plan
from .._service_url import normalize_url
from .._text import MESSAGE_LIMIT, one_line
from .._time_options import parse_duration

if t.TYPE_CHECKING:
    from datetime import timedelta

    from .._model.instance_job import InstanceJob
    from .._model.resource import Resource
    from .._state.journal import Journal
    from .account_check import AccountCheck
    from .planned_restarts import PlannedRestarts


@dataclass(eq=False, repr=False)
class PlanApproval:
    """Makes the plan of a task. ``saved`` is the plan that it applies, None without one."""

    account: AccountCheck
    open_journal: t.Callable[[], Journal]
    saved: SavedPlan | None = None
    max_age: timedelta | None = None
    option: str = "plan_max_age"
    _restarts: PlannedRestarts | None = None

    @classmethod
    def parse(
        cls, account: AccountCheck, open_journal: t.Callable[[], Journal], options: t.Mapping[str, t.Any], prefix: str
    ) -> PlanApproval:
        """Returns the approval for a task with the options ``plan`` and ``plan_max_age``. Raises SettingsError."""
        max_age = parse_duration(option := f"{prefix}plan_max_age", options["plan_max_age"])
        saved = None if options["plan"] is None else parse_plan(options["plan"])
        return cls(account, open_journal, saved, max_age, option)

    def make(self, jobs: list[InstanceJob]) -> dict[str, t.Any]:
        """Returns the plan of a task in check mode. The account is asked for only if something would change."""
        changes, identity, client = list_changes(jobs), None, self.account.client
        if changes:
            try:
                identity = self.account.identify()
            except ClawHostersError:
                identity = None
        return SavedPlan.build(client.settings.api_url, identity, client.stats.now(), changes).as_result()

    def begin(self) -> t.Callable[[object], Approval] | None:
        """Returns the function that finds the approval of an instance by its id; None without a plan.

        Reads which of its restarts were sent already. Raises JournalError.
        """
        if self.saved is None:
            return None
        changes = self.saved.changes.values()
        if ids := [change.id for change in changes if change.action == Action.RESTART.value]:
            # A task without a restart does not compile it.
            from .planned_restarts import PlannedRestarts

            self._restarts = PlannedRestarts(self.account.client, self.open_journal(), self.saved.digest)
            self._restarts.read(ids)
        return self._approve

    def _approve(self, instance_id: object) -> Approval:
        change = t.cast("SavedPlan", self.saved).changes.get(str(instance_id))
        return self._restarts.approve(change) if change and self._restarts else Approval(change)

    def find_outdated(self, jobs: list[InstanceJob], listed: t.Mapping[str, Resource]) -> PartialError | None:
        """Returns the error that names each difference if the plan that the task applies does not hold any more."""
        saved, client = self.saved, self.account.client
        if saved is None:
            return None
        # An empty plan lets nothing change in any account.
        service, identity = normalize_url(client.settings.api_url), saved.account
        if saved.changes:
            identity = self.account.identify()
        found = saved.find_differences(service, identity, client.stats.now(), self.option, self.max_age)
        found += find_outdated_changes(saved, jobs, listed)
        if not found:
            return None
        lines = [one_line(line, MESSAGE_LIMIT) for line in found]
        text = f"The plan does not hold any more, and nothing was sent: {' '.join(lines)}"
        return PartialError(text, {"report": lines, "differences": len(lines)})
