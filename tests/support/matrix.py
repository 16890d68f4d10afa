# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault matrix: every case x every endpoint that it calls x every fault of the simulator x when it occurs.

A cell passes if the effects are exactly the expected ones, or fewer with a failure that says so, and if a second run
without the fault reaches the goal.

A second run knows only what the first one left: the service, the state_dir and the time. Where an earlier cell of the
case left the same, and its second run held, it is not run again.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from simulator.handle import Simulator

from . import KEY
from .cases import STATE, SWITCHES, Case, Result, World, module_of
from .hosts import read_hosts
from .sleeper import Sleeper
from .worker import Worker

Counts = dict[str, int]

RETRY_TIMEOUT = 8
WAIT_TIMEOUT = 40


@dataclass(frozen=True)
class Fault:
    """A fault. The message of a failure must contain one of ``words``."""

    name: str
    kind: str
    words: tuple[str, ...]
    options: dict[str, t.Any] = field(default_factory=dict)
    status: int | None = None
    is_gone: bool = False
    """True if the service reports that the object does not exist, or deletes it."""
    hangs: bool = False

    def __str__(self) -> str:
        return self.name


def _status(number: int, *words: str, is_gone: bool = False, **options: t.Any) -> Fault:
    name = f"status {number}{' after' if 'after_effect' in options else ''}"
    return Fault(name, "status", (str(number), *words), {"status": number, **options}, number, is_gone)


LOST = ("broke", "was lost")
OUTDATED = ("The plan does not hold any more",)
MAY_BE_DONE = ("unknown whether", "does not show whether", "read again", "not exist any more")
"""Words of a failure after which the change may have happened."""
HUNG = ("sent no complete response within", "(wait_timeout)")
UNUSABLE = "unusable response"
DETAILS = {"x": ["y", {"z": [1, None]}]}
WRONG_TYPES: list[object] = [[], "text", {}, {"data": None}, {"data": [None, 1]}]

FAULTS = [
    Fault("reset before", "reset_before", LOST),
    Fault("reset after", "reset_after", LOST),
    Fault("closed before", "close_before", LOST),
    Fault("closed after", "close_after", LOST),
    Fault("hang before", "hang", HUNG, {"seconds": 30}, hangs=True),
    Fault("hang after", "hang_after", HUNG, {"seconds": 30}, hangs=True),
    Fault("slow", "slow", (), {"seconds": 0.02}),
    Fault("slow after", "slow", (), {"seconds": 0.02, "after_effect": True}),
    Fault("truncated", "truncated", LOST),
    Fault("truncated JSON", "truncated_json", ("not JSON", UNUSABLE, "cut off")),
    Fault("empty", "empty", ("not JSON", UNUSABLE), {"after_effect": True}),
    *(
        Fault(
            f"wrong type {number}",
            "wrong_type",
            ("`data`", "no number in", "does not show"),
            {"body": body, "after_effect": True},
        )
        for number, body in enumerate(WRONG_TYPES)
    ),
    *(
        Fault(f"{kind}{' after' if after else ''}", kind, words, {"after_effect": after}, status)
        for after in (False, True)
        for kind, words, status in (
            ("html_200", ("web page",), None),
            ("html_502", ("502",), 502),
            ("html_503", ("503",), 503),
            ("json_500", ("500",), 500),
            ("json_503", ("503",), 503),
        )
    ),
    Fault("unauthorized", "unauthorized", ("401",), status=401),
    Fault("forbidden", "forbidden", ("403",), status=403),
    Fault("not found", "not_found", ("404", "exist", "There is no", "was deleted"), status=404, is_gone=True),
    *map(_status, (400, 402, 408, 418)),
    _status(409, details="text"),
    *(_status(number, after_effect=True) for number in (409, 499)),
    _status(410, "exist", "There is no", "was deleted", is_gone=True),
    _status(422, details=DETAILS),
    _status(504, message="{{ 7 * 7 }}\n\x1b[31m"),
    *(
        Fault(
            f"429 {retry_after} {reset}",
            "rate_limited",
            ("429",),
            {"retry_after": retry_after, "reset": reset},
            status=429,
        )
        for retry_after, reset in (("none", "unix"), ("seconds", "none"), ("1e308", "past"), ("garbage", "garbage"))
    ),
    Fault("redirect", "redirect", ("redirected",), {"status": 302, "location": "http://127.0.0.2:9/x"}),
    Fault("redirect nowhere", "redirect", ("redirected",), {"status": 307, "location": "http://[bad/"}),
    Fault(
        "vanishes",
        "vanish_between_pages",
        ("not be read completely", "There is no", "exist", "404", "no usable", "was deleted", "no such instance"),
        is_gone=True,
    ),
    Fault("comes", "insert_between_pages", ("not be read completely", "the list changes while it is read")),
]


