# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a restore, the obstacles to it, and the decision under the lock of its instance. Pure.

``planner.py`` makes plans, ``messages.py`` puts obstacles into words.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from ..._model.backup import explain_future, explain_unusable
from ..._model.instance import get_status, is_busy
from ..._model.resource import normalize
from ..._state.journal import OperationEvent
from .history import is_under_way

if t.TYPE_CHECKING:
    from datetime import datetime, timedelta

    from ..._errors import ClawHostersError
    from ..._model.batches import BatchSize
    from ..._model.resource import Resource
    from ..._state.journal import OperationState
    from ..._state.journal_store import Holder
    from .history import EarlierRestore, RestoreHistory, Witness

RESTORABLE = ("running", "stopped")
"""Statuses from which a restore is sent without ``force``."""


class RestoreAction(enum.Enum):
    """The next action for a target without an obstacle."""

    SEND = "send"
    WAIT = "wait"  # an earlier run of the incident has sent it
    NONE = "none"  # it was restored for the incident


class ObstacleKind(enum.Enum):
    """Why nothing is sent for a target."""

    NO_INSTANCE = "no_instance"
    AMBIGUOUS = "ambiguous"  # several instances bear the name
    OTHER_NAME = "other_name"  # the id and the name are of two instances
    DUPLICATE = "duplicate"  # another target is the same instance, or names the same backup
    FAILED = "failed"  # the earlier restore for the incident failed
    UNKNOWN = "unknown"  # the outcome of the earlier restore for the incident is unknown
    NO_BACKUP = "no_backup"  # none is usable
    BACKUP_GONE = "backup_gone"  # the given one does not exist
    UNCLEAR_BACKUP = "unclear_backup"  # it can't be told whose a newer backup is
    OTHER_BACKUP = "other_backup"  # the given backup is of another instance
    WRONG_STATUS = "wrong_status"
    TOO_OLD = "too_old"
    TOO_SOON = "too_soon"  # another incident restored it within min_interval
    OTHER_MEMORY = "other_memory"  # the folder of this machine knows it, and the database does not
    ONLY_IN_REPORT = "only_in_report"  # the JSON of the role says that it was sent, and the journal does not know it
    # Found under the lock, since the plan was made:
    DELETED = "deleted"
    CHANGED = "changed"  # its name is another, or its status or health is not what was confirmed
    NOT_SENT = "not_sent"  # the run that was to send it has not
    OVERTAKEN = "overtaken"  # another incident has sent a restore
    HELD = "held"  # another run works on the instance, and this one does not wait for it


@dataclass(frozen=True)
class Obstacle:
    """Why nothing is sent for a target, with the facts that the plan does not hold."""

    kind: ObstacleKind
    ids: tuple[object, ...] = ()
    """AMBIGUOUS: the instances of that name."""
    similar: str | None = None
    """NO_INSTANCE: the name that was probably meant."""
    seen: Resource | None = None
    """CHANGED: the instance as it is now."""
    backups: tuple[Resource, ...] = ()
    """UNCLEAR_BACKUP: those whose instance can't be told."""
    other: EarlierRestore | None = None
    """TOO_SOON, OVERTAKEN, WRONG_STATUS: the restore for another incident that is the reason."""
    witness: Witness | None = None
    """ONLY_IN_REPORT: the JSON that knows more than the journal."""
    holder: Holder | None = None
    """HELD: the run that works on it, as far as that is known."""
    duplicate_of: int = 0
    """DUPLICATE: the number of the first such target, from 1."""
    cause: ClawHostersError | None = None
    """NO_INSTANCE, BACKUP_GONE: the answer of the service to a request by id. OTHER_MEMORY: what the folder knows."""

    @property
    def is_final(self) -> bool:
        """False for an earlier outcome: it is read again under the lock, and stops no other target."""
        return self.kind not in (ObstacleKind.FAILED, ObstacleKind.UNKNOWN)


@dataclass(frozen=True)
class Target:
    """One instance that the user wants restored: by id or name, from one backup or from the newest usable one."""

    instance_id: int | None
    name: str | None
    backup_id: int | None = None


