# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated clock for tests."""

from __future__ import annotations

import typing as t


class Sleeper:
    """A clock that advances only when somebody sleeps, and records the delays."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.before_sleep: t.Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.before_sleep()
        assert seconds > 0
        assert len(self.slept) < 1_000_000, "endless sleeping"
        self.now += seconds
        self.slept.append(seconds)

    @property
    def total(self) -> float:
        return sum(self.slept)
