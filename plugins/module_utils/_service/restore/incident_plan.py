# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans the restores of an incident from account and journal, and warns of what the user is to know of it."""

from __future__ import annotations

import typing as t

from ..._errors import RefusedError
from ..._model.instance import label
from ..._model.ownership import has_owner, parse_owner
from ..._state.journal import JournalError
from ..._time_options import require_past
from ..backups import fetch_backup
from .plan import ObstacleKind, Target
from .planner import plan_restores
from .words import describe_choice, describe_clock

if t.TYPE_CHECKING:
    from .account_reader import AccountReader
    from .history import RestoreHistory
    from .incident import Incident
    from .plan import RestorePlan
    from .planner import AccountView


def plan_incident(
    incident: Incident, targets: t.Sequence[Target], reader: AccountReader, *, with_holders: bool
) -> tuple[list[RestorePlan], AccountView, RestoreHistory]:
    """Reads account and journal, and returns a plan for each target, in order, and what was read.

    The journal is read last, so that it explains what the account shows. An instance that it does not know, and the
    folder of this machine beside the database does, has an obstacle. Raises JournalError, what the client raises, and
    RefusedError for a limit in the future.
    """
    incident.begin()
    targets = [_find_owner(incident, target, reader) for target in targets]
    account = reader.read(targets)
    require_past(incident.surface.option("before"), incident.rules.before, incident.now, is_unsent=True)
    named = (account.index.by_name.get(str(target.name), []) for target in targets if target.instance_id is None)
    ids = {target.instance_id for target in targets} | {one["id"] for found in named for one in found}
    history = incident.read_history(ids - {None}, with_holders=with_holders)
    plans = plan_restores(targets, account, history, incident.rules, incident.now)
    for plan in plans:
        # The folder says more than the JSON: how its journal becomes the database's.
        kind = plan.obstacle.kind if plan.obstacle else None
        if (plan.sends or kind is ObstacleKind.ONLY_IN_REPORT) and plan.earlier is None and plan.instance:
            try:
                incident.journal.require_not_in_folder(history.key(plan.instance["id"]))
            except JournalError as error:
                plan.stop(ObstacleKind.OTHER_MEMORY, cause=error)
    return plans, account, history


def _find_owner(incident: Incident, target: Target, reader: AccountReader) -> Target:
    """Returns the target with an instance: the one that its backup shows, if the user gave the backup alone."""
    if target.instance_id is not None or target.name is not None:
        return target
    if not incident.rules.force and (recorded := incident.find_restored_from(target.backup_id)) is not None:
        # Its backup may have expired since.
        return Target(t.cast("int", recorded), None, target.backup_id)
    backup = fetch_backup(incident.client, target.backup_id)
    reader.backups = [backup]
    owner = parse_owner(backup)
    if not has_owner(backup):
        raise RefusedError(f"Backup {backup['id']} does not show its instance: give the instance with instance_id too.")
    return Target(t.cast("int", owner.id), None if owner.id else owner.name, target.backup_id)


def warn_of_choice(incident: Incident, plan: RestorePlan) -> None:
    """Warns of what the choice of a backup passes over, and of what can't be told of it."""
    for note in describe_choice(plan, incident.name, incident.rules, incident.now):
        incident.warn(f"{label(plan.instance or {})}: {note.text}")


def warn_of_clock(incident: Incident) -> None:
    """Warns of a clock of this machine that differs from the service's."""
    if difference := describe_clock(incident.client.stats.find_clock_lead()):
        incident.warn(difference)
