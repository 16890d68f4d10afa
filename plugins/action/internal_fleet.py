# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_fleet, which does the work of the role ``fleet``: runs ``claw_fleet``, shows what that
says, and reads and writes plans."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.parameters import remove_values

from ..module_utils._errors import PartialError, SettingsError
from ..module_utils._model.fleet_entries import FaultyListError
from ..module_utils._model.plan_scope import SHOWN_DIGITS
from ..module_utils._model.saved_plan import parse_plan
from ..module_utils._module.arguments import ArgumentSpec
from ..module_utils._text import format_count
from ..modules import claw_fleet
from ..plugin_utils._controller.display import show_lines
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._extra_variables import parse_list
from ..plugin_utils._formatting import wrap_lines
from ..plugin_utils._plan_file import read_plan_file, write_plan_file

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Options, Result
    from ..module_utils._module.runner import ModuleContext

_LISTS = ("instances", "protected", "serial")


SPEC = ArgumentSpec(
    {"plan_path": {"type": "path"}, "apply_plan": {"type": "path"}}, mutually_exclusive=(("plan_path", "apply_plan"),)
).merge(FAILURE_OPTION, claw_fleet.SPEC)


def run(context: ModuleContext, show: t.Callable[..., object]) -> Result:
    """Returns the result of the task. What ``claw_fleet`` would fail for is in its message.

    ``show`` takes lines for the screen, and behind them those that are not wrapped: a path is to be copied.
    """
    params, context.prefix = dict(context.params), ActionModule.PREFIX
    if params["plan_path"] and not context.client.check_mode:
        raise SettingsError("fleet_plan_path is written with --check: add that, or leave it out.", is_unsent=True)
    if path := params["apply_plan"]:
        plan, warning = read_plan_file("fleet_apply_plan", path)
        # A file without JSON must not count as a task without a plan.
        context.params = {**params, "plan": {} if plan is None else plan}
        parse_plan(context.params["plan"], "fleet_apply_plan")
        if warning:
            context.warn(warning)
    show([context.account.describe()])
    try:
        result, failure = claw_fleet.run(context), ""
    except PartialError as error:
        result, failure = error.result, _explain(error, dict(context.params))
    show(result.get("report", []), *_keep_plan(result.get("plan"), params))
    kept: dict[str, t.Any] = {name: result[name] for name in ("changed", "instances", "diff") if name in result}
    return {**kept, "msg": failure, "is_complete": not failure}


def _keep_plan(plan: dict[str, t.Any] | None, params: Options) -> list[str]:
    """Writes the plan that was made, if that is asked for, and returns the lines about it."""
    if plan is None or params["apply_plan"]:
        return []
    label = parse_plan(plan).label()
    if not (path := params["plan_path"]):
        return [label] if plan["entries"] else []
    write_plan_file(path, plan)
    return [label, "To apply exactly this, set, instead of fleet_plan_path and --check:", f"fleet_apply_plan={path}"]


def _explain(error: PartialError, params: Options) -> str:
    """Returns why the role fails, but for the lines that were shown."""
    result = error.result
    if "differences" in result:
        count = format_count(result["differences"], "difference")
        plan = f"Plan {params['plan']['digest'][:SHOWN_DIGITS]} in {params['apply_plan']}"
        return f"{plan} does not hold any more: {count}. Nothing was sent. Make a new plan."
    if "exceeded" in result:
        # With fleet_max_changes=0 no change is to be allowed: the run looks for drift.
        allowed = [one for one in result["exceeded"] if one["option"] == "max_deletions" or one["limit"]]
        advice = " and ".join(f"fleet_{one['option']}={one['count']}" for one in allowed)
        return f"{error}{f' To allow it, set {advice}.' if advice else ''}"
    # The totals: each failure was shown.
    return str(error if isinstance(error, FaultyListError) else result["report"][-1])


class ActionModule(RoleAction):
    """Runs the task. It is the screen, too."""

    PREFIX = "fleet_"

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Returns the result of the task. Lists may be text of the command line or of a survey."""
        variables = self._task.args.pop("variables", None) or {}
        lists = {name: parse_list(variables[name]) for name in _LISTS if isinstance(variables.get(name), str)}
        self._task.args.update({**variables, **lists})
        return super().run(tmp, task_vars)

    def require_variables(self, args: Options) -> None:
        """Refuses what is no list of instances. Ansible would show all options, or name none."""
        given = args.get("instances")
        if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
            wanted = "fleet_instances is not set to a list of dictionaries, such as {name: web-bot, state: started}."
            raise SettingsError(wanted, is_unsent=True)

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the task."""

        def show(lines: list[str], *whole: str) -> None:
            show_lines(self._display, [*wrap_lines(remove_values(lines, secrets)), *remove_values(whole, secrets)])

        return run(context, show)
