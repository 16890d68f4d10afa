# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A standby takes over: nothing is lost if it is synchronous; if not, what docs/many-machines.md says."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.cases import Case
from support.controller import REPOSITORY
from support.postgres import Postgres, Standby
from support.stage import JOURNAL, PURCHASE, RESTORE, Stage, choose_moments
from support.stores import prepare


@contextlib.contextmanager
def pair(*, synchronous: bool) -> t.Iterator[tuple[Postgres, Standby]]:
    """Yields a primary and its standby."""
    with Postgres() as primary:
        prepare(primary)
        with Standby(primary) as standby:
            if synchronous:
                primary.configure(synchronous_standby_names="standby")
            yield primary, standby


def fail_over(primary: Postgres, standby: Standby) -> None:
    primary.kill()
    standby.promote()


@pytest.mark.parametrize("case", [RESTORE, PURCHASE], ids=str)
def test_a_synchronous_standby_loses_nothing(
    simulator: Simulator, tmp_path: Path, collections: Path, case: Case, request: pytest.FixtureRequest
) -> None:
    """The primary crashes at a line of a run, and the standby takes over for the rest of it."""

    def crash(primary: Postgres, standby: Standby, written: list[t.Any]) -> None:
        written.append(primary.query(JOURNAL))
        fail_over(primary, standby)

    scope = "around what is sent"
    with Postgres() as server:
        lines = Stage(simulator, tmp_path, collections, case, 0, server).run(scope=scope).lines
    kills = max(1, request.config.getoption("kills") // 10)
    chance = choose_moments(request, f"{case}, failover", kills)
    for number in range(kills):
        with pair(synchronous=True) as (primary, standby):
            stage = Stage(simulator, tmp_path, collections, case, number, primary, standby.failover_url())
            at, written = chance.randint(1, lines), []
            crash_now = functools.partial(crash, primary, standby, written)
            first = stage.run(at, scope, crash_now)
            if not written:  # How many lines wait for a lock depends on the moment: this run had fewer.
                crash_now()
            why = f"crashed at {at} of {lines} lines: {first}"
            assert standby.query(JOURNAL)[: len(written[0])] == written[0], why
            assert simulator.calls("POST *") or "Nothing was sent." in first.result["msg"], why
            assert not stage.judge(stage.run()), why


def test_an_asynchronous_standby_may_lack_the_last_lines(
    simulator: Simulator, tmp_path: Path, collections: Path
) -> None:
    """The guide says so: a restore whose line is lost is sent again. One whose line was there is not."""
    guide = " ".join((REPOSITORY / "docs/many-machines.md").read_text(encoding="utf-8").split())
    assert "An asynchronous standby may lack the last lines of the journal." in guide
    for is_behind in (False, True):
        with pair(synchronous=False) as (primary, standby):
            stage = Stage(simulator, tmp_path, collections, RESTORE, 0, primary, standby.failover_url())
            if is_behind:
                standby.disconnect()
            assert stage.run().result["changed"] is True
            if not is_behind:
                while standby.query(JOURNAL) != primary.query(JOURNAL):
                    pass
            fail_over(primary, standby)
            assert stage.run().result["changed"] is is_behind
            assert len(simulator.calls("POST *")) == (2 if is_behind else 1)
