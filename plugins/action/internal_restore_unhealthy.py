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

    def allows_id(self, instance_id: object) -> bool:
        """Returns True if an instance may be restored whatever its name."""
        return self.names == ["all"] or str(instance_id) in self.ids


def run(context: ModuleContext) -> Result:
    """Returns why the instance is not restored, empty if it is, and the lines that say so."""
    params, client, number = context.params, context.client, str(context.params["id"])
    permission, incident = parse_variables(params)
    scope = context.account.describe()
    instances = list_instances(client, CONDITION, lambda one: str(one["id"]) == number)
    if any(str(one["id"]) == number and is_unhealthy(one) for one in instances):
        # The others count as well.
        instances = list_instances(client, CONDITION, listed=instances)
    journal, url = open_journal(context), client.settings.api_url
    history = RestoreHistory(url, incident, read_at=journal.now())
    history.states.update(journal.read_states([history.key(number).subject]))
    reason = find_reason(number, instances, history, permission)
    if not reason:
        unhealthy = {str(one["id"]) for one in instances if is_unhealthy(one)}
        reason = UnhealthyLimit(journal, url, params["at_most"]).find_reason(unhealthy, writes=not client.check_mode)
    report, instance = [scope, reason], InstanceIndex(instances).by_id.get(number, {})
    if is_unhealthy(instance):
        variables = f"restore_instance_ids={number} and restore_incident={one_line(incident)}"
        report.append(f"To restore it by hand, run the playbook clawhosters.cloud.restore with {variables}.")
    name = None if permission.allows_id(number) else instance.get("name")
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
    instance_id: object, instances: list[Resource], history: RestoreHistory, permission: RestorePermission
) -> str:
    """Returns why the instance is not restored, whatever the others are; empty if it may be.

    ``history`` has its restores. A name allows it if it is in the list and of this one alone.
    """
    index = InstanceIndex(instances)
    instance = index.by_id.get(str(instance_id))
    if instance is None:
        return f"There is no instance with id {instance_id}. There is nothing to do."
    if not is_unhealthy(instance):
        condition = describe_instance(instance, with_health=True)[1]
        return f"{label(instance)} is not running and unhealthy: it is {condition}. There is nothing to do."
    if not permission.allows_id(instance_id):
        if instance.get("name") not in permission.names:
            return "The instance is not in restore_unhealthy_names. Its id is not in restore_unhealthy_ids."
        named = index.by_name[str(instance["name"])]
        if len(named) > 1:
            return (
                f"{len(named)} instances are named {short_name(instance)}, so restore_unhealthy_names allows none of "
                f"them. Add the id {instance_id} to restore_unhealthy_ids."
            )
    if others := history.find_recent(instance_id, permission.cooldown):
        age = find_age(others[0].state.sent_at, history.read_at) or timedelta(0)
        ago, cooldown = format_duration(age), format_duration(permission.cooldown)
        return (
            f"A restore for {one_line(others[0].incident, 60)} was sent {ago} ago, which is less than "
            f"restore_unhealthy_cooldown ({cooldown}). If it did not help, another is unlikely to."
        )
    return ""


class ActionModule(RoleAction):
    """Decides about a restore."""
