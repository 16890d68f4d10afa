# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One restore of ``claw_fleet_restore``: what is to be restored, and its result. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ClawHostersError
from .resource import Resource

NOT_BEGUN, PLANNED, IN_FLIGHT, COMPLETED = "not_begun", "planned", "in_flight", "completed"
UNKNOWN, FAILED, REFUSED = "unknown", "failed", "refused"


@dataclass(eq=False)
class RestoreItem:
    """One instance to restore, and the result.

    ``instance`` is the one that was planned: its id and its name must still belong together when the restore is sent.
    ``backup`` may be None if an earlier run of the incident has sent the restore.
    """

    instance: Resource
    backup: Resource | None
    expected_sent_at: str | None = None
    """As in :class:`RestoreQuery`: what the journal held when the restore was confirmed."""

    # Results

    current: Resource = field(default_factory=dict)
    """The instance as last seen."""
    outcome: str = NOT_BEGUN
    """``not_begun``, ``in_flight``, ``completed``, ``unknown``, ``failed`` (the service accepted it, and it failed), or
    ``refused`` (nothing was sent, or the service did not execute it)."""
    changed: bool = False
    """True if this run has restored or started the instance."""
    is_restored: bool = False
    """True if this run has restored it."""
    is_done: bool = False
    """True if it is restored, runs and, if that is waited for, is healthy."""
    error: ClawHostersError | None = None
    """Why it failed. It may have failed although the outcome is ``completed``: an instance that does not start."""
    restore: dict[str, t.Any] = field(default_factory=dict)
    """``sent_at``, ``completed_at``, ``failure`` and ``last_seen``, as ``claw_backup_restore`` returns them."""

    def __post_init__(self) -> None:
        self.current = self.current or self.instance

    def fail(self, error: ClawHostersError) -> None:
        """Ends the item as failed."""
        self.error = error

    def refuse(self, error: ClawHostersError) -> None:
        """Ends the item as failed, before anything was sent."""
        self.outcome = REFUSED
        self.fail(error)
