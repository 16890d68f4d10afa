# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_doctor_report, the last task of the playbook ``doctor``: writes what ``claw_doctor_info``
returned, for a bug report."""

from __future__ import annotations

import json
from pathlib import Path

from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API_WITHOUT_KEY, ArgumentSpec
from ..module_utils._module.runner import ModuleContext
from ..plugin_utils._controller.action import ControllerAction
from ..plugin_utils._reports.report_folder import write_report

SPEC = ArgumentSpec({"path": {"type": "path", "required": True}, "result": {"type": "dict", "required": True}}).merge(
    API_WITHOUT_KEY
)

_PARTS = ("healthy", "unmet", "findings", "shapes", "api")
"""Keys of the result that hold nothing of the account or the machine."""


def run(context: ModuleContext) -> Result:
    """Writes the file, except in check mode."""
    path = Path(context.params["path"]).absolute()
    parts = {name: context.params["result"][name] for name in _PARTS}
    text = json.dumps(parts, indent=4, ensure_ascii=False) + "\n"
    return {"changed": write_report(str(path), text, text, check_mode=context.client.check_mode), "path": str(path)}


class ActionModule(ControllerAction):
    """Writes the file."""
