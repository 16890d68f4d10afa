# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_drill: chooses the instance on which a drill proves a backup next."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..module_utils._errors import RefusedError
from ..module_utils._http.lists import fetch_all
from ..module_utils._model.instance import describe_status, get_status, is_busy, label
from ..module_utils._model.instance_index import InstanceIndex
from ..module_utils._model.ownership import may_belong
from ..module_utils._model.resource import Resource, Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal
from ..module_utils._module.runner import ModuleContext
from ..module_utils._service.backups import list_backups
from ..module_utils._service.restore.history import EarlierRestore, RestoreHistory, is_under_way
from ..module_utils._service.restore.plan import RESTORABLE, explain_left_out
from ..module_utils._service.restore.proofs import DRILL_PREFIX, find_failed_drills, find_proofs, find_sent
from ..module_utils._state.journal import OperationEvent, format_damage
from ..module_utils._text import one_line
from ..module_utils._time_options import parse_duration
from ..module_utils._times import format_duration
from ..plugin_utils._controller.action import ControllerAction
from ..plugin_utils._extra_variables import parse_ids, parse_list
from ..plugin_utils._variable_problems import Problems

SPEC = ArgumentSpec(
    {
        "instances": {"type": "raw"},
        "ids": {"type": "raw"},
        "every": {"type": "str", "required": True},
    }
).merge(API.with_default("priority", "high"))

NAMES, IDS = "restore_drill_instances", "restore_drill_ids"
_NEVER = datetime.min.replace(tzinfo=UTC)
_MANY_SECONDS = 1_000_000
"""More than a duration can have digits for."""


@dataclass(frozen=True)
class _DrillCandidate:
    """An instance that may be restored, and what the journal knows of it."""

    instance: Resource
    history: RestoreHistory
    """For the incident of today's drill."""
    now: datetime
    proof: datetime | None
    failed: EarlierRestore | None
    """The last drill, if it was refused or did not end healthy, and no proof followed."""

    @property
    def last_try(self) -> datetime:
        """When a backup was last proven, or last failed to be. What failed must not keep the others waiting."""
        failed_at = datetime.fromisoformat(self.failed.state.sent_at) if self.failed else _NEVER
        return max(self.proof or _NEVER, min(failed_at, self.now))

    def describe(self) -> str:
        """Returns what is known of its proofs."""
        told = f"last proven {format_duration(self.now - self.proof)} ago" if self.proof else "never proven"
        if self.failed:
            told += f"; {self.describe_failure(self.failed)}"
        if ahead := self.history.find_ahead(self.instance["id"]):
            told += f"; the restore for {one_line(ahead.incident, 60)} is dated ahead, and proves nothing"
        return told

    @staticmethod
    def describe_failure(failed: EarlierRestore) -> str:
        """Returns how a drill ended that proved nothing."""
        if failed.state.event is OperationEvent.REFUSED:
            return f"{failed.incident} was refused"
        is_unknown = failed.state.outcome == "unknown"
        return (
            f"the outcome of {failed.incident} is unknown" if is_unknown else f"{failed.incident} did not end healthy"
        )

    def find_hindrance(self, every: timedelta, backups: list[Resource]) -> str:
        """Returns why it is not restored now; empty if it is due. A drill that failed is due again on the next day."""
        others, today = self.find_recent(every), self.history.find_own(self.instance["id"])
        if self.failed is None and self.proof and self.now - self.proof < every:
            return ", not due"
        if today and today.facts.get("healthy"):
            # The incident has the date, and is restored once.
            return ", by the drill of today"
        if today and today.event is OperationEvent.FAILED:
            return ", failed today, due tomorrow"
        if today and self.failed and self.failed.state is today and today.outcome == "unknown":
            # The role would refuse it.
            return ", due tomorrow"
        if others and (self.failed is None or others[0].state.position > self.failed.state.position):
            return f"; restored for {one_line(others[0].incident, 60)}, not due"
        if get_status(self.instance) not in RESTORABLE:
            return f"; its status is {describe_status(self.instance, 40)}, not now"
        return "" if any(may_belong(one, self.instance) for one in backups) else "; it has no usable backup, not now"

    def find_recent(self, every: timedelta) -> list[EarlierRestore]:
        """Returns the restores for other incidents within the interval, newest first."""
        return self.history.find_recent(self.instance["id"], every)

    def find_interval(self, every: timedelta) -> str:
        """Returns the ``min_interval`` of the drill: no known restore blocks it, but a new one does."""
        others = self.find_recent(every)
        age = others[0].find_age(self.history.clocks) if others else None
        seconds = int((every if age is None else age).total_seconds()) - (age is not None)
        return f"{max(seconds, 0)}s" if seconds < _MANY_SECONDS else f"{seconds // 3600}h"