@dataclass(frozen=True)
class Rules:
    """Conditions of the task. ``force`` sends again, and from any status; it never overrules the others.

    ``is_confirmed``: a user has confirmed the status and the health that the plan shows, and nothing else is sent.
    """

    before: datetime | None = None
    max_age: timedelta | None = None
    min_interval: timedelta | None = None
    force: bool = False
    is_confirmed: bool = False


@dataclass(frozen=True)
class RestoreOptions:
    """How restores are followed.

    ``timeout``: seconds, for each batch, from its last request until each instance is restored. ``healthy_timeout``:
    from then until it runs and is healthy, for each instance; None to count that within ``timeout``.
    """

    timeout: float
    healthy_timeout: float | None = None
    wait_healthy: bool = True
    waits: bool = True
    """Without it, requests are sent, and nothing is waited for."""
    starts: bool = True
    """True if instances that come back stopped are started."""
    sizes: t.Sequence[BatchSize] = ()
    """Sizes of the batches; all in one without."""
    max_failures: int = 0
    """When more than this have failed, no further batch begins."""


@dataclass
class RestorePlan:
    """The restore of one target, or the obstacle to it."""

    target: Target
    instance: Resource | None = None
    backup: Resource | None = None
    """With an earlier restore of the incident, the one that it used."""
    action: RestoreAction = RestoreAction.SEND
    obstacle: Obstacle | None = None
    earlier: OperationState | None = None
    """The restore of this incident that the journal holds; with ``force``, it is sent again."""
    left_out: list[Resource] = field(default_factory=list)
    """Backups of the instance that may be newer than the chosen one, and can't be restored or are of the future."""
    skipped: list[Resource] = field(default_factory=list)
    """Backups of the instance that ``before`` excludes, newest first."""
    older: Resource | None = None
    """The newest usable backup that is older than the chosen one."""
    known_position: int = 0
    """The last position of the instance that the journal had when the task began. What has a later one is newer."""
    ahead: EarlierRestore | None = None
    """A restore for another incident that ``min_interval`` does not count: its times lie ahead."""
    unfinished: EarlierRestore | None = None
    """A restore for another incident whose end is still to come."""

    @property
    def sends(self) -> bool:
        """True if a restore will be sent."""
        return self.obstacle is None and self.action is RestoreAction.SEND

    @property
    def backup_id(self) -> t.Any:
        return (self.backup or {}).get("id")

    @property
    def is_refused(self) -> bool:
        """True if nothing is sent, whatever the journal says under the lock."""
        return self.obstacle is not None and self.obstacle.is_final

    def stop(self, kind: ObstacleKind, **facts: t.Any) -> None:
        """Sets the obstacle."""
        self.obstacle = Obstacle(kind, **facts)


# Earlier restores of the incident


def continue_earlier(plan: RestorePlan, now: datetime, *, is_held: bool, was_busy: bool) -> None:
    """Decides how a plan goes on after the ``earlier`` restore of its incident.

    ``now`` is by the clock of the journal. ``is_held``: a run works on the instance now, so that the outcome is not
    known yet. ``was_busy``: the instance looks, or looked a moment ago, as during a restore.
    """
    state = t.cast("OperationState", plan.earlier)
    if state.event is OperationEvent.COMPLETED:
        plan.action = RestoreAction.NONE
    elif state.event is OperationEvent.FAILED:
        plan.stop(ObstacleKind.FAILED)
    elif is_held or is_under_way(state, now, was_busy=was_busy):
        plan.action = RestoreAction.WAIT
    else:
        plan.stop(ObstacleKind.UNKNOWN)


def is_sent_again(plan: RestorePlan, state: OperationState, rules: Rules) -> bool:
    """Returns True if the restore is sent although the incident has one already: with ``force``.

    Not what has completed, so that a command from the shell's history does no harm; nor what was sent since the task
    began.
    """
    is_earlier = state.position <= plan.known_position
    return rules.force and is_earlier and state.event is not OperationEvent.COMPLETED


