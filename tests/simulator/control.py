# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control API under /_sim: log, state, switches, faults, clock. Needs no key, has no limit, is not logged."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.errors import BadControl, Refused
from simulator.service import Service
from simulator.switches import read_descriptions

Work = Callable[[dict[str, Any], Any], Any]
Endpoint = Callable[[Request], Awaitable[Response]]


def build_control(service: Service) -> Starlette:
    """Builds all routes under /_sim."""
    control = _Control(service)
    one: dict[str, Work] = {"GET": control.get_record, "PATCH": control.patch_record, "DELETE": control.remove_record}
    routes: list[tuple[str, dict[str, Work]]] = [
        ("/_sim/log", {"GET": control.get_log, "DELETE": control.clear_log}),
        ("/_sim/state", {"GET": control.get_state, "PATCH": control.patch_state}),
        ("/_sim/switches", {"GET": control.get_switches, "PATCH": control.patch_switches}),
        ("/_sim/faults", {"GET": control.get_faults, "POST": control.add_fault, "DELETE": control.clear_faults}),
        ("/_sim/reset", {"POST": control.reset}),
        ("/_sim/clock", {"POST": control.set_clock}),
        ("/_sim/{collection}", {"POST": control.add_record}),
        ("/_sim/{collection}/{id:int}", one),
    ]
    endpoints = [(path, method, _endpoint(work)) for path, works in routes for method, work in works.items()]
    return Starlette(routes=[Route(path, endpoint, methods=[method]) for path, method, endpoint in endpoints])


def _endpoint(work: Work) -> Endpoint:
    """Calls the handler with the path parameters and the JSON body. BadControl becomes 422 with its message."""

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            content = json.loads(body or b"{}")
            if not isinstance(content, dict):
                raise BadControl("the body must be a JSON object")
            return JSONResponse(work(request.path_params, content))
        except BadControl as error:
            return JSONResponse({"error": str(error)}, 422)
        except Refused as refused:
            return JSONResponse({"error": refused.message}, refused.status)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": f"that can't be read: {error}"}, 422)

    return endpoint


class _Control:
    def __init__(self, service: Service) -> None:
        self.service = service

    def get_log(self, _path: dict[str, Any], _body: Any) -> Any:
        return {"requests": [exchange.for_log() for exchange in self.service.log]}

    def clear_log(self, _path: dict[str, Any], _body: Any) -> Any:
        """Clears the log; numbering continues."""
        self.service.log = []
        return {"requests": []}

    def get_state(self, _path: dict[str, Any], _body: Any) -> Any:
        return self.service.as_state()

    def patch_state(self, _path: dict[str, Any], body: Any) -> Any:
        self.service.change(body)
        return {name: self.service.as_state()[name] for name in body}

    def get_switches(self, _path: dict[str, Any], _body: Any) -> Any:
        return {"switches": self.service.switches.model_dump(), "descriptions": read_descriptions()}

    def patch_switches(self, _path: dict[str, Any], body: Any) -> Any:
        self.service.switches.change(body)
        return {"switches": self.service.switches.model_dump()}

    def get_faults(self, _path: dict[str, Any], _body: Any) -> Any:
        return {"faults": [fault.describe() for fault in self.service.faults.waiting]}

    def add_fault(self, _path: dict[str, Any], body: Any) -> Any:
        return self.service.faults.add(body).describe()

    def clear_faults(self, _path: dict[str, Any], _body: Any) -> Any:
        self.service.faults.clear()
        return {"faults": []}

    def reset(self, _path: dict[str, Any], body: Any) -> Any:
        unknown = [name for name in body if name not in ("instances", "switches", "state")]
        if unknown:
            raise BadControl(f"reset takes instances or state, and switches; not {unknown[0]!r}")
        self.service.reset(**body)
        return {"instances": len(self.service.world.instances)}

    def set_clock(self, _path: dict[str, Any], body: Any) -> Any:
        self.service.set_skew(float(body.get("skew_seconds", 0)))
        return {"skew_seconds": self.service.skew}

    def add_record(self, path: dict[str, Any], body: Any) -> Any:
        world = self.service.world
        if path["collection"] == "instances":
            return world.as_entry(world.add_instance(body))
        return world.add_record(_collection(path), body)

    def get_record(self, path: dict[str, Any], _body: Any) -> Any:
        """Returns one record with its hidden fields. Does not count as a read."""
        world = self.service.world
        world.progress.tick()
        if path["collection"] == "instances":
            return world.as_entry(world.instance(path["id"]))
        return world.record(_collection(path), path["id"])

    def patch_record(self, path: dict[str, Any], body: Any) -> Any:
        world = self.service.world
        world.progress.tick()
        if path["collection"] == "instances":
            return world.as_entry(world.set_instance(path["id"], body))
        return world.set_record(_collection(path), path["id"], body)

    def remove_record(self, path: dict[str, Any], _body: Any) -> Any:
        world = self.service.world
        if path["collection"] == "instances":
            world.remove_instance(path["id"])
        else:
            world.remove_record(_collection(path), path["id"])
        return {"removed": path["id"]}


def _collection(path: dict[str, Any]) -> str:
    collection: str = path["collection"]
    if collection not in ("addons", "backups"):
        raise BadControl(f"there are instances, addons and backups, but no {collection!r}")
    return collection
