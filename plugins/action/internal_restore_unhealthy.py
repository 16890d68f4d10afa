# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_unhealthy: decides whether an instance is restored. It runs without a human."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta

from ..module_utils._model.instance import describe_instance, is_unhealthy, label, short_name
from ..module_utils._model.instance_fields import CONDITION
from ..module_utils._model.instance_index import InstanceIndex
from ..module_utils._model.resource import Resource, Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._module.runner import ModuleContext
from ..module_utils._service.instance_list import list_instances
from ..module_utils._service.restore.history import RestoreHistory, find_age
from ..module_utils._text import one_line
from ..module_utils._time_options import parse_duration
from ..module_utils._times import format_duration
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._extra_variables import Problems, parse_list
from ..plugin_utils._restore_role.unhealthy_limit import UnhealthyLimit

SPEC = ArgumentSpec(
    {
        "id": {"type": "int", "required": True},
        "incident": {"type": "str", "required": True},
        "names": {"type": "raw"},
        "ids": {"type": "raw"},
        "at_most": {"type": "int", "default": 2},
        "cooldown": {"type": "str", "default": "24h"},
    }
).merge(FAILURE_OPTION, API.with_default("priority", "high"))


@dataclass(frozen=True)
class RestorePermission:
    """Which instances may be restored: by these names or ids, and how long after another restore."""

    names: list[str]
    ids: list[str]
    cooldown: timedelta

    @property
    def is_for_all(self) -> bool:
        return self.names == ["all"]

    def allows(self, instance: Resource, instances: list[Resource]) -> bool:
        """Returns True if the instance may be restored. A name counts if it is in the list and of this one alone."""
        is_named = instance.get("name") in self.names and _count_bearers(instance, instances) == 1
        return self.is_for_all or str(instance["id"]) in self.ids or is_named


def run(context: ModuleContext) -> Result:
    """Returns why the instance is not restored, empty if it is, and the lines that say so."""
    params = context.params
    permission, incident = parse_variables(params)
    scope = context.account.describe()
    instances = list_instances(context.client, CONDITION, lambda one: str(one["id"]) == str(params["id"]))
    if any(str(one["id"]) == str(params["id"]) and is_unhealthy(one) for one in instances):
        # The others count as well.
        instances = list_instances(context.client, CONDITION, listed=instances)
    journal, url = open_journal(context), context.client.settings.api_url
    history = RestoreHistory(url, incident, read_at=journal.now())
    history.states.update(journal.read_states([history.key(params["id"]).subject]))
    unhealthy = {str(one["id"]) for one in instances if is_unhealthy(one)}

    def find_excess() -> str:
        limit = UnhealthyLimit(journal, url, params["at_most"])
        return limit.find_reason(unhealthy, writes=not context.client.check_mode)

    reason = find_reason(params["id"], instances, history, permission, find_excess)
    instance = InstanceIndex(instances).by_id.get(str(params["id"]))
    is_by_name = instance is not None and not (permission.is_for_all or str(params["id"]) in permission.ids)
    report = [scope, reason]
    if instance and is_unhealthy(instance):
        variables = f"restore_instance_ids={params['id']} and restore_incident={one_line(incident)}"
        report.append(f"To restore it by hand, run the playbook clawhosters.cloud.restore with {variables}.")
    name = instance.get("name") if instance and is_by_name else None
    return {"reason": reason, "lines": report if reason else [], "name": name, "at_most": params["at_most"]}


def parse_variables(params: t.Mapping[str, t.Any]) -> tuple[RestorePermission, str]:
    """Returns what may be restored, and the incident. Raises SettingsError for all wrong values."""
    problems = Problems()
    # A text that is empty is not set: no limit is lifted by a variable that was not resolved.
    lasts = (params["cooldown"] or "").strip() or "24h"
    cooldown = problems.collect(parse_duration, "restore_unhealthy_cooldown", lasts)
    incident = problems.collect(parse_operation_name, "restore_incident", params["incident"])
    problems.raise_if_any()
    names, ids = ([str(one).strip() for one in parse_list(params[name])] for name in ("names", "ids"))
    return RestorePermission(names, ids, t.cast(timedelta, cooldown)), str(incident)


def find_reason(
    instance_id: object,
    instances: list[Resource],
    history: RestoreHistory,
    permission: RestorePermission,
    find_excess: t.Callable[[], str],
) -> str:
    """Returns why the instance is not restored; empty if it is. ``history`` has its restores.

    ``find_excess`` returns why too many are unhealthy for any to be restored; empty if they are not.
    """
    instance = InstanceIndex(instances).by_id.get(str(instance_id))
    if instance is None:
        return f"There is no instance with id {instance_id}. There is nothing to do."
    if not is_unhealthy(instance):
        condition = describe_instance(instance, with_health=True)[1]
        return f"{label(instance)} is not running and unhealthy: it is {condition}. There is nothing to do."
    if not permission.allows(instance, instances):
        if instance.get("name") in permission.names:
            return (
                f"{_count_bearers(instance, instances)} instances are named {short_name(instance)}, so "
                f"restore_unhealthy_names allows none of them. Add the id {instance_id} to restore_unhealthy_ids."
            )
        return "The instance is not in restore_unhealthy_names. Its id is not in restore_unhealthy_ids."
    if excess := find_excess():
        return excess
    if others := history.find_recent(instance_id, permission.cooldown):
        age = find_age(others[0].state.sent_at, history.read_at) or timedelta(0)
        ago, cooldown = format_duration(age), format_duration(permission.cooldown)
        return (
            f"A restore for {one_line(others[0].incident, 60)} was sent {ago} ago, which is less than "
            f"restore_unhealthy_cooldown ({cooldown}). If it did not help, another is unlikely to."
        )
    return ""


def _count_bearers(instance: Resource, instances: list[Resource]) -> int:
    return sum(one.get("name") == instance.get("name") for one in instances)


class ActionModule(RoleAction):
    """Decides about a restore."""
