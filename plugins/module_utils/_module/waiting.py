# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a wait."""

from __future__ import annotations

import typing as t

from .._errors import SettingsError
from .arguments import ArgumentSpec


def wait_arguments(seconds: int) -> ArgumentSpec:
    """Returns the options of modules that wait for an instance. ``seconds`` is the default of ``wait_timeout``."""
    return ArgumentSpec(
        {
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": seconds},
            "wait_healthy": {"type": "bool", "default": False},
        }
    )


def parse_wait(params: t.Mapping[str, t.Any]) -> float | None:
    """Returns the seconds of the wait that the options ask for; None with ``wait: false``. Raises SettingsError."""
    return parse_wait_timeout(params) if params["wait"] else None


def parse_wait_timeout(params: t.Mapping[str, t.Any]) -> float:
    """Returns the option ``wait_timeout``, in seconds. Raises SettingsError if it is negative."""
    timeout: float = params["wait_timeout"]
    if timeout < 0:
        raise SettingsError(f"wait_timeout is {timeout}, but must be 0 or more seconds.")
    return timeout
