# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of the simulator that no other test would notice: a switch, a fault or a count that does nothing.

Each answer is held against the OpenAPI document; test_simulator_contract.py holds that against the contract.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import re
import select
import signal
import socket
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import requests
import yaml

from simulator.app import Application
from simulator.exchange import fingerprint
from simulator.faults import KINDS
from simulator.handle import HOME, Simulator, SimulatorError
from simulator.keys import REHEARSAL_KEY
from simulator.service import Seed, Service
from simulator.switches import Switches

HOUR = 3600.0
BEGIN = 1_770_000_000.0
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
        """GET."""
        return self.call("GET", path, **options)

    def data(self, path: str, **options: Any) -> Any:
        """Returns the data of a GET, without its envelope."""
        return self.get(path, **options).json()["data"]


@pytest.fixture
def api(simulator: Simulator) -> Api:
    """A client of the simulator, with every switch at its default."""
    simulator.reset(switches=DEFAULTS | {"rate_limit": 0})
    return Api(simulator)


class Clockwork:
    """The application without a server, under a clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.service = Service(Seed({"instances": 5}, {}), lambda: self.now)
        self.application = Application(self.service, {})

    async def serve(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        """One request."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        path, _mark, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": f"/api/v1{path}",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": None,
        }
        await self.application(scope, receive, send)
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent)


# --- Switches -------------------------------------------------------------------------------------------------------

CALLS: list[tuple[Any, ...]] = [
    *(("GET", "/account", None, {"authorization": f"Bearer {key}"}) for key in ("simsalabim", "oc_live_of_a_stranger")),
    ("GET", "/health", None, {}),
    ("GET", "/account", None, {}),
    ("GET", "/account", None, {"accept-encoding": "gzip"}),
    *(
        ("GET", f"/instances{query}")
        for query in ("", "?page=0", "?page=9", "?per_page=10&page=2", "?per_page=500", "/", "/99")
    ),
    *(("GET", path) for path in ("/instances?page=2", "/instances?page=2")),
    *(("GET", path) for path in ("/backups", "/backups/1", "/addons", "/addons/1")),
    *(("GET", f"/billing/{path}") for path in ("summary", "usage", "transactions", "packages")),
    ("HEAD", "/instances"),
    ("POST", "/instances", {}),
    *(("DELETE", f"/instances/{number}", {}) for number in (6, 59, 1)),
    ("GET", "/instances"),
    *(
        call
        for path in ("instances/4/start", "instances/11/start", "instances/2/stop", "instances/8/restart")
        for call in (("POST", f"/{path}", {}), ("GET", f"/{path.rpartition('/')[0]}"))
    ),
    ("POST", "/backups/9/restore", {}),
    ("GET", "/instances/12"),
    ("POST", "/instances/24/start"),
    *(("PATCH", "/addons/3", body) for body in ({"model": "m"}, {"tier": "premium", "colour": "red"})),
    *(("PATCH", "/addons/3", body) for body in ({"addon": {"usage_limit": 8}}, {"tier": "premium", "usage_limit": 7})),
    ("POST", "/billing/buy_claws", {"package_id": 1}),
    *(("GET", f"/instances/{number}") for number in (1, 2, 4, 8, 11, 12) * 4),
    *(("GET", path) for path in ("/instances", "/backups", "/addons/3", "/backups/1", "/billing/summary")),
    ("GET", "/billing/transactions"),
]
"""Method, path, and where they are not the usual ones: body and headers. Half a second passes after each."""

ALSO: dict[str, dict[str, Any]] = {
    "redirect_status": {"redirect": "same_host"},
    "rate_headers": {"rate_counts_health": False},
    "rate_limit_code": {"rate_limit": 3},
    "retry_after": {"rate_limit": 3},
    "rate_window": {"rate_limit": 9, "rate_window_seconds": 7},
}
"""Switches that show only with others."""

STATES: dict[str, Any] = {"start_without_balance": {"balance": 0}, "days_remaining_at_no_cost": {"instances": []}}
"""What the account has where a switch shows only then."""

