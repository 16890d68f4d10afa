# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the words of reasons, by whoever tells them: at once, or later. modules/reasons.md shows many of them."""

from __future__ import annotations

import itertools
import re
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import PartialError, UnauthorizedError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore import reason_texts as texts
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import FLEET, MODULE, ROLE
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import Reason, ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import RestoreJob
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_task import RestoreTask
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, OperationState
from support.restores import BACKUPS, ERROR, NOW, WEB, stopped

pytestmark = pytest.mark.usefixtures("zone")
WAS = "at 2026-02-03 10:00 UTC"
PRESENT = re.compile(r"\b(is|are|has|does)\b")
OLDER = "11, taken 2026-02-01 10:00 UTC"
"""The backup before the one that is restored."""
NEVER_FORCED = ("deploying", "paused", "deleting", "pending_configuration")
AT = NOW.isoformat()
EVENTS = (OperationEvent.ACCEPTED, OperationEvent.UNCLEAR, OperationEvent.COMPLETED)
SENT = [None, *(OperationState(event, AT, AT, {"backup_id": 12, "seen": False}) for event in EVENTS)]
"""What the journal may have of the restore."""
OF_RUN = [kind for kind, row in texts.TABLE.items() if row.part == "not_begun"]
LASTING = {
    *(ReasonKind.DUPLICATE, ReasonKind.OTHER_BACKUP, ReasonKind.UNCLEAR_BACKUP, ReasonKind.OTHER_USED),
    *(ReasonKind.DELETED, ReasonKind.ONLY_IN_REPORT, ReasonKind.NOT_HEALTHY, ReasonKind.HEALTH_UNSEEN, *OF_RUN),
    ReasonKind.OF_OTHER_VERSION,
}
"""What is so at any time, and what only its own run tells."""
DATED = (ReasonKind.REJECTED, ReasonKind.NO_JOURNAL, ReasonKind.OTHER_MEMORY, ReasonKind.BAD_ADDRESS)
"""What has happened, and was not told with a time by its own run."""


def tell_it(
    kind: ReasonKind,
    wording: t.Any = ROLE,
    *,
    later: bool = False,
    state: OperationState | None = None,
    **instance: t.Any,
) -> texts.ReasonText:
    """Returns a reason in words, of an instance with these fields. ``later``: a day after NOW."""
    one = stopped(kind, **instance)
    assert one.reason
    reason, now = (replace(one.reason, at=AT), NOW + timedelta(days=1)) if later else (one.reason, NOW)
    error = one.cause.text if one.cause and not later else ""
    known = {"instance": one.instance or {}, "state": state or one.earlier, "older": one.older, "error": error}
    return tell(reason, wording, now, **known)


def tell(reason: Reason, wording: t.Any = ROLE, now: datetime = NOW, **known: t.Any) -> texts.ReasonText:
    """Returns a reason of INC-1 in words."""
    return texts.tell_reason(reason, texts.ReasonContext(wording, "INC-1", now, **known))


def test_what_is_to_be_pasted_is_quoted() -> None:
    advice = tell(Reason(ReasonKind.NOT_CONFIRMED, {"answer": "29 INC-40"})).advice
    assert """ with -e '{"restore_confirm": "29 INC-40"}', or type 29 INC-40.""" in advice


@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("wording", [MODULE, FLEET, ROLE], ids=["module", "fleet", "role"])
@pytest.mark.parametrize("kind", ReasonKind)
def test_each_reason_has_one_clear_message(kind: ReasonKind, wording: t.Any, later: bool) -> None:
    for status, state in itertools.product(("running", "error", *NEVER_FORCED), SENT):
        told = tell_it(kind, wording, later=later, state=state, status=status)
        message = " ".join(filter(None, told))
        for wrong in ("None", "{", "}", "..", "?.", " .", " ,", "  ", "The instance is", ";.", ":."):
            assert wrong not in message
        assert message.isprintable()
        assert told.sentence.endswith((".", "?"))
        assert message.lower().count("nothing was sent") + message.count("This run sent nothing") <= 1
        advice = told.advice
        # Any error of the journal has its own.
        assert re.fullmatch(r"[A-Z](?!.*\. ).*\.", advice) or (not advice and kind is ReasonKind.NO_JOURNAL)
        is_forced = wording.option("force", "true") in advice
        if is_forced or re.search(rf"another {wording.option('incident')}\b", advice):
            assert "sends it again" in advice
        assert not (is_forced and status in NEVER_FORCED)
        if wording.alone:
            assert "restore it with" not in advice


@pytest.mark.parametrize("kind", [kind for kind in ReasonKind if kind not in LASTING])
def test_what_was_so_is_told_in_the_past_with_its_time(kind: ReasonKind) -> None:
    ignored = re.compile(rf"It is unknown|has completed|\(.*?\)|{re.escape(ERROR.text)}")
    now, later = (ignored.sub("", tell_it(kind, later=later).sentence) for later in (False, True))
    assert not PRESENT.search(later)
    # A restore for another incident has its own time.
    is_dated = kind in DATED or (PRESENT.search(now) and kind is not ReasonKind.OVERTAKEN)
    assert bool(is_dated) is (WAS in later)


def test_advice_is_of_now_and_not_of_then() -> None:
    assert tell_it(ReasonKind.TOO_OLD).advice == "Set restore_max_age=25h to accept it."
    assert tell_it(ReasonKind.TOO_OLD, later=True).advice == "Set restore_max_age=49h to accept it."
    assert "for 60 s" in tell_it(ReasonKind.HELD, later=True).sentence


