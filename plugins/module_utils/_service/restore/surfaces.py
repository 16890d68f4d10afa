# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The surfaces of restores, modules and role: the words in which they differ, and how they follow a restore."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ..._model.instance import label
from ..._times import format_time, parse_time

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._model.resource import Resource


@dataclass(frozen=True)
class Surface:
    """The words in which the surfaces differ: options, times, and how to go on. The defaults are those of a module."""

    prefix: str = ""
    """Before the names of options."""
    between: str = ": "
    """Between an option and its value."""
    backup: str = "backup_id"
    """The option that names a backup."""
    healthy_timeout: str = "wait_timeout"
    in_names: str = ""
    """Where the name of an instance is given, and where its id; empty if the task shows that."""
    in_ids: str = ""
    alone: str = ""
    """Added to what must not be done to the other instances of the task."""
    again: str = "run the same task again"
    then: str = "it continues waiting, and sends nothing"
    """What that does after a wait that ended early."""
    retry_hint: str = "Nothing was restored; you can run the same incident again."
    """Added to the failure of a request that was not executed."""
    names_instance: bool = True
    """False if the instance is named beside each message."""
    format_time: t.Callable[[str, datetime], str] = lambda at, _now: at
    """Formats the time of an earlier restore, which results of modules have as the journal does."""

    def option(self, name: str) -> str:
        """Returns the name of an option."""
        return f"{self.prefix}{name}"

    def give(self, option: str, value: object) -> str:
        """Returns an option with its value."""
        return f"{option}{self.between}{value}"

    def for_task(self, *, force: bool) -> Surface:
        """Returns the words of a task: with ``force``, it would send again what it has sent, if it is run again."""
        return replace(self, again=f"{self.again} without {self.option('force')}") if force else self

    @property
    def advice(self) -> str:
        """How to go on after a wait that ended early."""
        return f"{self.again[:1].upper()}{self.again[1:]}: {self.then}."

    @property
    def force(self) -> str:
        """The option that sends a restore again, or from any status."""
        return self.give(self.option("force"), "true")

    def show_instance(self, instance: Resource) -> str:
        """Returns the beginning of a sentence about the instance."""
        return label(instance) if self.names_instance else "It"


MODULE = Surface()
FLEET = Surface(alone=" alone", then="it waits for what is under way, and goes on with the rest")


@dataclass(frozen=True)
class RestoreOptions:
    """How restores are followed.

    ``timeout``: seconds, for each batch, from its last request until each instance is restored. ``healthy_timeout``:
    from then until it runs and is healthy, for each instance; None to count that within ``timeout``.
    """

    timeout: float
    healthy_timeout: float | None = None


def format_moment(text: object, now: datetime) -> str:
    """Returns a time of the journal or of the service as :func:`format_time` does."""
    moment = parse_time(text)
    return format_time(moment, now) if moment else "an unknown time"
