# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the tasks of roles and playbooks, whose screen is theirs."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.parameters import remove_values

from ...module_utils._errors import SettingsError
from ...module_utils._module.arguments import ArgumentSpec
from .action import ControllerAction
from .display import show_lines

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Options, Result

FAILURE_OPTION = ArgumentSpec({"failure": {"type": "str", "default": ""}})
"""The option that says why the task must only fail: by the names of the role's variables, or the task before."""


class RoleAction(ControllerAction):
    """Base of the actions of roles and playbooks: ``lines`` of a result are its screen."""

    def require_valid(self, args: Options) -> None:
        """Raises SettingsError for a task that must only fail, and what ``require_variables`` raises."""
        if args.get("failure"):
            raise SettingsError(args["failure"])
        self.require_variables(args)

    def require_variables(self, args: Options) -> None:
        """Raises ClawHostersError for options that Ansible's validation would explain less well."""

    def format_unsupported(self, problem: str) -> str:
        """Returns the message for a variable that does not exist."""
        return f"Unsupported: {self.PREFIX}{problem} Nothing was sent."

    def show_result(self, result: Result, secrets: t.Collection[str]) -> None:
        """Shows the lines of the result, and leaves out of it what no user of a role looks for."""
        del result["api"]
        # Nor the task's place in the role.
        self._task._ds = None
        if lines := result.get("lines"):
            show_lines(self._display, remove_values(lines, secrets))
        if result.get("failed"):
            result.pop("lines", None)
