# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows the restores of an incident, for example to keep a record of each step before the next one is taken."""

from __future__ import annotations

import enum
import typing as t
from datetime import datetime

from .._model.restore_item import RestoreItem


class RestoreStep(enum.Enum):
    """A step of one item. The normal order is that of the first seven; FAILED may follow any of them."""

    SENDING = "sending"  # before its POST; not after an earlier run's POST
    ACCEPTED = "accepted"  # the service accepted the POST, or its response was lost and the instance has become busy
    UNDER_WAY = "under_way"  # an earlier run has sent it: this run waits for it
    RESTORED = "restored"  # the restore is completed, by this run or an earlier one
    STARTING = "starting"  # it came back stopped: before the POST that starts it
    RUNNING = "running"  # it runs and, if that is waited for, is healthy
    DONE = "done"  # verified, too: the item is done
    FAILED = "failed"  # ``item.error`` says why; ``item.outcome`` what is known of the restore


class RestoreObserver:
    """Base class; each method does nothing. Calls never overlap, except those of ``verify``.

    What ``on_batch`` or ``on_step`` raises ends the run: no more is sent. What is under way goes on, unobserved.
    """

    def on_batch(self, number: int, total: int, items: t.Sequence[RestoreItem]) -> None:
        """Called before anything is read or sent for batch ``number`` (from 1) of ``total``."""

    def on_step(self, item: RestoreItem, step: RestoreStep, at: datetime) -> None:
        """Called at each step of an item, with the results so far in ``item``. ``at`` is in UTC.

        For SENDING and STARTING the request is sent only after this returns. SENDING comes before a wait for the rate
        limit: the time of the request itself is ``item.restore["sent_at"]`` of a later step.
        """

    def verify(self, item: RestoreItem) -> None:
        """Checks an item that runs, such as its HTTP address. Raises ClawHostersError to fail it.

        Called for the items of a batch in parallel, before the batch counts as done.
        """
