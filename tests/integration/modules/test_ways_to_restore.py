# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One situation, one answer: module, fleet module and role send the same backup, or have the same reason not to.

``reasons.md`` beside this file has what each of them says of each kind of reason, and what to do then.
"""

from __future__ import annotations

import contextlib
import json
import re
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore import account_reader
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.executor import RestoreExecutor
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import ReasonKind as Kind
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason_texts import (
    CANNOT_BE_RESTORED,
    TABLE,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state import journal_writer
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    Journal,
    JournalError,
    OperationEvent,
    OperationKey,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import (
    append_event,
    lock_operation,
)
from ansible_collections.clawhosters.cloud.plugins.modules import claw_backup_restore, claw_fleet_restore
from simulator.handle import Simulator
from support import TIME_IN_MESSAGE
from support.runbook import Runbook, find_sentences
from support.worker import Worker

INTENDED, ACCEPTED, REFUSED = OperationEvent.INTENDED, OperationEvent.ACCEPTED, OperationEvent.REFUSED
COMPLETED, FAILED, UNCLEAR = OperationEvent.COMPLETED, OperationEvent.FAILED, OperationEvent.UNCLEAR
REASONS = Path(__file__).with_name("reasons.md")
CALLERS = ("module", "fleet", "role")


class Place(t.NamedTuple):
    """Where a situation is prepared."""

    simulator: Simulator
    journal: Journal
    report: Path
    """The JSON of the role."""

    def write_report(self, sent_at: str, service: str = "") -> None:
        """Writes a report by which a restore of instance 1 was sent."""
        service = service or urlsplit(self.simulator.url).netloc
        report = {"incident": "INC-1", "service": service, "instances": [{"id": 1, "sent_at": sent_at}]}
        self.report.parent.mkdir(mode=0o700, exist_ok=True)
        self.report.write_text(json.dumps(report), encoding="utf-8")

    def write(self, incident: str, *events: OperationEvent) -> None:
        """Writes events of a restore of instance 1 to the journal."""
        facts = {"backup_id": 11, "taken_at": at(50 * HOUR), "instance_name": "web-bot"}
        for event in events:
            append_event(self.journal, OperationKey("restore", self.simulator.url, incident, "1"), event, **facts)


Change = t.Callable[[Place], object]


@dataclass
class Situation:
    """A state of the account and the journal, a target, and what comes of it.

    ``expected``: a kind of reason, or the backups that are sent. ``before`` prepares it; ``since`` happens between
    the plan and the request. ``callers`` are those that can be told such a target.
    """

    name: str
    expected: Kind | list[int]
    target: dict[str, t.Any] = field(default_factory=lambda: {"name": "web-bot"})
    rules: dict[str, t.Any] = field(default_factory=dict)
    before: Change = lambda _place: None
    since: Change | None = None
    callers: tuple[str, ...] = CALLERS
    twice: dict[str, t.Any] | None = None
    """A second target, which has the reason."""

    def __str__(self) -> str:
        return self.name


def status(value: str, **others: t.Any) -> Change:
    return lambda place: place.simulator.set_instance(1, status=value, **others)


def journal(incident: str, *events: OperationEvent, then: Change = lambda _place: None) -> Change:
    return lambda place: (place.write(incident, *events), then(place))


def backup(age: int, **fields: t.Any) -> Change:
    """Backup 19 is so many minutes old. Unless the fields say so, it shows no instance."""
    shown = {"instance_id": None, "instance_name": None, **fields}
    return lambda place: place.simulator.set_backup(19, created_at=at(age), **shown)


def at(age: int) -> str:
    """Returns a time so many minutes ago, as an option takes it."""
    return (datetime.now(UTC) - timedelta(minutes=age)).isoformat()


def behind(change: Change) -> Change:
    """Returns a change that happens while the clock is an hour behind."""

    def happen(place: Place) -> None:
        place.journal._now = lambda: datetime.now(UTC) - timedelta(hours=1)
        change(place)

    return happen


def switch(then: Change = lambda _place: None, **switches: t.Any) -> Change:
    return lambda place: (then(place), place.simulator.switch(**switches))


def report(service: str = "") -> Change:
    return lambda place: place.write_report(at(HOUR), service)


MODULES = ("module", "fleet")
ROLE = ("role",)
FLEET = ("fleet",)
HOUR = 60
NOBODYS = switch(drop_fields=["backup.instance_id", "backup.instance_name"])
"""No backup shows its instance."""
BY_NAME = switch(backup(HOUR, instance_id=1, instance_name="web-bot"), drop_fields=["backup.instance_id"])
BUSY, KEYLESS = status("deploying"), status("pending_configuration")
DEPLOYING = status("deploying", settles_to="running", settles_after_reads=3)
WAITS = journal("INC-1", INTENDED, then=DEPLOYING)
SENT = journal("INC-1", INTENDED, ACCEPTED, then=DEPLOYING)
RESTORED = journal("INC-1", INTENDED, ACCEPTED, COMPLETED)
RESTORED_FOR_OTHER = journal("INC-2", INTENDED, ACCEPTED, COMPLETED)
HAS_FAILED = journal("INC-1", INTENDED, ACCEPTED, FAILED)
IS_UNKNOWN = journal("INC-1", INTENDED, UNCLEAR)
FORCE = {"force": True}
GIVEN = {"name": "web-bot", "backup_id": 12}
"""Another backup than the journal has."""
OLD = {"name": "web-bot", "backup_id": 19}

SITUATIONS = [
    # What is sent
    Situation("newest usable", [12]),
    Situation("given by id", [12], {"id": 1}),
    Situation("stopped", [12], before=status("stopped")),
    Situation("before a time", [11], rules={"before": at(30 * HOUR)}),
    Situation("an older backup by its id", [11], {"name": "web-bot", "backup_id": 11}),
    Situation("young enough", [12], rules={"max_age": "27h"}),
    Situation("shown by a name that is unique", [19], before=BY_NAME),
    Situation("failed one of nobody", [12], before=backup(HOUR, status="failed")),
    Situation("older one of nobody", [12], before=backup(99 * HOUR)),
    Situation("dated in the future", [12], before=backup(-HOUR, instance_id=1)),
    Situation("dated a little in the future", [19], before=backup(-4, instance_id=1)),
    Situation("of nobody, by its id", [19], OLD, before=NOBODYS),
    Situation(
        "refused, and reported by a run that waited for it",
        [12],
        before=lambda place: (
            place.write("INC-1", INTENDED, REFUSED),
            place.write_report(place.journal.read_entries()[0]["at"]),
        ),
    ),
    Situation("reported for another service", [12], before=report("other.example")),
    Situation("reported, with force", [12], rules=FORCE, before=report()),
    Situation("restored by this incident", [], before=RESTORED),
    Situation("sent by this incident", [], before=WAITS),
    Situation("refused for this incident", [12], before=journal("INC-1", INTENDED, REFUSED)),
    Situation("restored by another incident", [12], before=RESTORED_FOR_OTHER),
    Situation(
        "refused for another incident", [12], rules={"min_interval": "1h"}, before=journal("INC-2", INTENDED, REFUSED)
    ),
    Situation("failed before, with force", [12], rules=FORCE, before=HAS_FAILED),
    Situation("restored before, with force", [], rules=FORCE, before=RESTORED),
    Situation("another backup after an unknown outcome, with force", [12], GIVEN, FORCE, before=IS_UNKNOWN),
    Situation("in error, with force", [12], rules=FORCE, before=switch(status("error"), restore_allowed=["error"])),
    # Reasons
    Situation("no instance of the name", Kind.NO_INSTANCE, {"name": "nobody"}),
    Situation("a misspelt name", Kind.NO_INSTANCE, {"name": "web-bto"}),
    Situation("no instance of the id", Kind.NO_INSTANCE, {"id": 99}),
    Situation("two of the name", Kind.AMBIGUOUS, {"name": "twin"}),
    Situation("id and name of two", Kind.OTHER_NAME, {"id": 1, "name": "twin"}, callers=MODULES),
    Situation("listed twice", Kind.DUPLICATE, callers=FLEET, twice={"id": 1}),
    Situation(
        "listed by id and name", Kind.DUPLICATE, {"id": 1}, callers=FLEET, twice={"name": "web-bot", "backup_id": 11}
    ),
    Situation("failed before", Kind.FAILED, before=HAS_FAILED),
    Situation("outcome unknown", Kind.UNKNOWN, before=IS_UNKNOWN),
    Situation("another backup than was restored", Kind.OTHER_USED, GIVEN, before=RESTORED),
    Situation("another one, with force", Kind.OTHER_USED, GIVEN, FORCE, before=RESTORED),
    Situation("another one while that is in flight", Kind.OTHER_USED, GIVEN, FORCE, before=SENT),
    Situation("no backup", Kind.NO_BACKUP, {"name": "bare-bot"}),
    Situation(
        "no backup, and busy",
        Kind.NO_BACKUP,
        {"name": "bare-bot"},
        before=lambda place: place.simulator.set_instance(5, status="deploying"),
    ),
    Situation("no backup before the time", Kind.NO_BACKUP, rules={"before": "2001-01-01T00:00:00Z"}),
    Situation("no backup of the id", Kind.BACKUP_GONE, {"name": "web-bot", "backup_id": 999}),
    Situation("newer one of nobody", Kind.UNCLEAR_BACKUP, before=backup(HOUR)),
    Situation("shown by a name of two", Kind.UNCLEAR_BACKUP, {"id": 7}, before=backup(HOUR, instance_name="twin")),
    Situation("of another instance", Kind.OTHER_BACKUP, {"name": "web-bot", "backup_id": 21}),
    Situation(
        "one backup for two", Kind.DUPLICATE, OLD, before=NOBODYS, callers=FLEET, twice={**OLD, "name": "bare-bot"}
    ),
    Situation("busy", Kind.WRONG_STATUS, before=BUSY),
    Situation("busy for another incident", Kind.WRONG_STATUS, before=journal("INC-2", INTENDED, then=BUSY)),
    Situation("in error", Kind.WRONG_STATUS, before=status("error")),
    Situation("paused", Kind.WRONG_STATUS, before=status("paused")),
    Situation("without a key", Kind.WRONG_STATUS, before=KEYLESS),
    Situation("too old", Kind.TOO_OLD, rules={"max_age": "24h", "force": True}),
    Situation("of the future, by its id", Kind.TOO_OLD, OLD, {"max_age": "24h"}, before=backup(-HOUR, instance_id=1)),
    Situation("too soon", Kind.TOO_SOON, rules={"min_interval": "1h", **FORCE}, before=RESTORED_FOR_OTHER),
    Situation("known to the folder alone", Kind.OTHER_MEMORY),
    Situation("known to the report alone", Kind.ONLY_IN_REPORT, before=report(), callers=ROLE),
    Situation("reported meanwhile", Kind.ONLY_IN_REPORT, since=report(), callers=ROLE),
    # What has changed since the plan
    Situation("deleted meanwhile", Kind.DELETED, since=lambda place: place.simulator.remove_instance(1)),
    Situation("busy meanwhile", Kind.WRONG_STATUS, since=BUSY),
    Situation("without a key meanwhile, by its id", Kind.WRONG_STATUS, {"id": 1}, since=KEYLESS),
    Situation("renamed meanwhile", Kind.CHANGED, since=status("running", name="other")),
    Situation("renamed meanwhile, by its id", Kind.CHANGED, {"id": 1}, since=status("running", name="other")),
    # Only the role shows status and health, and asks.
    Situation("stopped meanwhile", Kind.CHANGED, since=status("stopped"), callers=("role",)),
    Situation(
        "waited for, and not sent", Kind.NOT_SENT, before=WAITS, since=journal("INC-1", REFUSED, then=status("running"))
    ),
    Situation("overtaken", Kind.OVERTAKEN, since=journal("INC-2", INTENDED)),
    Situation("overtaken, with force", Kind.OVERTAKEN, rules=FORCE, since=journal("INC-2", INTENDED)),
    Situation("held, and not waited for", Kind.HELD, {"id": 1}, rules={"wait": False}, callers=("module",)),
    Situation("overtaken, and the clock set back", Kind.OVERTAKEN, since=behind(journal("INC-2", INTENDED))),
]


class Answer(t.NamedTuple):
    """A message with its advice. It is empty without a failure."""

    message: str
    kind: str | None
    """The kind of the failure; None where the result has none."""


class Ways:
    """The three ways to restore, in one account with one journal."""

    def __init__(self, simulator: Simulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.simulator, self.folder, self.monkeypatch = simulator, folder, monkeypatch
        simulator.reset(
            state={
                "instances": [
                    {"id": 1, "name": "web-bot"},
                    {"id": 5, "name": "bare-bot"},
                    {"id": 7, "name": "twin"},
                    {"id": 8, "name": "twin"},
                ],
                "backups": [
                    {"id": 11, "instance_id": 1, "created_at": "50h ago"},
                    # An age that no advice rounds to another hour when a second passes.
                    {"id": 12, "instance_id": 1, "created_at": "26.5h ago"},
                    {"id": 13, "instance_id": 1, "created_at": "2h ago", "status": "failed"},
                    {"id": 19, "instance_id": 1, "created_at": "99h ago"},
                    {"id": 21, "instance_id": 8, "created_at": "3h ago"},
                ],
            },
            switches={"transition_reads": 1},
        )
        self.place = Place(simulator, Journal(FolderStore(str(folder / "state"))), folder / "report/INC-1.json")
        self.worker = Worker(simulator, {"state_dir": str(folder / "state")})

    def run(self, situation: Situation, caller: str) -> Answer:
        """Prepares the situation, and restores in one of the ways."""
        situation.before(self.place)
        if situation.expected is Kind.OTHER_MEMORY:
            # A journal in a database, beside a folder.
            self.monkeypatch.setattr(Journal, "folder", property(lambda _: "folder", lambda *_: None), raising=False)
            self.monkeypatch.setattr(journal_writer, "require_imported", forget)
        if situation.since:
            self._between_plan_and_request(situation.since)
        run = {"module": self._run_module, "fleet": self._run_fleet, "role": self._run_role}[caller]
        key = OperationKey("restore", self.simulator.url, "INC-2", "1")
        is_held = situation.expected is Kind.HELD
        with lock_operation(self.place.journal, key) if is_held else contextlib.nullcontext():
            return run(situation)

    def _between_plan_and_request(self, change: Change) -> None:
        changes, acquire = [change], RestoreExecutor.acquire

        def first_change(executor: RestoreExecutor) -> bool:
            while changes:
                changes.pop()(self.place)
            return acquire(executor)

        self.monkeypatch.setattr(RestoreExecutor, "acquire", first_change)

    def _run_module(self, situation: Situation) -> Answer:
        target = {
            {"id": "instance_id", "name": "instance_name"}.get(key, key): one for key, one in situation.target.items()
        }
        result = self.worker.run(claw_backup_restore, incident="INC-1", **target, **situation.rules)
        return Answer(result.get("msg", "") if result["failed"] else "", None)

    def _run_fleet(self, situation: Situation) -> Answer:
        targets = [situation.target, *([situation.twice] if situation.twice else [])]
        result = self.worker.run(claw_fleet_restore, incident="INC-1", instances=targets, **situation.rules)
        return Answer(result["instances"][-1]["msg"], None)

    def _run_role(self, situation: Situation) -> Answer:
        target, runbook = situation.target, Runbook(self.worker, self.folder / "report")
        key = "restore_instance_ids" if "id" in target else "restore_instances"
        name = str(target.get("id", target.get("name")))
        options = {f"restore_{rule}": value for rule, value in situation.rules.items()}
        if "backup_id" in target:
            options["restore_backup"] = str(target["backup_id"])
        result = runbook.run(**{key: name, "restore_confirm": name, **options})
        (instance,) = runbook.report()["instances"]
        kind = instance["reason"] and instance["reason"]["kind"]
        if not result.get("failed"):
            return Answer("", kind)
        (said,) = result["failures"]
        return Answer(said.split(": ", 1)[1], kind)


def forget(_journal: Journal, _key: OperationKey) -> None:
    raise JournalError("The folder STATE_DIR knows this operation, and the database does not.", is_unsent=True)


@pytest.fixture
def ways(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(simulator, tmp_path, monkeypatch)


def normalize(text: str) -> str:
    """Returns a message without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00|Z)", "TIME", text)
    text = re.sub(TIME_IN_MESSAGE, "TIME", text)
    text = re.sub(r"process \d+, for \d+ s", "process N, for N s", text)
    text = re.sub(r" by [^ ]+@[^ .]+", " by USER@HOST", text)
    text = re.sub(r"/[^ ]+/(state|report)\b", lambda match: match[1].upper(), text)
    return re.sub(r"\b(\d+ (s|min|h|d) ?)+(old|in the future)", r"AGE \3", text)


