# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_fleet_plan: keeps the plan of the playbook ``fleet`` in a file, for the run that
applies it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context as cli

from ..module_utils._errors import SettingsError
from ..module_utils._module.arguments import API_WITHOUT_KEY, ArgumentSpec
from ..module_utils._text import one_line
from ..plugin_utils._controller.action import ControllerAction
from ..plugin_utils._formatting import UNFOLDED, format_path
from ..plugin_utils._reports.report_folder import write_report

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Result
    from ..module_utils._module.runner import ModuleContext

PLAYBOOK = "clawhosters.cloud.fleet"
_OTHER_OPTIONS = ("vault_ids", "vault_password_files", "ask_vault_pass", "subset")
"""Options of ansible-playbook that a next run may need, too."""

SPEC = ArgumentSpec({"path": {"type": "path", "required": True}, "plan": {"type": "dict"}}).merge(API_WITHOUT_KEY)


def run(context: ModuleContext) -> Result:
    """Writes the plan, in check mode too; without a plan, returns the one in the file."""
    path = Path(context.params["path"]).absolute()
    plan = context.params["plan"]
    if plan is None:
        return {"plan": _read(path), "path": str(path)}
    text = json.dumps(plan, indent=4, ensure_ascii=False) + "\n"
    # Nothing of the fleet is changed by it.
    write_report(str(path), text, text, check_mode=False)
    lines = [f"Plan: {one_line(path)}", *format_next(path, Path.cwd(), _find_variables(cli.CLIARGS))]
    return {"path": str(path), "msg": lines, "_ansible_verbose_always": True}


def _find_variables(given: t.Mapping[str, t.Any]) -> list[str]:
    """Returns the options ``-e`` of this run; none if it has others that a next run may need, too."""
    is_usual = [*(given.get("inventory") or ())] in ([], C.DEFAULT_HOST_LIST)
    return list(map(str, given.get("extra_vars") or ())) if is_usual and not any(map(given.get, _OTHER_OPTIONS)) else []


def format_next(path: Path, base: Path, options: t.Sequence[str]) -> list[str]:
    """Returns how to apply the plan: a command, if the ``options`` of this run fit into a line, or else a sentence.

    The file that declares the fleet is its end: without it, or with a part of its name, the playbook sends nothing.
    """
    # Ansible has made their paths absolute.
    files = [Path(option[1:]).absolute() for option in options if option.startswith("@")]
    others = [option for option in options if not option.startswith(("@", "fleet_plan_path="))]
    plan, *declared = (format_path(one, base) for one in (path, *files))
    if plan and len(declared) == 1 and declared[0] and not others:
        line = f"ansible-playbook {PLAYBOOK} -e fleet_apply_plan={plan} -e@{declared[0]}"
        if line.rindex(" ") <= UNFOLDED:
            return ["To apply exactly this:", line]
    return [
        "To apply exactly this, run the playbook without --check, and with",
        "fleet_apply_plan for fleet_plan_path.",
    ]


def _read(path: Path) -> t.Any:
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _refuse(path, f"it can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _refuse(path, "it is no whole JSON") from None
    if not isinstance(plan, dict):
        raise _refuse(path, "it is no dictionary")
    return plan


def _refuse(path: Path, fault: str) -> SettingsError:
    return SettingsError(f"fleet_apply_plan is {one_line(path)}, but {fault}. Nothing was sent.")


class ActionModule(ControllerAction):
    """Writes or reads the plan."""
