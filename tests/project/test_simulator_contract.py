# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator against the contract: routes, fields and headers, in its OpenAPI document and in its answers.

The lists of names below are written out a second time on purpose; they come from the contract, not from the simulator.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator.handle import Simulator

ROUTES = {
    "get /health": "One_Health_",
    "get /account": "One_Account_",
    "get /instances": "Page_ListedInstance_",
    "get /instances/{id}": "One_Instance_",
    "delete /instances/{id}": "One_Instance_",
    "post /instances/{id}/start": "One_ActedInstance_",
    "post /instances/{id}/stop": "One_ActedInstance_",
    "post /instances/{id}/restart": "One_ActedInstance_",
    "get /billing/summary": "One_Summary_",
    "get /billing/usage": "One_Usage_",
    "get /billing/transactions": "Page_Transaction_",
    "get /billing/packages": "Everything_Package_",
    "post /billing/buy_claws": "One_Purchase_",
    "get /addons": "Page_Addon_",
    "get /addons/{id}": "One_Addon_",
    "patch /addons/{id}": "One_Addon_",
    "get /backups": "Page_Backup_",
    "get /backups/{id}": "One_Backup_",
    "post /backups/{id}/restore": "One_Backup_",
}
"""The routes, each with the model of its good answer."""

FLAGS = ("can_start", "can_stop", "can_restart")
LISTED = (
    "id:integer name:string status:string tier:string billing_mode:string ip_address:string|null "
    "health_status:string created_at:string provisioned_at:string|null"
)
MODELS = {
    "ListedInstance": LISTED,
    "Instance": f"{LISTED} can_start:boolean can_stop:boolean can_restart:boolean subdomain_url:string "
    "daily_claw_cost:integer llm_configured:boolean telegram_configured:boolean",
    "ActedInstance": "id:integer name:string status:string tier:string can_start:boolean can_stop:boolean "
    "can_restart:boolean",
    "Summary": "claws_balance:integer daily_claw_cost:integer days_remaining:integer|null low_balance:boolean "
    "subscription_status:string|null subscription_tier:string instances_count:integer running_instances_count:integer",
    "Usage": "daily_total:integer instances:array addons:array",
    "UsageInstance": "id:integer name:string tier:string daily_claws:integer status:string billing_mode:string",
    "UsageAddon": "id:integer addon_type:string instance_name:string tier:string current_usage:integer "
    "usage_limit:integer|null daily_claws:integer",
    "Pagination": "current_page:integer total_pages:integer total_count:integer per_page:integer",
    # Guesses of the contract (U15 to U20): by default the simulator shows just these.
    "Account": "id:integer email:string created_at:string",
    "Transaction": "id:integer transaction_type:string amount:integer balance_after:integer description:string "
    "created_at:string",
    "Package": "id:integer name:string claws:integer price_cents:integer currency:string",
    "Purchase": "checkout_url:string",
    "Health": "status:string",
    "Addon": "id:integer addon_type:string instance_id:integer instance_name:string tier:string status:string "
    "current_usage:integer usage_limit:integer|null daily_claws:integer created_at:string",
    "Backup": "id:integer instance_id:integer instance_name:string status:string size_bytes:integer "
    "backup_type:string created_at:string expires_at:string",
}
"""The fields of each object with their types; each is always there, and there is no other."""


def call(simulator: Simulator, method: str, path: str, **options: Any) -> requests.Response:
    """One request with a good key."""
    options.setdefault("headers", {"Authorization": f"Bearer {simulator.key}"})
    return requests.request(method, simulator.url + path, timeout=30, **options)


def data(simulator: Simulator, method: str, path: str, **options: Any) -> Any:
    """Returns the data of a good answer, without its envelope."""
    answer = call(simulator, method, path, **options)
    assert answer.ok, answer.text
    return answer.json()["data"]


def reference(answer: dict[str, Any]) -> str:
    """Returns the name of the model of an answer."""
    found: str = answer["content"]["application/json"]["schema"]["$ref"]
    return found.removeprefix("#/components/schemas/")


