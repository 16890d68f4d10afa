# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nineteen endpoints of the service (contract 2 to 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.convertors import Convertor, register_url_convertor

from simulator import billing
from simulator.errors import refused_now
from simulator.exchange import Exchange
from simulator.views import acted, detailed, dressed, listed, of_kind, page_of
from simulator.world import ACTIONS


class NumberConvertor(Convertor[int]):
    """Matches an id in a path; anything else is 404 (assumed, contract 4.5)."""

    regex = "0|[1-9][0-9]{0,17}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", NumberConvertor())


async def _exchange(request: Request) -> Exchange:
    return request.scope["exchange"]


Call = Annotated[Exchange, Depends(_exchange)]


def one(kind: str, record: dict[str, Any], call: Exchange, status: int = 200) -> Response:
    return JSONResponse({"data": dressed(kind, record, call.switches)}, status)


def many(data: list[dict[str, Any]], pagination: dict[str, int] | None) -> Response:
    return JSONResponse({"data": data} | ({"pagination": pagination} if pagination else {}))


def history(kind: str, records: Sequence[dict[str, Any]], collection: str, call: Exchange) -> Response:
    part, pagination = page_of(records, collection, call)
    return many([dressed(kind, record, call.switches, collection) for record in part], pagination)


def build_api() -> FastAPI:
    """Builds all routes, without the prefix."""
    api = FastAPI(openapi_url=None, redirect_slashes=False)
    _add_account(api)
    _add_instances(api)
    _add_billing(api)
    for kind in ("addon", "backup"):
        _add_records(api, kind, f"{kind}s")
    _add_changes(api)
    return api


def _add_account(api: FastAPI) -> None:
    @api.get("/health")
    async def health(call: Call) -> Response:
        answer = call.switches.health_answer
        if answer == "text":
            return PlainTextResponse("OK")
        state = dressed("health", {"status": "down" if answer == "down" else "ok"}, call.switches)
        return JSONResponse(state if answer == "bare" else {"data": state}, 503 if answer == "down" else 200)

    @api.get("/account")
    async def account(call: Call) -> Response:
        return one("account", call.world.account, call)


def _add_instances(api: FastAPI) -> None:
    @api.get("/instances")
    async def list_instances(call: Call) -> Response:
        world = call.world
        numbers, pagination = page_of(call.world.order("instances"), "instances", call)
        data = [listed(world.instances[number], world) for number in numbers]
        world.progress.shown(numbers)
        return many(data, pagination)

    @api.get("/instances/{id:number}")
    async def get_instance(id: int, call: Call) -> Response:
        answer = JSONResponse({"data": detailed(call.world.instance(id), call.world)})
        call.world.progress.shown([id])
        return answer

    for action in ACTIONS:
        _add_action(api, action)

    @api.delete("/instances/{id:number}")
    async def delete_instance(id: int, call: Call) -> Response:
        deleted = call.world.delete(id)
        call.effect = True
        if call.switches.delete_answer == 204:
            return Response(status_code=204)
        return JSONResponse({"data": detailed(deleted, call.world)})


def _add_action(api: FastAPI, action: str) -> None:
    @api.post(f"/instances/{{id:number}}/{action}")
    async def act(id: int, call: Call) -> Response:
        answered = call.world.act(id, action)
        call.effect = True
        return JSONResponse({"data": acted(answered, call.world)})


def _add_billing(api: FastAPI) -> None:
    @api.get("/billing/summary")
    async def billing_summary(call: Call) -> Response:
        return one("summary", billing.summary(call.world), call)

    @api.get("/billing/usage")
    async def billing_usage(call: Call) -> Response:
        usage = billing.usage(call.world)
        for entries in (usage["instances"], usage["addons"]):
            entries[:] = [dressed("usage", entry, call.switches) for entry in entries]
        answers = {"object": usage, "list": usage["instances"], "empty": {}}
        return JSONResponse({"data": answers[call.switches.usage_answer]})

    @api.get("/billing/transactions")
    async def billing_transactions(call: Call) -> Response:
        return history("transaction", billing.transactions(call.world), "transactions", call)

    @api.get("/billing/packages")
    async def billing_packages(call: Call) -> Response:
        return history("package", call.world.packages, "packages", call)

    @api.post("/billing/buy_claws")
    async def buy_claws(call: Call) -> Response:
        package = call.json_object().get("package_id")
        prefix = call.switches.id_prefix or ""
        purchase = call.world.buy(package.removeprefix(prefix) if isinstance(package, str) else package)
        call.effect = True
        return one("purchase", purchase, call, call.switches.purchase_status)


def _add_records(api: FastAPI, kind: str, collection: str) -> None:
    @api.get(f"/{collection}")
    async def list_records(call: Call) -> Response:
        numbers, pagination = page_of(call.world.order(collection), collection, call)
        shown = [call.world.shown(collection, number) for number in numbers]
        return many([dressed(kind, record, call.switches, collection) for record in shown], pagination)

    @api.get(f"/{collection}/{{id:number}}")
    async def get_record(id: int, call: Call) -> Response:
        return one(kind, call.world.shown(collection, id), call)


def _add_changes(api: FastAPI) -> None:
    @api.patch("/addons/{id:number}")
    async def change_addon(id: int, call: Call) -> Response:
        call.world.record("addons", id)
        changes: Any = call.json_object()
        if call.switches.addon_body == "wrapped":
            changes = changes.get("addon")
            if not isinstance(changes, dict):
                raise refused_now("The add-on was not changed.", {"addon": "is missing"})
        old_names = {new: old for old, new in of_kind("addon", call.switches.rename_fields).items()}
        before = call.world.effects["patches"]
        addon = call.world.patch_addon(id, {old_names.get(name, name): value for name, value in changes.items()})
        call.effect = call.world.effects["patches"] > before
        if call.switches.addon_answer == 204:
            return Response(status_code=204)
        return one("addon", addon, call)

    @api.post("/backups/{id:number}/restore")
    async def restore_backup(id: int, call: Call) -> Response:
        backup, instance = call.world.restore(id)
        call.effect = True
        status = call.switches.restore_status
        if status == 204 or call.switches.restore_answer == "empty":
            return Response(status_code=status)
        if call.switches.restore_answer == "instance":
            return JSONResponse({"data": detailed(instance, call.world)}, status)
        return one("backup", backup, call, status)
