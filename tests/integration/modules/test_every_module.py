# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module and the inventory with any JSON in place of any answer: a result or one clear line, never a traceback,
and nothing done that was not asked for.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.handle import Simulator
from support.cases import CASES, Case
from support.matrix import Bench

# fmt: off
FIELDS = [
    "id", "name", "status", "tier", "billing_mode", "ip_address", "health_status", "created_at", "can_start",
    "can_stop", "can_restart", "subdomain_url", "instance", "instance_id", "instance_name", "addon_type",
    "usage_limit", "addons", "instances", "claws_balance", "taken_at", "completed_at", "expires_at", "checkout_url",
]
# fmt: on
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [113, "113", "web-bot", "running", "stopped", "llm", "completed", "2026-02-01T00:00:00Z", "\ud800", ""]
    ),
)
names = st.sampled_from(FIELDS) | st.text(max_size=5)
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=20
)
objects = st.dictionaries(names, json_values, max_size=10)
resources = st.builds(lambda given, number: {**given, "id": number}, objects, st.sampled_from([1, 3, 113, "113", 31]))
pagination = st.dictionaries(
    st.sampled_from(["current_page", "total_pages", "total_count", "per_page"]),
    st.integers(-2, 5) | st.sampled_from(["2", None, 1.5, []]),
)
bodies = st.one_of(
    json_values,
    st.builds(lambda data: {"data": data}, resources | objects | json_values),
    st.builds(
        lambda data, pages: {"data": data, **({"pagination": pages} if pages is not None else {})},
        st.lists(resources, max_size=4),
        st.none() | pagination,
    ),
)


def judge(bench: Bench, case: Case, body: object, turn: int, times: int | None) -> None:
    """Runs a case with this body in place of an answer."""
    state_dir = bench.reset()
    bench.simulator.fault("wrong_type", body=_sendable(body), skip=turn, times=times)
    outcome = bench.run(case, state_dir, retry_timeout=0)
    msg = str(outcome.result.get("msg", ""))
    assert "Bug in the collection" not in msg
    assert msg.isprintable()
    assert not outcome.result["failed"] or len(msg) > 10
    writes = [entry["path"] for entry in outcome.log if entry["method"] != "GET"]
    assert all(count <= case.asked.get(name, 0) for name, count in outcome.effects.items())
    assert not any(writes.count(path) > 1 for path in writes if "restore" in path or "buy_claws" in path)


def _sendable(body: object) -> object:
    """Half surrogates don't cross the control side of the simulator; the tests of answers.py have them."""
    if isinstance(body, str):
        return body.encode("utf-8", "replace").decode()
    if isinstance(body, dict):
        return {str(_sendable(name)): _sendable(value) for name, value in body.items()}
    return [_sendable(value) for value in body] if isinstance(body, list) else body


@pytest.mark.fuzz
@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_json_in_place_of_any_answer(
    shared_simulator: Simulator, tmp_path: Path, case: Case, pytestconfig: pytest.Config
) -> None:
    bench = Bench(shared_simulator, tmp_path)

    @settings(
        max_examples=pytestconfig.getoption("examples"),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(body=bodies, turn=st.integers(0, 6), times=st.sampled_from([1, None]))
    def holds(body: t.Any, turn: int, times: int | None) -> None:
        judge(bench, case, body, turn, times)

    holds()


@pytest.mark.parametrize("case", [case for case in CASES if case.asked], ids=str)
def test_check_mode_predicts_what_a_run_changes(shared_simulator: Simulator, tmp_path: Path, case: Case) -> None:
    """Of a restore and a purchase, the service makes what check mode can't know."""
    bench = Bench(shared_simulator, tmp_path)
    predicted, done = (bench.run(case, bench.reset(), check=check) for check in (True, False))
    assert (predicted.effects, done.effects) == ({}, case.asked)
    assert {entry["method"] for entry in predicted.log} == {"GET"}
    assert predicted.result["changed"] is done.result["changed"] is True
    if not case.is_once:
        assert predicted.result["diff"] == done.result["diff"]
    assert "plan" not in done.result