def test_the_document_is_the_contract(simulator: Simulator) -> None:
    document = requests.get(f"{simulator.origin}/openapi.json", timeout=30).json()
    assert document["servers"] == [{"url": "/api/v1"}]
    operations = {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    answers = {
        route: {status: reference(answer) for status, answer in operation["responses"].items()}
        for route, operation in operations.items()
    }
    good = {route: [model for status, model in models.items() if status < "400"] for route, models in answers.items()}
    assert good == {route: [model] for route, model in ROUTES.items()}
    for route, models in answers.items():
        errors = {status: model for status, model in models.items() if status >= "400"}
        expected = {"429", "500"} | (set() if route == "get /health" else {"401", "403"})
        assert expected | ({"404"} if "{id}" in route else set()) <= errors.keys(), route
        assert set(errors.values()) == {"Error"}, route
    assert document["security"] == [{"key": []}]
    scheme = document["components"]["securitySchemes"]["key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert [route for route in operations if operations[route].get("security") == []] == ["get /health"]
    for model, fields in MODELS.items():
        schema = document["components"]["schemas"][model]
        types = {
            name: "|".join(one["type"] for one in field.get("anyOf", [field]))
            for name, field in schema["properties"].items()
        }
        assert types == dict(field.split(":") for field in fields.split()), model
        assert (set(schema["required"]), schema["additionalProperties"]) == (set(types), False)


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        ("running", (False, True, True)),
        ("stopped", (True, False, False)),
        ("deleting", (False, False, False)),
        ("paused", (False, False, False)),
        ("pending_configuration", (False, False, False)),
        ("provisioning", (False, False, False)),
        ("deploying", (False, False, False)),
        ("error", (False, False, False)),
        ("deploy_failed", (False, False, False)),
    ],
)
def test_flags_and_refusals_follow_the_table_of_the_contract(
    simulator: Simulator, status: str, flags: tuple[bool, bool, bool]
) -> None:
    actions = ("start", "stop", "restart")
    simulator.set_instance(1, status=status)
    detail = data(simulator, "GET", "/instances/1")
    assert tuple(detail[flag] for flag in FLAGS) == flags
    for action, allowed in zip(actions, flags, strict=True):
        simulator.set_instance(1, status=status)
        answer = call(simulator, "POST", f"/instances/1/{action}")
        assert answer.status_code == (200 if allowed else 422)
        if not allowed:
            assert answer.json()["error"]["code"] == "unprocessable_entity"


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
        ("GET", "/instances/-1", Simulator.key, 404, "not_found"),
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


@pytest.mark.fuzz
@pytest.mark.rest
@pytest.mark.slow
def test_a_fuzzer_finds_no_answer_that_the_document_does_not_describe(
    simulator: Simulator, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    # POST /instances is 404 in the contract (U29), where a fuzzer rightly expects 405 of a path that exists.
    switches = {"rate_limit": 10**9, "transition_seconds": 0, "create_instance": 405}
    simulator.reset(instances=500, switches=switches)
    schemathesis = shutil.which("schemathesis", path=Path(sys.executable).parent)
    assert schemathesis, "schemathesis is one of the requirements of the tests"
    done = subprocess.run(
        [
            schemathesis,
            "run",
            f"--header=Authorization: Bearer {simulator.key}",
            # The contract answers 422 to requests that no schema could tell apart from good ones: "stop what is
            # stopped". Everything else that schemathesis checks holds.
            "--exclude-checks=positive_data_acceptance",
            # With a time it goes on until that is over.
            *(
                ["--max-examples=100", "--max-time=120"]
                if pytestconfig.getoption("examples") >= 500
                else ["--max-examples=10", "--phases=fuzzing"]
            ),
            "--seed=1",
            "--no-color",
            f"{simulator.origin}/openapi.json",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    called = {f"{request['method'].lower()} {request['route']}" for request in simulator.log()}
    assert called >= ROUTES.keys(), "the fuzzer left a route out"
    assert not [request for request in simulator.log() if request["status"] is None or request["status"] >= 500]
