# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The surfaces of restores, modules and role: the words in which they differ, and how they follow a restore."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._model.instance import label
from ..._times import format_time, parse_time

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..._model.resource import Resource

RUN_AGAIN = "Run the same task again: it continues waiting, and sends nothing."
RUN_ALL_AGAIN = "Run the same task again: it waits for what is under way, and goes on with the rest."


@dataclass(frozen=True)
class Surface:
    """The words in which the surfaces differ: options, times, and how to go on. The defaults are those of a module."""

    wait_timeout: str = "wait_timeout"
    healthy_timeout: str = "wait_timeout"
    max_age: str = "max_age"
    min_interval: str = "min_interval"
    advice: str = RUN_AGAIN
    """How to go on after a wait that ended early."""
    retry_hint: str = "Nothing was restored; you can run the same incident again."
    """Added to the failure of a request that was not executed."""
    names_instance: bool = True
    """False if the instance is named beside each message."""
    format_time: t.Callable[[str, datetime], str] = lambda at, _now: at
    """Formats the time of an earlier restore, which results of modules have as the journal does."""

    def show_instance(self, instance: Resource) -> str:
        """Returns the beginning of a sentence about the instance."""
        return label(instance) if self.names_instance else "It"


MODULE, FLEET = Surface(), Surface(advice=RUN_ALL_AGAIN)


@dataclass(frozen=True)
class RestoreOptions:
    """How restores are followed.

    ``timeout``: seconds, for each batch, from its last request until each instance is restored. ``healthy_timeout``:
    from then until it runs and is healthy, for each instance; None to count that within ``timeout``. ``surface``: the
    words of the messages.
    """

    timeout: float
    healthy_timeout: float | None = None
    surface: Surface = MODULE


def format_moment(text: object, now: datetime) -> str:
    """Returns a time of a record or of the service as :func:`format_time` does."""
    moment = parse_time(text)
    return format_time(moment, now) if moment else "an unknown time"
