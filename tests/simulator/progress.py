# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transitions in progress, advanced by the clock and by reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulator.instances import Instance
from simulator.transitions import Transition


class Progress:
    """At most one transition per instance. There is no background task: time takes effect at the next access."""

    def __init__(
        self,
        instances: Mapping[int, Instance],
        clock: Callable[[], float],
        finish: Callable[[Instance, Transition, float], None],
    ) -> None:
        self._instances = instances
        self._clock = clock
        self._finish = finish  # effects of a completed transition, besides the fields of the instance
        self._under_way: dict[int, Transition] = {}

    def tick(self) -> None:
        """Ends all phases whose time is over."""
        now = self._clock()
        for number, transition in list(self._under_way.items()):
            while transition.is_due(now) and self._advance(number, transition, transition.due):
                pass

    def shown(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            transition = self._under_way.get(number)
            if transition is not None and transition.read():
                self._advance(number, transition, self._clock())

    def begin(self, instance: Instance, transition: Transition) -> None:
        """Begins a transition. A repeated action continues the current one; another action replaces it."""
        running = self._under_way.get(instance.id)
        if running is not None and running.kind == transition.kind and transition.backup is None:
            return
        self.abandon(instance.id)
        self._under_way[instance.id] = transition
        self._advance(instance.id, transition, self._clock())

    def abandon(self, number: int) -> None:
        transition = self._under_way.pop(number, None)
        if transition is not None and transition.backup is not None:
            transition.backup["status"] = transition.backup_status

    def describe(self, number: int) -> dict[str, Any] | None:
        """Returns the entry for `/_sim/state`."""
        transition = self._under_way.get(number)
        return transition.describe() if transition is not None else None

    def _advance(self, number: int, transition: Transition, now: float) -> bool:
        """Enters the next phase. Returns False at the end."""
        instance = self._instances[number]
        if transition.enter(instance, now):
            return True
        del self._under_way[number]
        self._finish(instance, transition, now)
        return False
