# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides if a task may run with ``async``, in a process of its own that outlives it, and with which options."""

from __future__ import annotations

import os
import typing as t

from ...module_utils._module.arguments import PROTECTED_OPTION, PROTECTED_VARIABLE

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

    from ...module_utils._model.resource import Options
    from ...module_utils._module.arguments import ArgumentSpec


def find_refusal(action: ActionBase, params: Options, *, may_outlive: bool) -> str | None:
    """Returns why the task can't run with ``async``; None if it can. ``may_outlive``: the run that starts it."""
    name = action._task.action
    if not may_outlive:
        return (
            f"{name} can't run with async, not even with delegate_to: localhost: the job could outlive the run "
            "unnoticed. Remove async from the task. Nothing was sent."
        )
    # Another connection would copy the module, with the API key in it, to a host. A connection plugin of the user's
    # can be called local, too; only the name with which it was loaded tells it from that of ansible-core.
    if action._connection.ansible_name != "ansible.builtin.local":
        return (
            f"{name} can run with async only if the connection is local, since the API key would be copied to "
            "any other host. Add delegate_to: localhost to the task, or remove async. Nothing was sent."
        )
    if action._connection.become and params.get("state_database"):
        return (
            f"{name} can't run with async and become while state_database is set: the other user has neither the "
            "variables nor the files of libpq that this user has, and could reach another database or none. Add "
            "become: false to the task, which needs no other user, or remove async. Nothing was sent."
        )
    return None


def carry_options(spec: ArgumentSpec, params: Options) -> dict[str, t.Any]:
    """Returns the options that would be others in a process of another user, or with another environment."""
    names = [name for name, option in spec.options.items() if "fallback" in option or option.get("type") == "path"]
    carried = {name: params[name] for name in names}
    for name in names:
        if spec.options[name].get("type") == "path" and params[name]:
            # The default of an option is expanded only when it is used.
            carried[name] = os.path.abspath(os.path.expanduser(params[name]))
    if PROTECTED_OPTION in spec.options:
        carried[PROTECTED_OPTION] = [*params[PROTECTED_OPTION], *os.environ.get(PROTECTED_VARIABLE, "").split(",")]
    return carried
