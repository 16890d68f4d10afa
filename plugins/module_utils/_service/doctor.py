# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares what the service does with what the collection expects: a few GET requests, and one table of fields.

Findings and shapes show nothing that the account chose: no text, no number, no key of a map. Only the plain words of a
status, health, tier or type are shown, since a report is about them.
"""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import dataclass, replace

from .._errors import ApiError, ClawHostersError, RedirectedError, ResponseError, TransportError, WrongAddressError
from .._http.client import Client
from .._http.lists import parse_pagination
from .._http.responses import parse_envelope, resource_path
from .._http.transport import Response
from .._model.backup import GOOD_STATUSES, TIME_FIELDS
from .._model.instance_fields import DETAIL_FIELDS, HEALTH_STATUSES, LIST_FIELDS, STATUSES
from .._model.ownership import FIELDS as OWNER_FIELDS
from .._model.resource import Resource, Result, as_object, as_objects, normalize, parse_id
from .._rate import headers as rate_headers
from .._times import parse_time
from .account_check import format_account, format_scope, is_account
from .service_health import measure_health

MAX_SECONDS = 120.0
"""Seconds for all requests, with their retries and waits."""
MAX_SKEW = 30.0
"""Seconds. A response takes time, and its ``Date`` has whole seconds."""
PAGE_SIZE = 25
ABSENT_ID = 2**31 - 1
"""An id that no instance has."""


RESTORES = "runbook, drill, restore_unhealthy, claw_backup_restore, claw_fleet_restore"
LATEST = "backup: latest, runbook and claw_fleet_restore without a backup, drill, restore_unhealthy"
ALL = f"inventory, claw_instance, claw_instance_info, claw_fleet, {RESTORES}, balance_guard, fleet_report, event source"
REPORTED = "backups in fleet_report"
CLAWS = "Claws in fleet_report"
BY_OWNER = f"claw_backup_info by instance, {LATEST}, backup_id without an instance, {REPORTED}"
BY_NAME = "name, names, instance_name, restore_instances, restore_drill_instances, balance_guard"
BY_ID = "id, ids, instance_id, restore_instance_ids, restore_drill_ids, restore_unhealthy"
BY_WORDS = "inventory by default, claw_instance_info with documented statuses"
BY_FLAGS = f"claw_instance, claw_fleet, balance_guard, {RESTORES}"
BY_AGE = f"{LATEST}, before, max_age, newest of claw_backup_info, {REPORTED}"
UNHEALTHY = "restore_unhealthy, health_statuses"
HEALTHY = "wait_healthy, claw_fleet_restore, runbook, drill, restore_unhealthy"
BILLING = f"claw_billing_info, balance_guard, {CLAWS}"
"""Uses of the collection, by the names by which users know them."""


class Endpoint(t.NamedTuple):
    """A path that is requested, the type of its ``data``, and the uses that need it; none for a check.

    What may have any shape is an ``object``.
    """

    path: str
    data_type: type
    needed_by: str = ""


ENDPOINTS = {
    "account": Endpoint("/account", object, "claw_account_info, account"),
    "instances": Endpoint("/instances", list, ALL),
    "absent": Endpoint("/instances/ID", dict),
    "page_2": Endpoint("/instances", list),
    "instance": Endpoint("/instances/ID", dict, f"claw_instance, claw_fleet, {RESTORES}"),
    "summary": Endpoint("/billing/summary", object, f"{BILLING}, claw_purchase"),
    "usage": Endpoint("/billing/usage", object, BILLING),
    "transactions": Endpoint("/billing/transactions", object, "transactions of claw_billing_info"),
    "packages": Endpoint("/billing/packages", object, "packages of claw_billing_info"),
    "addons": Endpoint("/addons", list, "claw_addon without id, claw_addon_info without id"),
    "addon": Endpoint("/addons/ID", dict, "claw_addon, id of claw_addon_info"),
    "backups": Endpoint("/backups", list, f"claw_backup_info without id, {LATEST}, {REPORTED}"),
    "backup": Endpoint("/backups/ID", dict, "backup_id, restore_backup, id of claw_backup_info"),
}

_DATE = r"\d{4}-[\d-]*([T ][\d:.]*)?"
KINDS: dict[str, t.Callable[[object], bool]] = {
    "valid id": lambda value: parse_id(value) is not None,
    "positive number as text": lambda value: isinstance(number := parse_id(value), int) and number > 0,
    "positive whole number": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "number as text": lambda value: isinstance(value, str) and bool(re.fullmatch(r"-?\d{1,15}(\.\d+)?", value)),
    "any time": lambda value: parse_time(value) is not None,
    "time with a zone": lambda value: parse_time(value) is not None and not re.fullmatch(_DATE, str(value)),
    "known status": lambda value: normalize(value) in (*STATUSES, "deleted"),
    "documented status": lambda value: isinstance(value, str) and value in STATUSES,
    "known health": lambda value: normalize(value) in HEALTH_STATUSES,
    "usable status": lambda value: normalize(value) in GOOD_STATUSES,
}
"""Types by their values."""
WORDS = frozenset(kind for kind in KINDS if kind.endswith((" status", " health")))
"""Those whose plain words may be shown."""
MISSING = object()
"""The value of a field that is not shown."""


class Row(t.NamedTuple):
    """An expectation: fields of all objects in a reply, and their types.

    ``objects``: the name of the request, and after a dot the field that holds them; with "|", the fields that they lack
    are those of the first object of the next. ``fields``: separated by ", "; of those joined by "|", the first that is
    shown counts. ``needed_by``: the uses that do not work without; none if the collection works nevertheless, as it
    does with the types ``works``. ``note``: the consequence of these; without ``works``, of all that differs.
    ``in_one``: one object is enough.
    """

    check: str
    objects: str
    fields: str
    types: str
    needed_by: str = ""
    works: str = ""
    note: str = ""
    in_one: bool = False

    def judge(self, items: list[Resource]) -> tuple[list[str], list[str], str]:
        """Returns what is wrong with the fields, in words, the uses that do not work, and the note."""
        values = [(names, find_value(item, names)) for names in self.fields.split(", ") for item in items]
        wrong = [value for value in values if not has_type(value[1], self.types)]
        bad = [value for value in wrong if self.needed_by and not has_type(value[1], self.works)]
        if self.in_one and len(bad) < len(values):
            wrong, bad = [value for value in wrong if value not in bad], []
        problems = [f"{names} is {self._describe(value)}".replace("|", " or ") for names, value in wrong]
        uses = self.needed_by.split(", ") if bad else []
        return problems, uses, self.note if wrong and not (bad and self.works) else ""

    def _describe(self, value: object) -> str:
        if value is MISSING:
            return "missing"
        words = plain_words([value]) if WORDS.intersection(self.types.split("|")) else []
        return f"{words[0] if words else type_name(value)}, not {self.types.removesuffix('|missing')}"


ONE = "instances|instance"
OWNER = OWNER_FIELDS.replace(", ", "|")
COST = "daily_claw_cost|daily_total"
BY_DETAIL = "Where a task needs it, each instance is read by itself, at one request each."
NO_HEALTH = "Waits for health end with running: wait_healthy, runbook. A drill proves running alone."
UTC = "Without a zone, a time counts as UTC. If it is not, these err: backup: latest, before, max_age, fleet_report."
NO_STATUS = "One that has failed may be taken by these: backup: latest, runbook, drill, restore_unhealthy."
TABLE = (
    Row("account", "account", "id|email", "number|text", "account"),
    *(Row("list_fields", "instances", *field) for field in LIST_FIELDS.items() if field[0] != "id"),
    Row("list_fields", "instances", "name", "text", BY_NAME, in_one=True),
    Row("list_fields", "instances", "name", "text", note="One that shows no name is found by its id alone."),
    Row("list_fields", "instances", "status", "text", "status_changed of the event source"),
    Row("list_fields", "instances", "health_status", "text|null", "health_changed of the event source"),
    Row("list_fields", "instances", "status, health_status, tier", "text|null", note=BY_DETAIL),
    *(Row("detail_fields", "instance", *field) for field in DETAIL_FIELDS.items() if field[0] not in LIST_FIELDS),
    Row("detail_fields", "instance", "can_start, can_stop, can_restart", "boolean", note="The status alone decides."),
    Row("detail_fields", "instance", "can_stop|status", "boolean|text", "claw_instance, claw_fleet"),
    Row("detail_fields", "instance", "subdomain_url", "text|null", "connect_with: subdomain"),
    Row("detail_fields", ONE, "ip_address", "text|null", "connect_with: ip_address"),
    Row("detail_fields", ONE, "tier", "text", "tiers"),
    Row("statuses", ONE, "status", "text", "inventory without statuses: [all], claw_instance_info with statuses"),
    Row("statuses", ONE, "status", "documented status", BY_WORDS, "known status|null|missing"),
    Row("statuses", ONE, "can_stop|status", "boolean|known status", BY_FLAGS),
    Row("health_statuses", ONE, "health_status", "text|null", UNHEALTHY, note=NO_HEALTH),
    Row("health_statuses", ONE, "health_status", "known health|null|missing", UNHEALTHY, note=NO_HEALTH),
    Row("health_statuses", ONE, "health_status", "known health|missing", HEALTHY, "known health|text", in_one=True),
    Row("ids", "instances", "id", "positive whole number", ALL, "valid id"),
    Row("ids", "instances", "id", "positive whole number", BY_ID, "positive number as text"),
    Row("ids", "addons", "id", "positive whole number", "claw_addon, claw_addon_info", "valid id"),
    Row("ids", "addons", "id", "positive whole number", "id of claw_addon", "positive number as text"),
    Row("ids", "backups", "id", "positive whole number", f"claw_backup_info, {RESTORES}, {REPORTED}", "valid id"),
    Row("ids", "backups", "id", "positive whole number", "backup_id, restore_backup", "positive number as text"),
    Row("billing_summary", "summary", "claws_balance", "number", "balance_guard, claw_purchase", "number as text"),
    Row("billing_summary", "summary", "daily_claw_cost, days_remaining, instances_count", "number|null"),
    Row("billing_summary", "summary", "low_balance, subscription_status, subscription_tier", "boolean|text|null"),
    Row("billing_summary", "summary|usage", COST, "number", "balance_guard", "number as text"),
    Row("billing_summary", "summary", "days_remaining|claws_balance", "number|null", CLAWS, "number as text"),
    Row("billing_summary", "summary|usage", f"days_remaining|{COST}", "number|null", CLAWS, "number as text"),
    Row("billing_usage", "usage", "instances, addons", "list", "balance_guard"),
    Row("usage_instances", "usage.instances", "id", "number|text", "balance_guard"),
    Row("usage_instances", "usage.instances", "daily_claws", "number", "balance_guard", "number as text"),
    Row("usage_addons", "usage.addons", "instance_name", "text", "balance_guard"),
    Row("addon_types", "addons", "addon_type", "text", "claw_addon without id, addon_type"),
    Row("addon_owner", "addons", OWNER, "number|text", "claw_addon without id, instance_id, instance_name"),
    Row("backup_time", "backups", "|".join(TIME_FIELDS), "time with a zone", BY_AGE, "any time", UTC),
    Row("backup_owner", "backups", OWNER, "number|text", BY_OWNER),
    Row("backup_statuses", "backups", "status", "usable status", LATEST, "null|missing", NO_STATUS, in_one=True),
)
"""The documented fields."""

WORD_FIELDS = {"status", "health", "health_status", "tier", "type", "addon_type", "backup_type", "transaction_type"}
WORD_FIELDS |= {"subscription_status", "subscription_tier"}
"""Fields whose plain words are shown."""
MAX_WORDS = 12
"""Words shown of a field."""
MAX_PROBLEMS = 6
"""Problems shown of a check."""
UNNAMED = "(others)"
"""Replaces fields whose names don't look like those of an API."""
_PLAIN_WORD = re.compile(r"[a-z_]{1,30}")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

