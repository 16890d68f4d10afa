# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of the simulator that no other test would notice: a fault or a reset that does nothing, a process that stays.

test_simulator_contract.py holds its answers against the contract.
"""

from __future__ import annotations

import json
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from simulator.faults import KINDS
from simulator.handle import HOME, Simulator, SimulatorError
from simulator.keys import REHEARSAL_KEY
from simulator.switches import Switches

HOUR = 3600.0
DEFAULTS = Switches().model_dump()
README = (HOME / "simulator" / "README.md").read_text(encoding="utf-8")


class Api:
    """A client without any wits: what it gets is what the simulator sent."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.session = requests.Session()
        self.session.trust_env = False
        self.headers = {"Authorization": f"Bearer {simulator.key}"}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any request; with a good key unless other headers are given."""
        options = {"headers": self.headers, "timeout": 30, "allow_redirects": False, **options}
        answer = self.session.request(method, self.simulator.url + path, stream=True, **options)
        # urllib3 1.26 takes a body that ends too soon for a whole one, unless it is told not to.
        answer.raw.enforce_content_length = True
        with answer:
            assert answer.content is not None
        return answer

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def data(self, path: str, **options: Any) -> Any:
        """Returns the data of a GET, without its envelope."""
        return self.get(path, **options).json()["data"]


@pytest.fixture
def api(simulator: Simulator) -> Api:
    simulator.reset(switches=DEFAULTS | {"rate_limit": 0})
    return Api(simulator)


def test_the_readme_lists_every_switch_and_every_fault() -> None:
    rows = set(re.findall(r"^\| `(\w+)`", README, re.MULTILINE))
    assert rows >= set(Switches.model_fields) | set(KINDS)
    for name in Switches.model_fields:
        default = json.dumps(DEFAULTS[name]).replace('"', "")
        assert f"| `{name}` | `{default}` | " in README, f"{name}: the default is {default}"


def test_the_examples_of_the_readme_work(api: Api) -> None:
    [state] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    api.simulator.reset(state=yaml.safe_load(state))
    assert len(api.data("/instances")) == 5
    calls = re.findall(r"curl (-X PATCH )?http://127.0.0.1:8800/_sim(/\w+) \\\n +-d '(.*)'", README)
    assert len(calls) == 3
    for patch, path, body in calls:
        api.simulator.control("PATCH" if patch else "POST", path, json.loads(body))


def test_the_readme_names_switches_for_what_may_differ(api: Api) -> None:
    table = README.partition("| what differs |")[2].partition("\n\n")[0]
    settings = re.findall(r"`(\w+)=([^`]+)`", table)
    assert len(settings) > 12
    for name, value in settings:
        api.simulator.switch(**{name: yaml.safe_load(value)})


OWN = {"max_results": 5, "provider": "moon"}


@pytest.mark.parametrize(
    ("switches", "change", "path", "shown"),
    [
        ({"drop_fields": ["instances.status"]}, None, "/instances", {"status": None, "health_status": "healthy"}),
        ({"drop_fields": ["instances.status"]}, None, "/instances/1", {"status": "running"}),
        ({"status_words": {"running": "active"}}, None, "/instances/1", {"status": "active"}),
        ({"id_prefix": "bot_"}, None, "/instances/bot_1", {"id": "bot_1"}),
        ({"timestamps": "no_zone"}, None, "/instances/1", {"created_at": re.compile(r"[\d-]{10}T[\d:]{8}")}),
        ({}, {"max_results": 9}, "/addons/1", {"max_results": 9, "provider": "moon"}),
        ({"addon_patch": "nulls"}, {"max_results": 9}, "/addons/1", {"max_results": 9, "provider": None}),
        ({"addon_patch": "drops"}, {"max_results": 9}, "/addons", {"max_results": 9, "provider": None}),
        ({"addon_lag_seconds": HOUR}, {"max_results": 9}, "/addons/1", OWN),
    ],
)
def test_a_switch_changes_what_is_shown(
    api: Api, switches: dict[str, Any], change: dict[str, Any] | None, path: str, shown: dict[str, Any]
) -> None:
    api.simulator.set_addon(1, **OWN)
    api.simulator.switch(**switches, addon_writable=list(OWN))
    if change:
        assert api.call("PATCH", "/addons/1", json=change).json()["data"]["max_results"] == 9
    data = api.data(path)
    item = data[0] if isinstance(data, list) else data
    for name, value in shown.items():
        assert value.fullmatch(item[name]) if isinstance(value, re.Pattern) else item.get(name) == value
    if "id_prefix" in switches:
        assert [api.get(f"/{kind}/1").status_code for kind in ("instances", "backups", "addons")] == [404] * 3


CUT = "cut"
SILENT = "silent"


@dataclass
class Strike:
    """A fault as a client of POST /instances/1/stop sees it, and whether the instance was stopped."""

    kind: str
    seen: Any
    effect: bool
    options: dict[str, Any] = field(default_factory=dict)


def seen_by_client(api: Api) -> Any:
    """The status, and for good ones what the body is; or that the connection was cut."""
    try:
        answer = api.call("POST", "/instances/1/stop")
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return CUT
    if "html" in answer.headers.get("Content-Type", ""):
        return answer.status_code, "html"
    if not answer.content:
        return answer.status_code, ""
    try:
        content = answer.json()
    except ValueError:
        return answer.status_code, "no JSON"
    if isinstance(content, dict):
        return answer.status_code, content["error"]["code"] if "error" in content else "object"
    return answer.status_code, content


@contextmanager
def unanswered(origin: str, call: str) -> Iterator[socket.socket]:
    def arrived() -> int:
        return len(requests.get(f"{origin}/_sim/log", timeout=30).json()["requests"])

    before = arrived()
    address = urlsplit(origin)
    method, path = call.split()
    with socket.create_connection((str(address.hostname), int(address.port or 80))) as connection:
        lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {REHEARSAL_KEY}", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        until = time.monotonic() + 60
        while arrived() == before:
            assert time.monotonic() < until, "the request has not arrived"
        yield connection


STRIKES = [
    Strike("reset_before", CUT, False),
    Strike("reset_after", CUT, True),
    Strike("close_before", CUT, False),
    Strike("close_after", CUT, True),
    Strike("hang", SILENT, False),
    Strike("hang_after", SILENT, True),
    Strike("slow", (200, "object"), True, {"seconds": 0.01}),
    Strike("slow", SILENT, False, {"seconds": HOUR}),
    Strike("truncated", CUT, True),
    Strike("truncated_json", (200, "no JSON"), True),
    Strike("wrong_type", (200, []), False),
    Strike("wrong_type", (200, "moo"), True, {"body": "moo", "after_effect": True}),
    Strike("empty", (200, ""), True, {"after_effect": True}),
    Strike("html_200", (200, "html"), False),
    Strike("html_502", (502, "html"), False),
    Strike("html_503", (503, "html"), False),
    Strike("json_500", (500, "internal_server_error"), True, {"after_effect": True}),
    Strike("json_503", (503, "service_unavailable"), False),
    Strike("status", (409, "conflict"), False, {"status": 409, "code": "conflict"}),
    Strike("rate_limited", (429, "rate_limit_exceeded"), False),
    Strike("unauthorized", (401, "unauthorized"), False),
    Strike("forbidden", (403, "forbidden"), False),
    Strike("not_found", (404, "not_found"), False),
    Strike("redirect", (307, ""), True, {"location": "http://localhost/", "status": 307, "after_effect": True}),
]
SEEN_ON_LISTS = {"vanish_between_pages", "insert_between_pages"}


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: f"{strike.kind}-{strike.options}")
def test_a_fault_strikes_once_before_or_after_the_effect(api: Api, strike: Strike) -> None:
    api.simulator.switch(transition_seconds=0)
    api.simulator.fault(strike.kind, **strike.options)
    if strike.seen == SILENT:
        with unanswered(api.simulator.origin, "POST /instances/1/stop") as connection:
            assert select.select([connection], [], [], 0.05)[0] == []
    else:
        assert seen_by_client(api) == strike.seen
    assert api.simulator.effects() == ({"stops": 1} if strike.effect else {})
    entry = api.simulator.log()[0]
    assert (entry["fault"], entry["effect"]) == (strike.kind, strike.effect)
    has_answer = isinstance(strike.seen, tuple) or strike.kind == "truncated"
    assert (entry["status"] is not None) == has_answer
    assert api.simulator.faults() == []
    assert api.data("/instances/1")["status"] == ("stopped" if strike.effect else "running")


def test_every_fault_is_tried() -> None:
    assert {strike.kind for strike in STRIKES} | SEEN_ON_LISTS == set(KINDS)


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/faults", {"kind": "reset_befor"}, "there is no fault 'reset_befor'; did you mean 'reset_before'"),
        ("PATCH", "/switches", {"request_id": False, "delete_answer": 205}, "'delete_answer': .*200 or 204.*not 205"),
        ("POST", "/reset", {"state": {"instances": [{"name": "a", "stauts": ""}]}}, "'stauts'; did you mean 'stat"),
    ],
)
def test_a_control_request_that_makes_no_sense_changes_nothing(
    api: Api, method: str, path: str, body: Any, message: str
) -> None:
    with pytest.raises(SimulatorError, match=message):
        api.simulator.control(method, path, body)
    assert len(api.simulator.state()["instances"]) == 60
    assert api.simulator.control("GET", "/switches")["switches"] == DEFAULTS | {"rate_limit": 0}
    assert api.simulator.faults() == []


def test_every_key_has_a_window_of_its_own(api: Api) -> None:
    api.simulator.switch(rate_limit=1, rate_window_seconds=HOUR)
    keys = ("oc_live_first_key", "oc_live_other_key", "oc_live_first_key")
    answers = [api.get("/account", headers={"Authorization": f"Bearer {key}"}) for key in keys]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_a_reset_undoes_everything(simulator: Simulator) -> None:
    api = Api(simulator)
    start = simulator.control("GET", "/switches")
    simulator.switch(rate_limit=1, redirect="same_host", transition_seconds=0)
    simulator.fault("json_500", times=None)
    simulator.set_clock(99)
    simulator.set_state(keys={REHEARSAL_KEY: "revoked"}, balance=1)
    simulator.set_instance(1, status="error")
    api.get("/instances")
    simulator.reset()
    assert simulator.control("GET", "/switches") == start
    assert (simulator.faults(), simulator.log(), simulator.effects()) == ([], [], {})
    assert api.get("/instances").status_code == 200
    assert api.data("/instances/1")["status"] == "running"
    assert simulator.log()[0]["number"] == 1


@contextmanager
def process(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "simulator", *arguments]
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(command, env={"PYTHONPATH": str(HOME)}, **options)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def get(url: str, key: str = REHEARSAL_KEY, **options: Any) -> requests.Response:
    """A GET of another simulator than the shared one."""
    return requests.get(url, headers={"Authorization": f"Bearer {key}"}, **{"timeout": 30} | options)


@pytest.mark.rest
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_line_is_the_url_and_a_signal_always_ends_it(number: signal.Signals) -> None:
    with process("--instances", "3") as child:
        assert child.stdout
        url = child.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v1", url)
        assert len(get(f"{url}/instances").json()["data"]) == 3
        origin = url.removesuffix("/api/v1")
        requests.post(f"{origin}/_sim/faults", json={"kind": "hang"}, timeout=30)
        with unanswered(origin, "GET /account"):
            child.send_signal(number)
            output, errors = child.communicate(timeout=30)
        assert (child.returncode, output, errors) == (0, "", "")


@pytest.mark.rest
def test_options_of_the_command_line_take_hold(tmp_path: Path) -> None:
    state = tmp_path / "state.yml"
    state.write_text("instances:\n  - name: only-bot\n    created_at: 2026-01-02 03:04:05\nkeys: {rotten: revoked}\n")
    options = ["--plain", "--switch", "keep_fields={instances: [created_at]}", "--rate-limit=3", "--rate-window=5"]
    options += ["--transition-seconds", "0", "--verbose", "--switch", "delete-answer=204", "--key", "mine"]
    with process("--state", str(state), *options) as child:
        assert child.stdout
        assert child.stderr
        url = child.stdout.readline().strip()
        answer = get(f"{url}/instances", "mine")
        assert answer.json() == {"data": [{"created_at": "2026-01-02T03:04:05Z"}]}
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert [get(f"{url}/account", key).status_code for key in ("rotten", REHEARSAL_KEY)] == [401, 401]
        switches = requests.get(url.replace("/api/v1", "/_sim/switches"), timeout=30).json()["switches"]
        assert switches | {"rate_window_seconds": 5, "transition_seconds": 0, "delete_answer": 204} == switches
        assert re.fullmatch(r"\d\d:\d\d:\d\d #1 GET /instances -> 200\n", child.stderr.readline())


@pytest.mark.rest
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--state", "no/such/file.yml"], "No such file"),
        (["--switch", "redirct=none"], "did you mean 'redirect'"),
        (["--state", "bad.yml"], "bad.yml"),
    ],
)
def test_a_start_that_can_not_be_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "bad.yml").write_text("instances: [")
    with process(*arguments, cwd=tmp_path) as child:
        output, errors = child.communicate(timeout=60)
    assert (child.returncode, output) == (2, "")
    assert errors.startswith("simulator: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_the_child_leaves_with_its_parent() -> None:
    parent = (
        "import os, sys; sys.path.insert(0, sys.argv[1]);"
        "from simulator.handle import Simulator;"
        "print(Simulator(instances=1).url, flush=True); os._exit(1)"
    )
    command = [sys.executable, "-c", parent, str(HOME)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 1
    address = urlsplit(done.stdout.strip())
    until = time.monotonic() + 60
    while _listens(str(address.hostname), int(address.port or 80)):
        assert time.monotonic() < until, "the simulator has outlived the process that started it"
        time.sleep(0.05)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
