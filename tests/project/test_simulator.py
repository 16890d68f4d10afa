# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator itself, over real HTTP: every switch, every fault, transitions, rate limit, keys, log, process.

Nothing here waits for a clock: transitions are counted in reads, or last for an hour or not at all, and what really
is about time runs in this process with a clock of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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

    def post(self, path: str, **options: Any) -> requests.Response:
        """POST."""
        return self.call("POST", path, **options)

    def data(self, path: str, **options: Any) -> Any:
        """Returns the data of a GET, without its envelope."""
        return self.get(path, **options).json()["data"]

    def ids(self, path: str) -> list[int]:
        """The ids of one page."""
        return [record["id"] for record in self.data(path)]

    def statuses(self, number: int, reads: int) -> list[str]:
        """The status in so many GETs one after the other; `gone` for 404."""
        answers = [self.get(f"/instances/{number}") for _read in range(reads)]
        return [answer.json()["data"]["status"] if answer.ok else "gone" for answer in answers]


@pytest.fixture
def api(simulator: Simulator) -> Api:
    """A client of the simulator, with every switch at its default."""
    simulator.reset(switches=DEFAULTS | {"rate_limit": 0})
    return Api(simulator)


# --- Switches: each one's effect, seen against its default ----------------------------------------------------------


@dataclass
class Effect:
    """The results of `look` with the switch at its default, and with this value."""

    switch: str
    value: Any
    look: Callable[[Api], Any]
    by_default: Any
    switched: Any
    also: dict[str, Any] = field(default_factory=dict)


MAX_WORKERS = {"transition_seconds": 0}
NEVER = {"transition_seconds": HOUR}
ONE_READ = {"transition_reads": 1}
LIMIT_ONE = {"rate_limit": 1}


def started(api: Api) -> str:
    api.post("/instances/4/start")
    return api.statuses(4, 1)[0]


def health_after_start(api: Api) -> list[str]:
    api.post("/instances/4/start")
    return [api.data("/instances/4")["health_status"] for _read in range(3)]


def start_of_paused(api: Api) -> tuple[int, list[str], bool]:
    before = api.data("/instances/11")
    answer = api.post("/instances/11/start")
    return answer.status_code, api.statuses(11, 3), api.data("/instances/11")["ip_address"] == before["ip_address"]


def start_without_balance(api: Api) -> tuple[int, str]:
    api.simulator.set_state(balance=0)
    answer = api.post("/instances/4/start")
    return answer.status_code, answer.json()["error"]["code"]


def deleted(api: Api, number: int = 1) -> tuple[int, int, bool]:
    """Status of the answer, of the detail afterwards, and whether the list shows it."""
    status = api.call("DELETE", f"/instances/{number}").status_code
    return status, api.get(f"/instances/{number}").status_code, number in api.ids("/instances")


def pages(api: Api) -> tuple[int, list[int], bool]:
    """Length of a page of ten, the first ids of page 2, and whether there is a `pagination`."""
    answer = api.get("/instances?per_page=10&page=2").json()
    return len(answer["data"]), [record["id"] for record in answer["data"][:2]], "pagination" in answer


def second_call(api: Api) -> requests.Response:
    api.get("/account")
    return api.get("/account")


def reset_form(api: Api) -> str:
    answer = api.get("/account")
    text = answer.headers.get("X-RateLimit-Reset", "missing")
    if not text.isdigit():
        return text
    ahead = int(text) - parsedate_to_datetime(answer.headers["Date"]).timestamp()
    return "past" if -60 < ahead < 0 else {2: "delta", 10: "unix", 13: "milliseconds"}[len(text)]


def window_length(api: Api) -> int:
    answer = api.get("/account")
    seen = api.simulator.log()[-1]["at"]
    return int(int(answer.headers["X-RateLimit-Reset"]) - seen) // 10


def retry_after_form(api: Api) -> str:
    text = second_call(api).headers.get("Retry-After", "none")
    return "seconds" if text.isdigit() else "http_date" if text.endswith("GMT") else text


def remaining_after(api: Api, path: str, headers: Mapping[str, str]) -> str | None:
    for _call in range(2):
        answer = api.get(path, headers=headers)
    return answer.headers.get("X-RateLimit-Remaining")


def redirected(api: Api) -> tuple[int, str | None]:
    answer = api.get("/instances?page=2")
    location = answer.headers.get("Location", "")
    return answer.status_code, location.replace(api.simulator.origin.rpartition(":")[2], "PORT")


def details(api: Api) -> Any:
    return api.get("/instances?page=0").json()["error"]["details"]


def addon_after_patch(api: Api, body: Any) -> tuple[int, Any, Any]:
    answer = api.call("PATCH", "/addons/1", json=body)
    addon = api.data("/addons/1")
    return answer.status_code, addon["tier"], addon["usage_limit"]


def restored(api: Api) -> tuple[int, list[str]]:
    """Backup 1 is one of instance 1, which runs."""
    status = api.post("/backups/1/restore").status_code
    return status, api.statuses(1, 2)


def restore_answer(api: Api) -> str:
    body = api.post("/backups/1/restore").content
    if not body:
        return "empty"
    return "instance" if "can_start" in json.loads(body)["data"] else "backup"


def bought(api: Api) -> tuple[list[str], int]:
    before = api.data("/billing/summary")["claws_balance"]
    purchase = api.post("/billing/buy_claws", json={"package_id": 1}).json()["data"]
    return sorted(purchase), api.data("/billing/summary")["claws_balance"] - before


def days_remaining_of_an_empty_account(api: Api) -> int | None:
    api.simulator.put_state({"instances": []})
    days: int | None = api.data("/billing/summary")["days_remaining"]
    return days


def shown_statuses(api: Api) -> tuple[str, str]:
    return api.data("/instances/4")["status"], api.data("/billing/usage")["instances"][0]["status"]


def deletes_of(*numbers: int) -> Callable[[Api], list[int]]:
    return lambda api: [api.call("DELETE", f"/instances/{number}").status_code for number in numbers]


def order_of_list(api: Api) -> tuple[bool, bool]:
    """Returns True if two lists are the same; and True if they are in the order of ids."""
    first, second = api.ids("/instances"), api.ids("/instances")
    return first == second, first == list(range(1, 26))


def filtered(api: Api) -> tuple[int, ...]:
    """How many are on the first page of each filtered list."""
    queries = ("/instances?name=web", "/backups?instance_id=1", "/instances?status=RUNNING")
    return tuple(len(api.ids(query)) for query in queries)


def backups_of_first(api: Api) -> int:
    api.post("/backups/1/restore")
    return sum(backup["instance_id"] == 1 for backup in api.simulator.state()["backups"])


def backup_after_delete(api: Api) -> int:
    api.call("DELETE", "/instances/1")
    return api.get("/backups/1").status_code


def end_of_timestamp(api: Api) -> str:
    stamp = re.search(r":\d\d(Z|\.\d+Z|[+-]\d\d:\d\d)$", api.data("/instances/1")["created_at"])
    assert stamp
    return stamp[1]


