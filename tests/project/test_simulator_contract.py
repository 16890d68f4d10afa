# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator's answers against the contract: fields, flags and errors.

The lists of names below are written out a second time on purpose; they come from the contract, not from the simulator.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from simulator.api import build_api
from simulator.handle import Simulator
from simulator.switches import plain
from support.controller import REPOSITORY

LISTED = (
    "id:int name:str status:str tier:str billing_mode:str ip_address:str? health_status:str created_at:str "
    "provisioned_at:str?"
)
POWER = "can_start:bool can_stop:bool can_restart:bool"
DETAILED = f"{LISTED} {POWER} subdomain_url:str daily_claw_cost:int llm_configured:bool telegram_configured:bool"
ACTED = f"id:int name:str status:str tier:str {POWER}"
ADDON = (
    "id:int addon_type:str instance_id:int instance_name:str tier:str status:str current_usage:int usage_limit:int? "
    "daily_claws:int created_at:str"
)
BACKUP = (
    "id:int instance_id:int instance_name:str status:str size_bytes:int backup_type:str created_at:str expires_at:str"
)
ANSWERS = {
    "GET /instances": LISTED,
    "GET /instances/1": DETAILED,
    "POST /instances/1/stop": ACTED,
    "POST /instances/1/restart": ACTED,
    "POST /instances/4/start": ACTED,
    "DELETE /instances/1": DETAILED,
    "GET /billing/summary": "claws_balance:int daily_claw_cost:int days_remaining:int? low_balance:bool "
    "subscription_status:str? subscription_tier:str instances_count:int running_instances_count:int",
    "GET /billing/usage": "daily_total:int instances:list addons:list",
    # Guesses of the contract (U15 to U20): by default the simulator shows just these.
    "GET /health": "status:str",
    "GET /account": "id:int email:str created_at:str",
    "GET /billing/transactions": "id:int transaction_type:str amount:int balance_after:int description:str "
    "created_at:str",
    "GET /billing/packages": "id:int name:str claws:int price_cents:int currency:str",
    "POST /billing/buy_claws": "checkout_url:str",
    "GET /addons": ADDON,
    "GET /addons/1": ADDON,
    "PATCH /addons/1": ADDON,
    "GET /backups": BACKUP,
    "GET /backups/1": BACKUP,
    "POST /backups/1/restore": BACKUP,
}
"""The fields of each object, or of the objects of a list, with their types; there is no other. ``?``: or null."""
USAGE = {
    "instances": "id:int name:str tier:str daily_claws:int status:str billing_mode:str",
    "addons": "id:int addon_type:str instance_name:str tier:str current_usage:int usage_limit:int? daily_claws:int",
}
BODIES = {"POST /billing/buy_claws": {"package_id": 1}, "PATCH /addons/1": {"usage_limit": 7}}


PLAIN_ANSWERS = dict.fromkeys(ANSWERS, "id:int") | {
    "GET /instances": "id:int name:str",
    "GET /instances/1": "id:int name:str",
    "GET /billing/summary": "",
    "GET /billing/usage": "",
    "GET /health": "status:str",
    **dict.fromkeys(("GET /addons", "GET /addons/1"), "id:int tier:str"),
    **dict.fromkeys(("GET /backups", "GET /backups/1"), "id:int instance_id:int created_at:str"),
    **dict.fromkeys((line for line in ANSWERS if not line.startswith("GET")), "message:str"),
}
"""The overview alone: what a change answers is a message."""


def call(simulator: Simulator, method: str, path: str, **options: Any) -> requests.Response:
    options.setdefault("headers", {"Authorization": f"Bearer {simulator.key}"})
    return requests.request(method, simulator.url + path, timeout=30, **options)


def data(simulator: Simulator, method: str, path: str, **options: Any) -> Any:
    """Returns the data of a good answer, without its envelope."""
    answer = call(simulator, method, path, **options)
    assert answer.ok, answer.text
    return answer.json()["data"]


def fits(item: dict[str, Any], fields: str) -> bool:
    """Returns True if an object has exactly these fields, with values of these types."""
    types: dict[str, str] = dict(field.split(":") for field in fields.split())
    found = {name: type(value).__name__ for name, value in item.items()}
    return found.keys() == types.keys() and all(
        found[name] == types[name].rstrip("?") or (types[name].endswith("?") and item[name] is None) for name in types
    )