def run(context: ModuleContext) -> Result:
    """Returns the choice, and what to say of the others. Lists instances and backups, and sends nothing else."""
    names, ids, every = _parse_variables(context.params)
    scope = context.account.describe()
    instances = fetch_all(context.client, "/instances")
    found, problems = _find(names, ids, InstanceIndex(instances))
    candidates, damaged = _read_candidates(context, found)
    now = context.client.stats.now()
    backups = [backup for backup in list_backups(context.client) if not explain_left_out(backup, now)]
    due: list[_DrillCandidate] = []
    lines = [*problems, *(f"{label(one)}: its journal is damaged, not now." for one in damaged)]
    for one in candidates:
        hindrance = one.find_hindrance(every, backups)
        due += [] if hindrance else [one]
        lines.append(f"{label(one.instance)}: {one.describe()}{hindrance or ', due'}.")
    chosen = min(due, key=lambda one: one.last_try, default=None)
    lines.append("Nothing is due." if chosen is None else f"To be restored now: {label(chosen.instance)}.")
    # The one that is restored now is proven at the end, or fails the run itself.
    problems += [
        f"{label(one.instance)}: {one.describe_failure(one.failed)}, and nothing has proven a backup since."
        for one in candidates
        if one.failed and (one is not chosen or context.client.check_mode)
    ]
    result: Result = {"lines": [scope, *lines], "problem": " ".join(problems)}
    if chosen is None:
        return {**result, "instance_id": None, "name": None, "incident": None, "min_interval": None}
    instance = chosen.instance
    return {
        **result,
        "instance_id": instance["id"],
        "name": None if str(instance["id"]) in map(str, ids) else instance.get("name"),
        "incident": chosen.history.incident,
        "min_interval": chosen.find_interval(every),
    }


def _read_candidates(context: ModuleContext, found: list[Resource]) -> tuple[list[_DrillCandidate], list[Resource]]:
    """Returns what the journal knows of these instances, and those whose part of it is damaged."""
    journal, url = open_journal(context), context.client.settings.api_url
    held = journal.read_holders()
    (states, damage), read_at = journal.read_intact_states(with_refused=True), journal.now()
    if damage:
        context.warn(format_damage(damage))
    service_time = context.client.stats.service_time()
    now = service_time or read_at
    proofs, failed = find_proofs(states, url, now), find_failed_drills(states, url, now, held)
    candidates, damaged = [], []
    for instance in found:
        incident = f"{DRILL_PREFIX}{instance['id']}-{now.astimezone(UTC):%F}"
        history = RestoreHistory(url, incident, find_sent(states), read_at=read_at, service_time=service_time)
        today, last_failed = history.find_own(instance["id"]), failed.get(instance["id"])
        if today and today.outcome == "unknown" and not is_under_way(today, read_at, was_busy=is_busy(instance)):
            last_failed = EarlierRestore(incident, today)
        if history.key(instance["id"]).subject in damage:
            damaged.append(instance)
        else:
            candidates.append(_DrillCandidate(instance, history, now, proofs.get(instance["id"]), last_failed))
    return candidates, damaged


def _parse_variables(params: t.Mapping[str, t.Any]) -> tuple[list[str], list[int], timedelta]:
    """Returns the names and ids that may be restored, and how often. Raises SettingsError for all wrong values."""
    problems = Problems()
    names = problems.collect(_parse_names, params["instances"])
    ids = problems.collect(parse_ids, IDS, params["ids"])
    every = problems.collect(parse_duration, "restore_drill_every", params["every"])
    if (names, ids) == ([], []):
        problems.add(f"{NAMES} and {IDS} are empty. Name instances whose data may be overwritten.")
    problems.raise_if_any()
    return names or [], ids or [], every or timedelta()


def _parse_names(given: object) -> list[str]:
    """Returns the names that may be restored. Raises RefusedError for one of digits alone: it is meant as an id."""
    names = [text for name in parse_list(given) if (text := str(name).strip())]
    if numbers := [name for name in names if name.isdigit()]:
        raise RefusedError(
            f"{NAMES} has {one_line(', '.join(numbers))}, but takes names only. Set {IDS} for instances by their ids."
        )
    return names


def _find(names: t.Collection[str], ids: t.Iterable[int], index: InstanceIndex) -> tuple[list[Resource], list[str]]:
    """Returns the instances that are meant, each once, and a sentence for each name or id that fits none or several."""
    found: dict[str, Resource] = {}
    unknown = []
    for name in names:
        named = index.by_name.get(name, [])
        if len(named) == 1:
            found[str(named[0]["id"])] = named[0]
        elif named:
            fits = one_line(", ".join(str(one["id"]) for one in named))
            unknown.append(f"{NAMES}: {one_line(name)} fits several; rename one, or set {IDS}: {fits}.")
        else:
            near = index.find_similar_name(name, names)
            hint = f" Did you mean {one_line(near)}?" if near else ""
            unknown.append(f"{NAMES}: no instance is named {one_line(name)}.{hint}")
    for number in ids:
        if instance := index.by_id.get(str(number)):
            found[str(number)] = instance
        else:
            unknown.append(f"{IDS}: there is no instance with id {number}.")
    return [*found.values()], unknown


class ActionModule(ControllerAction):
    """Chooses the instance of the next drill."""
