# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_drill: chooses the instance on which a drill proves a backup next."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..module_utils._errors import RefusedError
from ..module_utils._model.instance import describe_instance, find_state, is_health_final, label
from ..module_utils._model.instance_fields import STATUSES
from ..module_utils._model.resource import Resource, Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal
from ..module_utils._module.runner import ModuleContext
from ..module_utils._service.restore.account_reader import AccountReader
from ..module_utils._service.restore.history import RecordedRestore, RestoreHistory
from ..module_utils._service.restore.proven_backups import DRILL_PREFIX, find_failed_drills, find_proofs, find_sent
from ..module_utils._service.restore.target_plan import AccountView, Target, is_eligible
from ..module_utils._text import one_line
from ..module_utils._time_options import parse_duration
from ..module_utils._times import format_duration
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._extra_variables import Problems, parse_ids, parse_list
from ..plugin_utils._restore_role.variables import find_instances

SPEC = ArgumentSpec(
    {"instances": {"type": "raw"}, "ids": {"type": "raw"}, "every": {"type": "str", "required": True}}
).merge(FAILURE_OPTION, API.with_default("priority", "high"))

NAMES, IDS = "restore_drill_instances", "restore_drill_ids"
_NEVER = datetime.min.replace(tzinfo=UTC)
_TRIES = 3
"""Drills that may fail with a backup before an older one is tried."""


@dataclass(frozen=True)
class _DrillCandidate:
    """An instance that may be restored, and what the journal knows of it."""

    instance: Resource
    history: RestoreHistory
    """For the incident of today's drill."""
    proof: datetime | None
    failed: list[RecordedRestore]
    """The drills that did not end healthy since the proof, with those that were refused, newest first."""
    usable: list[Resource]
    """Its usable backups, newest first."""

    @property
    def last_try(self) -> datetime:
        """When a backup was last proven, or last failed to be. What failed must not keep the others waiting."""
        failed_at = datetime.fromisoformat(self.failed[0].state.sent_at) if self.failed else _NEVER
        return max(self.proof or _NEVER, failed_at)

    @property
    def older(self) -> t.Any:
        """The id of the newest backup that has not failed too often; None if that is the newest of all, or all have."""
        tries = Counter(str(one.state.facts.get("backup_id")) for one in self.failed)
        fresh = [one["id"] for one in self.usable if tries[str(one["id"])] < _TRIES]
        return fresh[0] if fresh and fresh[0] != self.usable[0]["id"] else None

    def describe(self) -> str:
        """Returns what is known of its proofs."""
        told = f"last proven {format_duration(self.history.read_at - self.proof)} ago" if self.proof else "never proven"
        return f"{told}; {self.describe_failure()}" if self.failed else told

    def describe_failure(self) -> str:
        """Returns which drill was the last that proved nothing, and since when there is no proof."""
        since = datetime.fromisoformat(self.failed[-1].state.sent_at)
        return f"{self.failed[0].incident} did not end healthy, and nothing has proven a backup since {since:%F}"

    def find_hindrance(self, every: timedelta) -> str:
        """Returns why it is not restored now; empty if it is due. A drill that failed is due again on the next day."""
        today = self.history.find_own(self.instance["id"])
        others = self.history.find_recent(self.instance["id"], every)
        has_failed_today = bool(self.failed) and self.failed[0].incident == self.history.incident
        if has_failed_today or (today and today.outcome == "unknown"):
            return ", due tomorrow"
        if (today and today.is_proof) or (self.proof and not self.failed and self.history.read_at - self.proof < every):
            return ", not due"
        if others and (not self.failed or others[0].state.position > self.failed[0].state.position):
            return f"; restored for {one_line(others[0].incident, 60)}, not due"
        if find_state(self.instance) != "running" or not is_health_final(self.instance):
            # It may be under somebody's eyes.
            return f"; it is {describe_instance(self.instance, with_health=True)[1]} now, passed over"
        return "" if self.usable else "; it has no usable backup, passed over"


def run(context: ModuleContext) -> Result:
    """Returns the choice, and what to say of the others. Lists instances and backups, and sends nothing else."""
    names, ids, every = _parse_variables(context.params)
    scope = context.account.describe()
    targets = [*(Target(None, name) for name in names), *(Target(number, None) for number in ids)]
    account = AccountReader(context.client, lists_backups=True).read(targets)
    found, problems = find_instances(targets, account.index)
    candidates = _read_candidates(context, found, account)
    problems += [
        f"{label(one.instance)}: the service shows no documented status (field status), so it is not restored."
        for one in candidates
        if find_state(one.instance) not in STATUSES
    ]
    hindrances = [(one, one.find_hindrance(every)) for one in candidates]
    chosen = min((one for one, why in hindrances if not why), key=lambda one: one.last_try, default=None)
    lines = [f"{label(one.instance)}: {one.describe()}{why or ', due'}." for one, why in hindrances]
    choice = "Nothing is due."
    if chosen:
        older = f", from backup {chosen.older}, since newer ones have failed" if chosen.older else ""
        choice = f"To be restored now: {label(chosen.instance)}{older}."
    # The one that is restored now is proven at the end, or fails the run itself.
    failed = [one for one in candidates if one.failed and (one is not chosen or context.client.check_mode)]
    return {
        "lines": [scope, *problems, *lines, choice],
        "problem": " ".join([*problems, *(f"{label(one.instance)}: {one.describe_failure()}." for one in failed)]),
        "instance_id": chosen.instance["id"] if chosen else None,
        "name": chosen.instance.get("name") if chosen and str(chosen.instance["id"]) not in map(str, ids) else None,
        "incident": chosen.history.incident if chosen else None,
        "backup": (chosen.older if chosen else None) or "latest",
    }


def _read_candidates(context: ModuleContext, found: list[Resource], account: AccountView) -> list[_DrillCandidate]:
    """Returns what the journal knows of these instances, and their usable backups."""
    journal, url = open_journal(context), context.client.settings.api_url
    held, now, service_now = journal.read_holders(), journal.now(), context.client.stats.now()
    states = journal.read_states({RestoreHistory(url, "").key(one["id"]).subject for one in found}, with_refused=True)
    proofs, failed = find_proofs(states, url, now), find_failed_drills(states, url, now, held)
    candidates = []
    for instance in found:
        number = instance["id"]
        history = RestoreHistory(url, f"{DRILL_PREFIX}{number}-{now:%F}", find_sent(states), read_at=now)
        usable = [one for one in account.find_backups(instance)[0] if is_eligible(one, None, service_now)]
        candidates.append(_DrillCandidate(instance, history, proofs.get(number), failed.get(number, []), usable))
    return candidates


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


class ActionModule(RoleAction):
    """Chooses the instance of the next drill."""