VALUES: dict[str, list[Any]] = {
    "transition_seconds": [0, HOUR],
    "transition_reads": [0, 2],
    "health_lag_seconds": [HOUR],
    "health_lag_reads": [3],
    "delete_refused": [["running"]],
    "paginated": [["packages"], ["instances"]],
    "per_page_default": [7],
    "per_page_max": [40],
    "rate_limit": [0, 1],
    "rate_window_seconds": [600],
    "rate_limit_code": ["too_many", None],
    "key_format": ["[a-z]+"],
    "forbidden": [["POST /instances/*/start"], ["/backups"]],
    "drop_fields": [["account.email"], ["status"]],
    "add_fields": [{"account.plan": "x"}],
    "rename_fields": [{"backup.instance_id": "instance.id", "backup.created_at": "taken_at"}],
    "low_balance_days": [1000],
    "days_remaining_at_no_cost": [999],
    "addon_writable": [["tier", "usage_limit", "model"]],
    "restore_allowed": [["stopped"]],
    "restore_shows": [None, "restoring"],
    "restore_ends": ["stopped", "error"],
}
"""Values of the switches that take any number, text or list."""


def values_of(name: str) -> list[Any]:
    """Returns values of a switch other than the default, all of them if they are listed."""

    def choices(kind: Any) -> list[Any]:
        if kind is bool:
            return [True, False]
        if t.get_origin(kind) is t.Literal:
            return list(kind.__args__)
        return [one for part in t.get_args(kind) for one in choices(part)]

    choice = choices(Switches.model_fields[name].annotation)
    return VALUES.get(name) or [value for value in choice if value != DEFAULTS[name]]


one_clockwork = functools.cache(Clockwork)


def answers(state: dict[str, Any], switches: dict[str, Any]) -> list[tuple[int, dict[str, str], bytes]]:
    """Returns status, headers and body of each answer to ``CALLS``."""

    async def call_all() -> list[tuple[int, dict[str, str], bytes]]:
        clockwork = one_clockwork()
        clockwork.now = BEGIN
        clockwork.service.reset(state={"instances": 60, **state}, switches=switches)
        seen = []
        for method, path, *rest in CALLS:
            body, headers = [*rest, None, None][:2]
            content = b"" if body is None else json.dumps(body).encode()
            usual = {"authorization": f"Bearer {REHEARSAL_KEY}"}
            usual |= {} if body is None else {"content-type": "application/json"}
            seen.append(await clockwork.serve(method, path, content, usual if headers is None else headers))
            clockwork.now += 0.5
        return seen

    return asyncio.run(call_all())


@pytest.mark.parametrize("name", Switches.model_fields)
def test_each_value_of_a_switch_has_answers_of_its_own(name: str) -> None:
    values = [DEFAULTS[name], *values_of(name)]
    seen = [answers(STATES.get(name, {}), {**ALSO.get(name, {}), name: value}) for value in values]
    pairs = itertools.combinations(zip(values, seen, strict=True), 2)
    alike = [(one, two) for (one, answers_of_one), (two, answers_of_two) in pairs if answers_of_one == answers_of_two]
    assert alike == []


def test_every_answer_is_as_the_document_says() -> None:
    document = one_clockwork().application.document
    validate = functools.partial(jsonschema.validate, cls=jsonschema.Draft202012Validator)
    described = set()
    for call, (status, headers, body) in zip(CALLS, answers({}, {}), strict=True):
        route = re.sub(r"/\d+", "/{id}", call[1].partition("?")[0])
        operation = document["paths"].get(route, {}).get(call[0].lower())
        if operation is None or status == 401:
            continue
        described.add((call[0], route, status))
        answer = operation["responses"][str(status)]
        assert answer["headers"].keys() <= {name.title().replace("Ratelimit", "RateLimit") for name in headers}
        schema = answer["content"]["application/json"]["schema"]
        validate(json.loads(body), {**schema, "components": document["components"]})
    # All but the list of one add-on type, and the answers to errors of the service.
    assert {(method, route) for method, route, _status in described} == {
        (method.upper(), route) for route, methods in document["paths"].items() for method in methods
    }
    assert {status for _method, _route, status in described} == {200, 201, 404, 422}


def test_the_readme_lists_every_switch_and_every_fault() -> None:
    rows = set(re.findall(r"^\| `(\w+)`", README, re.MULTILINE))
    assert rows >= set(Switches.model_fields) | set(KINDS)
    for name, switch in Switches.model_fields.items():
        assert re.match(r"(U\d+|Contract \d)", switch.description or ""), name
        default = json.dumps(DEFAULTS[name]).replace('"', "")
        assert f"| `{name}` | `{default}` | " in README, f"{name}: the default is {default}"


def test_the_examples_of_the_readme_work(api: Api) -> None:
    [state] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    api.simulator.put_state(yaml.safe_load(state))
    assert len(api.data("/instances")) == 5
    calls = re.findall(r"curl (-X PATCH )?http://127.0.0.1:8800/_sim(/\w+) \\\n +-d '(.*)'", README)
    assert len(calls) == 3
    for patch, path, body in calls:
        api.simulator.control("PATCH" if patch else "POST", path, json.loads(body))


