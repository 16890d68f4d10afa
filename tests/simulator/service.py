# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated service: world, switches, faults, keys, rate limit and log, and their initial state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import BadControl
from simulator.exchange import Exchange
from simulator.faults import Faults
from simulator.keys import Keys
from simulator.ratelimit import RateLimiter
from simulator.seed import change_account, foreign_world, world_from_state
from simulator.switches import Switches
from simulator.world import ACCOUNT, World


@dataclass(frozen=True, slots=True)
class Seed:
    """Initial state from the command line; `/_sim/reset` restores it."""

    state: Mapping[str, Any]
    switches: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()  # if given, only these are valid


class Service:
    switches: Switches
    keys: Keys
    world: World
    foreign_world: World  # visible to a key of another account

    def __init__(self, seed: Seed, clock: Callable[[], float] = time.time) -> None:
        self.seed = seed
        self.clock = clock
        self.skew = 0.0
        self.log: list[Exchange] = []
        self.requests = 0
        self.limiter = RateLimiter(clock)
        self.faults = Faults(self.limiter)
        self.reset()

    def reset(
        self,
        instances: int | None = None,
        switches: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Restores the initial state, optionally with another fleet or state, and with additional switches."""
        if state is not None and instances is not None:
            raise BadControl("either a number of instances or a state, not both")
        wanted = {**_switches_of(self.seed.state), **self.seed.switches}
        if state is None:
            state = self.seed.state if instances is None else {"instances": instances}
        else:
            wanted |= _switches_of(state)
        self._begin(state, wanted | dict(switches or {}))
        self.faults.clear()
        self.limiter.clear()
        self.set_skew(0.0)
        self.log = []
        self.requests = 0

    def _begin(self, state: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        switches = Switches()
        switches.change(wanted)
        keys = Keys()
        try:
            keys.add(state.get("keys") or {})
            world = world_from_state(state, switches, self.clock)
            foreign = foreign_world(state, switches, self.clock)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise BadControl(f"the state can't be read: {error}") from error
        if self.seed.keys:
            switches.accept_any_key = False
            keys.add(dict.fromkeys(self.seed.keys, "valid"))
        # Assign only after everything has been validated.
        self.switches, self.keys, self.world, self.foreign_world = switches, keys, world, foreign

    def change(self, state: Mapping[str, Any]) -> None:
        for name in state:
            if name not in (*ACCOUNT, "keys"):
                raise BadControl(f"{name!r} can't be changed this way; POST a state to reset, or PATCH the one record")
        self.keys.add(state.get("keys") or {})
        change_account(self.world, state)

    def set_skew(self, seconds: float) -> None:
        self.skew = self.limiter.skew = seconds

    def as_state(self) -> dict[str, Any]:
        """Returns the world as a state file, with keys and switches."""
        foreign = self.foreign_world.as_state()
        keys, switches = self.keys.listed, self.switches.non_default()
        return self.world.as_state() | {"foreign": foreign, "keys": keys, "switches": switches}


def _switches_of(state: Any) -> dict[str, Any]:
    switches = state.get("switches") or {} if isinstance(state, Mapping) else None
    if not isinstance(switches, Mapping):
        raise BadControl("a state and its switches must be mappings")
    return dict(switches)
