# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans restores: for each target the backup that will be sent, or the obstacle that prevents it. Pure.

Both modules and the role plan with it (and with the role the playbooks of rulebooks and drills), so that one account
gives one answer. Under the lock of an instance, ``check_again`` of ``plan.py`` decides once more.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from ..._model.backup import is_before, is_in_future, newest_first, taken_at
from ..._model.instance import find_name_fault, is_busy
from ..._model.ownership import find_owner, has_owner, parse_owner
from .plan import (
    ObstacleKind,
    RestorePlan,
    continue_earlier,
    explain_left_out,
    find_recorded,
    is_only_in_report,
    is_restorable,
    is_sent_again,
)

if t.TYPE_CHECKING:
    from datetime import datetime, timedelta

    from ..._errors import ClawHostersError
    from ..._model.instance_index import InstanceIndex
    from ..._model.resource import Resource
    from .history import RestoreHistory
    from .plan import Rules, Target


@dataclass
class AccountView:
    """The part of the account that was read."""

    index: InstanceIndex
    backups: t.Sequence[Resource] = ()
    missing: t.Mapping[str, ClawHostersError] = field(default_factory=dict)
    """The answers of the service for what does not exist, by path."""

    def find_backups(self, instance: Resource) -> tuple[list[Resource], list[Resource]]:
        """Returns the backups of the instance, newest first, and those that may be its own: they name no instance, or
        one name of several."""
        owned, unclear = self._grouped_backups
        own = owned.get(str(instance["id"]), [])
        return own, newest_first((*unclear.get(None, ()), *unclear.get(str(instance.get("name")), ())))

    def find_newer(self, instance: Resource, than: datetime | None, now: datetime) -> list[Resource]:
        """Returns the usable backups of the instance that were taken after a time, newest first; none without one."""
        own, _possible = self.find_backups(instance)
        return [one for one in own if is_fit(one, None, now) and than and (taken_at(one) or than) > than]

    @functools.cached_property
    def _grouped_backups(self) -> tuple[dict[str, list[Resource]], dict[str | None, list[Resource]]]:
        """The backups by the id of their instance, newest first, and those whose instance is unclear by its name."""
        owned: dict[str, list[Resource]] = {}
        unclear: dict[str | None, list[Resource]] = {}
        for backup in newest_first(self.backups):
            owner, shown = find_owner(backup, self.index), parse_owner(backup)
            if owner is not None:
                owned.setdefault(str(owner["id"]), []).append(backup)
            elif shown.id is None:
                # It shows no instance, or a name alone that several instances bear.
                unclear.setdefault(shown.name, []).append(backup)
        return owned, unclear


def plan_restores(
    targets: t.Sequence[Target], account: AccountView, history: RestoreHistory, rules: Rules, now: datetime
) -> list[RestorePlan]:
    """Returns a plan for each target, in order. ``now`` is by the clock of the service."""
    plans = [RestorePlan(target) for target in targets]
    by_id = account.index.by_id
    listed = {one.name or by_id.get(str(one.instance_id), {}).get("name") for one in targets}
    for plan in plans:
        _find_instance(plan, account, listed)
    _stop_repeated(plans, lambda one: None if one.obstacle or not one.instance else str(one.instance["id"]))
    for plan in plans:
        if plan.obstacle is None:
            _choose(plan, account, history, rules, now)
    _stop_repeated(plans, lambda one: one.target.backup_id if one.sends else None)
    return plans


def _find_instance(plan: RestorePlan, account: AccountView, listed: t.Collection[object]) -> None:
    target, index = plan.target, account.index
    if target.instance_id is None:
        named = index.by_name.get(str(target.name), [])
        if len(named) > 1:
            plan.stop(ObstacleKind.AMBIGUOUS, ids=tuple(one["id"] for one in named))
        elif named:
            plan.instance = named[0]
        else:
            plan.stop(ObstacleKind.NO_INSTANCE, similar=index.find_similar_name(target.name, listed))
        return
    plan.instance = index.by_id.get(str(target.instance_id))
    if plan.instance is None:
        plan.stop(ObstacleKind.NO_INSTANCE, cause=account.missing.get(f"/instances/{target.instance_id}"))
    elif find_name_fault(plan.instance, target.name):
        plan.stop(ObstacleKind.OTHER_NAME)


def _stop_repeated(plans: t.Sequence[RestorePlan], describe: t.Callable[[RestorePlan], object]) -> None:
    """Stops each plan whose description equals that of an earlier one. Plans without one are skipped."""
    first: dict[object, int] = {}
    for number, plan in enumerate(plans, start=1):
        described = describe(plan)
        if described is not None and (earlier := first.setdefault(described, number)) != number:
            plan.stop(ObstacleKind.DUPLICATE, duplicate_of=earlier)


