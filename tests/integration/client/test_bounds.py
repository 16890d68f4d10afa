# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service can make a client read, hold and wait for a limited amount only."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import (
    ClawHostersError,
    ResponseError,
    TransportError,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http import lists
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.acceptance import parse_changed
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import MAX_BODY_BYTES, MAX_OBJECTS
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_account_info,
    claw_addon_info,
    claw_backup_info,
    claw_billing_info,
    claw_fleet,
    claw_instance,
    claw_instance_info,
    claw_purchase,
)
from simulator.handle import Simulator
from support import KEY
from support.raw_service import Raw, raw_service
from support.worker import Worker

MEASURED = """
import json, resource, sys
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all
from ansible_collections.clawhosters.cloud.plugins.module_utils._http import lists
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
client = Client(parse_settings(json.loads(sys.argv[1]), print))
before = peak()
try:
    said = len(fetch_all(client, "/instances"))
except ClawHostersError as error:
    said = str(error)
print(json.dumps([said, peak() - before]))
"""
"""Reads a list in a process of its own, whose peak of memory is nobody else's."""


def client_of(options: dict[str, t.Any]) -> Client:
    return Client(parse_settings(options, pytest.fail))


def measured(options: dict[str, t.Any]) -> tuple[t.Any, int]:
    """Returns the length of a list or an error, and by how many bytes the peak of memory grew."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_ARENA_MAX": "2"}
    command = [sys.executable, "-c", MEASURED, json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said, grown = json.loads(done.stdout)
    return said, grown


def zeros() -> bytes:
    """A GiB, packed."""
    return gzip.compress(bytes(1 << 24), mtime=0) * 64


GROWN_BODIES: dict[str, tuple[dict[str, str], t.Callable[[], bytes], str]] = {
    "gzip in gzip": ({"Content-Encoding": "gzip, gzip"}, lambda: gzip.compress(zeros()), "Content-Encoding gzip"),
    "gzip": ({"Content-Encoding": "gzip"}, zeros, f"more than {MAX_BODY_BYTES >> 20} MiB"),
    "plain": ({}, lambda: b'{"data": [' + b"{}," * (20 << 20), f"more than {MAX_BODY_BYTES >> 20} MiB"),
    "objects": (
        {},
        lambda: b'{"data": [' + b"{}," * (MAX_BODY_BYTES // 4) + b"{}]}",
        f"more than {MAX_OBJECTS} objects",
    ),
}


@pytest.mark.parametrize("body", GROWN_BODIES)
def test_no_answer_takes_more_memory_than_a_few_times_what_is_allowed(body: str) -> None:
    headers, content, reason = GROWN_BODIES[body]
    answer = (200, headers, content())
    with raw_service(lambda _method, _path: answer) as options:
        said, grown = measured(options)
    assert reason in said
    assert said.startswith("GET /instances: the response of 127.0.0.1:")
    assert grown < 8 * MAX_BODY_BYTES


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,identity,gzip", "br", "deflate", "zstd", "x-gzip", "gzip "])
def test_a_body_in_another_coding_than_gzip_is_refused(coding: str) -> None:
    answer = (200, {"Content-Encoding": coding}, gzip.compress(b'{"data": []}'))
    refused = pytest.raises(TransportError, match=rf"can't be used \(Content-Encoding {coding.strip()}\)")
    with raw_service(lambda _method, _path: answer) as options, refused as failure:
        client_of({**options, "retry_timeout": 0}).request("POST", "/instances/1/stop", parse=parse_changed)
    assert failure.value.may_have_been_sent


WHOLE = gzip.compress(b'{"data": [{"id": 1}]}', mtime=0)


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"no gzip", "invalid gzip"), (WHOLE[:9] + WHOLE[10:], "invalid gzip"), (WHOLE[:15], "not JSON")],
    ids=["none", "damaged", "cut off"],
)
def test_gzip_that_is_damaged_or_cut_off_is_not_used(body: bytes, words: str) -> None:
    with (
        raw_service(lambda _method, _path: (200, {"Content-Encoding": "GZIP"}, body)) as options,
        pytest.raises(ClawHostersError, match=words),
    ):
        fetch_all(client_of({**options, "retry_timeout": 0}), "/instances")


@pytest.mark.parametrize(("instances", "page_size"), [(500, 100), (2000, 2000)])
def test_large_pages_and_undivided_lists_are_within_it(simulator: Simulator, instances: int, page_size: int) -> None:
    simulator.reset(instances=instances, switches={"per_page_max": page_size, "compression": "gzip"})
    options = {"api_key": KEY, "api_url": simulator.url}
    assert len(fetch_all(client_of({**options, "page_size": page_size}), "/instances")) == instances
    simulator.switch(pagination="none")
    assert len(fetch_all(client_of(options), "/instances")) == instances


# Lists without end


@pytest.mark.parametrize(("pagination", "pages"), [({"total_pages": 10**12}, 1), ({"total_count": 10**12}, 1), ({}, 3)])
def test_an_endless_list_is_not_read(monkeypatch: pytest.MonkeyPatch, pagination: dict[str, int], pages: int) -> None:
    monkeypatch.setattr(lists, "MAX_PAGES", 3)
    asked: list[str] = []

    def answer(_method: str, path: str) -> Raw:
        asked.append(path)
        # It has an end for those who would go on for ever.
        data = [{"id": 25 * len(asked) + number} for number in range(25 if len(asked) < 500 else 0)]
        return 200, {}, json.dumps({"data": data, "pagination": pagination}).encode()

    with raw_service(answer) as options, pytest.raises(ResponseError, match=r"not read to its end: it has more"):
        fetch_all(client_of(options), "/instances")
    assert len(asked) == pages


# Numbers

NUMBERS = ["-" + "9" * 5000, "-1", "1e999", "NaN", "9" * 300, "1.5"]
FIELDS = [
    *("id", "instance_id", "name", "status", "tier", "created_at", "provisioned_at", "size_bytes"),
    *("claws_balance", "daily_claw_cost", "days_remaining", "daily_total", "daily_claws", "amount", "balance_after"),
]


@pytest.mark.parametrize("number", NUMBERS)
def test_no_number_is_a_fault_of_the_collection(number: str) -> None:
    """In every field where a number may stand, that of the id too; Worker fails on a bug in the collection."""
    entry = dict.fromkeys(FIELDS, "NUMBER")
    pagination = {"total_pages": "NUMBER", "total_count": "NUMBER", "current_page": "NUMBER"}

    def answer(_method: str, path: str) -> Raw:
        is_one = path in ("/account", "/billing/summary", "/billing/usage") or path.count("/") > 1
        numbered = [{**entry, "id": one} for one in ("NUMBER", 1)]
        data = {**entry, "instances": numbered, "addons": numbered} if is_one and "trans" not in path else numbered
        text = json.dumps({"data": data, **({} if is_one else {"pagination": pagination})})
        headers = {"X-RateLimit-Remaining": number, "X-RateLimit-Reset": number, "Retry-After": number}
        return 200, headers, text.replace('"NUMBER"', number).encode()

    with raw_service(answer) as options:
        worker = Worker(None, options)
        for module, given in (
            (claw_account_info, {}),
            (claw_instance_info, {}),
            (claw_instance_info, {"id": 1}),
            (claw_instance, {"id": 1, "wait": False}),
            (claw_instance, {"name": "x", "wait": False}),
            (claw_fleet, {"instances": [{"id": 1}], "wait": False}),
            (claw_addon_info, {"instance_id": 1}),
            (claw_backup_info, {"newest": True}),
            (claw_backup_info, {"instance_id": 1, "before": "2026-02-01"}),
            (claw_billing_info, {"include": ["summary", "usage", "transactions", "packages"], "max_pages": 0}),
            (claw_purchase, {"order": "one", "package_id": 1, "balance_below": 10}),
        ):
            result = worker.run(module, **given)
            assert json.loads(json.dumps(result, allow_nan=False)) == result
            assert result["api"]["remaining"] in (None, 1)
