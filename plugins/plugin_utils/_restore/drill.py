# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses the instance on which the playbook ``restore_drill`` proves a backup next."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from ...module_utils._errors import ClawHostersError, RefusedError, SettingsError
from ...module_utils._http.lists import fetch_all
from ...module_utils._model.backup import is_usable
from ...module_utils._model.instance import get_status, label
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._model.ownership import may_belong
from ...module_utils._model.resource import Resource, parse_id
from ...module_utils._model.results import Result
from ...module_utils._module.arguments import API, ArgumentSpec
from ...module_utils._module.open_journal import open_journal
from ...module_utils._module.runner import ModuleContext
from ...module_utils._service.backups import list_backups
from ...module_utils._service.restore.history import RestoreHistory, find_proofs
from ...module_utils._service.restore.plan import RESTORABLE
from ...module_utils._state.journal import format_damage
from ...module_utils._text import one_line
from ...module_utils._time_options import parse_duration
from ...module_utils._times import format_duration
from .._extra_variables import parse_list
from .role_variables import parse_ids

SPEC = ArgumentSpec(
    {
        "instances": {"type": "raw"},
        "ids": {"type": "raw"},
        "every": {"type": "str", "required": True},
    }
).merge(API.with_default("priority", "high"))

NAMES, IDS = "restore_drill_instances", "restore_drill_ids"
_NEVER = datetime.min.replace(tzinfo=UTC)


def run(context: ModuleContext) -> Result:
    """Returns the choice, and what to say of the others. Lists instances and backups, and sends nothing else."""
    try:
        names, ids = _parse_names(context.params["instances"]), parse_ids(IDS, context.params["ids"])
        every = parse_duration("restore_drill_every", context.params["every"]) or timedelta()
        if not (names or ids):
            raise SettingsError(f"{NAMES} and {IDS} are empty. Name instances whose data may be overwritten.")
    except ClawHostersError as error:
        error.is_unsent = True
        raise
    scope = context.account.describe()
    instances, journal = fetch_all(context.client, "/instances"), open_journal(context)
    found, unknown = _find(names, ids, InstanceIndex(instances))
    (states, damaged), read_at, url = journal.read_intact_states(), journal.now(), context.client.settings.api_url
    if damaged:
        context.warn(format_damage(damaged))
    service_time = context.client.stats.service_time()
    now = service_time or read_at
    proofs = find_proofs(states, url, now)
    proven_at = {str(one["id"]): proofs.get(parse_id(str(one["id"]))) for one in found}
    backups = [backup for backup in list_backups(context.client) if is_usable(backup)]
    due: list[Resource] = []
    lines: list[str] = []
    for instance in found:
        proof = proven_at[str(instance["id"])]
        proven = f"last proven {format_duration(now - proof)} ago" if proof else "never proven"
        # What failed a while ago must not keep the others waiting. That of today is continued.
        incident = _name_incident(instance, now)
        history = RestoreHistory(url, incident, states, read_at=read_at, service_time=service_time)
        damage = damaged.get(history.key(instance["id"]).subject)
        others, today = history.find_recent(instance["id"], every), history.find_own(instance["id"])
        if ahead := history.find_ahead(instance["id"]):
            proven += f"; the restore for {one_line(ahead.incident, 60)} is dated ahead, and proves nothing"
        if damage:
            lines.append(f"{label(instance)}: its journal is damaged, not now.")
        elif proof and now - proof < every:
            lines.append(f"{label(instance)}: {proven}, not due.")
        elif today and today.notes.get("healthy"):
            # The incident has the date, and is restored once.
            lines.append(f"{label(instance)}: {proven}, by the drill of today.")
        elif others:
            lines.append(f"{label(instance)}: {proven}; restored for {one_line(others[0].incident, 60)}, not due.")
        elif get_status(instance) not in RESTORABLE:
            lines.append(f"{label(instance)}: {proven}; its status is {one_line(instance.get('status'), 40)}, not now.")
        elif not any(may_belong(backup, instance) for backup in backups):
            lines.append(f"{label(instance)}: {proven}; it has no usable backup, not now.")
        else:
            due.append(instance)
            lines.append(f"{label(instance)}: {proven}, due.")
    chosen = min(due, key=lambda instance: proven_at[str(instance["id"])] or _NEVER, default=None)
    lines.append("Nothing is due." if chosen is None else f"To be restored now: {label(chosen)}.")
    return {
        "lines": [scope, *unknown, *lines],
        "unknown": " ".join(unknown),
        "instance_id": chosen and chosen["id"],
        "name": None if chosen is None or str(chosen["id"]) in map(str, ids) else chosen.get("name"),
        "incident": chosen and _name_incident(chosen, now),
    }


def _name_incident(instance: Resource, now: datetime) -> str:
    return f"drill-{instance['id']}-{now.astimezone(UTC):%Y-%m-%d}"


def _parse_names(given: object) -> list[str]:
    """Returns the names that may be restored. Raises RefusedError for one of digits alone: it is meant as an id."""
    names = [text for name in parse_list(given) if (text := str(name).strip())]
    if numbers := [name for name in names if name.isdigit()]:
        raise RefusedError(
            f"{NAMES} has {one_line(', '.join(numbers))}, but takes names only. Set {IDS} for instances by their ids."
        )
    return names


def _find(names: t.Iterable[str], ids: t.Iterable[int], index: InstanceIndex) -> tuple[list[Resource], list[str]]:
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
            near = index.find_similar_name(name)
            hint = f" Did you mean {one_line(near)}?" if near else ""
            unknown.append(f"{NAMES}: no instance is named {one_line(name)}.{hint}")
    for number in ids:
        if instance := index.by_id.get(str(number)):
            found[str(number)] = instance
        else:
            unknown.append(f"{IDS}: there is no instance with id {number}.")
    return [*found.values()], unknown