CELLS = [
    pytest.param(situation, caller, marks=[pytest.mark.rest] * (number % len(situation.callers) != turn))
    for number, situation in enumerate(SITUATIONS)
    for turn, caller in enumerate(situation.callers)
]
"""One way for each situation, by turns; the others too in `make test-all`."""
STOPPED = [situation for situation in SITUATIONS if isinstance(situation.expected, Kind)]
HEAD = """# What each way to restore says of each kind of reason

Written by `make unit ARGS='tests/integration/modules/test_ways_to_restore.py --write-reasons'`.

| kind | situation | way | message |
|---|---|---|---|
"""
Cells = dict[tuple[str, str], str]
"""The messages, by situation and caller."""


def read_table() -> Cells:
    rows = [line.strip("| ").split(" | ") for line in REASONS.read_text(encoding="utf-8").splitlines() if " | " in line]
    return {(situation, way): message for _kind, situation, way, message in rows[1:]}


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> t.Iterator[Cells]:
    """The table, which is written anew if that is asked for."""
    if not request.config.getoption("write_reasons"):
        yield read_table()
        return
    cells: Cells = {}
    yield cells
    rows = [
        f"| {kind.value} | {situation.name} | {way} | {cells[situation.name, way]} |\n"
        for kind in Kind
        for situation in STOPPED
        if situation.expected is kind
        for way in situation.callers
    ]
    REASONS.write_text(HEAD + "".join(rows), encoding="utf-8")


