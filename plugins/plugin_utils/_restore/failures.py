# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures of the role ``restore``: the table of their kinds, and its words. Pure."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from ...module_utils._errors import NOTHING_SENT, ClawHostersError
from ...module_utils._service.restore.plan import ObstacleKind
from ...module_utils._service.restore.surfaces import Surface, format_moment

ROLE = Surface(
    wait_timeout="restore_wait_timeout",
    healthy_timeout="restore_healthy_timeout",
    max_age="restore_max_age",
    min_interval="restore_min_interval",
    advice="To wait for what is under way, and to go on with the rest, run this:",
    retry_hint="",
    names_instance=False,
    format_time=format_moment,
)
"""The words of the role in messages of restores. It advises after each failure by itself."""

_AGAIN = "run the same command again"
_TRY_AGAIN = f"The restore can be tried again for this incident. Fix the cause, then {_AGAIN}"
_WAIT_AGAIN = "Run the same command again. It continues to wait and sends nothing"
_NEVER_TWICE = "Run the same command again. It restores nothing twice"
_NEW_KEY = f"Export a valid key as CLAWHOSTERS_API_KEY, then {_AGAIN}"
_CHECK_WHO = "Check in the dashboard who deleted it. To see what is left"
_CHECK_PLAN = "Run the same command again to see the current plan and confirm it"
_END_UNSEEN = "The restore was accepted, but its end was not seen"
_RESTORED_BUT = "The backup was restored, but"
_HEALTHY_BUT = "The backup was restored and the instance is healthy, but its address"
_CHECK_NAME = "Correct the name (it must match exactly) or the id, and check the plan first"
_NEWEST, _FORCE = {"restore_backup": "latest"}, {"restore_force": True}
_DASHBOARD = "Check the instance in the dashboard"
_SAME_BACKUP = f"{_DASHBOARD}, and rebuild it there if it has failed. Then restore the same backup again"


class Advice(t.NamedTuple):
    """``variables`` are those that the next command sets; with ``check`` it is run in check mode."""

    text: str
    variables: t.Mapping[str, t.Any]
    check: bool = False


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


def parse_kind(name: str) -> Kind:
    """Returns the kind of this name in a step. Raises KeyError for any other name."""
    return _KINDS[name]


@dataclass(frozen=True)
class Failure:
    """One kind of failure. ``text`` says what happened, ``advice`` introduces the next command, after a colon."""

    text: str
    advice: str
    checks: bool = False
    """True if the next command runs in check mode."""
    is_of_run: bool = False
    """True if it stops the whole run, so that one command serves all instances."""
    is_status_known: bool = True
    """False if the status of the instance can't be known then."""
    is_healthy: bool = False
    """True if the instance is restored and healthy all the same."""
    is_unsent: bool = False
    """True if nothing was sent then, so that what an earlier run restored still holds."""
    varies: bool = False
    """True if the advice may be another one for some instances and backups: see ``advice.py``."""
    variables: t.Mapping[str, t.Any] = field(default_factory=dict)
    """What the next command sets."""

    def advise(self, text: str = "", variables: t.Mapping[str, t.Any] | None = None) -> Advice:
        """Returns the usual advice, with another text or other variables if they are given."""
        return Advice(text or self.advice, self.variables if variables is None else variables, self.checks)


def _unsent(advice: str, text: str = NOTHING_SENT, **facts: t.Any) -> Failure:
    return Failure(text, advice, is_unsent=True, **facts)