def keys_of(path: str) -> Callable[[Api], list[str]]:
    def look(api: Api) -> list[str]:
        found = api.data(path)
        return sorted(found[0] if isinstance(found, list) else found)

    return look


def status_of(method: str, path: str, **options: Any) -> Callable[[Api], int]:
    return lambda api: api.call(method, path, **options).status_code


LIMIT = {"page": "must be a whole number from 1 to 1000000000"}
LIMIT_TEXT = f"page {LIMIT['page']}"
ACCOUNT = ["created_at", "email", "id"]

EFFECTS = [
    Effect("transition_seconds", 0, started, "stopped", "running", NEVER),
    Effect(
        "transition_reads",
        2,
        lambda api: [started(api), *api.statuses(4, 2)],
        ["stopped"] * 3,
        ["stopped", "stopped", "running"],
        NEVER,
    ),
    Effect("transition_shows", "busy", started, "stopped", "deploying", NEVER),
    Effect("transition_shows", "end", started, "stopped", "running", NEVER),
    Effect(
        "action_answer",
        "old",
        lambda api: api.post("/instances/4/start").json()["data"]["status"],
        "running",
        "stopped",
    ),
    Effect(
        "action_answer",
        "busy",
        lambda api: api.post("/instances/1/stop").json()["data"]["status"],
        "stopped",
        "deploying",
    ),
    Effect("health_lag_seconds", HOUR, health_after_start, ["healthy"] * 3, ["unknown"] * 3, MAX_WORKERS),
    Effect("health_lag_reads", 2, health_after_start, ["healthy"] * 3, ["unknown", "unknown", "healthy"], MAX_WORKERS),
    Effect("uppercase_statuses", True, shown_statuses, ("stopped", "running"), ("STOPPED", "RUNNING")),
    Effect("can_flags", "absent", lambda api: "can_start" in api.data("/instances/4"), True, False),
    Effect("can_flags", "all_true", lambda api: api.data("/instances/4")["can_stop"], False, True),
    Effect("can_flags", "all_false", lambda api: api.data("/instances/4")["can_start"], True, False),
    Effect(
        "start_paused",
        "resumes",
        start_of_paused,
        (422, ["paused"] * 3, True),
        (200, ["provisioning", "deploying", "running"], False),
        ONE_READ,
    ),
    Effect(
        "start_without_balance", 402, start_without_balance, (422, "unprocessable_entity"), (402, "payment_required")
    ),
    Effect("start_without_balance", 403, start_without_balance, (422, "unprocessable_entity"), (403, "forbidden")),
    Effect("delete_refused", ["running"], deletes_of(1, 59), [200, 422], [422, 200]),
    Effect("monthly_delete_blocked", False, deletes_of(6), [422], [200]),
    Effect("delete_answer", 204, deleted, (200, 404, False), (204, 404, False), MAX_WORKERS),
    Effect("delete_lingers", "detail", deleted, (200, 404, False), (200, 200, False), MAX_WORKERS),
    Effect("delete_lingers", "everywhere", deleted, (200, 404, False), (200, 200, True), MAX_WORKERS),
    Effect("deleting_in_list", False, deleted, (200, 200, True), (200, 200, False), NEVER),
    Effect("pagination", "page_only", pages, (10, [11, 12], True), (25, [26, 27], True)),
    Effect("pagination", "ignored", pages, (10, [11, 12], True), (25, [1, 2], True)),
    Effect("pagination", "none", pages, (10, [11, 12], True), (60, [1, 2], False)),
    Effect(
        "paginated",
        ["packages"],
        lambda api: ["pagination" in api.get(path).json() for path in ("/instances", "/billing/packages")],
        [True, False],
        [False, True],
    ),
    Effect("per_page_default", 7, lambda api: len(api.ids("/instances")), 25, 7),
    Effect("per_page_max", 40, lambda api: len(api.ids("/instances?per_page=50")), 50, 40),
    Effect("per_page_refused", 422, status_of("GET", "/instances?per_page=50"), 200, 422),
    Effect("per_page_refused", 400, status_of("GET", "/backups?per_page=50"), 200, 400),
    Effect("filters", "honoured", filtered, (25, 25, 25), (0, 5, 0)),
    Effect("filters", "substring", filtered, (25, 25, 25), (3, 25, 0)),
    Effect("filters", "case_insensitive", filtered, (25, 25, 25), (0, 5, 25)),
    Effect("filters", "prefix", filtered, (25, 25, 25), (3, 25, 0)),
    Effect("filters", "empty", filtered, (25, 25, 25), (0, 0, 0)),
    Effect(
        "filters",
        "inverted",
        lambda api: [one["instance_id"] for one in api.get("/backups?instance_id=1").json()["data"]].count(1),
        1,
        0,
    ),
    Effect("filters", "unrelated", filtered, (25, 25, 25), (1, 1, 1)),
    Effect("filters_refused", 422, status_of("GET", "/instances?name=web-bot"), 200, 422),
    Effect("filters_refused", 400, status_of("GET", "/addons?addon_type=llm"), 200, 400),
    Effect(
        "filters_counted",
        False,
        lambda api: api.get("/instances?name=web-bot").json()["pagination"]["total_count"],
        1,
        60,
        {"filters": "honoured"},
    ),
    Effect("list_order", "reversed", lambda api: api.ids("/instances")[:3], [1, 2, 3], [60, 59, 58]),
    Effect("list_order", "shuffled", order_of_list, (True, True), (True, False)),
    Effect("list_order", "reshuffled", order_of_list, (True, True), (False, False)),
    Effect("rate_limit", 1, lambda api: second_call(api).status_code, 200, 429),
    Effect("rate_window_seconds", 600, window_length, 6, 60, {"rate_limit": 100}),
    Effect(
        "rate_limit_code",
        "too_many",
        lambda api: second_call(api).json()["error"]["code"],
        "rate_limit_exceeded",
        "too_many",
        LIMIT_ONE,
    ),
    Effect(
        "rate_limit_code",
        None,
        lambda api: second_call(api).json()["error"]["code"],
        "rate_limit_exceeded",
        None,
        LIMIT_ONE,
    ),
    Effect(
        "rate_headers", "none", lambda api: remaining_after(api, "/account", api.headers), "8", None, {"rate_limit": 10}
    ),
    Effect(
        "rate_headers",
        "counted",
        lambda api: remaining_after(api, "/health", {}),
        "10",
        None,
        {"rate_limit": 10, "rate_counts_health": False},
    ),
    *(
        Effect("rate_reset", form, reset_form, "unix", "soon" if form == "garbage" else form, {"rate_limit": 100})
        for form in ("delta", "milliseconds", "past", "garbage", "missing")
    ),
    *(
        Effect("retry_after", form, retry_after_form, "none", "in a moment" if form == "garbage" else form, LIMIT_ONE)
        for form in ("seconds", "http_date", "garbage")
    ),
    Effect("rate_counts_health", False, lambda api: remaining_after(api, "/health", {}), "8", "10", {"rate_limit": 10}),
    Effect(
        "rate_counts_unauthorized",
        False,
        lambda api: remaining_after(api, "/account", {}),
        "8",
        "10",
        {"rate_limit": 10},
    ),
    Effect("accept_any_key", False, status_of("GET", "/account"), 200, 401),
    Effect(
        "key_format", "[a-z]+", status_of("GET", "/account", headers={"Authorization": "Bearer simsalabim"}), 401, 200
    ),
    Effect(
        "forbidden",
        ["POST /instances/*/start"],
        lambda api: [status_of("POST", f"/instances/{path}")(api) for path in ("4/start", "1/stop")],
        [200, 200],
        [403, 200],
    ),
    Effect("details_shape", "object_of_arrays", details, LIMIT, {"page": [LIMIT["page"]]}),
    Effect("details_shape", "array", details, LIMIT, [LIMIT_TEXT]),
    Effect("details_shape", "text", details, LIMIT, LIMIT_TEXT),
    Effect("details_shape", None, details, LIMIT, None),
    Effect(
        "redirect", "same_host", redirected, (200, ""), (302, "http://127.0.0.1:PORT/moved/api/v1/instances?page=2")
    ),
    Effect(
        "redirect", "other_host", redirected, (200, ""), (302, "http://localhost:PORT/moved/api/v1/instances?page=2")
    ),
    Effect("redirect_status", 308, status_of("GET", "/instances"), 302, 308, {"redirect": "same_host"}),
    Effect("content_type_required", 415, status_of("POST", "/instances/4/start"), 200, 415),
    Effect("content_type_required", 400, status_of("DELETE", "/instances/4"), 200, 400),
    Effect("trailing_slash", "accepted", status_of("GET", "/instances/"), 404, 200),
    Effect(
        "trailing_slash",
        "redirect",
        lambda api: api.get("/instances/").headers.get("Location"),
        None,
        "/api/v1/instances",
    ),
    Effect("head_allowed", True, status_of("HEAD", "/instances"), 405, 200),
    Effect("compression", "gzip", lambda api: api.get("/instances").headers.get("Content-Encoding"), None, "gzip"),
    Effect("request_id", False, lambda api: "X-Request-Id" in api.get("/instances").headers, True, False),
    Effect("create_instance", 405, status_of("POST", "/instances"), 404, 405),
    Effect("drop_fields", ["account.email"], keys_of("/account"), ACCOUNT, ["created_at", "id"]),
    Effect(
        "drop_fields",
        ["status"],
        lambda api: ["status" in api.data(path)[0] for path in ("/instances", "/backups", "/addons")],
        [True] * 3,
        [False] * 3,
    ),
    Effect(
        "add_fields", {"account.plan": "x", "instance.region": "y"}, keys_of("/account"), ACCOUNT, [*ACCOUNT, "plan"]
    ),
    Effect(
        "rename_fields",
        {"backup.instance_id": "instance.id", "backup.created_at": "taken_at"},
        lambda api: [api.data("/backups/1").get(name) for name in ("instance_id", "instance")],
        [1, None],
        [None, {"id": 1}],
    ),
    Effect(
        "id_as_string",
        True,
        lambda api: [api.data("/instances/1")["id"], api.data("/backups/1")["instance_id"]],
        [1, 1],
        ["1", "1"],
    ),
    *(
        Effect("timestamps", form, end_of_timestamp, "Z", end)
        for form, end in (("fraction", ".123Z"), ("offset", "+01:00"))
    ),
    Effect(
        "health_answer", "bare", lambda api: api.get("/health").json(), {"data": {"status": "ok"}}, {"status": "ok"}
    ),
    Effect("health_answer", "text", lambda api: api.get("/health").text, '{"data":{"status":"ok"}}', "OK"),
    Effect("health_answer", "down", status_of("GET", "/health"), 200, 503),
    Effect("low_balance_days", 100, lambda api: api.data("/billing/summary")["low_balance"], False, True),
    Effect("days_remaining_at_no_cost", 999, days_remaining_of_an_empty_account, None, 999),
    Effect(
        "usage_addon_daily_claws",
        False,
        lambda api: "daily_claws" in api.data("/billing/usage")["addons"][0],
        True,
        False,
    ),
    Effect("transactions_order", "oldest_first", lambda api: api.ids("/billing/transactions")[:2], [40, 39], [1, 2]),
    Effect("transaction_sign", "unsigned", lambda api: api.data("/billing/transactions")[0]["amount"] > 0, False, True),
    Effect(
        "purchase_answer", "credit", bought, (["checkout_url"], 0), (["claws", "claws_balance", "package_id"], 1000)
    ),
    Effect("purchase_status", 200, status_of("POST", "/billing/buy_claws", json={"package_id": 1}), 201, 200),
    Effect("addon_writable", ["tier", "model"], lambda api: addon_after_patch(api, {"model": "m"})[0], 422, 200),
    Effect(
        "addon_unknown_keys",
        "ignored",
        lambda api: addon_after_patch(api, {"tier": "premium", "colour": "red"}),
        (422, "eco", 5_000_000),
        (200, "premium", 5_000_000),
    ),
    Effect(
        "addon_body",
        "wrapped",
        lambda api: [addon_after_patch(api, body)[0] for body in ({"tier": "premium"}, {"addon": {"tier": "premium"}})],
        [200, 422],
        [422, 200],
    ),
    Effect(
        "addon_answer",
        204,
        lambda api: addon_after_patch(api, {"tier": "premium", "usage_limit": 7}),
        (200, "premium", 7),
        (204, "premium", 7),
    ),
    Effect(
        "restore_allowed",
        ["stopped"],
        restored,
        (200, ["deploying", "running"]),
        (422, ["running", "running"]),
        ONE_READ,
    ),
    *(Effect("restore_status", status, lambda api: restored(api)[0], 200, status) for status in (201, 202, 204)),
    Effect("restore_answer", "instance", restore_answer, "backup", "instance"),
    Effect("restore_answer", "empty", restore_answer, "backup", "empty"),
    Effect("restore_shows", None, restored, (200, ["deploying", "running"]), (200, ["running", "running"]), ONE_READ),
    Effect(
        "restore_shows",
        "restoring",
        restored,
        (200, ["deploying", "running"]),
        (200, ["restoring", "running"]),
        ONE_READ,
    ),
    Effect(
        "restore_ends", "stopped", restored, (200, ["deploying", "running"]), (200, ["deploying", "stopped"]), ONE_READ
    ),
    Effect("restore_ends", "error", restored, (200, ["deploying", "running"]), (200, ["deploying", "error"]), ONE_READ),
    Effect("restore_safety_copy", True, backups_of_first, 5, 6),
    Effect("backups_after_delete", "kept", backup_after_delete, 404, 200),
]

