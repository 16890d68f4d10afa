# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows a restored instance until it runs and is healthy. Sends nothing: see ``Starter``."""

from __future__ import annotations

import typing as t

from ..._model.instance import describe_condition, describe_instance, get_status, is_healthy, label
from ..._model.state_reached import FailureStatusError, state_reached
from ..._waiter import explain_ended_wait

if t.TYPE_CHECKING:
    from ..._errors import ClawHostersError
    from ..._model.resource import Resource


class Recovery:
    """The time from the end of a restore until its instance runs and, with ``wait_healthy``, is healthy."""

    needs_start = False
    """True if the instance is started next."""
    is_started = False
    """True if this run has started it."""

    def __init__(self, instance: Resource, *, wait_healthy: bool) -> None:
        self.current = instance
        """The instance as last seen."""
        self.failure: tuple[object, ClawHostersError | None] | None = None
        """Why it will not recover, and the error behind that; None for its status."""
        self._wait_healthy = wait_healthy
        self._is_reached = state_reached("started", get_status(instance), wait_healthy=wait_healthy)
        self.is_done = get_status(instance) != "running" or not self._waits_for_health()
        """True if nothing is left to wait for, or if it has failed."""

    @property
    def warning(self) -> str:
        """The warning at the end of the restore; empty if there is none."""
        if self._wait_healthy and get_status(self.current) != "running":
            return f"{label(self.current)} is {describe_condition(self.current)}, so its health is not waited for."
        return ""

    def update(self, now: Resource) -> None:
        """Updates it from the instance as a poll shows it."""
        self.current = now
        try:
            self.is_done = self._is_reached(now)
        except FailureStatusError as error:
            self.fail(error)

    def fail(self, reason: object, cause: ClawHostersError | None = None) -> None:
        """Ends it as failed."""
        self.failure, self.is_done = (reason, cause), True

    def describe(self) -> tuple[str, str]:
        """Returns name and condition of the instance, for progress lines."""
        return describe_instance(self.current, with_health=self._wait_healthy)

    def explain_unfinished(self, error: ClawHostersError, timeout: float, option: str) -> str:
        """Returns what is known if the wait ended with ``error``; ``option`` set its timeout."""
        is_unhealthy = get_status(self.current) == "running" and self._waits_for_health()
        goal = "healthy" if is_unhealthy else "started"
        return explain_ended_wait(error, self.describe()[1], goal, timeout, option=option)

    def _waits_for_health(self) -> bool:
        return self._wait_healthy and not is_healthy(self.current)


class Recoveries:
    """Follows the instances of a run. None is started."""

    starts = False

    def __init__(self, *, wait_healthy: bool) -> None:
        self.wait_healthy = wait_healthy

    def follow(self, instance: Resource) -> Recovery:
        """Begins to follow an instance that was restored."""
        return Recovery(instance, wait_healthy=self.wait_healthy)

    def request_starts(self, recoveries: t.Sequence[Recovery]) -> None:
        """Starts the instances that need it. Here, none."""
