# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of the role ``restore``, and its plans. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from ...module_utils._model.backup import is_in_future, taken_at
from ...module_utils._service.restore.plan import ROLE, RestorePlan
from .._formatting import format_label, slugify

if t.TYPE_CHECKING:
    from ...module_utils._model.plan_scope import PlanScope
    from ...module_utils._service.restore.plan import Surface, Target
    from ...module_utils._service.restore.restore import Restore
    from ...module_utils._service.restore.words import Note
    from .failures import Failed

Data = dict[str, t.Any]
OLD = timedelta(days=1)
"""Age of a restore from which a run for the same incident may be a mistake."""
UNHEALTHY = "restore_unhealthy"
"""The playbook that restores unhealthy instances."""


@dataclass
class RolePlan(RestorePlan):
    """A plan as the role shows it and lets the user confirm it, and what has come of it."""

    planned_at: datetime = field(kw_only=True)
    notes: list[Note] = field(default_factory=list)
    """Facts to know before confirming, such as a restore for another incident."""
    answer: str = ""
    """The text that confirms this restore."""
    id_reason: str = ""
    """Why the user has to type the id; empty if the name will do, or nothing has to be typed for this one."""
    batch: int | None = None
    """Number of the batch, from 1, once it has begun; None if there is one batch."""
    restore: Restore | None = None
    """The restore, once its batch may begin."""
    failed: Failed | None = None
    """The obstacle in the words of the role, or why this run has not brought the restore to its end."""

    @property
    def shown_name(self) -> object:
        """The name that the user gave, or that the instance has; None without either."""
        return (self.instance or {}).get("name") if self.target.name is None else self.target.name

    @property
    def name(self) -> str:
        """The same, or else the id."""
        return str(self.target.instance_id if self.shown_name is None else self.shown_name)

    @property
    def found_id(self) -> t.Any:
        """The id of the instance, or the one that the user gave; None without either."""
        return (self.instance or {}).get("id", self.target.instance_id)

    @property
    def label(self) -> str:
        return format_label(self.shown_name, self.found_id)

    @property
    def taken_at(self) -> datetime | None:
        """The time of the backup; None without a backup or a valid time."""
        return taken_at(self.backup or {})

    @property
    def age(self) -> timedelta | None:
        """How old the backup was at the time of the plan. As in the modules, one of the future has no known age."""
        taken = self.taken_at
        if taken is None or is_in_future(taken, self.planned_at):
            return None
        return max(self.planned_at - taken, timedelta(0))

    @property
    def ready(self) -> bool:
        """True without an obstacle. A restore that is in progress or completed is ready, too."""
        return self.obstacle is None

    @property
    def is_unseen(self) -> bool:
        """True if the earlier restore has completed without a sign."""
        return self.earlier is not None and self.earlier.is_unseen


@dataclass
class Run:
    """One run of the role so far. A playbook that has chosen an instance by its name sets name and id of a target."""

    variables: Data
    targets: list[Target]
    approved: PlanScope | None = None
    """The plan that it restores exactly."""
    check: bool = False
    plans: list[RolePlan] = field(default_factory=list)
    service: str = ""
    """Host and port of the service; empty before the first request."""
    account: str = ""
    """The account of the key; empty before it was read."""
    failed: Failed | None = None
    """The cause that has stopped the whole run; None while it goes on."""
    is_history_known: bool = True
    """False if the run has failed, and the journal can't be read."""
    again: str = "run the same command again"
    """How to go on with it."""
    failures: int = 0
    """How many restores had failed when no further batch began; 0 if all began, or none ended yet."""

    @property
    def surface(self) -> Surface:
        """The words of the role for this run."""
        surface = replace(ROLE, again=self.again, alone="" if len(self.targets) == 1 else " alone")
        return surface.for_task(force=bool(self.variables["restore_force"]))

    @property
    def chosen_by(self) -> str:
        """The playbook that chose the instance, and confirms it; empty if the user did."""
        return str(self.variables.get("restore_chosen_by") or "")

    @property
    def incident(self) -> str:
        return str(self.variables["restore_incident"])

    @property
    def report_path(self) -> str:
        """The absolute path of the page."""
        return str(Path(self.variables["restore_report_dir"]).absolute() / f"{slugify(self.incident)}.html")