SEEN_WITH_A_CLOCK = {"rate_window"}


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: f"{effect.switch}-{effect.value}")
def test_a_switch_shows(api: Api, effect: Effect) -> None:
    common = DEFAULTS | {"rate_limit": 0} | effect.also
    if effect.switch == "rate_limit":
        common["rate_limit"] = DEFAULTS["rate_limit"]
    api.simulator.reset(switches=common)
    assert effect.look(api) == effect.by_default
    api.simulator.reset(switches=common | {effect.switch: effect.value})
    assert effect.look(api) == effect.switched
    assert effect.by_default != effect.switched


def test_every_switch_is_tried_and_described() -> None:
    assert {effect.switch for effect in EFFECTS} | SEEN_WITH_A_CLOCK == set(Switches.model_fields)
    for name, switch in Switches.model_fields.items():
        assert re.match(r"(U\d+|Contract \d)", switch.description or ""), name


def test_the_readme_lists_every_switch_and_every_fault() -> None:
    rows = set(re.findall(r"^\| `(\w+)`", README, re.MULTILINE))
    assert rows >= set(Switches.model_fields) | set(KINDS)
    for name in Switches.model_fields:
        default = json.dumps(DEFAULTS[name]).replace('"', "")
        assert f"| `{name}` | `{default}` | " in README, f"{name}: the default is {default}"


