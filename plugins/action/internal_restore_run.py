# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore_run, for the role restore."""

from __future__ import annotations

from ..plugin_utils._restore import run_task
from ..plugin_utils._restore.role_action import RunbookAction


class ActionModule(RunbookAction):
    """Begins a run, and hands its outcome to later jobs."""

    MODULE = run_task
