# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module with the name of this action on the controller. The actions of other modules are links to it."""

from __future__ import annotations

import importlib

from ..plugin_utils._controller.action import ControllerAction

_MODULE = importlib.import_module(f"..modules.{__name__.rpartition('.')[2]}", __package__)


class ActionModule(ControllerAction, module=_MODULE):
    """Runs the module."""