@pytest.mark.parametrize(("situation", "caller"), CELLS, ids=str)
def test_every_way_to_restore_does_the_same(
    ways: Ways, table: Cells, situation: Situation, caller: str, request: pytest.FixtureRequest
) -> None:
    answer = ways.run(situation, caller)
    assert find_sentences(ways.place.journal.read_entries()) == []
    sent = [int(call.split("/")[2]) for call in ways.simulator.calls("POST *")]
    if isinstance(situation.expected, list):
        assert (answer.message, sent) == ("", situation.expected)
        return
    assert sent == []
    assert answer.kind in (None, situation.expected.value)
    said = normalize(answer.message)
    if request.config.getoption("write_reasons"):
        table[situation.name, caller] = said
    assert table[situation.name, caller] == said


# Another run of the incident, between two readings


def send_elsewhere(ways: Ways, *events: OperationEvent) -> None:
    """Another run of the incident restores backup 12, and its restore is so far."""
    place = ways.place
    facts = {"backup_id": 12, "taken_at": at(27 * HOUR), "instance_name": "web-bot"}
    for event in events:
        append_event(place.journal, OperationKey("restore", ways.simulator.url, "INC-1", "1"), event, **facts)
    ways.simulator.set_backup(12, status="restoring")
    if FAILED in events:
        ways.simulator.set_instance(1, status="deploy_failed")
    else:
        ways.simulator.set_instance(1, status="deploying", settles_to="running", settles_after_reads=4)


