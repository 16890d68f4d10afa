# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a restore is not as it should be, as journal, JSON and results hold it. Pure. ``reason_texts.py`` tells it."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from ..._errors import ClawHostersError
from ..._model.resource import as_object

Facts = t.Mapping[str, t.Any]
"""Ids, numbers, times, names, and statuses and codes of the service. No value is a sentence."""


class ReasonKind(enum.Enum):
    """The kinds of reasons. Each has its row in ``reason_texts.py``."""

    # Nothing can be sent for a target
    NO_INSTANCE = "no_instance"
    AMBIGUOUS = "ambiguous"  # several instances bear the name
    OTHER_NAME = "other_name"  # the id and the name are of two instances
    DUPLICATE = "duplicate"  # another target is the same instance, or names the same backup
    FAILED = "failed"  # the service accepted the restore of the incident, and it failed
    UNKNOWN = "unknown"  # it is unknown whether the restore of the incident was carried out
    NO_BACKUP = "no_backup"  # none is usable
    BACKUP_GONE = "backup_gone"  # the given one does not exist
    UNCLEAR_BACKUP = "unclear_backup"  # it can't be told whose a newer backup is
    OTHER_BACKUP = "other_backup"  # the given backup is of another instance
    OTHER_USED = "other_used"  # the incident has sent another backup than the given one
    WRONG_STATUS = "wrong_status"
    TOO_OLD = "too_old"
    TOO_SOON = "too_soon"  # another incident restored it within min_interval
    OTHER_MEMORY = "other_memory"  # the folder of this machine knows what the database does not
    ONLY_IN_REPORT = "only_in_report"  # the JSON of the role says that it was sent, and the journal does not know it
    # The same, found since the plan was made
    DELETED = "deleted"
    CHANGED = "changed"  # its name is another, or its status or health is not what was confirmed
    NOT_SENT = "not_sent"  # the run that was to send it has not
    OVERTAKEN = "overtaken"  # another incident has sent a restore
    HELD = "held"  # another run works on the instance, and this one does not wait for it
    # A run has sent nothing
    SERVICE_DOWN = "service_down"
    BAD_KEY = "bad_key"
    NOT_CONFIRMED = "not_confirmed"
    CONFIRMED_CHANGED = "confirmed_changed"  # a backup, or the account, is not what was confirmed
    PLAN_OUTDATED = "plan_outdated"
    NOT_PLANNED = "not_planned"
    # A run has not sent it, or has not seen its end
    NO_JOURNAL = "no_journal"
    INTERRUPTED = "interrupted"
    NOT_BEGUN = "not_begun"
    REJECTED = "rejected"  # by the service, or it was not reached
    NOT_OVER = "not_over"
    UNRECORDED = "unrecorded"  # the journal lacks what became of it
    # It was restored
    GONE = "gone"  # deleted since
    NOT_HEALTHY = "not_healthy"
    HEALTH_UNSEEN = "health_unseen"
    BAD_ADDRESS = "bad_address"
    # The journal has a kind that is not listed here
    OF_OTHER_VERSION = "of_other_version"


@dataclass(frozen=True)
class Reason:
    """A kind and its facts. ``at``: when it was so, by the journal's clock; empty in the run that has found it."""

    kind: ReasonKind
    facts: Facts = field(default_factory=dict)
    at: str = ""

    @property
    def is_final(self) -> bool:
        """False for an earlier outcome: it is read again under the lock, and stops no other target."""
        return self.kind not in (ReasonKind.FAILED, ReasonKind.UNKNOWN)

    def to_dict(self) -> dict[str, t.Any]:
        """Returns the reason as the journal and the JSON hold it."""
        return {"kind": self.kind.value, "facts": dict(self.facts), **({"at": self.at} if self.at else {})}


class ReasonError(ClawHostersError):
    """An error that says of which kind the reason is."""

    def __init__(self, reason_kind: ReasonKind, message: object = "", *, is_unsent: bool = False) -> None:
        super().__init__(message, is_unsent=is_unsent)
        self.reason_kind = reason_kind


def parse_reason(content: object, at: str = "") -> Reason:
    """Returns a reason of the journal, which was so ``at`` a time. A newer version may have written other kinds."""
    found = as_object(content)
    try:
        return Reason(ReasonKind(found.get("kind")), as_object(found.get("facts")), at)
    except ValueError:
        return Reason(ReasonKind.OF_OTHER_VERSION, at=at)
