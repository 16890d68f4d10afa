# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of failures of the role ``restore``, and the errors that stop a run. ``result_words.py`` words them."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ...module_utils._errors import ClawHostersError
from ...module_utils._service.restore.target_plan import ObstacleKind


class FailureKind(enum.Enum):
    """The kinds of failures that are no obstacles."""

    # Of whole runs
    SERVICE_DOWN = "service_down"
    BAD_KEY = "bad_key"
    NOT_CONFIRMED = "not_confirmed"
    FACTS_CHANGED = "facts_changed"
    PLAN_OUTDATED = "plan_outdated"
    NOT_PLANNED = "not_planned"
    INTERRUPTED = "interrupted"
    UNFINISHED = "unfinished"  # the run was interrupted or is still in progress
    # Of requests, and of the wait for their outcome
    NOT_BEGUN = "not_begun"
    REFUSED = "refused"
    NOT_OVER = "not_over"
    GONE = "gone"
    # After a restore
    UNRECORDED = "unrecorded"
    NOT_HEALTHY = "not_healthy"
    HEALTH_UNSEEN = "health_unseen"
    BAD_ADDRESS = "bad_address"


Kind: t.TypeAlias = FailureKind | ObstacleKind

ACCEPTED_AND_FAILED = "The service accepted the restore, but the instance ended in a failure status."


@dataclass(frozen=True)
class Failure:
    """A cause that has stopped a run, or kept it from restoring an instance: a kind, and its facts."""

    kind: Kind
    message: str = ""
    advice: str = ""
    """The next step, if the message has it."""
    is_unsent: bool = False
    """True if the error says that nothing was sent."""
    http_status: int | None = None
    """Status of the response of the service, if that is the reason."""
    request_id: str | None = None
    found: str | None = None
    """Status of the instance as it was seen last."""

    def to_facts(self) -> dict[str, t.Any]:
        """Returns the facts of the note in the journal."""
        facts = {name: value for name, value in vars(self).items() if value and name != "kind"}
        return {**facts, "failure": self.kind.value}


class NotConfirmedError(ClawHostersError):
    """The restores were not confirmed. ``failure_kind`` is the kind of the failure."""

    failure_kind = FailureKind.NOT_CONFIRMED
