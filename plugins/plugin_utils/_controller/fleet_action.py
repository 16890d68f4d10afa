# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the action plugins that change many instances in one task."""

from __future__ import annotations

import difflib
import json
import typing as t

from .action import ControllerAction


class FleetAction(ControllerAction):
    """Shows the diff of a failed task too, which Ansible does not."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Returns the result of the module."""
        result = super().run(tmp, task_vars)
        task = self._task
        # With failed_when, the task may count as ok. Then Ansible shows the diff.
        is_shown = task.diff and not task.failed_when and not task.no_log
        if is_shown and result.get("failed") and result.get("changed") and result.get("diff"):
            # On standard error, since standard output may be the JSON of a callback.
            self._display.display(_format_diff(**result["diff"]), stderr=True)
        return result


def _format_diff(before: dict[str, t.Any], after: dict[str, t.Any]) -> str:
    """Returns the diff as Ansible shows it."""
    old, new = (json.dumps(statuses, indent=4, ensure_ascii=False).splitlines() for statuses in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm=""))
