# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the plan of the playbook ``fleet`` in a file, for the run that applies it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ...module_utils._errors import SettingsError
from ...module_utils._module.arguments import API_WITHOUT_KEY, ArgumentSpec
from ...module_utils._text import one_line
from .._reports.report_folder import write_report

if t.TYPE_CHECKING:
    from ...module_utils._model.results import Result
    from ...module_utils._module.runner import ModuleContext

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
    return {"path": str(path)}


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