def test_the_examples_of_the_readme_work(api: Api) -> None:
    [state] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    api.simulator.put_state(yaml.safe_load(state))
    assert len(api.data("/instances")) == 5
    calls = re.findall(r"curl (-X PATCH )?http://127.0.0.1:8800/_sim(/\w+) -d '(.*)'", README)
    assert len(calls) == 3
    for patch, path, body in calls:
        api.simulator.control("PATCH" if patch else "POST", path, json.loads(body))


def test_an_unknown_switch_or_value_is_refused_with_the_name_that_was_meant(api: Api) -> None:
    with pytest.raises(SimulatorError, match="'delete_answr'; did you mean 'delete_answer'"):
        api.simulator.switch(delete_answr=204)
    with pytest.raises(SimulatorError, match=r"switch 'delete_answer': .*200 or 204.*not 205"):
        api.simulator.switch(request_id=False, delete_answer=205)
    with pytest.raises(SimulatorError, match="key_format"):
        api.simulator.switch(key_format="(")
    switches = api.simulator.control("GET", "/switches")["switches"]
    assert switches["request_id"], "all of it or nothing"


def test_switches_can_be_turned_at_run_time_and_read(api: Api) -> None:
    api.simulator.switch(rate_limit=7, rate_window_seconds=3)
    assert api.get("/account").headers["X-RateLimit-Limit"] == "7"
    found = api.simulator.control("GET", "/switches")
    assert found["switches"]["rate_limit"] == 7
    assert found["descriptions"].keys() == found["switches"].keys()


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
        answer = api.post("/instances/1/stop")
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
    assert api.statuses(1, 1) == ["stopped" if strike.effect else "running"]


def test_every_fault_is_tried() -> None:
    assert {strike.kind for strike in STRIKES} | SEEN_ON_LISTS == set(KINDS)