def is_only_in_report(plan: RestorePlan, instance: Resource, history: RestoreHistory, rules: Rules) -> bool:
    """Returns True if the JSON says that a restore was sent, the journal does not know it, and ``force`` is unset."""
    witness = history.witness if plan.earlier is None and not rules.force else None
    return witness is not None and str(instance["id"]) in witness.sent_at


def find_recorded(state: OperationState, known: t.Iterable[Resource]) -> Resource:
    """Returns the backup that the journal names: its id and its time if it does not exist any more."""
    backup_id = state.facts.get("backup_id")
    named = (backup for backup in known if str(backup["id"]) == str(backup_id))
    return next(named, {"id": backup_id, "created_at": state.facts.get("taken_at")})


# Backups


def explain_left_out(backup: Resource, now: datetime, unfinished: EarlierRestore | None = None) -> str:
    """Returns the reason why a newest backup is not chosen, apart from ``before``; empty if there is none.

    ``unfinished``: the restore that may be the reason of its status.
    """
    if future := explain_future(backup, now):
        return future
    reason = explain_unusable(backup)
    return unfinished.describe() if reason and unfinished and unfinished.uses(backup) else reason


# Under the lock


def is_restorable(instance: Resource, rules: Rules) -> bool:
    """Returns True if a restore may be sent in the status of the instance."""
    return rules.force or get_status(instance) in RESTORABLE


def check_again(plan: RestorePlan, instance: Resource | None, history: RestoreHistory, rules: Rules) -> None:
    """Decides a plan once more under the lock of its instance, from what journal and service say then.

    ``instance`` is as read now, None if it does not exist. What another incident has sent since the task began is not
    overwritten. Age and ``min_interval`` are not checked again: what a user has confirmed stays allowed while the
    restore waits for its turn.
    """
    if instance is None:
        plan.stop(ObstacleKind.DELETED)
        return
    before = t.cast("Resource", plan.instance)
    is_sent, plan.obstacle = plan.sends, None
    plan.earlier = state = history.find_own(instance["id"])
    if state is not None and not is_sent_again(plan, state, rules):
        plan.instance, plan.backup = instance, find_recorded(state, [plan.backup] if plan.backup else [])
        continue_earlier(plan, history.read_at, is_held=False, was_busy=is_busy(before) or is_busy(instance))
        return
    others = history.find_others(instance["id"], after=plan.known_position)
    if not is_sent:
        plan.stop(ObstacleKind.NOT_SENT)
    elif is_only_in_report(plan, instance, history, rules):
        plan.stop(ObstacleKind.ONLY_IN_REPORT, witness=history.witness)
    elif others:
        plan.stop(ObstacleKind.OVERTAKEN, other=others[0])
    elif not is_restorable(instance, rules):
        plan.stop(ObstacleKind.WRONG_STATUS, other=history.find_unfinished(instance))
    elif _find_picture(instance, rules) != _find_picture(before, rules):
        plan.stop(ObstacleKind.CHANGED, seen=instance)
        return
    plan.instance = instance


def check_held(plan: RestorePlan, history: RestoreHistory, rules: Rules) -> None:
    """Decides a plan whose instance another run works on, of a task that does not wait for it: nothing is sent.

    Only what this incident has sent is under way for it.
    """
    instance = t.cast("Resource", plan.instance)
    plan.obstacle, plan.earlier = None, history.find_own(instance["id"])
    state = plan.earlier
    if state is None or is_sent_again(plan, state, rules):
        plan.stop(ObstacleKind.HELD, holder=history.find_holder(instance["id"]))
        return
    plan.backup = find_recorded(state, [plan.backup] if plan.backup else [])
    # What keeps the instance busy may be the other run.
    continue_earlier(plan, history.read_at, is_held=history.is_held(instance["id"]), was_busy=False)


def _find_picture(instance: Resource, rules: Rules) -> tuple[object, ...]:
    """Returns what must not change before a restore is sent: the name, and what was confirmed."""
    condition = (get_status(instance), normalize(instance.get("health_status"))) if rules.is_confirmed else ()
    return instance.get("name"), *condition