class Turn(t.NamedTuple):
    """When a fault occurs: after ``skip`` requests, ``times`` times (None: always)."""

    name: str
    skip: int
    times: int | None
    lost: str | None = None
    """The write whose response was lost before, so that the fault hits the re-read."""


@dataclass
class Endpoint:
    """An endpoint that a case calls; the path is a glob."""

    method: str
    path: str
    calls: int = 0
    """Calls in a run without a fault."""
    calls_before: Counts = field(default_factory=dict)
    """Calls before each write of the case."""

    def turns(self) -> list[Turn]:
        turns = [Turn("first", 0, 1), Turn("every", 0, None)]
        if self.calls > 1:
            # What stays from the second request on fails a later page of a list, whatever is retried.
            turns += [Turn("second", 1, 1), Turn("second and every later", 1, None)]
        if self.method == "GET":
            for write, count in self.calls_before.items():
                turns += [Turn("first", count, 1, write), Turn("every", count, None, write)]
        return turns


@dataclass(frozen=True)
class Cell:
    case: Case
    method: str
    path: str
    fault: Fault
    turn: Turn

    def __str__(self) -> str:
        after = f" after a lost {self.turn.lost}" if self.turn.lost else ""
        return f"{self.case}: {self.fault} on the {self.turn.name} {self.method} {self.path}{after}"


@dataclass
class CaseRun:
    """The result and the effects of one run of a case."""

    result: Result
    effects: Counts
    world: World
    log: list[dict[str, t.Any]]
    waited: float


HELD: set[tuple[str | bool, ...]] = set()
"""The states that cells of this process left, where the second run held."""


