# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the action plugins of the role ``restore``, one for each task, so that each loads its own code alone."""

from __future__ import annotations

import typing as t

from .._controller.action import ControllerAction


class RunbookAction(ControllerAction):
    """Runs a task of the role."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Returns the result of the task. The record counts the requests."""
        result = super().run(tmp, task_vars)
        result.pop("api", None)
        if result.get("failed"):
            # The place in the role where the task stands says nothing to an operator.
            self._task._ds = None
        return result
