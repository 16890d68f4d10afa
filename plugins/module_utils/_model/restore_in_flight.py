# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore that another task must not disturb. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._errors import NOTHING_SENT
from .._text import one_line
from .._times import format_time


class RestoreInFlight(t.NamedTuple):
    """A restore of an instance whose end is still to come. ``is_followed``: a run waits for that end."""

    by: str
    """Who restores it: ``alice@node2``."""
    incident: str | None
    since: datetime | None
    is_followed: bool
    is_ahead: bool = False
    """Its times lie ahead of the clocks: nobody knows how long ago it was sent."""

    def describe(self) -> str:
        """Returns who restores the instance, for which incident and since when: a clause."""
        incident = f" for incident {one_line(self.incident)}" if self.incident else ""
        since = format_time(self.since) if self.since else "an unknown time"
        if self.is_followed:
            return f"{one_line(self.by)} restores it now{incident}, since {since}"
        return f"{one_line(self.by)} has sent a restore of it{incident} at {since}, whose end was not seen"

    def explain(self, wanted: str, requests: int) -> str:
        """Returns why the instance is not brought to a state. ``requests``: how many this task has sent for it."""
        done = "deleted" if wanted == "absent" else wanted
        advice = "Run that restore again, which reads its end."
        if not self.is_ahead:
            advice += " It counts as ended 15 minutes after it was sent."
        if self.is_followed:
            advice = "Run this again when that restore has ended."
        sent = "Nothing more was sent." if requests else NOTHING_SENT
        return f"It is not {done}: {self.describe()}. {sent} {advice}"