FAILURES: dict[Kind, Failure] = {
    # The whole run, before anything is sent
    FailureKind.SERVICE_DOWN: _unsent(f"When the service is up again, {_AGAIN}", "The service is down", is_of_run=True),
    FailureKind.WRONG_ADDRESS: _unsent(
        f"Check api_url (CLAWHOSTERS_API_URL), then {_AGAIN}", "The API is not at this address", is_of_run=True
    ),
    FailureKind.BAD_KEY: _unsent(_NEW_KEY, "The API key is not accepted", is_of_run=True),
    FailureKind.WRONG_ACCOUNT: _unsent(f"With the right key and account, {_AGAIN}", "Not planned", is_of_run=True),
    FailureKind.NOT_CONFIRMED: _unsent(
        "To continue, type the answer at the prompt, or set restore_confirm to it",
        "Not confirmed",
        is_of_run=True,
        is_status_known=False,
    ),
    FailureKind.NO_TERMINAL: _unsent(
        "To continue, run this command again, and add the answer as restore_confirm to it",
        "Not confirmed",
        is_of_run=True,
        is_status_known=False,
    ),
    FailureKind.PICTURE_CHANGED: _unsent(
        _CHECK_PLAN, "What was confirmed has changed", is_of_run=True, is_status_known=False
    ),
    FailureKind.NOT_PLANNED: _unsent(f"Fix the cause, then {_AGAIN}", "Planning failed", is_of_run=True),
    FailureKind.INTERRUPTED: Failure("The runbook was interrupted.", _NEVER_TWICE, is_of_run=True),
    # Obstacles
    ObstacleKind.NO_INSTANCE: _unsent(_CHECK_NAME, checks=True, varies=True),
    ObstacleKind.AMBIGUOUS: _unsent("Select one by its id", checks=True, varies=True),
    ObstacleKind.OTHER_NAME: _unsent(_CHECK_NAME, checks=True),
    ObstacleKind.DUPLICATE: _unsent("Name each instance once, and check the plan first", checks=True),
    ObstacleKind.FAILED: Failure(
        "The service accepted the restore, but the instance ended in a failure status.",
        _SAME_BACKUP,
        varies=True,
        variables=_FORCE,
    ),
    ObstacleKind.UNKNOWN: Failure(
        "It is unknown whether the restore was carried out.",
        "Check the instance. If it was not restored, send the restore again",
        varies=True,
        variables=_FORCE,
    ),
    ObstacleKind.NO_BACKUP: _unsent(
        "Without a backup, only a rebuild in the dashboard remains. When there is a backup, check again",
        checks=True,
        varies=True,
    ),
    ObstacleKind.UNCLEAR_BACKUP: _unsent(
        "Look up a backup in the dashboard, and set restore_backup instead of restore_before. To check again",
        checks=True,
    ),
    ObstacleKind.OTHER_BACKUP: _unsent(
        "If the instance of this backup was meant, give that one. Otherwise, check the plan with the newest backup of "
        "the given one",
        checks=True,
        variables=_NEWEST,
    ),
    ObstacleKind.BACKUP_TWICE: _unsent("Check the plan with the newest backup", checks=True, variables=_NEWEST),
    ObstacleKind.WRONG_STATUS: _unsent("To restore the instance in this status anyway", varies=True, variables=_FORCE),
    ObstacleKind.TOO_OLD: _unsent("To accept a backup of this age", varies=True),
    ObstacleKind.TOO_SOON: _unsent(
        f"{_DASHBOARD}. If it must be restored all the same, omit the interval",
        variables={"restore_min_interval": ""},
    ),
    ObstacleKind.OTHER_MEMORY: _unsent(f"When the folder is imported, {_AGAIN}"),
    ObstacleKind.ONLY_IN_RECORD: _unsent(
        "Set state_dir or state_database to the journal with which it was sent, or send it once more with "
        f"restore_force=true. Then {_AGAIN}"
    ),
    # What has changed since the plan
    ObstacleKind.DELETED: _unsent(_CHECK_WHO, checks=True, is_status_known=False),
    ObstacleKind.RENAMED: _unsent("Check the plan with its id", checks=True, varies=True),
    ObstacleKind.CHANGED: _unsent(_CHECK_PLAN, is_status_known=False),
    ObstacleKind.NOT_SENT: _unsent(
        _CHECK_PLAN, "This run only waited for a restore sent by another run; it sent none itself."
    ),
    ObstacleKind.OVERTAKEN: _unsent(_CHECK_PLAN, "Nothing was sent, so that the other restore is not overwritten."),
    ObstacleKind.HELD: _unsent(_CHECK_PLAN),
    # The request and its outcome
    FailureKind.NOT_BEGUN: _unsent(
        "When the failures are dealt with, go on with the rest", "Not begun", is_status_known=False
    ),
    FailureKind.REFUSED: Failure("The restore was rejected or not sent; nothing was changed.", _TRY_AGAIN),
    FailureKind.BACKUP_REFUSED: Failure(
        "The service rejected the restore; nothing was changed.", _TRY_AGAIN, varies=True
    ),
    FailureKind.INSTANCE_REFUSED: Failure(
        "The service rejected the restore because of the status of the instance; nothing was changed.",
        _SAME_BACKUP,
        varies=True,
    ),
    FailureKind.UNFINISHED: Failure("The run was interrupted or is still in progress", _NEVER_TWICE, is_of_run=True),
    FailureKind.NOT_OVER: Failure("The restore was sent but did not complete within the timeout.", _WAIT_AGAIN),
    FailureKind.OUT_OF_SIGHT: Failure(
        f"{_END_UNSEEN}: the instance can't be read.", _WAIT_AGAIN, is_status_known=False
    ),
    FailureKind.KEY_LOST: Failure(f"{_END_UNSEEN}.", f"{_NEW_KEY}. It sends nothing", is_status_known=False),
    FailureKind.GONE: Failure(
        "The restore was accepted, but the instance was deleted before its end was seen.",
        _CHECK_WHO,
        checks=True,
        is_status_known=False,
    ),
    # After the restore
    FailureKind.UNRECORDED: Failure(f"{_RESTORED_BUT} this is not in the journal.", _NEVER_TWICE),
    FailureKind.NOT_HEALTHY: Failure(
        f"{_RESTORED_BUT} the instance is not running and healthy.",
        f"{_DASHBOARD}, then {_AGAIN}. It restores nothing twice",
        varies=True,
    ),
    FailureKind.HEALTH_UNSEEN: Failure(
        f"{_RESTORED_BUT} the instance can't be read, so the health is not known.", _NEVER_TWICE, is_status_known=False
    ),
    FailureKind.KEY_LOST_RESTORED: Failure(
        f"{_RESTORED_BUT} the health is not known.", _NEW_KEY, is_status_known=False
    ),
    FailureKind.GONE_RESTORED: Failure(
        f"{_RESTORED_BUT} the instance was deleted afterwards.", _CHECK_WHO, checks=True, is_status_known=False
    ),
    FailureKind.UNCHECKED: Failure(f"{_HEALTHY_BUT} was not checked.", _NEVER_TWICE, is_healthy=True),
    FailureKind.NO_ANSWER: Failure(
        f"{_HEALTHY_BUT} does not respond as expected.",
        f"Check this address, then {_AGAIN}. It restores nothing twice",
        is_healthy=True,
    ),
}
"""Each kind of failure. A new one needs its line here, and a place that chooses it. The obstacles FAILED and UNKNOWN
may be outcomes of the run itself, too."""
_KINDS = {kind.value: kind for kind in FAILURES}
HEALTHY = frozenset(kind.value for kind, failure in FAILURES.items() if failure.is_healthy)
"""Names of the kinds with which an instance is restored and healthy all the same."""
UNCONFIRMED = frozenset(
    kind.value for kind in (FailureKind.NOT_CONFIRMED, FailureKind.NO_TERMINAL, FailureKind.PICTURE_CHANGED)
)
"""Names of the kinds with which nothing was sent because the user has not confirmed it."""