# --- Faults ---------------------------------------------------------------------------------------------------------

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
    """The connection of a request that has arrived."""

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
    Strike("hang", CUT, False, {"seconds": 0}),
    Strike("hang_after", CUT, True, {"seconds": 0}),
    Strike("slow", (200, "object"), True, {"seconds": 0.01}),
    Strike("slow", SILENT, False, {"seconds": HOUR}),
    Strike("slow", SILENT, True, {"seconds": HOUR, "after_effect": True}),
    Strike("truncated", CUT, True),
    Strike("truncated_json", (200, "no JSON"), True),
    Strike("wrong_type", (200, []), False),
    Strike("wrong_type", (200, "moo"), True, {"body": "moo", "after_effect": True}),
    Strike("wrong_type", (200, None), False, {"body": None}),
    Strike("empty", (200, ""), False),
    Strike("empty", (200, ""), True, {"after_effect": True}),
    Strike("html_200", (200, "html"), False),
    Strike("html_502", (502, "html"), False),
    Strike("html_502", (502, "html"), True, {"after_effect": True}),
    Strike("html_503", (503, "html"), False),
    Strike("json_500", (500, "internal_server_error"), False),
    Strike("json_500", (500, "internal_server_error"), True, {"after_effect": True}),
    Strike("json_503", (503, "service_unavailable"), False),
    Strike("status", (409, "conflict"), False, {"status": 409, "code": "conflict"}),
    Strike("rate_limited", (429, "rate_limit_exceeded"), False),
    Strike("rate_limited", (429, None), False, {"code": None}),
    Strike("unauthorized", (401, "unauthorized"), False),
    Strike("forbidden", (403, "forbidden"), False),
    Strike("not_found", (404, "not_found"), False),
    Strike("redirect", (302, ""), False, {"location": "http://localhost/"}),
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
        ("POST", "/faults", {"kind": "slow", "second": 1}, "fault 'second': .*did you mean 'seconds'"),
        ("POST", "/faults", {"kind": "status"}, "needs a status"),
        ("PATCH", "/switches", {"delete_answr": 204}, "'delete_answr'; did you mean 'delete_answer'"),
        ("PATCH", "/switches", {"request_id": False, "delete_answer": 205}, "'delete_answer': .*200 or 204.*not 205"),
        ("PATCH", "/switches", {"key_format": "("}, "key_format"),
        ("PATCH", "/switches", [1], "must be a JSON object"),
        ("PUT", "/state", {"instance": []}, "a state has no 'instance'; did you mean 'instances'"),
        ("PUT", "/state", {"instances": [{"name": "a", "stauts": "running"}]}, "no field 'stauts'; did you mean 'stat"),
        ("PUT", "/state", {"instances": [{"name": "a", "id": 1}, {"name": "b", "id": 1}]}, "the id 1 is taken"),
        ("PUT", "/state", {"instances": [{"name": "a", "created_at": "yesterday"}]}, "'yesterday' is not a time"),
        ("PUT", "/state", {"backups": [{"instance": "nobody"}]}, "needs the instance_id or instance_name"),
        ("PUT", "/state", {"keys": {"k": "good"}}, "valid, revoked, expired, foreign"),
        ("POST", "/reset", {"instance": 3}, "not 'instance'"),
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


# --- Keys, clocks, and what a reset undoes --------------------------------------------------------------------------


def test_a_request_of_before_a_reset_does_not_touch_the_world_after_it() -> None:
    clockwork = Clockwork()
    clockwork.service.faults.add({"kind": "slow", "seconds": 0.01})

    async def reset_meanwhile() -> int:
        headers = {"authorization": f"Bearer {REHEARSAL_KEY}"}
        late = asyncio.create_task(clockwork.serve("POST", "/instances/1/stop", b"", headers))
        await asyncio.sleep(0)
        assert len(clockwork.service.log) == 1, "it has arrived"
        clockwork.service.reset()
        return (await late)[0]

    assert asyncio.run(reset_meanwhile()) == 200
    assert clockwork.service.world.effects.total() == 0


