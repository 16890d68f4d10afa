# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transitions after an accepted action: phases, each with the fields it sets and its duration.

A phase lasts some seconds, or a number of GETs that show the instance, which makes tests independent of the clock.
Knows neither HTTP nor the world.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from simulator.instances import Instance
from simulator.switches import Switches


@dataclass(slots=True)
class Length:
    """Duration of a phase: a number of reads if set, else seconds."""

    seconds: float
    reads: int | None = None


@dataclass(slots=True)
class Phase:
    sets: dict[str, Any]
    length: Length


@dataclass(slots=True)
class Transition:
    """The transition of one instance: the current phase, the next ones, and the final fields."""

    kind: str
    phases: deque[Phase]
    end: dict[str, Any]
    backup: dict[str, Any] | None = None  # the backup being restored, and its status afterwards
    backup_status: Any = None
    due: float = field(default=0.0, init=False)
    reads_left: int | None = field(default=None, init=False)

    def enter(self, instance: Instance, now: float) -> bool:
        """Enters the next phase with a duration. Returns False if none is left."""
        while self.phases:
            phase = self.phases.popleft()
            for name, value in phase.sets.items():
                setattr(instance, name, value)
            self.reads_left = phase.length.reads
            self.due = now + phase.length.seconds
            if self.reads_left or (self.reads_left is None and phase.length.seconds > 0):
                return True
        for name, value in self.end.items():
            setattr(instance, name, value)
        return False

    def is_due(self, now: float) -> bool:
        return self.reads_left is None and now >= self.due

    def read(self) -> bool:
        """Counts one GET that showed the instance. Returns True if the phase ends with it."""
        if self.reads_left is None:
            return False
        self.reads_left -= 1
        return self.reads_left == 0

    def describe(self) -> dict[str, Any]:
        """Returns the entry for `/_sim/state`."""
        to_come = [phase.sets["status"] for phase in self.phases if "status" in phase.sets]
        ends = [self.end["status"]] if "status" in self.end else []
        return {"kind": self.kind, "to_come": to_come + ends, "reads_left": self.reads_left}


def action_length(switches: Switches) -> Length:
    return Length(switches.transition_seconds, switches.transition_reads)


def _becoming_healthy(instance: Instance, switches: Switches) -> tuple[list[Phase], dict[str, Any]]:
    """Returns the phases from running to healthy; the health lags behind (contract 4.3)."""
    lag = Length(0, switches.health_lag_reads)
    return [Phase({"status": "running", "health_status": "unknown"}, lag)], {"health_status": instance.health_after}


def _shown_meanwhile(end: str, switches: Switches) -> dict[str, Any]:
    return {"old": {}, "busy": {"status": "deploying"}, "end": {"status": end}}[switches.transition_shows]


def starting(kind: str, instance: Instance, switches: Switches) -> Transition:
    """To `running`: a start, or a restart with a brief downtime, which only a busy status or the health shows."""
    meanwhile = _shown_meanwhile("running", switches) | {"health_status": "unknown"}
    healing, end = _becoming_healthy(instance, switches)
    return Transition(kind, deque([Phase(meanwhile, action_length(switches)), *healing]), end)


def stopping(switches: Switches) -> Transition:
    """`running` to `stopped` (contract 4.3)."""
    end = {"status": "stopped", "health_status": "unknown"}
    return Transition("stop", deque([Phase(_shown_meanwhile("stopped", switches), action_length(switches))]), end)


def resuming(instance: Instance, switches: Switches, new_address: str) -> Transition:
    """`paused` to `running` by way of a new server, so the address changes (contract 4.3, 8)."""
    length = action_length(switches)
    phases = [
        Phase({"status": "provisioning", "health_status": "unknown", "ip_address": None}, length),
        Phase({"status": "deploying", "ip_address": new_address}, length),
    ]
    healing, end = _becoming_healthy(instance, switches)
    return Transition("resume", deque([*phases, *healing]), end)


def deleting(switches: Switches) -> Transition:
    """Shown as `deleting` until it is gone (contract 4.7)."""
    sets = {"status": "deleting", "ip_address": None, "health_status": "unknown"}
    return Transition("delete", deque([Phase(sets, action_length(switches))]), {})


def restoring(instance: Instance, switches: Switches, backup: dict[str, Any]) -> Transition:
    """Busy for a while, then running with the data of the backup (contract 7)."""
    meanwhile: dict[str, Any] = {"health_status": "unknown"}
    if switches.restore_shows is not None:
        meanwhile["status"] = switches.restore_shows
    phases = [Phase(meanwhile, action_length(switches))]
    end: dict[str, Any] = {"status": switches.restore_ends, "health_status": "unknown"}
    if switches.restore_ends == "running":
        healing, end = _becoming_healthy(instance, switches)
        phases += healing
    return Transition("restore", deque(phases), end, backup, backup.get("status"))


def settling(instance: Instance, status: str, length: Length) -> Transition:
    """`settles_to` of a state file: the current status for a while, then that one."""
    if status == "gone":
        return Transition("leave", deque([Phase({}, length)]), {})
    end = {"status": status, "health_status": instance.health_after if status == "running" else "unknown"}
    return Transition("settle", deque([Phase({}, length)]), end)
