# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instances that modules must leave alone: those of the option ``protected``, and those being restored."""

from __future__ import annotations

import functools
import os
import typing as t

from .._model.instance_job import Protection
from .arguments import PROTECTED_VARIABLE, ArgumentSpec

if t.TYPE_CHECKING:
    from .._model.resource import Resource
    from .._model.restore_in_flight import RestoreInFlight
    from .runner import ModuleContext

PROTECTED = ArgumentSpec({"protected": {"type": "list", "elements": "str", "default": []}})


def parse_protection(context: ModuleContext) -> Protection:
    """Returns the instances that are never deleted, by the option and by the environment, and those being restored."""
    variable = os.environ.get(PROTECTED_VARIABLE, "").split(",")
    # An instance that both name is protected by the option.
    listed = {PROTECTED_VARIABLE: variable, f"{context.prefix}protected": context.params["protected"]}
    return Protection.parse(listed)._replace(find_restore=functools.partial(find_restore, context))


def find_restore(context: ModuleContext, instance: Resource) -> RestoreInFlight | None:
    """Returns the restore of an instance that is in flight. Imports the journal, which few tasks need."""
    from .._service.restore.find_restore_in_flight import find_restore_in_flight
    from .open_journal import open_journal

    return find_restore_in_flight(context.client, open_journal(context), instance)