def test_a_truncated_answer_promises_more_than_it_sends(api: Api) -> None:
    api.simulator.fault("truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        api.get("/instances")


def test_a_fault_waits_for_its_requests_and_strikes_as_often_as_told(api: Api) -> None:
    api.simulator.fault("json_503", method="get", path="/instances/*", skip=1, times=2)
    seen = [api.get(path).status_code for path in ("/instances", "/instances/1", "/instances/1")]
    seen.append(api.post("/instances/1/stop").status_code)
    seen += [api.get("/instances/2").status_code for _call in range(2)]
    assert seen == [200, 200, 503, 200, 503, 200]


def test_faults_for_ever_queue_up_and_are_taken_away(api: Api) -> None:
    first = api.simulator.fault("json_500", times=1)
    second = api.simulator.fault("json_503", times=None)
    assert [fault["number"] for fault in api.simulator.faults()] == [first, second]
    assert [api.get("/account").status_code for _call in range(3)] == [500, 503, 503]
    assert api.simulator.faults() == [{"number": second, "matched": 2, "struck": 2, "kind": "json_503", "times": None}]
    api.simulator.control("DELETE", f"/faults/{second}")
    assert api.get("/account").status_code == 200
    api.simulator.fault("json_503", times=None)
    api.simulator.clear_faults()
    assert api.get("/account").status_code == 200


def test_a_status_fault_says_what_it_was_told(api: Api) -> None:
    details = {"name": ["is odd"]}
    api.simulator.fault("status", status=422, code="odd", message="Odd.", details=details, headers={"X-Odd": "yes"})
    answer = api.get("/account")
    assert answer.json() == {"error": {"code": "odd", "message": "Odd.", "details": details}}
    assert answer.headers["X-Odd"] == "yes"


@pytest.mark.parametrize(
    ("options", "retry_after", "reset"),
    [
        ({}, None, r"\d{10}"),
        ({"retry_after": "seconds", "seconds": 7}, r"[78]", r"\d{10}"),
        ({"retry_after": "http_date", "reset": "none"}, r"\w{3}, .* GMT", None),
        ({"retry_after": "later", "reset": "delta", "seconds": 7}, "later", r"[78]"),
        ({"reset": "milliseconds"}, None, r"\d{13}"),
        ({"reset": "past"}, None, r"\d{10}"),
        ({"reset": "garbage"}, None, "soon"),
    ],
)
def test_a_rate_limit_fault_announces_its_end_as_told(
    api: Api, options: dict[str, Any], retry_after: str | None, reset: str | None
) -> None:
    api.simulator.fault("rate_limited", **options)
    answer = api.get("/account")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    for name, expected in (("Retry-After", retry_after), ("X-RateLimit-Reset", reset)):
        text = answer.headers.get(name)
        assert text is None if expected is None else re.fullmatch(expected, text or "")
    assert api.get("/account").status_code == 200


def test_an_instance_vanishes_between_two_pages(api: Api) -> None:
    api.simulator.fault("vanish_between_pages", path="/instances")
    assert api.ids("/instances?page=1") == list(range(1, 26))
    assert api.ids("/instances?page=2")[0] == 27, "26 has slipped into the page that was read"
    assert api.get("/instances/1").status_code == 404


@pytest.mark.parametrize("path", ["/instances/1", "/billing/summary", "/nowhere"])
def test_only_a_list_that_was_shown_shifts_and_nothing_breaks_on_the_rest(api: Api, path: str) -> None:
    api.simulator.switch(compression="gzip")
    api.simulator.fault("vanish_between_pages", path=path, id=60)
    assert api.get(path).status_code in (200, 404)
    assert api.get("/instances/60").status_code == (200 if path == "/nowhere" else 404)


def test_an_instance_comes_in_between_two_pages(api: Api) -> None:
    api.simulator.remove_instance(3)
    api.simulator.fault("insert_between_pages", path="/instances")
    assert api.ids("/instances?page=1")[-1] == 26
    assert api.ids("/instances?page=2")[0] == 26, "shown twice, since number 3 has come into the page that was read"


def test_a_new_instance_shifts_a_list_with_the_newest_first(api: Api) -> None:
    api.simulator.switch(list_order="reversed")
    api.simulator.fault("insert_between_pages", path="/instances")
    assert api.ids("/instances?page=1")[-1] == 36
    assert api.ids("/instances?page=2")[0] == 36


def test_what_a_proxy_says_carries_no_header_of_the_service(api: Api) -> None:
    api.simulator.switch(rate_limit=9)
    for kind, has_headers in (("html_502", False), ("json_500", True), ("not_found", True)):
        api.simulator.fault(kind)
        headers = api.get("/account").headers
        assert ("X-RateLimit-Limit" in headers, "X-Request-Id" in headers) == (has_headers, has_headers)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "reset_befor"}, "there is no fault 'reset_befor'; did you mean 'reset_before'"),
        ({"kind": "slow", "second": 1}, "fault 'second': .*did you mean 'seconds'"),
        ({"kind": "status"}, "needs a status"),
        ({"kind": "redirect"}, "needs a location"),
        ({"kind": "slow", "times": 0}, "fault 'times'"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(api: Api, fault: dict[str, Any], message: str) -> None:
    with pytest.raises(SimulatorError, match=message):
        api.simulator.fault(**fault)


# --- Transitions ----------------------------------------------------------------------------------------------------


def test_reads_of_list_and_detail_both_move_a_transition_on(api: Api) -> None:
    api.simulator.switch(transition_reads=3)
    api.post("/instances/4/start")
    seen = [api.data("/instances/4")["status"], api.data("/instances")[3]["status"], api.data("/instances/4")["status"]]
    assert seen == ["stopped"] * 3
    api.data("/instances?page=2")
    api.data("/billing/usage")
    assert api.data("/instances")[3]["status"] == "running"


def test_the_simulators_own_eyes_do_not_count_as_reads(api: Api) -> None:
    api.simulator.switch(transition_reads=1)
    api.post("/instances/4/start")
    for _look in range(3):
        assert api.simulator.instance(4)["status"] == "stopped"
        assert api.simulator.state()["instances"][3]["_transition"]["kind"] == "start"
    assert api.statuses(4, 2) == ["stopped", "running"]
    assert api.simulator.instance(4)["_transition"] is None


def test_a_restart_shows_only_in_the_health_unless_it_is_busy(api: Api) -> None:
    api.simulator.switch(transition_reads=1)
    api.post("/instances/8/restart")
    seen = [api.data("/instances/8") for _read in range(2)]
    assert [instance["status"] for instance in seen] == ["running", "running"]
    assert [instance["health_status"] for instance in seen] == ["unknown", "healthy"]
    api.simulator.switch(transition_shows="busy")
    api.post("/instances/8/restart")
    assert api.statuses(8, 2) == ["deploying", "running"]


def test_a_stopped_instance_has_no_health(api: Api) -> None:
    api.simulator.switch(transition_reads=0)
    api.post("/instances/1/stop")
    assert api.data("/instances/1")["health_status"] == "unknown"


def test_an_instance_can_stay_ill_after_all_cures(api: Api) -> None:
    api.simulator.switch(transition_reads=0)
    api.simulator.set_instance(1, health_after="unhealthy")
    api.post("/instances/1/restart")
    assert api.data("/instances/1")["health_status"] == "unhealthy"


def test_a_deleted_instance_is_shown_deleting_and_then_gone_with_all_it_had(api: Api) -> None:
    api.simulator.switch(transition_reads=2)
    assert api.call("DELETE", "/instances/1").status_code == 200
    assert api.call("DELETE", "/instances/1").status_code == 422
    assert api.statuses(1, 3) == ["deleting", "deleting", "gone"]
    state = api.simulator.state()
    assert not [record for name in ("addons", "backups") for record in state[name] if record["instance_id"] == 1]


def test_an_action_asked_for_twice_counts_twice_and_runs_once(api: Api) -> None:
    api.simulator.switch(transition_reads=2)
    assert [api.post("/instances/4/start").status_code for _call in range(2)] == [200, 200]
    assert api.statuses(4, 3) == ["stopped", "stopped", "running"]
    assert api.simulator.effects() == {"starts": 2}
    assert api.post("/instances/4/start").status_code == 422


def test_a_restore_brings_the_old_content(api: Api) -> None:
    api.simulator.switch(transition_reads=1)
    backup = api.post("/backups/1/restore").json()["data"]
    assert backup["status"] == "restoring"
    assert api.simulator.instance(1)["_restored_from"] is None
    assert api.post("/backups/1/restore").status_code == 422
    assert api.statuses(1, 2) == ["deploying", "running"]
    assert api.simulator.instance(1)["_restored_from"] == 1
    assert api.data("/backups/1")["status"] == "completed"
    assert "_restored_from" not in api.data("/instances/1")
    assert api.simulator.effects() == {"restores": 1}


def test_a_failed_backup_or_one_of_a_deleted_instance_restores_nothing(api: Api) -> None:
    api.simulator.switch(transition_reads=0, backups_after_delete="kept")
    api.simulator.set_backup(1, status="failed")
    assert api.post("/backups/1/restore").status_code == 422
    api.simulator.set_backup(1, status="available")
    assert api.post("/backups/1/restore").status_code == 200
    api.call("DELETE", "/instances/1")
    assert api.post("/backups/1/restore").status_code == 422


@pytest.mark.parametrize("status", ["provisioning", "deploying", "paused", "deleting", "error", "deploy_failed"])
def test_a_restore_is_refused_where_the_contract_says_so(api: Api, status: str) -> None:
    api.simulator.set_instance(1, status=status)
    assert api.post("/backups/1/restore").status_code == 422


def test_an_instance_settles_only_if_told(api: Api) -> None:
    api.simulator.set_instance(1, status="deploying")
    assert api.statuses(1, 3) == ["deploying"] * 3
    api.simulator.set_instance(1, status="provisioning", settles_to="running", settles_after_reads=2)
    assert api.statuses(1, 3) == ["provisioning", "provisioning", "running"]
    assert api.data("/instances/1")["health_status"] == "healthy"
    api.simulator.set_instance(1, status="deleting", settles_to="gone", settles_after_reads=1)
    assert api.statuses(1, 2) == ["deleting", "gone"]
    api.simulator.set_instance(2, status="deploying", settles_to="error", settles_after_seconds=0)
    assert api.statuses(2, 1) == ["error"]


def test_a_status_that_a_tester_sets_ends_what_was_under_way(api: Api) -> None:
    api.simulator.switch(transition_reads=1)
    api.post("/instances/4/start")
    api.simulator.set_instance(4, status="error")
    assert api.statuses(4, 3) == ["error"] * 3


# --- Time, with a clock of its own ----------------------------------------------------------------------------------


class Clockwork:
    """The application without a server, under a clock that stands still unless it is moved."""

    def __init__(self, **switches: Any) -> None:
        self.now = 1_770_000_000.0
        self.service = Service(Seed({"instances": 5}, switches), lambda: self.now)
        self.application = Application(self.service, {})

    def call(self, method: str, path: str, key: str = REHEARSAL_KEY) -> tuple[int, dict[str, str], Any]:
        """Status, headers and content of the answer."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"authorization", f"Bearer {key}".encode())]
        scope = {
            "type": "http",
            "method": method,
            "path": f"/api/v1{path}",
            "query_string": b"",
            "headers": headers,
            "client": None,
        }
        asyncio.run(self.serve(scope, receive, send))
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], answered, json.loads(sent[1]["body"])

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        await self.application(scope, receive, send)

    def shown(self, number: int) -> tuple[str, str]:
        """Status and health."""
        instance = self.call("GET", f"/instances/{number}")[2]["data"]
        return instance["status"], instance["health_status"]


def test_a_transition_takes_its_seconds() -> None:
    clockwork = Clockwork(transition_seconds=2, health_lag_seconds=30)
    clockwork.call("POST", "/instances/4/start")
    assert clockwork.shown(4) == ("stopped", "unknown")
    clockwork.now += 1.9
    assert clockwork.shown(4) == ("stopped", "unknown")
    clockwork.now += 0.1
    assert clockwork.shown(4) == ("running", "unknown")
    clockwork.now += 30
    assert clockwork.shown(4) == ("running", "healthy")


def test_phases_that_nobody_saw_pass_all_the_same() -> None:
    clockwork = Clockwork(transition_seconds=2, health_lag_seconds=30, start_paused="resumes")
    clockwork.service.world.set_instance(1, {"status": "paused"})
    clockwork.call("POST", "/instances/1/start")
    assert clockwork.shown(1)[0] == "provisioning"
    clockwork.now += 3
    assert clockwork.shown(1)[0] == "deploying"
    clockwork.now += HOUR
    assert clockwork.shown(1) == ("running", "healthy")


def test_a_fixed_window_ends_all_at_once_and_a_sliding_one_bit_by_bit() -> None:
    for window, later in (("fixed", [200, 200, 429]), ("sliding", [200, 429, 429])):
        clockwork = Clockwork(rate_limit=2, rate_window_seconds=60, rate_window=window)
        seen = []
        for _call in range(3):
            seen.append(clockwork.call("GET", "/account")[0])
            clockwork.now += 20
        assert seen == [200, 200, 429]
        assert [clockwork.call("GET", "/account")[0] for _call in range(3)] == later


def test_a_refusal_names_the_moment_from_which_calls_are_let_in_again() -> None:
    clockwork = Clockwork(rate_limit=1, rate_window_seconds=60, retry_after="seconds")
    clockwork.call("GET", "/account")
    clockwork.now += 20
    status, headers, _content = clockwork.call("GET", "/account")
    assert (status, headers["retry-after"]) == (429, "40")
    assert int(headers["x-ratelimit-reset"]) == clockwork.now + 40
    clockwork.now += 40
    assert clockwork.call("GET", "/account")[0] == 200


def test_a_request_of_before_a_reset_does_not_touch_the_world_after_it() -> None:
    class ResetMeanwhile(Clockwork):
        async def serve(self, scope: Any, receive: Any, send: Any) -> None:
            late = asyncio.create_task(self.application(scope, receive, send))
            await asyncio.sleep(0)
            assert len(self.service.log) == 1, "it has arrived"
            self.service.reset()
            await late

    clockwork = ResetMeanwhile()
    clockwork.service.faults.add({"kind": "slow", "seconds": 0.01})
    assert clockwork.call("POST", "/instances/1/stop")[0] == 200
    assert clockwork.service.world.effects.total() == 0


def test_every_key_has_a_window_of_its_own() -> None:
    clockwork = Clockwork(rate_limit=1)
    keys = ("oc_live_first_key", "oc_live_other_key", "oc_live_first_key")
    assert [clockwork.call("GET", "/account", key)[0] for key in keys] == [200, 200, 429]


# --- Keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "status"), [("valid", 200), ("foreign", 200), ("revoked", 401), ("expired", 401)])
def test_a_listed_key_is_worth_what_the_list_says(api: Api, verdict: str, status: int) -> None:
    api.simulator.set_state(keys={"any text": verdict})
    answer = api.get("/instances", headers={"Authorization": "Bearer any text"})
    assert answer.status_code == status


def test_a_key_of_another_account_sees_nothing_of_this_one(api: Api) -> None:
    api.simulator.set_state(keys={"oc_live_of_somebody_else": "foreign"})
    headers = {"Authorization": "Bearer oc_live_of_somebody_else"}
    assert api.data("/instances", headers=headers) == []
    assert api.get("/instances/1", headers=headers).status_code == 404
    assert api.post("/instances/1/stop", headers=headers).status_code == 404
    assert api.data("/account", headers=headers) != api.data("/account")
    assert api.simulator.effects() == {}


def test_another_account_has_a_fleet_of_its_own(api: Api) -> None:
    foreign = {"instances": [{"id": 901, "name": "web-bot"}], "balance": 7}
    api.simulator.put_state({"instances": 2, "keys": {"oc_live_of_somebody_else": "foreign"}, "foreign": foreign})
    headers = {"Authorization": "Bearer oc_live_of_somebody_else"}
    assert [instance["id"] for instance in api.data("/instances", headers=headers)] == [901]
    assert [instance["id"] for instance in api.data("/instances")] == [1, 2]
    assert api.get("/instances/901").status_code == 404
    assert api.post("/instances/901/stop", headers=headers).status_code == 200
    state = api.simulator.state()
    assert state["foreign"]["effects"]["stops"] == 1
    assert state["foreign"]["balance"] == 7
    assert state["effects"]["stops"] == 0
    api.simulator.put_state(state)
    assert api.data("/instances", headers=headers)[0]["name"] == "web-bot"


def test_only_a_bearer_key_counts_and_its_scheme_may_be_in_any_case(api: Api) -> None:
    for value, status in ((f"bearer {REHEARSAL_KEY}", 200), (REHEARSAL_KEY, 401), ("Basic b2NfbGl2ZV8=", 401)):
        assert api.get("/account", headers={"Authorization": value}).status_code == status


def test_the_handle_knows_the_documented_key() -> None:
    assert Simulator.key == REHEARSAL_KEY


# --- Purchases, add-ons, bodies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, {}, {"package_id": None}, {"package_id": 99}, {"package_id": True}])
def test_buying_wants_a_package_that_exists(api: Api, body: Any) -> None:
    answer = api.post("/billing/buy_claws", json=body)
    assert answer.status_code == 422
    assert api.simulator.effects() == {}


def test_a_credited_purchase_stands_in_the_transactions(api: Api) -> None:
    api.simulator.switch(purchase_answer="credit")
    api.post("/billing/buy_claws", json={"package_id": 1})
    newest = api.data("/billing/transactions")[0]
    assert (newest["transaction_type"], newest["amount"]) == ("purchase", 1000)
    assert newest["balance_after"] == api.data("/billing/summary")["claws_balance"]


def test_patching_an_addon_changes_only_differences_and_maybe_the_price(api: Api) -> None:
    before = api.data("/addons/1")
    assert api.call("PATCH", "/addons/1", json={"tier": before["tier"]}).status_code == 200
    assert api.simulator.effects() == {}
    assert not api.simulator.log()[-1]["effect"]
    api.call("PATCH", "/addons/1", json={"tier": "premium"})
    assert api.data("/addons/1")["daily_claws"] > before["daily_claws"]
    assert api.simulator.effects() == {"patches": 1}


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({"colour": "red"}, {"colour"}),
        ({"tier": 1, "usage_limit": -1}, {"tier", "usage_limit"}),
        ({"usage_limit": True}, {"usage_limit"}),
        ({"usage_limit": 1.5}, {"usage_limit"}),
        ([], {"body"}),
    ],
)
def test_a_patch_with_wrong_values_is_answered_with_details(api: Api, body: Any, problems: set[str]) -> None:
    answer = api.call("PATCH", "/addons/1", json=body)
    assert answer.status_code == 422
    assert set(answer.json()["error"]["details"]) == problems


def test_a_renamed_addon_field_is_patched_under_its_new_name(api: Api) -> None:
    api.simulator.switch(rename_fields={"addon.usage_limit": "monthly_limit"})
    assert api.call("PATCH", "/addons/1", json={"monthly_limit": 9}).json()["data"]["monthly_limit"] == 9


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"usage_limit": NaN}', "application/json", 400),
        (b'{"tier": "\\ud800"}', "application/json", 400),
        (b"tier=premium", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_no_json_is_refused(api: Api, body: bytes, content_type: str, status: int) -> None:
    headers = api.headers | {"Content-Type": content_type}
    assert api.call("PATCH", "/addons/1", data=body, headers=headers).status_code == status
    assert api.simulator.log()[-1]["body"] == body.decode()


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
@pytest.mark.parametrize("body", [None, b"{}"])
def test_an_action_needs_no_body_and_minds_none(api: Api, headers: dict[str, str], body: bytes | None) -> None:
    assert api.post("/instances/1/stop", headers=api.headers | headers, data=body).status_code == 200


# --- Redirects and the clock ----------------------------------------------------------------------------------------


def test_a_redirect_leads_somewhere_and_shows_who_followed_it_with_the_key(api: Api) -> None:
    api.simulator.switch(redirect="other_host")
    location = api.get("/instances").headers["Location"]
    answer = requests.get(location, headers=api.headers, timeout=30)
    assert answer.status_code == 200
    first, followed = api.simulator.log()
    assert (first["status"], followed["status"]) == (302, 200)
    assert followed["headers"]["host"].startswith("localhost:")
    assert followed["headers"]["authorization"] == fingerprint(REHEARSAL_KEY)


def test_a_wrong_clock_shows_in_date_and_reset(api: Api) -> None:
    api.simulator.switch(rate_limit=10)
    right = api.get("/account").headers
    api.simulator.set_clock(HOUR)
    wrong = api.get("/account").headers
    ahead = parsedate_to_datetime(wrong["Date"]) - parsedate_to_datetime(right["Date"])
    assert ahead.total_seconds() >= HOUR
    assert int(wrong["X-RateLimit-Reset"]) - int(right["X-RateLimit-Reset"]) == HOUR


# --- The control side -----------------------------------------------------------------------------------------------


def test_the_log_tells_all_of_a_request_but_its_key(api: Api) -> None:
    api.call("PATCH", "/addons/1?dry=1", json={"tier": "premium"}, headers=api.headers | {"X-Trace": "42"})
    api.get("/nowhere", headers={})
    patched, lost = api.simulator.log()
    assert patched["number"] == 1
    assert isinstance(patched["at"], float)
    assert (patched["method"], patched["path"], patched["route"]) == ("PATCH", "/addons/1", "/addons/{id}")
    assert (patched["query"], patched["body"], patched["status"]) == ({"dry": "1"}, {"tier": "premium"}, 200)
    assert (patched["fault"], patched["effect"]) == (None, True)
    assert patched["headers"]["x-trace"] == "42"
    assert patched["headers"]["authorization"] == fingerprint(REHEARSAL_KEY)
    assert REHEARSAL_KEY not in json.dumps(api.simulator.log())
    assert (lost["path"], lost["route"], lost["status"], lost["body"]) == ("/nowhere", None, 401, None)


def test_the_log_shows_a_request_that_still_hangs_and_can_be_emptied(api: Api) -> None:
    api.simulator.fault("hang")
    with unanswered(api.simulator.origin, "GET /account"):
        log = api.simulator.log()
    assert [(entry["path"], entry["status"], entry["fault"]) for entry in log] == [("/account", None, "hang")]
    api.simulator.clear_log()
    assert api.simulator.log() == []
    api.get("/account")
    assert [entry["number"] for entry in api.simulator.log()] == [2]


def test_calls_are_picked_by_route_or_by_glob(api: Api) -> None:
    for path in ("/instances", "/instances/1", "/backups/1"):
        api.get(path)
    api.post("/instances/1/stop")
    assert api.simulator.calls() == ["GET /instances", "GET /instances/1", "GET /backups/1", "POST /instances/1/stop"]
    assert api.simulator.calls("GET /instances/{id}") == ["GET /instances/1"]
    assert api.simulator.calls("GET /instances") == ["GET /instances"]
    assert api.simulator.calls("POST *") == ["POST /instances/1/stop"]


def test_control_needs_no_key_counts_for_nothing_and_is_not_logged(api: Api) -> None:
    api.simulator.switch(rate_limit=5)
    for path in ("/log", "/state", "/switches", "/faults", "", "/instances/1"):
        api.simulator.control("GET", path)
    assert api.simulator.log() == []
    assert api.get("/account").headers["X-RateLimit-Remaining"] == "4"


def test_a_state_can_be_read_changed_and_put_back(api: Api) -> None:
    api.simulator.switch(transition_reads=0)
    api.post("/backups/1/restore")
    api.simulator.set_instance(2, can_start=True, region="moon")
    state = api.simulator.state()
    api.simulator.reset(instances=1)
    api.simulator.put_state(state)
    again = api.simulator.state()
    for name in set(state) - {"effects", "switches"}:
        assert again[name] == state[name], name
    assert api.simulator.instance(1)["_restored_from"] == 1
    assert (api.data("/instances/2")["can_start"], api.data("/instances/2")["region"]) == (True, "moon")


def test_a_state_needs_little_and_fills_in_the_rest(api: Api) -> None:
    api.simulator.reset(
        state={
            "instances": [{"name": "web-bot"}, {"id": 9, "name": "old", "status": "paused"}, {"name": "next"}],
            "backups": [{"instance": "old", "created_at": "36h ago"}],
            "addons": [{"instance_id": 1}],
            "balance": 5,
            "account": {"email": "me@example.com"},
            "subscription": {"status": "canceled", "tier": "pro"},
            "packages": [{"name": "One", "claws": 10}],
            "switches": {"per_page_default": 2},
        }
    )
    assert [instance["id"] for instance in api.data("/instances?per_page=9")] == [1, 9, 10]
    assert api.get("/instances").json()["pagination"]["per_page"] == 2
    first, old = api.data("/instances/1"), api.data("/instances/9")
    assert (first["status"], first["health_status"], first["tier"]) == ("running", "healthy", "balanced")
    assert (old["ip_address"], old["subdomain_url"]) == (None, "old.clawhosters.com")
    backup = api.data("/backups/1")
    assert (backup["instance_id"], backup["status"]) == (9, "completed")
    age = time.time() - datetime.fromisoformat(backup["created_at"].replace("Z", "+00:00")).timestamp()
    assert 36 * HOUR <= age < 37 * HOUR
    assert api.data("/addons/1")["addon_type"] == "llm"
    assert api.data("/account") == {"email": "me@example.com"}
    assert api.data("/billing/packages") == [{"id": 1, "name": "One", "claws": 10}]
    summary = api.data("/billing/summary")
    assert (summary["claws_balance"], summary["subscription_status"]) == (5, "canceled")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"instance": []}, "a state has no 'instance'; did you mean 'instances'"),
        ({"instances": [{"status": "running"}]}, "an instance needs a name"),
        ({"instances": [{"name": "a", "stauts": "running"}]}, "no field 'stauts'; did you mean 'status'"),
        ({"instances": [{"name": "a", "id": 1}, {"name": "b", "id": 1}]}, "the id 1 is taken"),
        ({"instances": [{"name": "a", "id": "1"}]}, "an id is a whole number"),
        ({"instances": [{"name": "a", "created_at": "yesterday"}]}, "'yesterday' is not a time"),
        ({"instances": [{"name": "a", "settles_after_reads": 1}]}, "need a settles_to"),
        ({"instances": ["a"]}, "a list of mappings"),
        ({"backups": [{"instance": "nobody"}]}, "needs the instance_id or instance_name"),
        ({"balance": "much"}, "whole number of Claws"),
        ({"keys": {"k": "good"}}, "valid, revoked, expired, foreign"),
        ({"switches": {"no_such": 1}}, "there is no switch 'no_such'"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused_and_changes_nothing(
    api: Api, state: dict[str, Any], message: str
) -> None:
    with pytest.raises(SimulatorError, match=message):
        api.simulator.put_state(state)
    assert len(api.simulator.state()["instances"]) == 60


def test_a_control_call_without_an_object_is_refused(api: Api) -> None:
    for method, path in (("PATCH", "/switches"), ("POST", "/faults"), ("POST", "/reset"), ("PUT", "/state")):
        with pytest.raises(SimulatorError, match="must be a JSON object"):
            api.simulator.control(method, path, [1])


def test_records_can_be_added_changed_and_removed(api: Api) -> None:
    added = api.simulator.add_instance(name="late-bot", status="stopped")
    assert added["id"] == 61
    backup = api.simulator.add_backup(instance_id=61, size_bytes=1)
    addon = api.simulator.add_addon(instance_name="late-bot", addon_type="backup")
    api.simulator.set_instance(61, name="later-bot")
    assert api.data(f"/backups/{backup['id']}")["instance_name"] == "later-bot"
    api.simulator.set_addon(addon["id"], provider="moon")
    assert api.data(f"/addons/{addon['id']}")["provider"] == "moon"
    api.simulator.control("DELETE", f"/backups/{backup['id']}")
    assert api.get(f"/backups/{backup['id']}").status_code == 404
    api.simulator.remove_instance(61)
    assert api.get(f"/addons/{addon['id']}").status_code == 404
    with pytest.raises(SimulatorError):
        api.simulator.set_instance(61, name="gone")


def test_a_flag_fixed_for_one_instance_decides_until_it_is_released(api: Api) -> None:
    api.simulator.set_instance(1, can_stop=False)
    assert api.data("/instances/1")["can_stop"] is False
    assert api.post("/instances/1/stop").status_code == 422
    api.simulator.set_instance(23, can_restart=True)
    assert api.post("/instances/23/restart").status_code == 200
    api.simulator.set_instance(1, can_stop=None)
    assert api.post("/instances/1/stop").status_code == 200


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


def test_a_reset_can_choose_another_fleet_for_once(simulator: Simulator) -> None:
    simulator.reset(instances=3, switches={"request_id": False})
    assert len(simulator.state()["instances"]) == 3
    assert "X-Request-Id" not in Api(simulator).get("/account").headers
    simulator.reset()
    assert len(simulator.state()["instances"]) == 60
    with pytest.raises(SimulatorError, match="not 'instance'"):
        simulator.control("POST", "/reset", {"instance": 3})
    with pytest.raises(SimulatorError, match="not both"):
        simulator.reset(instances=3, state={})


def test_the_generated_fleet_is_the_same_at_every_start_and_of_any_size(simulator: Simulator) -> None:
    names = {instance["name"] for instance in simulator.state()["instances"]}
    simulator.reset(instances=60)
    assert {instance["name"] for instance in simulator.state()["instances"]} == names
    simulator.reset(instances=10_000)
    state = simulator.state()
    assert len({instance["name"] for instance in state["instances"]}) == 10_000
    assert {backup["status"] for backup in state["backups"]} == {"completed", "failed"}


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
        (["--switch", "redirect=[1"], "invalid YAML"),
        (["--port", "70000"], "can't listen"),
    ],
)
def test_a_start_that_can_not_be_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    with process(*arguments) as child:
        output, errors = child.communicate(timeout=60)
    assert (child.returncode, output) == (2, "")
    assert errors.startswith("simulator: ")
    assert errors.count("\n") == 1
    assert message in errors


@pytest.mark.rest
@pytest.mark.parametrize(
    "text",
    ["- a\n- b\n", "instances: [", "instances: [{status: running}]", "when: now", "keys: [a]", "subscription: x"],
)
def test_a_bad_state_file_is_one_line_and_exit_code_2(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yml").write_text(text)
    with process("--state", str(tmp_path / "bad.yml")) as child:
        _output, errors = child.communicate(timeout=60)
    assert child.returncode == 2
    assert errors.count("\n") == 1


@pytest.mark.rest
def test_a_port_in_use_is_one_line_and_exit_code_2(simulator: Simulator) -> None:
    port = simulator.url.split(":")[2].split("/")[0]
    with process("--port", port) as child:
        output, errors = child.communicate(timeout=60)
    assert (child.returncode, output) == (2, "")
    assert re.fullmatch(rf"simulator: can't listen on 127\.0\.0\.1, port {port}: .*in use.*\n", errors)


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


@pytest.mark.rest
def test_a_handle_starts_with_all_options_and_stops_for_good() -> None:
    state = {"instances": [{"name": "only-bot"}], "keys": {"old": "expired"}}
    with Simulator(
        state=state, rate_limit=9, rate_window=5.5, keys=["mine"], switches={"rate_limit_code": None}
    ) as own:
        assert get(f"{own.url}/account", "mine").headers["X-RateLimit-Limit"] == "9"
        assert get(f"{own.url}/account").status_code == 401
        own.reset()
        assert [instance["name"] for instance in own.state()["instances"]] == ["only-bot"]
    assert own.process.returncode == 0
    own.stop()
    with pytest.raises(SimulatorError, match="didn't start"):
        Simulator(switches={"no_such": 1})