def test_a_status_that_was_not_looked_at_since_offers_no_force() -> None:
    reason = Reason(ReasonKind.WRONG_STATUS, {"status": "paused"}, AT)
    told = tell(reason, now=NOW + timedelta(days=1), instance={**WEB, "status": None})
    assert told.sentence.startswith(f"It had the status paused {WAS}")
    assert told.advice == "Run the same command again."


@pytest.mark.parametrize("kind", ReasonKind)
def test_what_may_be_sent_is_not_said_to_be_unsent(kind: ReasonKind) -> None:
    """The error of a module is partial, and says nothing of what was not sent."""
    one = stopped(kind)
    client: t.Any = SimpleNamespace(stats=SimpleNamespace(now=lambda: NOW))
    task = RestoreTask(client, t.cast("t.Any", None), "INC-1", t.cast("t.Any", None), pytest.fail)
    error = task.build_error(RestoreJob(one, reason=one.reason, cause=one.cause))
    sent = "failed unknown interrupted not_over unrecorded gone not_healthy health_unseen bad_address of_other_version"
    is_sent = kind.value in sent.split()
    # What the journal has of it belongs to the result.
    assert isinstance(error, PartialError) is (is_sent or one.earlier is not None)
    says_nothing = re.search("(?i)nothing was (sent|changed)|This run sent nothing", str(error))
    assert bool(says_nothing) is not is_sent
    assert error.cause is one.cause


@pytest.mark.parametrize("kind", [kind for kind, row in texts.TABLE.items() if "{again}" in row.advice])
def test_a_run_with_force_is_not_repeated_with_it(kind: ReasonKind) -> None:
    reason = Reason(kind, {"answer": "web-bot"})
    assert "the same command again without restore_force" in tell(reason, ROLE.for_task(force=True)).advice
    assert "without" not in tell(reason, ROLE.for_task(force=False)).advice


@pytest.mark.parametrize("name", ["web\x1b[2Jbot", "a\nb", "{again}", "\N{LOBSTER} bot", "x" * 9000])
@pytest.mark.parametrize("kind", ReasonKind)
def test_no_name_has_a_character_that_a_terminal_obeys(kind: ReasonKind, name: str) -> None:
    reason = stopped(kind).reason
    assert reason
    facts = {key: name if isinstance(one, str) and key[-3:] != "_at" else one for key, one in reason.facts.items()}
    backup = {"id": name, "created_at": BACKUPS[1]["created_at"]}
    for wording in (ROLE, MODULE):
        context = texts.ReasonContext(wording, name, NOW, {**WEB, "name": name}, SENT[1], backup)
        told = texts.tell_reason(Reason(kind, facts), context)
        assert " ".join(told).isprintable()
        assert all(len(text) <= 4000 for text in told)


# Single words


def test_what_is_not_shown_is_not_known() -> None:
    planned = {"name": "web-bot", "status": "running", "health_status": "healthy"}
    told = tell(Reason(ReasonKind.CHANGED, {"planned": planned, "seen": {"name": "web-bot"}})).sentence
    assert told == "It was web-bot, running, healthy in the plan, and is web-bot, of unknown status now."
    told = tell(Reason(ReasonKind.WRONG_STATUS), MODULE, instance=WEB).sentence
    assert told.startswith("web-bot (id 1) has no status that the service shows (field status), and only a ")


def test_after_a_rejected_backup_the_one_before_it_is_named() -> None:
    assert tell_it(ReasonKind.REJECTED).advice == f"To try an older backup, restore it with restore_backup={OLDER}."
    # Of a backup that was given, only that one has been read.
    only = tell(Reason(ReasonKind.REJECTED, ERROR.facts), instance=WEB).advice
    assert only == "To try an older backup, restore it with its id as restore_backup."
    other = tell(Reason(ReasonKind.REJECTED, {"http_status": 403}), instance=WEB).advice
    assert other == "Fix the cause, then run the same command again."


@pytest.mark.parametrize("kind", [ReasonKind.FAILED, ReasonKind.REJECTED])
def test_after_the_instance_has_failed_the_same_backup_is_named(kind: ReasonKind) -> None:
    assert tell_it(kind, state=SENT[1], status="error").advice == (
        "Check it in the dashboard, and rebuild it there if it has failed; then restore it with restore_backup=12 and "
        f"restore_force=true, which sends it again; the one before it is restore_backup={OLDER}."
    )


def test_a_restore_that_did_not_help_leads_to_an_older_backup() -> None:
    told = tell_it(ReasonKind.NOT_HEALTHY, MODULE, state=SENT[3])
    assert told.sentence.startswith("The restore of web-bot (id 1) was accepted, and no sign of it was seen, but ")
    assert told.advice == (
        "Check it in the dashboard, then run the same task again, which restores nothing twice; a run with another "
        f"incident sends it again from an older backup, with backup_id: {OLDER}."
    )


def test_an_unknown_restore_is_told_by_the_data_that_it_would_have_removed() -> None:
    assert "(it was not, if it has data from after 2026-02-02 10:00 UTC)" in tell_it(ReasonKind.UNKNOWN).advice


def test_a_key_that_was_revoked_meanwhile_is_the_first_thing_to_mend() -> None:
    revoked = UnauthorizedError("GET /instances/1", 401, message="The key is revoked")
    told = tell(Reason(ReasonKind.NOT_OVER, revoked.facts), instance=WEB, state=SENT[1], error=revoked.text)
    assert told.sentence.startswith(
        "The restore, sent at 2026-02-03 10:00 UTC, may be under way, but its end was not seen. GET "
    )
    assert told.sentence.endswith(f" was answered with 401: The key is revoked. {revoked.hint}")
    assert told.advice == "With a valid key, run the same command again."
