# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the plans that tasks return, and checks those that they apply."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ClawHostersError, PartialError
from .._model.saved_plan import PlanScope, SavedPlan, parse_plan
from .._service_url import normalize_url
from .._text import MESSAGE_LIMIT, one_line
from .._time_options import parse_duration

if t.TYPE_CHECKING:
    from datetime import timedelta

    from .._model.saved_plan import PlannedChange
    from .account_check import AccountCheck


@dataclass
class PlanMaker:
    """Makes the plan of a task. ``saved`` is the plan that it applies, None without one."""

    account: AccountCheck
    saved: SavedPlan | None = None
    max_age: timedelta | None = None

    @classmethod
    def parse(cls, account: AccountCheck, options: t.Mapping[str, t.Any]) -> PlanMaker:
        """Returns the plans of a task with the options ``plan`` and ``plan_max_age``. Raises SettingsError."""
        max_age = parse_duration("plan_max_age", options["plan_max_age"])
        return cls(account, None if options["plan"] is None else parse_plan(options["plan"]), max_age)

    def make(self, changes: t.Iterable[PlannedChange]) -> SavedPlan:
        """Returns the plan with these changes. The account is asked for only in a plan that can be applied.

        Raises PartialError, which names each difference, unless this is the plan that the task applies.
        """
        client, planned = self.account.client, {str(change.id): change for change in changes}
        identity = None
        if self.saved is not None:
            identity = self.account.identify()
        elif client.check_mode and planned:
            try:
                identity = self.account.identify()
            except ClawHostersError:
                identity = None
        plan = SavedPlan(PlanScope(normalize_url(client.settings.api_url), identity, client.stats.now()), planned)
        if self.saved is not None and (differences := self.saved.find_differences(plan, self.max_age)):
            lines = [one_line(line, MESSAGE_LIMIT) for line in differences]
            named = " ".join(f"{line}." for line in lines)
            raise PartialError(
                f"The plan does not hold any more, and nothing was sent: {named}",
                {"report": lines, "differences": len(lines), "plan": plan.as_result()},
            )
        return plan
