# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of modules that delete instances: which ones are never deleted."""

from __future__ import annotations

import os
import typing as t

from .._model.protection import Protection
from .arguments import PROTECTED_OPTION, PROTECTED_VARIABLE, ArgumentSpec

PROTECTED = ArgumentSpec({PROTECTED_OPTION: {"type": "list", "elements": "str", "default": []}})


def parse_protection(params: t.Mapping[str, t.Any]) -> Protection:
    """Returns the instances that are never deleted, by the option and by the environment."""
    variable = os.environ.get(PROTECTED_VARIABLE, "").split(",")
    # An instance that both name is protected by the option.
    return Protection.parse({PROTECTED_VARIABLE: variable, PROTECTED_OPTION: params[PROTECTED_OPTION]})