SEVERITIES = ("failed", "different", "tolerated", "unknown", "ok")
"""The worst first. What is tolerated is different, and the collection works nevertheless."""
NOT_SEEN = "not seen"
WORKS = "The collection works nevertheless."


class Finding(t.NamedTuple):
    """The result of a check. It holds no text of the service except plain words."""

    check: str
    expected: str
    status: str
    found: str
    consequence: str

    def as_dict(self) -> dict[str, str]:
        """Returns the finding as users see it."""
        return {**self._asdict(), "status": "different" if self.status == "tolerated" else self.status}


Judgement = tuple[str, str, str]
"""Status, what was found, and the consequence."""


@dataclass(frozen=True)
class Reply:
    """The response to one request. ``problem`` says why there is no usable one, without text of the service."""

    request: str = ""
    data: t.Any = None
    pagination: t.Mapping[str, t.Any] | None = None
    headers: t.Mapping[str, str] | None = None
    problem: str = ""
    status: int | None = None
    """The HTTP status of an error."""
    is_sent: bool = True

    @property
    def needed(self) -> str:
        """The text that says how to get data."""
        if not self.is_sent:
            return self.problem
        return "Needs a valid key." if self.status == 401 else f"Needs an answer to {self.request}."

    def count(self, name: str) -> int | None:
        """Returns a number of the pagination object, None without one."""
        value = (self.pagination or {}).get(name)
        return value if isinstance(value, int) else None


