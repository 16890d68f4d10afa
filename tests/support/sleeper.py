# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock for tests that only sleeping moves."""

from __future__ import annotations


class KilledError(BaseException):
    """Ends a task as a signal would: nothing of the collection may catch it."""


class Sleeper:
    """Sleeps without sleeping, and remembers how long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.kills = False

    def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        if self.kills:
            raise KilledError
        assert seconds > 0
        assert len(self.slept) < 1_000_000, "it sleeps for ever"
        self.now += seconds
        self.slept.append(seconds)

    @property
    def total(self) -> float:
        """Seconds slept in all."""
        return sum(self.slept)
