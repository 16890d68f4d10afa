# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_rehearsal, for the playbook rehearsal."""

from __future__ import annotations

from ..plugin_utils._controller.action import InternalAction
from ..plugin_utils._playbooks import rehearsal


class ActionModule(InternalAction):
    """Writes the files of the playbook rehearsal."""

    MODULE = rehearsal
