# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a task that restores: its rules, and how messages spell the options."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

if t.TYPE_CHECKING:
    from datetime import datetime, timedelta


@dataclass(frozen=True)
class Rules:
    """Conditions of the task. ``force`` sends again, and from any status; it never overrules the others.

    ``is_confirmed``: a user has confirmed the status and the health that the plan shows, and nothing else is sent.
    """

    before: datetime | None = None
    max_age: timedelta | None = None
    min_interval: timedelta | None = None
    force: bool = False
    is_confirmed: bool = False


@dataclass(frozen=True)
class Wording:
    """Who speaks, a module or the role: the spelling of its options, and how to run it again."""

    prefix: str = ""
    """Before the names of options; only the role has one."""
    ids: str = "instance_id"
    """The option that takes the id of an instance."""
    alone: str = ""
    """Added to what must not be done to the other instances of the task."""
    again: str = "run the same task again"

    def option(self, name: str, value: object = None) -> str:
        """Returns an option as the user writes it, ``force: true`` or ``restore_force=true``, or its name alone."""
        if value is None:
            return f"{self.prefix}{name}"
        return f"{self.prefix}{name}={value}" if self.prefix else f"{name}: {value}"

    def backup(self, backup_id: object = None) -> str:
        """Returns the option that names a backup."""
        return self.option("backup" if self.prefix else "backup_id", backup_id)

    def for_task(self, *, force: bool) -> Wording:
        """Returns the words of a task: with ``force``, it would send again what it has sent, if it is run again."""
        return replace(self, again=f"{self.again} without {self.option('force')}") if force else self

    @property
    def advice(self) -> str:
        """How to go on after a wait that ended early."""
        return f"{self.again[:1].upper()}{self.again[1:]}: it waits for what is under way, and sends nothing twice."

    def restore_with(self, *options: str) -> str:
        """Returns ``restore it with OPTION and OPTION``."""
        return f"restore it{self.alone} with {' and '.join(options)}"


MODULE = Wording()
FLEET = Wording(ids="ids", alone=" alone")
ROLE = Wording("restore_", "restore_instance_ids", again="run the same command again")