@pytest.mark.parametrize(("window", "later"), [("fixed", [200, 200, 429]), ("sliding", [200, 429, 429])])
def test_a_fixed_window_ends_at_once_and_a_sliding_one_bit_by_bit(window: str, later: list[int]) -> None:
    clockwork = Clockwork()
    clockwork.service.reset(switches={"rate_limit": 2, "rate_window_seconds": 60, "rate_window": window})

    def read() -> int:
        key = {"authorization": f"Bearer {REHEARSAL_KEY}"}
        return asyncio.run(clockwork.serve("GET", "/account", b"", key))[0]

    seen = []
    for _call in range(3):
        seen.append(read())
        clockwork.now += 20
    assert seen == [200, 200, 429]
    assert [read() for _call in range(3)] == later


def test_every_key_has_a_window_of_its_own(api: Api) -> None:
    api.simulator.switch(rate_limit=1, rate_window_seconds=HOUR)
    keys = ("oc_live_first_key", "oc_live_other_key", "oc_live_first_key")
    answers = [api.get("/account", headers={"Authorization": f"Bearer {key}"}) for key in keys]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_a_wrong_clock_shows_in_date_and_reset(api: Api) -> None:
    api.simulator.switch(rate_limit=10)
    right = api.get("/account").headers
    api.simulator.set_clock(HOUR)
    wrong = api.get("/account").headers
    assert parsedate_to_datetime(wrong["Date"]) - parsedate_to_datetime(right["Date"]) >= timedelta(seconds=HOUR)
    assert int(wrong["X-RateLimit-Reset"]) - int(right["X-RateLimit-Reset"]) == HOUR


def test_a_redirect_leads_somewhere_and_shows_who_followed_it_with_the_key(api: Api) -> None:
    api.simulator.switch(redirect="other_host")
    location = api.get("/instances").headers["Location"]
    answer = requests.get(location, headers=api.headers, timeout=30)
    assert answer.status_code == 200
    first, followed = api.simulator.log()
    assert (first["status"], followed["status"]) == (302, 200)
    assert followed["headers"]["host"].startswith("localhost:")
    assert followed["headers"]["authorization"] == fingerprint(REHEARSAL_KEY)


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


# --- The process ----------------------------------------------------------------------------------------------------


@contextmanager
def process(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A simulator from the command line."""
    child = subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(HOME)},
        **options,
    )
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
        with ExitStack() as connections:
            idle = connections.enter_context(requests.Session())
            idle.get(f"{url}/health", timeout=30)
            for kind in ("hang", "hang_after", "slow"):
                requests.post(f"{origin}/_sim/faults", json={"kind": kind, "seconds": HOUR}, timeout=30)
                connections.enter_context(unanswered(origin, "GET /account"))
            child.send_signal(number)
            output, errors = child.communicate(timeout=30)
        assert (child.returncode, output, errors) == (0, "", "")


@pytest.mark.rest
def test_options_of_the_command_line_take_hold(tmp_path: Path) -> None:
    state = tmp_path / "state.yml"
    state.write_text("instances:\n  - name: only-bot\n    created_at: 2026-01-02 03:04:05\nkeys: {rotten: revoked}\n")
    options = ["--rate-limit", "3", "--rate-window=5", "--transition-seconds", "0", "--verbose"]
    with process("--state", str(state), *options, "--switch", "delete-answer=204", "--key", "mine") as child:
        assert child.stdout
        assert child.stderr
        url = child.stdout.readline().strip()
        answer = get(f"{url}/instances", "mine")
        assert answer.json()["data"][0]["created_at"] == "2026-01-02T03:04:05Z"
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert [get(f"{url}/account", key).status_code for key in ("rotten", REHEARSAL_KEY)] == [401, 401]
        switches = requests.get(url.replace("/api/v1", "/_sim/switches"), timeout=30).json()["switches"]
        assert [switches[name] for name in ("rate_window_seconds", "transition_seconds", "delete_answer")] == [
            5,
            0,
            204,
        ]
        assert re.fullmatch(r"\d\d:\d\d:\d\d #1 GET /instances -> 200\n", child.stderr.readline())


@pytest.mark.rest
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--state", "no/such/file.yml"], "No such file"),
        (["--switch", "redirct=none"], "did you mean 'redirect'"),
        (["--switch", "redirect"], "NAME=VALUE"),
        (["--port", "70000"], "can't listen"),
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
    done = subprocess.run(
        [sys.executable, "-c", parent, str(HOME)], stdout=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    address = urlsplit(done.stdout.strip())
    until = time.monotonic() + 60
    while _listens(str(address.hostname), int(address.port or 80)):
        assert time.monotonic() < until, "the simulator has outlived the process that started it"
        time.sleep(0.05)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