@pytest.mark.parametrize("request_line", ANSWERS)
def test_an_answer_has_the_fields_of_the_contract(simulator: Simulator, request_line: str) -> None:
    method, path = request_line.split()
    found = data(simulator, method, path, json=BODIES.get(request_line))
    assert found
    for item in found if isinstance(found, list) else [found]:
        assert fits(item, ANSWERS[request_line]), item
    for name, fields in USAGE.items() if path == "/billing/usage" else ():
        assert all(fits(entry, fields) for entry in found[name]), found[name]


@pytest.mark.parametrize("request_line", PLAIN_ANSWERS)
def test_plain_shows_what_the_overview_names_and_no_more(simulator: Simulator, request_line: str) -> None:
    method, path = request_line.split()
    simulator.switch(**plain(), per_page_default=60)
    simulator.set_instance(1, region="moon")
    answer = call(simulator, method, path, json=BODIES.get(request_line)).json()
    assert ("pagination" in answer) == (path in ("/backups", "/addons"))
    found = answer["data"]
    assert all(fits(item, PLAIN_ANSWERS[request_line]) for item in (found if isinstance(found, list) else [found]))


ALLOWED = {"running": ("stop", "restart"), "stopped": ("start",)}
"""The actions that a status allows. The other ones allow none."""
STATUSES = ("deleting", "paused", "pending_configuration", "provisioning", "deploying", "error", "deploy_failed")


@pytest.mark.parametrize("status", [*ALLOWED, *STATUSES])
def test_flags_and_refusals_follow_the_table_of_the_contract(simulator: Simulator, status: str) -> None:
    for action in ("start", "stop", "restart"):
        simulator.set_instance(1, status=status)
        is_allowed = action in ALLOWED.get(status, ())
        assert data(simulator, "GET", "/instances/1")[f"can_{action}"] is is_allowed
        answer = call(simulator, "POST", f"/instances/1/{action}")
        assert answer.status_code == (200 if is_allowed else 422)
        assert is_allowed or answer.json()["error"]["code"] == "unprocessable_entity"


@pytest.mark.parametrize(
    ("method", "path", "key", "status", "code"),
    [
        ("GET", "/instances", None, 401, "unauthorized"),
        ("GET", "/instances", "sk_live_something_else", 401, "unauthorized"),
        ("GET", "/instances", "oc_live_short", 401, "unauthorized"),
        ("GET", "/nowhere", None, 401, "unauthorized"),
        ("PUT", "/instances", None, 401, "unauthorized"),
        ("GET", "/nowhere", Simulator.key, 404, "not_found"),
        ("GET", "/instances/999", Simulator.key, 404, "not_found"),
        ("GET", "/instances/web-bot", Simulator.key, 404, "not_found"),
        ("GET", "/instances/007", Simulator.key, 404, "not_found"),
        ("GET", f"/instances/{'9' * 5000}", Simulator.key, 404, "not_found"),
        ("GET", "/instances/", Simulator.key, 404, "not_found"),
        ("POST", "/instances", Simulator.key, 404, "not_found"),
        ("POST", "/instances/999/start", Simulator.key, 404, "not_found"),
        ("PATCH", "/addons/999", Simulator.key, 404, "not_found"),
        ("POST", "/backups/999/restore", Simulator.key, 404, "not_found"),
        ("POST", "/instances/1/start", Simulator.key, 422, "unprocessable_entity"),
        ("POST", "/backups/174/restore", Simulator.key, 422, "unprocessable_entity"),  # a failed backup
        ("POST", "/backups/31/restore", Simulator.key, 422, "unprocessable_entity"),  # of a paused instance
        ("PUT", "/instances/1", Simulator.key, 405, "method_not_allowed"),
    ],
)
def test_an_error_comes_in_its_envelope(
    simulator: Simulator, method: str, path: str, key: str | None, status: int, code: str
) -> None:
    answer = call(simulator, method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert answer.headers["Content-Type"] == "application/json"


def test_the_guide_lists_every_endpoint_and_no_other() -> None:
    guide = (REPOSITORY / "docs/contract.md").read_text(encoding="utf-8")
    routes = [f"{method} {route.path_format}" for route in build_api().routes for method in route.methods]
    assert sorted(re.findall(r"^\| `([A-Z]+ /\S+)` \|", guide, re.MULTILINE)) == sorted(routes)
    assert len(routes) == 19