@dataclass
class Bench:
    """Runs cases against a simulator, each with a state_dir of its own."""

    simulator: Simulator
    folder: Path
    _runs: t.Iterator[int] = field(default_factory=itertools.count)

    @functools.cached_property
    def _initial(self) -> World:
        self.reset()
        return World(self.simulator.state())

    def reset(self) -> Path:
        """Resets the simulator and returns a new state_dir."""
        self.simulator.reset(state=STATE, switches=SWITCHES)
        return self.folder / str(next(self._runs))

    def run(
        self, case: Case, state_dir: Path, *, is_first: bool = True, check: bool = False, **options: t.Any
    ) -> CaseRun:
        """Runs the task once, without a reset. Effects and requests are those since the last reset."""
        own = case.first_options(self.simulator.url) if is_first else case.options
        settings = {
            "api_key": KEY,
            "api_url": self.simulator.url,
            "timeout": 20,
            "retry_timeout": RETRY_TIMEOUT,
            "state_dir": str(state_dir),
            **options,
        }
        sleeper = Sleeper()
        if case.module == "inventory":
            settings.pop("wait_timeout", None)
            result = read_hosts(self.folder, {**settings, **own}, sleeper)
        else:
            module = module_of(case)
            waits = "wait_timeout" in module.SPEC.options
            settings = {name: value for name, value in settings.items() if name != "wait_timeout" or waits}
            given = {"wait_timeout": WAIT_TIMEOUT} if waits else {}
            result = Worker(self.simulator, {**given, **settings}, sleeper=sleeper).run(module, check=check, **own)
        state = self.simulator.state()
        effects = {name: count for name, count in state["effects"].items() if count}
        return CaseRun(result, effects, World(state), self.simulator.log(), sleeper.total)

    def endpoints(self, case: Case) -> list[Endpoint]:
        """Returns the endpoints that a case calls, in the order of their first call."""
        found: dict[tuple[str, str], Endpoint] = {}
        calls = self._logged(case)
        self._note(found, calls)
        for endpoint in found.values():
            endpoint.calls = calls.count((endpoint.method, endpoint.path))
        for endpoint in [endpoint for endpoint in found.values() if endpoint.method != "GET"]:
            # Some reads happen only after a lost response.
            self._note(found, self._logged(case, ("reset_after", endpoint.method, endpoint.path)))
        return list(found.values())

    def _logged(self, case: Case, lost: tuple[str, str, str] | None = None) -> list[tuple[str, str]]:
        state_dir = self.reset()
        if lost:
            kind, method, path = lost
            self.simulator.fault(kind, method=method, path=path)
        return [(entry["method"], entry["route"].replace("{id}", "*")) for entry in self.run(case, state_dir).log]

    @staticmethod
    def _note(found: dict[tuple[str, str], Endpoint], calls: list[tuple[str, str]]) -> None:
        for call in calls:
            found.setdefault(call, Endpoint(*call))
        for number, (method, path) in enumerate(calls):
            if method != "GET":
                for call, endpoint in found.items():
                    endpoint.calls_before.setdefault(f"{method} {path}", calls[:number].count(call))

    def cells(self, case: Case) -> list[Cell]:
        return [
            Cell(case, endpoint.method, endpoint.path, fault, turn)
            for endpoint in self.endpoints(case)
            for turn in endpoint.turns()
            for fault in FAULTS
        ]

    # One cell

    def judge(self, cell: Cell) -> list[str] | None:
        """Runs a cell and returns its errors, None if the fault did not occur."""
        initial = self._initial
        state_dir = self.reset()
        if cell.turn.lost:
            method, _space, path = cell.turn.lost.partition(" ")
            self.simulator.fault("reset_after", method=method, path=path)
        number = self.simulator.fault(
            cell.fault.kind,
            method=cell.method,
            path=cell.path,
            skip=cell.turn.skip,
            times=cell.turn.times,
            **cell.fault.options,
        )
        short_timeouts = {"timeout": 0.25, "retry_timeout": 0.6, "wait_timeout": 5} if cell.fault.hangs else {}
        outcome = self.run(cell.case, state_dir, **short_timeouts)
        if not any(entry["fault"] == cell.fault.kind for entry in outcome.log) or any(
            fault["number"] == number and not fault["struck"] for fault in self.simulator.faults()
        ):
            return None
        errors = _check_first_run(cell, initial, outcome, short_timeouts)
        left = (cell.case.name, cell.fault.is_gone, *_left_behind(outcome, state_dir))
        if left in HELD:
            return errors
        self.simulator.clear_faults()
        again = self.run(cell.case, state_dir, is_first=False)
        wrong = _check_second_run(cell, outcome, again)
        if not wrong:
            HELD.add(left)
        return errors + wrong


# What differs in any two runs
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|\b[0-9a-f]{32,64}\b")
SECONDS = re.compile(r"\b\d{10}\.\d+")
PLENTY = re.compile(r'"remaining": 999\d{3}')


def _left_behind(outcome: CaseRun, state_dir: Path) -> tuple[str, ...]:
    """Returns all that a second run can know, without what differs in any two runs: moments and checksums."""
    texts = [json.dumps(outcome.world.state)]
    for path in sorted(state_dir.rglob("*")):
        texts.append(path.name)
        if path.is_file():
            texts.append(_to_distances(PLENTY.sub("plenty", path.read_bytes().decode("latin-1"))))
    return tuple(MOMENT.sub("", text) for text in texts)