def between_readings(monkeypatch: pytest.MonkeyPatch, moment: str, change: t.Callable[[], None]) -> None:
    """Lets something happen once, after the journal was read."""
    pending = [change]

    def happen() -> None:
        while pending:
            pending.pop()()

    def read_one_by_one(read_instances: t.Callable[[], None], read_backups: t.Callable[[], None]) -> None:
        first, second = read_instances, read_backups
        if moment == "after the backups":
            first, second = second, first
        if moment == "before the lists":
            happen()
        first()
        happen()
        second()

    monkeypatch.setattr(account_reader, "run_parallel", read_one_by_one)


BY_ID = {"id": 1}
"""Of a name, the journal is read after the lists."""
RULES: dict[str, dict[str, t.Any]] = {
    "its only backup": {"before": at(20 * HOUR)},
    "young enough": {"max_age": "27h"},
    "with force": {"max_age": "27h", **FORCE},
}


@pytest.mark.parametrize("moment", ["before the lists", "after the instances", "after the backups"])
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_restore_that_another_run_sends_while_lists_are_read_is_awaited(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, caller: str, rules: str, moment: str
) -> None:
    for number in (11, 19) if rules == "its only backup" else ():
        ways.simulator.set_backup(number, status="failed")
    between_readings(monkeypatch, moment, lambda: send_elsewhere(ways, INTENDED, ACCEPTED))
    answer = ways.run(Situation(moment, [], BY_ID, RULES[rules]), caller)
    assert answer.message == ""
    assert ways.simulator.calls("POST *") == []
    (state,) = ways.place.journal.read_states().values()
    assert state.event is COMPLETED


