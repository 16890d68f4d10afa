# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_health_info over HTTP: each shape of the response, and a service that is down."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_health_info
from simulator.handle import Simulator
from support import KEY
from support.raw_service import raw_service
from support.worker import Worker, result_of


@pytest.mark.parametrize(
    ("answer", "available", "health"),
    [
        ("wrapped", True, {"status": "ok"}),
        ("bare", True, {"status": "ok"}),
        ("text", True, "OK"),
        ("down", False, {"status": "down"}),
    ],
)
def test_health_in_each_of_its_shapes(simulator: Simulator, answer: str, available: bool, health: t.Any) -> None:
    simulator.switch(health_answer=answer)
    for check in (True, False):
        simulator.clear_log()
        result = result_of(claw_health_info, simulator, check=check, retry_timeout=60)
        assert (result["failed"], result["changed"]) == (False, False)
        assert (result["available"], result["health"]) == (available, health)
        assert result["latency"] > 0
        assert abs(result["clock_skew"]) < 45
        assert simulator.calls() == ["GET /health"]
        assert result["api"]["requests"] == 1
    assert (result["error"] is None) is available


@pytest.mark.parametrize(
    ("fault", "options", "words"),
    [
        ("html_502", {}, "502: Bad Gateway"),
        ("status", {"status": 404, "message": "No"}, "404 error: No. Is api_url the address of the API?"),
        ("reset_before", {}, "broke"),
        ("rate_limited", {}, "429"),
        ("redirect", {"location": "http://127.0.0.2:1/"}, "No redirect is followed"),
    ],
)
def test_what_is_wrong_is_a_finding_and_asked_for_once(
    simulator: Simulator, fault: str, options: dict[str, t.Any], words: str
) -> None:
    simulator.fault(fault, times=None, **options)
    result = result_of(claw_health_info, simulator, retry_timeout=60)
    assert (result["failed"], result["available"]) == (False, False)
    assert words in result["error"]
    assert len(simulator.calls()) == 1
    assert result["api"]["retries"] == 0


@pytest.mark.parametrize("fault", ["empty", "html_200", "truncated_json"])
def test_any_success_is_up(simulator: Simulator, fault: str) -> None:
    simulator.fault(fault)
    result = result_of(claw_health_info, simulator)
    assert (result["available"], result["error"]) == (True, None)
    assert (result["health"] is None) is (fault == "empty")


def test_of_a_long_text_the_first_lines_are_returned() -> None:
    with raw_service(lambda _method, _path: (200, {}, b"cache: ok\n" * 999)) as options:
        assert Worker(None, options).run(claw_health_info)["health"] == "cache: ok\n" * 400


def test_the_clocks_are_compared(simulator: Simulator) -> None:
    simulator.set_clock(-90)
    assert result_of(claw_health_info, simulator)["clock_skew"] == pytest.approx(-90, abs=45)


def test_a_service_that_is_not_there_is_a_finding_at_no_request(simulator: Simulator) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/api/v1"
        result = result_of(claw_health_info, simulator, api_url=url)
    assert (result["failed"], result["available"], result["latency"]) == (False, False, None)
    assert "Connection refused" in result["error"]
    assert result["api"]["requests"] == 0


@pytest.mark.parametrize("key", [KEY, "no key at all\n", ""])
def test_no_key_is_sent_or_even_looked_at(simulator: Simulator, key: str) -> None:
    result = result_of(claw_health_info, simulator, api_key=key, api_key_file="/does/not/exist")
    assert result["available"] is True
    assert result["warnings"] == []
    (entry,) = simulator.log()
    assert "authorization" not in {name.lower() for name in entry["headers"]}
