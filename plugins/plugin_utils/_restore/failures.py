# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures of the role ``restore``: the table of their kinds, and its words. Pure."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, fields

from ...module_utils._errors import NOTHING_SENT, ClawHostersError
from ...module_utils._service.restore.plan import ObstacleKind
from ...module_utils._service.restore.surfaces import Surface, format_moment

ROLE = Surface(
    prefix="restore_",
    between="=",
    backup="restore_backup",
    healthy_timeout="restore_healthy_timeout",
    in_names=" in restore_instances",
    in_ids=" in restore_instance_ids",
    again="run the same command again",
    then="it waits for what is under way, and goes on with the rest",
    retry_hint="",
    names_instance=False,
    format_time=format_moment,
)
"""The words of the role in messages of restores, for one instance. It advises after each failure by itself."""


class AddressError(ClawHostersError):
    """The address can't be requested, or does not respond as expected."""


class FailureKind(enum.Enum):
    """The kinds of failures that are no obstacles."""

    SERVICE_DOWN = "service_down"
    WRONG_ADDRESS = "wrong_address"
    BAD_KEY = "bad_key"
    WRONG_ACCOUNT = "wrong_account"
    NOT_CONFIRMED = "not_confirmed"
    NO_TERMINAL = "no_terminal"
    PICTURE_CHANGED = "picture_changed"
    PLAN_OUTDATED = "plan_outdated"
    NOT_PLANNED = "not_planned"
    INTERRUPTED = "interrupted"
    NOT_BEGUN = "not_begun"
    REFUSED = "refused"
    BACKUP_REFUSED = "backup_refused"
    INSTANCE_REFUSED = "instance_refused"
    UNFINISHED = "unfinished"
    NOT_OVER = "not_over"
    OUT_OF_SIGHT = "out_of_sight"
    KEY_LOST = "key_lost"
    GONE = "gone"
    UNRECORDED = "unrecorded"
    NOT_HEALTHY = "not_healthy"
    HEALTH_UNSEEN = "health_unseen"
    KEY_LOST_RESTORED = "key_lost_restored"
    GONE_RESTORED = "gone_restored"
    UNCHECKED = "unchecked"
    NO_ANSWER = "no_answer"


Kind: t.TypeAlias = "FailureKind | ObstacleKind"


@dataclass(frozen=True)
class Failed:
    """A cause that has stopped a run, or kept it from restoring an instance: a kind, and its facts."""

    kind: Kind
    message: str = ""
    advice: str = ""
    """The next step, if the message has it."""
    is_unsent: bool = False
    """True if the error says that nothing was sent."""
    names_status: bool = False
    """True if the message has the status of the instance."""
    http_status: int | None = None
    """Status of the response of the service, if that is the reason."""
    request_id: str | None = None
    found: str | None = None
    """Status of the instance as it was seen last."""

    def to_facts(self) -> dict[str, t.Any]:
        """Returns the facts of the note in the journal."""
        facts = {name: value for name, value in vars(self).items() if value and name != "kind"}
        return {**facts, "failure": self.kind.value}

    @classmethod
    def from_facts(cls, facts: t.Mapping[str, t.Any]) -> Failed:
        """Returns the failure of a note."""
        known = {one.name: facts[one.name] for one in fields(cls) if one.name != "kind" and one.name in facts}
        return cls(_KINDS.get(str(facts.get("failure")), FailureKind.INTERRUPTED), **known)


@dataclass(frozen=True)
class Failure:
    """One kind of failure. ``text`` says what happened, ``advice`` what to do.

    The advice may have ``{again}`` for running the same command again. It is empty if it depends on more than the kind:
    see ``advice.py``. That of an obstacle comes with its message.
    """

    text: str
    advice: str = ""
    is_of_run: bool = False
    """True if it stopped the whole run before anything was sent."""
    is_status_known: bool = True
    """False if the status of the instance can't be known then."""
    is_healthy: bool = False
    """True if the instance is restored and healthy all the same."""
    is_unsent: bool = False
    """True if nothing was sent then, so that what an earlier run restored still holds."""


def _stopped(text: str, advice: str, *, is_status_known: bool = True) -> Failure:
    return Failure(text, advice, is_of_run=True, is_status_known=is_status_known, is_unsent=True)


_NEVER_TWICE = "{again}: it restores nothing twice."
_WAIT_AGAIN = "{again}: it continues to wait, and sends nothing twice."
_NEW_KEY = "Set CLAWHOSTERS_API_KEY to a valid key, then {again}."
_FIX = "Fix the cause, then {again}."
_CHECK_WHO = "Check in the dashboard who deleted it."
_END_UNSEEN = "The restore was accepted, but its end was not seen"
_RESTORED_BUT = "The backup was restored, but"
_HEALTHY_BUT = "The backup was restored and the instance is healthy, but its address"

