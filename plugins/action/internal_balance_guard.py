# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_balance_guard: the plan of the role ``balance_guard``, which its tasks carry out."""

from __future__ import annotations

import typing as t

from ..module_utils._errors import ClawHostersError
from ..module_utils._http.lists import fetch_all
from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal, parse_operation_name
from ..module_utils._module.runner import ModuleContext
from ..module_utils._service.at_most_once import format_at
from ..module_utils._service.billing import fetch_billing
from ..module_utils._state.journal import OperationEvent, OperationKey
from ..plugin_utils._balance_plan import build_plan, parse_stop_order
from ..plugin_utils._controller.action import ControllerAction
from ..plugin_utils._extra_variables import Problems

SPEC = ArgumentSpec(
    {
        "stop_order": {"type": "raw", "required": True},
        "min_days": {"type": "int", "required": True},
        "package_id": {"type": "str", "default": ""},
        "order": {"type": "str", "default": ""},
        "rounds": {"type": "list", "elements": "dict", "default": []},
    }
).merge(API)


def run(context: ModuleContext) -> Result:
    """Returns the plan of the next round."""
    params = context.params
    _require_valid(params)
    scope = context.account.describe()
    instances = fetch_all(context.client, "/instances")
    billing = fetch_billing(context.client, ["summary", "usage"], 1)
    plan = build_plan(billing, instances, params["stop_order"], params["min_days"], params["rounds"])
    sent_order, lines = "", [*plan["lines"], *plan["name_problems"]]
    if params["package_id"] and not plan["is_sufficient"]:
        sent_order = _describe_order(context)
        buying = [f"Buy package {params['package_id']} first. If it is not credited immediately:"]
        lines = ([sent_order, "It is not sent again."] if sent_order else buying) + lines
    return {**plan, "sent_order": sent_order, "report": [scope, *lines]}


def _require_valid(params: t.Mapping[str, t.Any]) -> None:
    """Raises SettingsError for all wrong values."""
    problems = Problems()
    problems.collect(parse_stop_order, params["stop_order"])
    if params["package_id"] and not params["order"].strip():
        problems.add("Set balance_guard_order, too, so that the package is not bought twice.")
    elif params["package_id"]:
        problems.collect(parse_operation_name, "balance_guard_order", params["order"])
    problems.raise_if_any()


def _describe_order(context: ModuleContext) -> str:
    """Returns a sentence about the order if it was sent before; empty if it was not."""
    try:
        order = parse_operation_name("balance_guard_order", context.params["order"])
        state = open_journal(context).read_state(OperationKey("purchase", context.client.settings.api_url, order))
    except ClawHostersError:
        # The purchase fails for the same reason, and the results say so.
        return ""
    if state is None:
        return ""
    known = f"Order {order} was sent at {format_at(state.sent_at)} for package {state.facts.get('package_id')}"
    return f"{known}, and {'accepted' if state.event is OperationEvent.COMPLETED else 'may have bought'}."


class ActionModule(ControllerAction):
    """Runs the task of the role."""

    IS_SHOWN_ALONE = True