def _to_distances(budget: str) -> str:
    """Replaces the times of a budget by their distance from its last change, in tens of seconds."""
    now = max(map(float, re.findall(r'"updated_at": (\d{10}\.\d+)', budget)), default=0.0)
    return SECONDS.sub(lambda found: str(round((float(found[0]) - now) / 10)), budget)


def _check_first_run(cell: Cell, before: World, outcome: CaseRun, short_timeouts: dict[str, t.Any]) -> list[str]:
    case, fault, result = cell.case, cell.fault, outcome.result
    errors = []
    msg, failed, changed = str(result.get("msg", "")), result["failed"], result["changed"]
    may_be_gone = fault.is_gone and case.wants_gone
    if any(count > case.asked.get(name, 0) for name, count in outcome.effects.items()):
        errors.append(f"more was done than asked for: {outcome.effects}")
    if not failed and not may_be_gone and fault.kind != "vanish_between_pages":
        if outcome.effects != case.asked:
            errors.append(f"no failure, and yet only {outcome.effects} was done")
        if not case.goal(before, outcome.world, result):
            errors.append("no failure, and yet it is not as wanted")
    if failed and not msg.isprintable():
        errors.append("the message is more than a line")
    if failed and not fault.words and not cell.turn.lost:
        errors.append("failed without a reason")
    words = fault.words + (LOST if cell.turn.lost else ()) + (OUTDATED if case.plan and fault.is_gone else ())
    if failed and fault.words and not any(word in msg for word in words):
        errors.append("the message does not name what happened")
    if not failed and changed != bool(outcome.effects) and not may_be_gone:
        errors.append(f"changed is {changed}, and done was {outcome.effects}")
    if failed and outcome.effects and not changed and not any(word in msg for word in MAY_BE_DONE):
        errors.append("something was done, and the failure does not say that it may have been")
    if failed and fault.status and str(fault.status) in msg and case.module != "inventory":
        error = result.get("error") or {}
        if error.get("status") != fault.status and not cell.turn.lost:
            errors.append(f"the error of the service is not handed on: {error}")
    requests = result.get("api", {}).get("requests", len(outcome.log))
    if requests != len(outcome.log) and not fault.hangs:
        errors.append(f"{requests} requests are counted, and {len(outcome.log)} came")
    # Outside of the wait, at most two calls can use up retry_timeout: one, and the re-read after it.
    limit = short_timeouts.get("wait_timeout", WAIT_TIMEOUT) + 2 * short_timeouts.get("retry_timeout", RETRY_TIMEOUT)
    if outcome.waited > limit + 1e-6:
        errors.append(f"it waited {outcome.waited:.0f} s, more than {limit} s")
    if any("authorization" in entry["headers"] for entry in outcome.log if entry["path"] == "/health"):
        errors.append("the key went where none is needed")
    return [f"{cell}: {error}. changed={changed} msg={msg}" for error in errors]


def _check_second_run(cell: Cell, first: CaseRun, again: CaseRun) -> list[str]:
    """Returns the errors of the second run, without the fault."""
    case = cell.case
    errors = []
    for name, in_all in again.effects.items():
        count = in_all - first.effects.get(name, 0)
        allowed = case.asked.get(name, 0) - (first.effects.get(name, 0) if case.is_once else 0)
        if count > allowed:
            errors.append(f"{name} was done again: {count}, after {first.effects}")
    msg = str(again.result.get("msg", ""))
    if again.result["failed"]:
        is_unknown = case.is_once and "unknown whether" in msg
        if not is_unknown and not cell.fault.is_gone:
            errors.append("it fails without a fault")
    elif not case.goal(first.world, again.world, again.result):
        errors.append("it is not as wanted")
    return [f"{cell}, run again: {error}. msg={msg}" for error in errors]
