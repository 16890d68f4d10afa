# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Property tests over random clocks: the order of an instance's lines tells what was sent after what, never a time."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import RestoreHistory
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import Rules
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.proven_backups import find_proofs
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import ReasonKind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.restore_job import RestoreJob
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import Target, TargetPlan
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    build_line,
    replay,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import CLOCK_TOLERANCE
from support.accounts import NOW, SERVICE

WEB = {"id": 1, "name": "web-bot", "status": "running"}
OWN, OTHERS = "INC-1", ("INC-2", "INC-3")
YEAR = 365 * 24 * 3600.0
ENDS = (OperationEvent.ACCEPTED, OperationEvent.REFUSED, OperationEvent.UNCLEAR, None)


@dataclass(frozen=True)
class Line:
    """A line of the journal of instance 1, written while the clock was wrong by so many seconds."""

    incident: str
    event: OperationEvent
    wrong_by: float


@st.composite
def journals(draw: st.DrawFn, incidents: t.Sequence[str] = (OWN, *OTHERS)) -> list[Line]:
    """Restores of one instance, one after another, each line by any clock."""
    clock = st.one_of(st.just(0.0), st.floats(-YEAR, YEAR))
    lines: list[Line] = []
    for incident in draw(st.lists(st.sampled_from(incidents), max_size=6)):
        events = [OperationEvent.INTENDED]
        if end := draw(st.sampled_from(ENDS)):
            events.append(end)
        if end is OperationEvent.ACCEPTED and draw(st.booleans()):
            events.append(OperationEvent.COMPLETED)
        lines += [Line(incident, event, draw(clock)) for event in events]
    return lines


def read(lines: t.Sequence[Line], wrong_by: float = 0.0) -> RestoreHistory:
    """Returns what a run reads of these lines, the last of which was written a minute ago."""
    entries: list[dict[str, t.Any]] = []
    for number, line in enumerate(lines):
        at = NOW + timedelta(minutes=number - len(lines), seconds=line.wrong_by)
        key = OperationKey("restore", SERVICE, line.incident, "1")
        facts = {"backup_id": 11} | ({"healthy": True} if line.event is OperationEvent.COMPLETED else {})
        entry = {"at": at.isoformat(), **key.as_dict(), "event": line.event.value, **facts}
        entries.append(build_line(entry, entries))
    history = RestoreHistory(SERVICE, OWN, replay(entries), read_at=NOW + timedelta(seconds=wrong_by))
    history.positions[history.key(1).subject] = len(entries)
    return history


@given(journals(OTHERS), journals(OTHERS), st.booleans(), st.floats(-YEAR, YEAR))
def test_what_others_sent_after_the_plan_is_never_overwritten(
    before: list[Line], since: list[Line], force: bool, wrong_by: float
) -> None:
    known = read(before).known_position(1)
    plan = TargetPlan(Target(1, None), WEB, {"id": 12}, known_position=known)
    RestoreJob(plan).check_again(WEB, read([*before, *since], wrong_by), Rules(force=force))
    sent = {(position, line.incident) for position, line in enumerate(since) if line.event is OperationEvent.INTENDED}
    refused = {
        (position - 1, line.incident) for position, line in enumerate(since) if line.event is OperationEvent.REFUSED
    }
    if sent - refused:
        assert plan.reason
        assert plan.reason.kind is ReasonKind.OVERTAKEN
        assert plan.reason.facts["other"]["incident"] == max(sent - refused)[1]
    else:
        assert plan.sends


@given(journals(), journals(), st.booleans(), st.data())
def test_no_time_changes_the_decision_before_the_request(
    before: list[Line], since: list[Line], force: bool, data: st.DataObject
) -> None:
    clocks = st.floats(-YEAR, YEAR)

    def decide(*, turned: bool) -> tuple[object, ...]:
        past, later = (
            [Line(one.incident, one.event, data.draw(clocks)) if turned else one for one in lines]
            for lines in (before, since)
        )
        history = read(past)
        plan = TargetPlan(
            Target(1, None), WEB, {"id": 12}, known_position=history.known_position(1), earlier=history.find_own(1)
        )
        RestoreJob(plan).check_again(
            WEB, read([*past, *later], data.draw(clocks) if turned else 0.0), Rules(force=force)
        )
        other = plan.reason.facts["other"]["incident"] if plan.reason and "other" in plan.reason.facts else None
        return plan.sends, plan.action, plan.reason and plan.reason.kind, other

    assert decide(turned=True) == decide(turned=False)


DONE = (OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.COMPLETED)


@example([*(Line(OWN, event, 0.0) for event in DONE), Line("INC-2", OperationEvent.INTENDED, -3600.0)], 0.0)
@given(journals(), st.floats(-YEAR, YEAR))
def test_no_proof_and_no_cooldown_lies_ahead(lines: list[Line], wrong_by: float) -> None:
    history = read(lines, wrong_by)
    states = history.states.values()
    for at in find_proofs(history.states, SERVICE, NOW).values():
        assert at <= NOW + CLOCK_TOLERANCE
        position = max(one.position for one in states if one.completed_at == at.isoformat())
        later = [datetime.fromisoformat(one.sent_at) for one in states if one.position > position]
        assert all(at - sent_at <= CLOCK_TOLERANCE for sent_at in later)
    latest = history.read_at + CLOCK_TOLERANCE
    times = [
        NOW + timedelta(minutes=position - len(lines), seconds=line.wrong_by) for position, line in enumerate(lines)
    ]
    if all(at > latest for at in times):
        assert not history.find_recent(1, timedelta(days=1000))


@given(journals(OTHERS))
def test_each_time_in_the_past_begins_a_cooldown(lines: list[Line]) -> None:
    history = read(lines)
    past = [state for state in history.states.values() if datetime.fromisoformat(state.sent_at) <= NOW]
    assert bool(history.find_recent(1, timedelta(days=400))) >= bool(past)
