# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans the restores of an incident from account and journal, and warns of what the user is to know of it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._model.instance import label
from ..._state.journal import JournalError
from ..._time_options import require_past
from .plan import ObstacleKind
from .planner import plan_restores
from .words import describe_choice, describe_clock

if t.TYPE_CHECKING:
    from .history import RestoreHistory
    from .incident import Incident
    from .plan import RestorePlan, Target
    from .planner import AccountView


def plan_incident(
    incident: Incident, targets: t.Sequence[Target], account: AccountView, history: RestoreHistory
) -> list[RestorePlan]:
    """Returns a plan for each target, in order.

    Adds to ``history`` the instances that are known by now, of targets without id. One that the journal does not
    know, and the folder of this machine beside the database does, has an obstacle. Raises JournalError, and
    RefusedError for a limit in the future.
    """
    require_past(incident.surface.option("before"), incident.rules.before, incident.now, is_unsent=True)
    named = (account.index.by_name.get(str(target.name), []) for target in targets if target.instance_id is None)
    ids = {target.instance_id for target in targets} | {one["id"] for found in named for one in found}
    for subject in incident.read_more(history, set(), ids - {None}):
        history.positions[subject] = incident.positions.get(subject, 0)
    history = replace(history, service_time=incident.client.stats.service_time())
    plans = plan_restores(targets, account, history, incident.rules, incident.now)
    if _read_again(incident, plans, history):
        first, plans = plans, plan_restores(targets, account, history, incident.rules, incident.now)
        for before, plan in zip(first, plans, strict=True):
            if plan.obstacle and plan.obstacle.kind is ObstacleKind.WRONG_STATUS and not plan.obstacle.other:
                # It ended between the two readings of the journal, and perhaps since the status was read.
                plan.stop(ObstacleKind.WRONG_STATUS, other=before.unfinished)
    for error in incident.damaged.values():
        if any(plan.obstacle and plan.obstacle.kind is ObstacleKind.NO_INSTANCE for plan in plans):
            # It may have been restored before it was renamed or deleted.
            error.is_unsent = True
            raise error
    for plan in plans:
        # The folder says more than the JSON: how its journal becomes the database's.
        kind = plan.obstacle.kind if plan.obstacle else None
        if (plan.sends or kind is ObstacleKind.ONLY_IN_REPORT) and plan.earlier is None and plan.instance:
            try:
                incident.journal.require_not_in_folder(history.key(plan.instance["id"]))
            except JournalError as error:
                plan.stop(ObstacleKind.OTHER_MEMORY, cause=error)
    return plans


def _read_again(incident: Incident, plans: list[RestorePlan], history: RestoreHistory) -> bool:
    """Reads the journal again for instances with an obstacle: it was read before the account.

    A restore that was sent in between shows in the status of the instance, and in that of its backup, which is then not
    usable: so any obstacle may come from it. Returns False if there are none.
    """
    stopped = [plan.instance for plan in plans if plan.instance and plan.obstacle and plan.obstacle.is_final]
    subjects = {history.key(one["id"]).subject for one in stopped}
    if subjects:
        # Before the states: what ends in between is then known.
        holders = incident.journal.read_holders()
        for subject in subjects - holders.keys():
            history.holders.pop(subject, None)
        history.holders.update(holders)
        history.states.update(incident.journal.read_states(subjects))
    return bool(subjects)


def warn_of_choice(incident: Incident, plan: RestorePlan) -> None:
    """Warns of what the choice of a backup passes over, and of what can't be told of it."""
    for note in describe_choice(plan, incident.name, incident.rules, incident.now):
        incident.warn(f"{label(plan.instance or {})}: {note.text}")


def warn_of_clock(incident: Incident) -> None:
    """Warns of a clock of this machine that differs from the service's."""
    if difference := describe_clock(incident.client.stats.find_clock_lead()):
        incident.warn(difference)
