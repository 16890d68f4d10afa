# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures of the role ``restore``: the table of their kinds, and its words. Pure.

``messages.py`` has the words of obstacles, ``classify.py`` the advice that depends on more than the kind.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, fields

from ...module_utils._errors import NOTHING_SENT, ClawHostersError
from ...module_utils._service.restore.plan import ObstacleKind


class AddressError(ClawHostersError):
    """The address can't be requested, or does not respond as expected."""


class Failure(t.NamedTuple):
    """One kind of failure. ``text`` says what happened, ``advice`` what to do.

    The advice may have ``{again}`` for running the same command again. It is empty if it depends on more than the kind:
    see ``classify.py``. That of an obstacle comes with its message.
    """

    text: str
    advice: str = ""
    is_of_run: bool = False
    """True if it stopped the whole run before anything was sent."""
    is_unsent: bool = False
    """True if nothing was sent then, so that what an earlier run restored still holds."""
    shows_status: bool = False
    """True if the status of the instance belongs to the message."""
    is_healthy: bool = False
    """True if the instance is restored and healthy all the same."""


def _stopped(text: str, advice: str = "") -> Failure:
    return Failure(text, advice, is_of_run=True, is_unsent=True)


_NEVER_TWICE = "{again}: it restores nothing twice."
_FIX = "Fix the cause, then {again}."


class FailureKind(enum.Enum):
    """The kinds of failures that are no obstacles."""

    # Of whole runs
    SERVICE_DOWN = _stopped("The service can't be used", "When it answers at api_url, {again}.")
    BAD_KEY = _stopped(
        "The API key can't be used", "Set CLAWHOSTERS_API_KEY to a valid key of the right account, then {again}."
    )
    NOT_CONFIRMED = _stopped("Not confirmed")
    PICTURE_CHANGED = _stopped("What was confirmed has changed", "{again} to confirm the current plan.")
    PLAN_OUTDATED = _stopped(
        "The approved plan does not hold any more",
        "Make a new plan with --check and restore_plan_path, and have it approved.",
    )
    NOT_PLANNED = _stopped("Planning failed", _FIX)
    INTERRUPTED = Failure("The runbook was interrupted.", _NEVER_TWICE)
    UNFINISHED = Failure("The run was interrupted or is still in progress", _NEVER_TWICE)
    # Of requests, and of the wait for their outcome
    NOT_BEGUN = Failure("Not begun", "{again}: it goes on with the rest.", is_unsent=True)
    REFUSED = Failure("The restore was rejected or not sent; nothing was changed.", _FIX, shows_status=True)
    NOT_OVER = Failure(
        "The restore was accepted, but its end was not seen.", "{again}: it continues to wait, and sends nothing twice."
    )
    GONE = Failure("The instance was deleted after its restore was accepted.", "Check in the dashboard who deleted it.")
    # After a restore
    UNRECORDED = Failure("The journal lacks what became of the restore.", _NEVER_TWICE)
    NOT_HEALTHY = Failure("The restore has completed, but the instance is not running and healthy.")
    HEALTH_UNSEEN = Failure("The restore has completed, but the instance can't be read.", _NEVER_TWICE)
    BAD_ADDRESS = Failure(
        "The restore has completed and the instance is healthy, but the check of its address failed.",
        f"Check this address, then {_NEVER_TWICE}",
        is_healthy=True,
    )


Kind: t.TypeAlias = "FailureKind | ObstacleKind"

FAILURES: dict[Kind, Failure] = {
    **{kind: kind.value for kind in FailureKind},
    **dict.fromkeys(ObstacleKind, Failure(NOTHING_SENT, is_unsent=True)),
    # These two may be outcomes of the run itself, too.
    ObstacleKind.FAILED: Failure("", shows_status=True),
    ObstacleKind.UNKNOWN: Failure("It is unknown whether the restore was carried out.", shows_status=True),
}
"""Each kind of failure. A new one needs its line here, and a place that chooses it."""
_KINDS = {kind.name: kind for kind in FAILURES}
ACCEPTED_AND_FAILED = "The service accepted the restore, but the instance ended in a failure status."
UNCONFIRMED = (FailureKind.NOT_CONFIRMED, FailureKind.PICTURE_CHANGED)
"""The kinds with which nothing was sent because the user has not confirmed it."""


@dataclass(frozen=True)
class Failed:
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
        return {**facts, "failure": name_kind(self.kind)}

    @classmethod
    def from_facts(cls, facts: t.Mapping[str, t.Any]) -> Failed:
        """Returns the failure of a note."""
        known = {one.name: facts[one.name] for one in fields(cls) if one.name != "kind" and one.name in facts}
        return cls(_KINDS.get(str(facts.get("failure")).upper(), FailureKind.INTERRUPTED), **known)


def name_kind(kind: Kind) -> str:
    """Returns a kind as journal and JSON have it."""
    return kind.name.lower()
