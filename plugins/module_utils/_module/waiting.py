# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a wait, and the wait that they ask for."""

from __future__ import annotations

import typing as t

from .._errors import SettingsError
from .._waiter import Waiter
from .arguments import ArgumentSpec

if t.TYPE_CHECKING:
    from .runner import ModuleContext


def wait_arguments(seconds: int) -> ArgumentSpec:
    """Returns the options of modules that wait for an instance. ``seconds`` is the default of ``wait_timeout``."""
    return ArgumentSpec(
        {
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": seconds},
            "wait_healthy": {"type": "bool", "default": False},
        }
    )


def build_waiter(context: ModuleContext) -> Waiter | None:
    """Returns a waiter whose ``wait_timeout`` begins now; None with ``wait: false``."""
    if not context.params["wait"]:
        return None
    client = context.client
    return Waiter(parse_wait_timeout(context.params), client.progress, requests_left=lambda: client.stats.remaining)


def parse_wait_timeout(params: t.Mapping[str, t.Any]) -> float:
    """Returns the option ``wait_timeout``, in seconds. Raises SettingsError if it is negative."""
    timeout: float = params["wait_timeout"]
    if timeout < 0:
        raise SettingsError(f"wait_timeout is {timeout}, but must be 0 or more seconds.")
    return timeout