def examine(client: Client) -> Result:
    """Returns the result of the doctor. It fails for no finding."""
    seen = Examination(client)
    findings = sorted(find_all(seen, client.settings.account), key=lambda finding: SEVERITIES.index(finding.status))
    unmet = [finding.check for finding in findings if finding.status in ("failed", "different")]
    account = seen["account"]
    label = format_account(as_object(account.data)) or (account.status and f"unknown ({account.problem})") or ""
    names = dict.fromkeys((*seen.replies, *(row.objects for row in TABLE if "|" not in row.objects)))
    shapes = {name: describe_fields(as_objects(seen[name].data) or seen.find_objects(name)) for name in names}
    return {
        "api_url": client.settings.api_url,
        "scope": format_scope(client.settings.host, label),
        "healthy": not unmet,
        "unmet": unmet,
        "findings": [finding.as_dict() for finding in findings],
        "shapes": {name: shape for name, shape in shapes.items() if shape and name != "page_2"},
    }


class Examination:
    """Sends the requests within MAX_SECONDS, and keeps the replies by the name of their request.

    A request that needs an object of a list is skipped if the list is empty.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._start = client.progress.clock()
        self._stopped = ""
        """Why no more requests are sent."""
        self.health = measure_health(client)
        self.replies = {"health": Reply(data=self.health["health"])}
        error = self.health["error"]
        if error and not error.may_have_been_sent:
            self._stopped = "Needs a service that can be reached."
        account, instances = self._get("account"), self._get("instances")
        has_same_status = account.status == instances.status
        if account.problem and instances.problem and has_same_status and account.status in (None, 401):
            self._stopped = account.needed
        self.replies["pagination"] = Reply(data=instances.pagination)
        self._get("absent", ABSENT_ID)
        if (instances.count("total_pages") or 1) > 1:
            self._get("page_2", page="2")
        for name in [name for name in ENDPOINTS if name not in self.replies and name != "page_2"]:
            if ENDPOINTS[name].path.endswith("/ID"):
                self._get_first(name, f"{name}s")
            else:
                self._get(name)

    def __getitem__(self, name: str) -> Reply:
        return self.replies.get(name) or Reply(problem="Needs another account.", is_sent=False)

    def find_objects(self, objects: str) -> list[Resource]:
        """Returns the objects that were seen. ``objects``: see Row."""
        first, _or, others = objects.partition("|")
        request, _dot, inside = first.partition(".")
        reply = self[request]
        data = as_object(reply.data).get(inside) if inside else reply.data
        items = [data] if isinstance(data, dict) else as_objects(data)
        if request in ENDPOINTS and ENDPOINTS[request].data_type is object and not (inside or reply.problem):
            items = [as_object(data)]
        other = (self.find_objects(others) or [{}])[0] if others else {}
        return [{**other, **item} for item in items]

    def _get_first(self, name: str, listed: str) -> None:
        """Reads the first object of a list, if there is one."""
        reply = self[listed]
        identity = parse_id(reply.data[0].get("id")) if reply.data else None
        if identity is not None:
            self._get(name, identity)
        else:
            self.replies[name] = Reply(problem=self._stopped or (reply.problem and reply.needed), is_sent=False)

    def _get(self, name: str, identity: object = None, **params: str) -> Reply:
        """Sends a GET and keeps the reply under ``name``, unless the examination has stopped."""
        endpoint = ENDPOINTS[name]
        path = endpoint.path if identity is None else resource_path(endpoint.path.split("/")[1], identity)
        seconds = MAX_SECONDS - (self._client.progress.clock() - self._start)
        if seconds <= 0:
            self._stopped = f"Needs a service that answers all requests within {MAX_SECONDS:.0f} s."
        reply = Reply(f"GET {endpoint.path}", problem=self._stopped, is_sent=not self._stopped)
        if not self._stopped:
            try:
                response, body = self._client.get(path, params, parse=_parse, retry_timeout=seconds)
                reply = replace(reply, headers=response.headers, **_check_data(body, endpoint.data_type))
            except ClawHostersError as error:
                reply = replace(reply, **_explain(error))
        self.replies[name] = reply
        return reply


def _parse(request: str, response: Response) -> tuple[Response, dict[str, t.Any]]:
    return response, parse_envelope(request, response)


def _check_data(body: dict[str, t.Any], data_type: type) -> dict[str, t.Any]:
    data = body["data"]
    if not isinstance(data, data_type) or (data_type is list and as_objects(data) != data):
        expected = "a list of objects" if data_type is list else "an object"
        return {"problem": f"{type_name(data)} in `data`, not {expected}"}
    return {"data": data, "pagination": parse_pagination(body)}


def _explain(error: ClawHostersError) -> dict[str, t.Any]:
    """Returns an error without any text of the service, and without addresses and ids. A status is that of the API."""
    if isinstance(error, ApiError):
        code = "".join(plain_words([error.code]))
        is_foreign = isinstance(error, WrongAddressError) and not error.code
        text = f"{error.status} {'that is not of the API' if is_foreign else code}".rstrip() + error.asks
        return {"problem": text, "status": None if is_foreign else error.status}
    if isinstance(error, RedirectedError):
        return {"problem": f"a redirect ({error.status})"}
    if isinstance(error, ResponseError):
        return {"problem": "a response that is not the API's JSON"}
    return {"problem": error.reason if isinstance(error, TransportError) else "no trusted connection"}


# The shapes


def plain_words(values: t.Iterable[object]) -> list[str]:
    """Returns the different words among ``values`` that may be shown, sorted; at most MAX_WORDS."""
    return sorted({value for value in values if isinstance(value, str) and _PLAIN_WORD.fullmatch(value)})[:MAX_WORDS]


def type_name(value: object) -> str:
    """Returns the type of a value: what JSON calls it, and the format of a text."""
    if isinstance(value, str):
        return "time" if parse_time(value) else "text"
    if isinstance(value, list):
        inner = sorted({type_name(entry).partition(" ")[0] for entry in value})
        return f"list of {' or '.join(inner)}" if inner else "list"
    return {bool: "boolean", dict: "object", type(None): "null", object: "missing"}.get(type(value), "number")


def has_type(value: object, types: str) -> bool:
    """Returns True if the value has one of the types, which are separated by "|"."""
    names = {type_name(value).split()[0], *(["text"] if isinstance(value, str) else [])}
    return any(KINDS[kind](value) if kind in KINDS else kind in names for kind in types.split("|"))


def find_value(item: Resource, fields: str) -> object:
    """Returns the first of the fields that is shown. A dot nests."""
    values = []
    for name in fields.split("|"):
        outer, _dot, inner = name.rpartition(".")
        values.append((as_object(item.get(outer)) if outer else item).get(inner, MISSING))
    return next((value for value in values if value is not MISSING and value not in (None, "")), values[0])


def describe_fields(items: list[Resource]) -> dict[str, str]:
    """Returns the type of each field of the items. Keys inside of a field are not shown."""
    names = list(dict.fromkeys(name for item in items for name in item))
    shown = [name for name in names if _FIELD_NAME.fullmatch(name)]
    shape = {name: _describe_field(name, items) for name in shown}
    if len(shown) < len(names):
        shape[UNNAMED] = f"{len(names) - len(shown)} fields whose names are not shown"
    return shape


def _describe_field(name: str, items: list[Resource]) -> str:
    values = [item[name] for item in items if name in item]
    text = " or ".join(sorted({type_name(value) for value in values}, key=lambda kind: (kind == "null", kind)))
    if name in WORD_FIELDS and (words := plain_words(values)):
        text += f": {', '.join(words)}"
    return text if len(values) == len(items) else f"{text}; not in every one"


# The checks


def find_all(seen: Examination, wanted_account: str | None) -> t.Iterator[Finding]:
    """Yields all findings, in the order in which those of one status are shown."""
    account = "GET /account accepts the key, and shows the account that is meant"
    yield Finding("api", "GET /health is answered with 2xx without a key", *_check_api(seen))
    yield Finding("key", account, *_check_key(seen, wanted_account))
    yield Finding("clock", f"the clocks are at most {MAX_SKEW:.0f} s apart", *_check_clock(seen))
    yield Finding("rate_headers", "X-RateLimit-Limit, -Remaining and -Reset in each answer", *_check_rate_headers(seen))
    yield Finding("errors", "an instance that does not exist is answered with 404", *_check_errors(seen))
    yield Finding("endpoints", "each endpoint is answered with 200 and data", *_check_endpoints(seen))
    yield Finding("pagination", "pages of 25 with counts; page=2 returns the next ones", *_check_pagination(seen))
    for check in dict.fromkeys(row.check for row in TABLE):
        rows = [row for row in TABLE if row.check == check]
        fields = ", ".join(dict.fromkeys(row.fields for row in rows)).replace("|", " or ")
        where = " and ".join(dict.fromkeys(row.objects for row in rows))
        yield Finding(check, f"{where} with {fields}", *_check_fields(rows, seen))


def _check_fields(rows: list[Row], seen: Examination) -> Judgement:
    """Returns the judgement of the rows of one check."""
    if not any(seen.find_objects(row.objects) for row in rows):
        name = rows[0].objects.partition("|")[0]
        reply = seen[name.partition(".")[0]]
        if reply.problem:
            return "unknown", NOT_SEEN, reply.needed
        return "unknown", "none", f"Needs an account with objects of this kind: {name}."
    judged = [row.judge(seen.find_objects(row.objects)) for row in rows]
    problems = list(dict.fromkeys(text for problems, _uses, _note in judged for text in problems))
    if not problems:
        return "ok", "as expected", ""
    lost = list(dict.fromkeys(use for _problems, uses, _note in judged for use in uses))
    notes = dict.fromkeys(note for _problems, _uses, note in judged if note)
    consequence = " ".join([*([f"Does not work: {', '.join(lost)}."] if lost else []), *notes])
    return "different" if lost else "tolerated", "; ".join(problems[:MAX_PROBLEMS]), consequence or WORKS


def _check_api(seen: Examination) -> Judgement:
    error = seen.health["error"]
    if error is None:
        return "ok", "up", ""
    found = f"GET /health: {_explain(error)['problem']}"
    if isinstance(error, ApiError) or not seen["account"].problem:
        return "different", found, "claw_health_info calls the service down, and the playbook restore stops at once."
    return "failed", found, "Nothing works until the service can be reached."


def _check_key(seen: Examination, wanted: str | None) -> Judgement:
    account = seen["account"]
    if not account.problem and wanted and not is_account(as_object(account.data), wanted):
        found = "accepted, but not known to be for the account that the option account names"
        return "failed", found, "Tasks that would change something are refused. Correct the key or account."
    if not account.problem:
        return "ok", "accepted", ""
    if not account.is_sent:
        return "unknown", NOT_SEEN, account.problem
    found = f"GET /account: {account.problem}"
    if account.status == 401:
        advice = "Check api_key, api_key_file and CLAWHOSTERS_API_KEY; create keys in the dashboard."
        return "failed", found, f"No task works with this key. {advice}"
    if not seen["instances"].problem:
        return "different", found, "claw_account_info fails; other requests are answered."
    return "failed", found, "Check api_url, and the permissions of the key."


def _check_clock(seen: Examination) -> Judgement:
    skew = seen.health["clock_skew"]
    if skew is None:
        return "unknown", NOT_SEEN, "Needs an answer to GET /health with a Date."
    if abs(skew) <= MAX_SKEW:
        return "ok", f"{abs(skew):.0f} s apart", ""
    found = f"this machine is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead'}"
    return "different", found, "Times of this machine mislead: check its time service."


def _check_rate_headers(seen: Examination) -> Judgement:
    answers = [reply.headers for reply in seen.replies.values() if reply.headers is not None]
    if not answers:
        return "unknown", NOT_SEEN, seen["account"].needed
    windows = [window for headers in answers if (window := rate_headers.parse_window(headers, time.time()))]
    if len(windows) < len(answers):
        found = f"usable in {len(windows)} of {len(answers)} responses"
        return "tolerated", found, "Tasks can't share the rate limit: they exceed it, and wait after a 429."
    if not all(1e9 <= (rate_headers.parse_finite(each.get("X-RateLimit-Reset")) or 0) < 1e12 for each in answers):
        return "tolerated", "X-RateLimit-Reset is no Unix time", "It is read as seconds left, milliseconds or a date."
    return "ok", "in each response", ""


def _check_errors(seen: Examination) -> Judgement:
    reply = seen["absent"]
    if not reply.is_sent:
        return "unknown", NOT_SEEN, reply.problem
    if reply.status in (404, 410):
        return "ok", reply.problem, ""
    found = reply.problem or "an answer with data"
    return "different", found, "`state: absent` and waits can't see that an instance is gone."


def _check_endpoints(seen: Examination) -> Judgement:
    sent = [(seen[name], endpoint) for name, endpoint in ENDPOINTS.items() if endpoint.needed_by and seen[name].is_sent]
    broken = [(reply, endpoint) for reply, endpoint in sent if reply.problem]
    if all(reply.status == 401 for reply, _endpoint in sent):
        return "unknown", NOT_SEEN, seen["account"].needed
    if not broken:
        return "ok", f"all {len(sent)} that were requested", ""
    found = "; ".join(f"{reply.request}: {reply.problem}" for reply, _endpoint in broken)
    uses = dict.fromkeys(", ".join(endpoint.needed_by for _reply, endpoint in broken).split(", "))
    return "failed", found, f"Does not work: {', '.join(uses)}."


def _check_pagination(seen: Examination) -> Judgement:
    first, second = seen["instances"], seen["page_2"]
    if first.problem:
        return "unknown", NOT_SEEN, first.needed
    if first.pagination is None and len(first.data) == PAGE_SIZE:
        advice = "The list may be truncated. Compare it with the dashboard before you rely on it."
        return "different", f"none, and exactly {PAGE_SIZE} instances", advice
    if first.count("total_count") is None and first.count("total_pages") is None:
        found = "none" if first.pagination is None else "without counts"
        return "tolerated", found, "A list ends with its first response, or with the first page that is empty."
    if "page_2" not in seen.replies:
        return "unknown", "one page", f"Needs an account with more than {PAGE_SIZE} instances."
    earlier, later = ({str(item.get("id")) for item in reply.data or ()} for reply in (first, second))
    if second.problem or not later or later & earlier:
        found = second.problem or f"{len(later - earlier)} of {len(later)} instances are new"
        return "different", f"page=2: {found}", "Lists of more than one page can't be read: each task with one fails."
    return "ok", f"pages of {len(first.data)}; page=2 returns the next ones", ""
