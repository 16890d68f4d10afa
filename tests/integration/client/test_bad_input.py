# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input and a bad network: one clear line, an exit code, no traceback, and nothing sent that should not be."""

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_instance, claw_instance_info
from simulator.handle import Simulator
from support import KEY
from support.controller import Controller
from support.hosts import read_hosts
from support.sleeper import Sleeper
from support.worker import Worker

HOW = {"modules": 2, "inventory": 1}
"""The ways to read, with how many requests each sends."""
Read = t.Callable[..., list[str]]


@pytest.fixture
def read(simulator: Simulator, tmp_path: Path) -> Read:
    """Reads instance 1 or the inventory, without retries, and returns the message of each failure."""

    def failures(how: str, **given: t.Any) -> list[str]:
        options = {"retry_timeout": 0, **given}
        if how == "inventory":
            settings = {"api_key": KEY, "api_url": simulator.url, **options}
            results = [read_hosts(tmp_path, settings, Sleeper())]
        else:
            results = [Worker(simulator, options).run(module, id=1) for module in (claw_instance_info, claw_instance)]
        assert all(result["failed"] for result in results), results
        return [result["msg"] for result in results]

    return failures


def assert_one_line_each(messages: list[str], *words: str) -> None:
    """Each message is one line that holds these words."""
    for message in messages:
        assert message.isprintable()
        for word in words:
            assert word in message


@pytest.mark.parametrize("how", HOW)
def test_no_key_names_the_three_ways(simulator: Simulator, controller: Controller, how: str) -> None:
    tasks = [{"clawhosters.cloud.claw_instance_info": {"id": 1}}]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    given = {"CLAWHOSTERS_API_KEY": None}
    run = controller.inventory(**given) if how == "inventory" else controller.playbook([play], **given)
    assert run.rc != 0
    assert "Traceback" not in run.screen
    assert all(run.says(word) for word in ("api_key,", "api_key_file", "CLAWHOSTERS_API_KEY"))
    assert simulator.calls() == []


@pytest.mark.parametrize("how", HOW)
def test_an_unknown_host_is_named(read: Read, how: str) -> None:
    messages = read(how, api_url="https://nowhere.invalid/api/v1")
    assert_one_line_each(messages, "nowhere.invalid (unknown host)")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("fault", "options", "words"),
    [
        ("html_200", {}, ["a web page instead of JSON", "Is api_url"]),
        ("html_502", {}, ["502", "Bad Gateway"]),
        ("json_500", {}, ["500 internal_server_error"]),
        ("empty", {}, ["not JSON"]),
        ("truncated_json", {}, ["not JSON"]),
        ("wrong_type", {"body": [1, 2]}, ["has no `data`, it is a list. If none has, check api_url."]),
        ("wrong_type", {"body": {"data": "text"}}, ["expected "]),
        ("wrong_type", {"body": None}, ["is nothing"]),
        ("reset_before", {}, ["connection", "broke"]),
        ("truncated", {}, ["connection", "broke"]),
        ("rate_limited", {"code": "rate_limit_exceeded"}, ["429 rate_limit_exceeded"]),
        ("forbidden", {}, ["403 forbidden"]),
        ("redirect", {"location": "http://127.0.0.2:1/steal"}, ["redirected"]),
    ],
)
def test_an_answer_that_is_no_use_is_told_in_a_line(
    simulator: Simulator, read: Read, how: str, fault: str, options: dict[str, t.Any], words: list[str]
) -> None:
    simulator.fault(fault, times=None, **options)
    assert_one_line_each(read(how), *words)
    assert len(simulator.calls()) == HOW[how]


@pytest.mark.parametrize("how", HOW)
def test_plain_http_to_another_machine_is_refused_before_a_byte_is_sent(read: Read, how: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:  # a machine of the network, as far as the address tells
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        messages = read(how, api_url=f"http://{socket.gethostname()}:{port}/api/v1")
        assert_one_line_each(messages, "is rejected, and nothing was sent", "https")
        with pytest.raises(TimeoutError):
            listener.accept()


SENSELESS: list[tuple[dict[str, t.Any], str]] = [
    ({"nam": "a", "timeout": "b"}, "Unsupported parameters for (clawhosters.cloud.claw_instance) module: nam."),
    ({}, "one of the following is required: id, name"),
    ({"id": "seven"}, "id"),
    ({"id": 1, "state": "gone"}, "value of state must be one of: started, stopped, restarted, absent"),
    ({"id": 1, "wait_timeout": -1}, "wait_timeout is -1"),
    ({"id": 1, "timeout": 0}, "timeout is 0"),
    ({"name": ""}, "name is empty"),
]
"""Options, and what is said of them."""
WRONG_ENTRIES: list[tuple[dict[str, t.Any], str]] = [
    ({"name": "demo-bot", "state": "stoped"}, "restarted, absent, got: stoped found in instances"),
    ({"id": 2, "sate": "stopped"}, "Unsupported parameters for (clawhosters.cloud.claw_fleet) module: instances.sate"),
    ({"state": "stopped"}, "one of the following is required: id, name found in instances"),
    ({"name": None}, "entry 2: it has neither id nor name"),
    ({"id": "two"}, "id"),
]
"""Entries of ``claw_fleet`` beside a right one, and what is said of them."""


def test_senseless_options_are_refused_before_anything_is_sent(simulator: Simulator, controller: Controller) -> None:
    tasks = [{"clawhosters.cloud.claw_instance": options, "ignore_errors": True} for options, _words in SENSELESS]
    for entry, _words in WRONG_ENTRIES:
        options = {"instances": [{"name": "web-bot", "state": "stopped"}, entry]}
        tasks.append({"clawhosters.cloud.claw_fleet": options, "ignore_errors": True})
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    assert "Traceback" not in run.screen
    for (options, words), result in zip([*SENSELESS, *WRONG_ENTRIES], run.all, strict=True):
        assert result["failed"], options
        assert result["msg"].isprintable(), options
        assert words in result["msg"], options
    assert simulator.calls() == []