_OF_RUNS: dict[Kind, Failure] = {
    FailureKind.SERVICE_DOWN: _stopped("The service is down", "When the service is up again, {again}."),
    FailureKind.WRONG_ADDRESS: _stopped(
        "The API is not at this address", "Correct api_url (CLAWHOSTERS_API_URL), then {again}."
    ),
    FailureKind.BAD_KEY: _stopped("The API key is not accepted", _NEW_KEY),
    FailureKind.WRONG_ACCOUNT: _stopped("Not planned", "With the right key and account, {again}."),
    FailureKind.NOT_CONFIRMED: _stopped(
        "Not confirmed",
        "{again}, and type the answer at the prompt or set restore_confirm to it.",
        is_status_known=False,
    ),
    FailureKind.NO_TERMINAL: _stopped("Not confirmed", is_status_known=False, advice=""),
    FailureKind.PICTURE_CHANGED: _stopped(
        "What was confirmed has changed", "{again} to confirm the current plan.", is_status_known=False
    ),
    FailureKind.PLAN_OUTDATED: _stopped(
        "The approved plan does not hold any more",
        "Make a new plan with --check and restore_plan_path, and have it approved.",
        is_status_known=False,
    ),
    FailureKind.NOT_PLANNED: _stopped("Planning failed", _FIX),
    FailureKind.INTERRUPTED: Failure("The runbook was interrupted.", _NEVER_TWICE),
    FailureKind.UNFINISHED: Failure("The run was interrupted or is still in progress", _NEVER_TWICE),
}
"""Failures of whole runs."""
_OBSTACLES: dict[Kind, Failure] = {
    **dict.fromkeys(ObstacleKind, Failure(NOTHING_SENT, is_unsent=True)),
    ObstacleKind.DELETED: Failure(NOTHING_SENT, is_unsent=True, is_status_known=False),
    ObstacleKind.CHANGED: Failure(NOTHING_SENT, is_unsent=True, is_status_known=False),
    ObstacleKind.NOT_SENT: Failure(
        "This run only waited for a restore sent by another run; it sent none itself.", is_unsent=True
    ),
    ObstacleKind.OVERTAKEN: Failure("Nothing was sent, so that the other restore is not overwritten.", is_unsent=True),
    # These two may be outcomes of the run itself, too.
    ObstacleKind.FAILED: Failure("The service accepted the restore, but the instance ended in a failure status."),
    ObstacleKind.UNKNOWN: Failure("It is unknown whether the restore was carried out."),
}
_OF_REQUESTS: dict[Kind, Failure] = {
    FailureKind.NOT_BEGUN: Failure("Not begun", is_status_known=False, is_unsent=True),
    FailureKind.REFUSED: Failure("The restore was rejected or not sent; nothing was changed.", _FIX),
    FailureKind.BACKUP_REFUSED: Failure("The service rejected the restore; nothing was changed."),
    FailureKind.INSTANCE_REFUSED: Failure(
        "The service rejected the restore because of the status of the instance; nothing was changed."
    ),
    FailureKind.NOT_OVER: Failure("The restore was sent but did not complete within the timeout.", _WAIT_AGAIN),
    FailureKind.OUT_OF_SIGHT: Failure(
        f"{_END_UNSEEN}: the instance can't be read.", _WAIT_AGAIN, is_status_known=False
    ),
    FailureKind.KEY_LOST: Failure(f"{_END_UNSEEN}.", _NEW_KEY, is_status_known=False),
    FailureKind.GONE: Failure(
        "The restore was accepted, but the instance was deleted before its end was seen.",
        _CHECK_WHO,
        is_status_known=False,
    ),
}
"""Failures of a request, and of the wait for its outcome."""
_AFTERWARDS: dict[Kind, Failure] = {
    FailureKind.UNRECORDED: Failure(f"{_RESTORED_BUT} this is not in the journal.", _NEVER_TWICE),
    FailureKind.NOT_HEALTHY: Failure(f"{_RESTORED_BUT} the instance is not running and healthy."),
    FailureKind.HEALTH_UNSEEN: Failure(
        f"{_RESTORED_BUT} the instance can't be read, so the health is not known.", _NEVER_TWICE, is_status_known=False
    ),
    FailureKind.KEY_LOST_RESTORED: Failure(
        f"{_RESTORED_BUT} the health is not known.", _NEW_KEY, is_status_known=False
    ),
    FailureKind.GONE_RESTORED: Failure(
        f"{_RESTORED_BUT} the instance was deleted afterwards.", _CHECK_WHO, is_status_known=False
    ),
    FailureKind.UNCHECKED: Failure(f"{_HEALTHY_BUT} was not checked.", _NEVER_TWICE, is_healthy=True),
    FailureKind.NO_ANSWER: Failure(
        f"{_HEALTHY_BUT} does not respond as expected.", f"Check this address, then {_NEVER_TWICE}", is_healthy=True
    ),
}
"""Failures after a restore."""
FAILURES: dict[Kind, Failure] = {**_OF_RUNS, **_OBSTACLES, **_OF_REQUESTS, **_AFTERWARDS}
"""Each kind of failure. A new one needs its line here, and a place that chooses it."""
_KINDS = {kind.value: kind for kind in FAILURES}
UNCONFIRMED = (FailureKind.NOT_CONFIRMED, FailureKind.NO_TERMINAL, FailureKind.PICTURE_CHANGED)
"""The kinds with which nothing was sent because the user has not confirmed it."""
