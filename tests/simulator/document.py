# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenAPI document: derived from the models by FastAPI, plus keys, errors, pages, bodies and headers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from simulator import models
from simulator.seed import PACKAGES
from simulator.views import LARGEST_NUMBER

Document = dict[str, Any]

ERRORS = {
    400: "The body is not JSON",
    401: "The key is missing, wrong, revoked or expired",
    403: "The key lacks permission",
    404: "Doesn't exist, or belongs to another account",
    415: "Wrong content type",
    422: "Invalid values, or not possible in the current state",
    429: "Too many requests with this key",
    500: "An error of the service",
}
HEADERS = {
    "X-RateLimit-Limit": "Requests per key and window",
    "X-RateLimit-Remaining": "Requests left",
    "X-RateLimit-Reset": "End of the window, in Unix time",
}
BODIES: dict[tuple[str, str], Document] = {
    ("/addons/{id}", "patch"): {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "tier": {"type": "string", "minLength": 1},
            "usage_limit": {"type": ["integer", "null"], "minimum": 0},
        },
    },
    ("/billing/buy_claws", "post"): {
        "type": "object",
        "required": ["package_id"],
        "properties": {"package_id": {"type": "integer", "enum": [package["id"] for package in PACKAGES]}},
    },
}


def openapi_document(api: FastAPI, prefix: str) -> Document:
    """Returns the document; the prefix is in `servers`."""
    document = get_openapi(
        title=api.title, version=api.version, description=api.description, routes=api.routes, tags=api.openapi_tags
    )
    document["servers"] = [{"url": prefix}]
    document["security"] = [{"key": []}]
    components = document["components"]
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "oc_live_..."}}
    components["headers"] = {
        name: {"description": text, "required": True, "schema": {"type": "integer"}} for name, text in HEADERS.items()
    }
    components["schemas"] |= _error_schemas()
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; the service has another envelope
        components["schemas"].pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method)
    return document


def _error_schemas() -> dict[str, Document]:
    error = models.Error.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**error.pop("$defs"), "Error": error}


def _complete(operation: Document, path: str, method: str) -> None:
    for parameter in operation.get("parameters", []):
        parameter["schema"] |= {"minimum": 0, "maximum": LARGEST_NUMBER}
    success = operation["responses"]
    success.pop("422", None)  # FastAPI's own
    is_page = "Page" in str(success["200"]) if "200" in success else False
    if is_page:
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER}}
            for name in ("page", "per_page")
        ]
    errors = {429, 500}
    if path == "/health":
        operation["security"] = []
    else:
        errors |= {401, 403}
    if "{id}" in path:
        errors.add(404)
    if is_page or method != "get":
        errors.add(422)
    if (path, method) in BODIES:
        errors |= {400, 415}
        content = {"application/json": {"schema": BODIES[path, method]}}
        operation["requestBody"] = {"required": True, "content": content}
    for status in sorted(errors):
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        operation["responses"][str(status)] = {"description": ERRORS[status], "content": content}
    for response in operation["responses"].values():
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