@pytest.mark.parametrize("caller", CALLERS)
def test_a_restore_that_fails_between_readings_is_told(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, caller: str
) -> None:
    between_readings(monkeypatch, "before the lists", lambda: send_elsewhere(ways, INTENDED, ACCEPTED, FAILED))
    answer = ways.run(Situation("failed", Kind.FAILED, BY_ID), caller)
    assert "failed" in answer.message
    assert ways.simulator.calls("POST *") == []


@pytest.mark.parametrize("caller", CALLERS)
def test_another_incident_between_readings_is_named(ways: Ways, monkeypatch: pytest.MonkeyPatch, caller: str) -> None:
    def send() -> None:
        ways.place.write("INC-2", INTENDED, ACCEPTED)
        ways.simulator.set_backup(12, status="restoring")
        ways.simulator.set_instance(1, status="deploying")

    between_readings(monkeypatch, "before the lists", send)
    answer = ways.run(Situation("another incident", Kind.WRONG_STATUS, BY_ID), caller)
    assert "ncident INC-2" in answer.message
    assert ways.simulator.calls("POST *") == []


def test_the_table_has_every_kind_of_reason_of_a_target() -> None:
    kinds = {kind for kind, row in TABLE.items() if row.part == CANNOT_BE_RESTORED} | {Kind.FAILED, Kind.UNKNOWN}
    assert {situation.expected for situation in STOPPED} == kinds
    assert set(read_table()) == {(situation.name, caller) for situation in STOPPED for caller in situation.callers}