def _choose(plan: RestorePlan, account: AccountView, history: RestoreHistory, rules: Rules, now: datetime) -> None:
    instance = t.cast("Resource", plan.instance)
    own, possible = account.find_backups(instance)
    plan.unfinished = history.find_unfinished(instance)
    plan.earlier, plan.known_position = history.find_own(instance["id"]), history.known_position(instance["id"])
    if plan.earlier and not is_sent_again(plan, plan.earlier, rules):
        plan.backup = find_recorded(plan.earlier, own)
        is_held = history.is_held(instance["id"])
        continue_earlier(plan, history.read_at, is_held=is_held, was_busy=is_busy(instance))
    elif plan.target.backup_id is None:
        _choose_newest(plan, own, possible, rules.before, now)
    else:
        _use_given(plan, account, own, possible)
    plan.older = next((one for one in own if _is_older(one, plan.backup) and is_fit(one, None, now)), None)
    if plan.sends and is_only_in_report(plan, instance, history, rules):
        plan.stop(ObstacleKind.ONLY_IN_REPORT, witness=history.witness)
    elif plan.sends:
        _check_rules(plan, instance, history, rules, now)


# Backups


def _choose_newest(
    plan: RestorePlan, own: list[Resource], possible: list[Resource], before: datetime | None, now: datetime
) -> None:
    """Sets the newest usable backup, or the obstacle.

    A backup that can't be restored never matters, whoever's it is. One of ``possible`` that could be, and is not older
    than the chosen one, is an obstacle.
    """
    plan.backup = next((backup for backup in own if is_fit(backup, before, now)), None)
    newer = [backup for backup in own if not _is_older(backup, plan.backup)] if plan.backup else own
    may_count = [backup for backup in newer if taken_at(backup) is None or is_before(backup, before)]
    plan.left_out = [backup for backup in may_count if explain_left_out(backup, now)]
    plan.skipped = [backup for backup in newer if taken_at(backup) and not is_before(backup, before)]
    unclear = [one for one in possible if is_fit(one, before, now) and not _is_older(one, plan.backup)]
    if unclear:
        plan.stop(ObstacleKind.UNCLEAR_BACKUP, backups=tuple(unclear))
    elif plan.backup is None:
        plan.stop(ObstacleKind.NO_BACKUP)


def is_fit(backup: Resource, before: datetime | None, now: datetime) -> bool:
    """Returns True if the backup can be chosen as the newest one."""
    return not explain_left_out(backup, now) and is_before(backup, before)


def _is_older(backup: Resource, other: Resource | None) -> bool:
    """Returns True if the backup is older than ``other``, by their times."""
    taken = taken_at(other) if other else None
    return taken is not None and taken_at(backup) is not None and is_before(backup, taken)


def _use_given(plan: RestorePlan, account: AccountView, own: list[Resource], possible: list[Resource]) -> None:
    """Sets the backup that the target names, whatever its status, or the obstacle. One that shows no owner is sent."""
    wanted = str(plan.target.backup_id)
    given = next((backup for backup in account.backups if str(backup["id"]) == wanted), None)
    if given is None:
        plan.stop(ObstacleKind.BACKUP_GONE, cause=account.missing.get(f"/backups/{wanted}"))
        return
    plan.backup = given
    if not has_owner(given) or given in own:
        return
    if given in possible:
        plan.stop(ObstacleKind.UNCLEAR_BACKUP, backups=(given,))
    else:
        plan.stop(ObstacleKind.OTHER_BACKUP)


# Rules


def _check_rules(plan: RestorePlan, instance: Resource, history: RestoreHistory, rules: Rules, now: datetime) -> None:
    """Sets the obstacle if a rule forbids to send the plan."""
    if not is_restorable(instance, rules):
        since = history.find_others(instance["id"], after=plan.known_position)
        # One that was sent since the task began may have ended since the status was read.
        plan.stop(ObstacleKind.WRONG_STATUS, other=plan.unfinished or next(iter(since), None))
    elif rules.max_age is not None and not _is_young(plan.backup, rules.max_age, now):
        plan.stop(ObstacleKind.TOO_OLD)
    elif rules.min_interval is not None:
        plan.ahead = history.find_ahead(instance["id"])
        if others := history.find_recent(instance["id"], rules.min_interval):
            plan.stop(ObstacleKind.TOO_SOON, other=others[0])


def _is_young(backup: Resource | None, max_age: timedelta, now: datetime) -> bool:
    """Returns True for a backup of a known age, up to ``max_age``. One dated in the future has no known age."""
    taken = taken_at(backup) if backup else None
    return taken is not None and not is_in_future(taken, now) and now - taken <= max_age
