# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A synchronous standby takes over, and nothing is lost."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.cases import Case
from support.postgres import Postgres, Standby
from support.stage import JOURNAL, PURCHASE, RESTORE, Stage, choose_moments
from support.stores import prepare


@contextlib.contextmanager
def pair() -> t.Iterator[tuple[Postgres, Standby]]:
    """Yields a primary and its standby."""
    with Postgres() as primary:
        prepare(primary)
        with Standby(primary) as standby:
            primary.configure(synchronous_standby_names="standby")
            yield primary, standby


@pytest.mark.parametrize("case", [RESTORE, PURCHASE], ids=str)
def test_a_synchronous_standby_loses_nothing(
    simulator: Simulator, tmp_path: Path, collections: Path, case: Case, request: pytest.FixtureRequest
) -> None:
    """The primary crashes at a line of a run, and the standby takes over for the rest of it."""

    def crash(primary: Postgres, standby: Standby, written: list[t.Any]) -> None:
        written.append(primary.query(JOURNAL))
        primary.kill()
        standby.promote()

    scope = "around what is sent"
    with Postgres() as server:
        lines = Stage(simulator, tmp_path, collections, case, 0, server).run(scope=scope).lines
    kills = max(1, request.config.getoption("kills") // 10)
    chance = choose_moments(request, f"{case}, failover", kills)
    for number in range(kills):
        with pair() as (primary, standby):
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
