# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that means harm, in every field of every object: nothing runs, nothing breaks a screen or a page, and no
file is written but where it should be.
"""

from __future__ import annotations

import contextlib
import json
import typing as t
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ApiError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.acceptance import parse_accepted
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.modules import (
    claw_backup_restore,
    claw_fleet,
    claw_fleet_restore,
    claw_instance,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.fleet_findings import CHECKS
from simulator.handle import Simulator
from support.controller import Controller, Run
from support.controls import CONTROLS, as_shown, find_controls
from support.raw_service import Raw, raw_service
from support.worker import Worker, result_of

TOUCH = "lookup('ansible.builtin.pipe', 'touch pwned')"
PAYLOADS = [
    f"{{{{ {TOUCH} }}}}",
    f"{{% set x = {TOUCH} %}}{{{{ x }}}}",
    f"#jinja2:variable_start_string:'[['\n[[ {TOUCH} ]]",
    TOUCH,
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "\"'></td></table></style><h1>owned</h1>",
    "!!python/object/apply:os.system ['touch pwned']\n- x: [1, 2",
    "\x1b[31mred\x1b]0;owned\x07\x1b[2J\x9b1m",
    "line\r\nsecond line\x00\x08\x7f\u2028third\u0085",
    "w\u0435b-bot",  # a Cyrillic letter
    "\u202egnirts\u200b\u2066x\u061c\u200e\u200f\u202a\u2069",
    "../../../../owned",
    "-oProxyCommand=touch${IFS}pwned",
    "web-bot; touch pwned #$(touch pwned)`touch pwned`",
    "%s{0}%(x)s",
]


FIELDS = ("name", "billing_mode", "tier", "health_status", "ip_address", "subdomain_url")


def hostile_world() -> dict[str, t.Any]:
    """An instance for each payload, which stands in all of its fields, and in those of all that belongs to it."""
    numbered = list(enumerate(PAYLOADS, start=1))
    return {
        "balance": 500,
        "instances": [
            {"id": number, "region": {payload: [payload]}, payload: payload, **dict.fromkeys(FIELDS, payload)}
            for number, payload in numbered
        ],
        "addons": [
            {"id": number, "instance_id": number, "addon_type": payload, "tier": payload}
            for number, payload in numbered
        ],
        "backups": [
            {"id": number, "instance_id": number, "created_at": "5h ago", "backup_type": payload, "size_bytes": payload}
            for number, payload in numbered
        ],
        "account": {"id": 1, "email": PAYLOADS[0], PAYLOADS[4]: PAYLOADS[7]},
        "transactions": [{"id": number, "description": payload, payload: payload} for number, payload in numbered],
        "packages": [{"id": number, "name": payload} for number, payload in numbered],
    }


@pytest.fixture
def hostile(simulator: Simulator) -> Simulator:
    simulator.reset(state=hostile_world(), switches={"transition_reads": 1})
    return simulator


@pytest.fixture
def folder(controller: Controller) -> t.Iterator[Path]:
    """The controller's folder, deep enough that a way out of it is seen."""
    yield controller.folder
    # A lookup of a playbook of the collection runs in the playbook's folder.
    playbooks = Path(__file__).parents[3].joinpath("playbooks").glob("*")
    around = [*controller.left(), *controller.folder.parent.glob("*"), *Path("/").glob("owned*"), *playbooks]
    assert not [path for path in around if "pwned" in path.name or path.name.startswith("owned")]


def assert_is_calm(run: Run) -> None:
    """No traceback, and nothing that a terminal would obey."""
    assert "Traceback" not in run.screen
    assert "Bug in the collection" not in run.screen
    assert find_controls(run.screen) == set()


class Tags(HTMLParser):
    """The tags and attributes that a browser would find in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.depth: dict[str, int] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.depth[tag] = self.depth.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        self.depth[tag] = self.depth.get(tag, 0) - 1


def assert_page_is_whole(page: str) -> None:
    """Nothing runs, nothing is fetched, and what was opened is closed."""
    tags = Tags(page)
    assert "img" not in tags.tags
    assert tags.tags.count("script") <= 1
    assert not [name for name, _value in tags.attributes if name.startswith("on") or name in ("src", "href")]
    assert {tag: depth for tag, depth in tags.depth.items() if depth and tag not in ("meta", "link", "br", "hr")} == {}
    assert tags.tags.count("h1") == 1
    assert find_controls(page) == set()
    assert not {"\u2028", "\u2029"} & set(page)


BILLING = ["summary", "usage", "transactions", "packages"]
READ_ALL: list[dict[str, t.Any]] = [
    {"clawhosters.cloud.claw_instance_info": {"details": True}, "register": "instances"},
    {"clawhosters.cloud.claw_addon_info": {}, "register": "addons"},
    {"clawhosters.cloud.claw_backup_info": {}, "register": "backups"},
    {"clawhosters.cloud.claw_billing_info": {"include": BILLING}, "register": "billing"},
    {"clawhosters.cloud.claw_account_info": {}, "register": "account"},
    {"clawhosters.cloud.claw_health_info": {}, "register": "health"},
    {"clawhosters.cloud.claw_doctor_info": {}, "register": "doctor"},
    {
        "clawhosters.cloud.claw_fleet": {"instances": [{"id": 1, "state": "stopped"}, {"id": 2, "state": "restarted"}]},
        "register": "fleet",
    },
    {
        "clawhosters.cloud.claw_fleet": {
            "ids": [6, 7],
            "names": ["{{ instances.instances[0].name }}"],
            "state": "restarted",
            "serial": [1, "100%"],
            "max_failures": 1,
        },
        "register": "batches",
    },
    {"clawhosters.cloud.claw_fleet": {"ids": [8, 9], "state": "stopped"}, "check_mode": True, "register": "planned"},
    {
        "clawhosters.cloud.claw_fleet": {"ids": [8, 9], "state": "stopped", "plan": "{{ planned.plan }}"},
        "register": "applied",
    },
    {"clawhosters.cloud.claw_backup_restore": {"instance_id": 3, "incident": "INC-1"}, "register": "restore"},
    {"clawhosters.cloud.claw_addon": {"id": 1, "config": {"usage_limit": 7}}, "register": "addon"},
    {
        "ansible.builtin.debug": {
            "msg": "{{ [instances, addons, backups, billing, account, health, fleet, batches, planned, applied,"
            " restore, addon, doctor] | to_json }}"
        }
    },
    {"ansible.builtin.debug": {"msg": "{{ item.name }} {{ item.tier | upper }}"}, "loop": "{{ instances.instances }}"},
    {
        "ansible.builtin.assert": {"that": ["item.name | length > 0", "item.tier != 'x'"]},
        "loop": "{{ instances.instances }}",
    },
]


@pytest.mark.slice
def test_modules_and_what_plays_do_with_their_results(hostile: Simulator, controller: Controller, folder: Path) -> None:
    play = {"hosts": "localhost", "gather_facts": False, "tasks": READ_ALL}
    run = controller.playbook([play], "-vvv", "--diff")
    assert run.rc == 0, run.screen[-3000:]
    assert_is_calm(run)
    (shown,) = [entry["result"]["msg"] for entry in run.results if str(entry["result"].get("msg", "")).startswith("[{")]
    names = {instance["name"] for instance in json.loads(shown)[0]["instances"]}
    assert names == set(map(as_shown, PAYLOADS))


@pytest.mark.rest
def test_the_runbooks_and_their_pages(hostile: Simulator, controller: Controller, folder: Path) -> None:
    ids = list(range(1, len(PAYLOADS) + 1))
    before = set(folder.iterdir())
    incident = "../../../escaped/../INC-1 <b>{{ 7 * 7 }}"
    given = {"restore_instance_ids": ids, "restore_incident": incident, "restore_http_check": True}
    restore = ("ansible-playbook", "clawhosters.cloud.restore", "-e")
    assert_is_calm(controller.run(*restore, json.dumps(given), "--check"))
    refused = controller.run(*restore, json.dumps({**given, "restore_confirm": "x"}))
    assert refused.rc != 0
    assert_is_calm(refused)
    for playbook in ("fleet_report", "balance_guard"):
        assert_is_calm(controller.run("ansible-playbook", f"clawhosters.cloud.{playbook}"))
    checks = {"fleet_report_fail_on": list(CHECKS)}
    found = controller.run("ansible-playbook", "clawhosters.cloud.fleet_report", "-e", json.dumps(checks))
    assert found.rc == 2
    assert_is_calm(found)
    fleet = {"fleet_instances": [{"id": number, "state": "stopped"} for number in ids]}
    for flags, name in ((["--check", "--diff"], "fleet_plan_path"), ([], "fleet_apply_plan"), ([], "fleet_apply_plan")):
        options = json.dumps({**fleet, name: "plan.json"})
        assert_is_calm(controller.run("ansible-playbook", "clawhosters.cloud.fleet", "-e", options, *flags))
    assert len(hostile.calls("POST /instances/*/stop")) == len(ids)
    written = {path for path in folder.iterdir() if path not in before} - {folder / "results"}
    assert written == {folder / "clawhosters-restore", folder / "clawhosters-fleet-report.html", folder / "plan.json"}
    pages = [folder / "clawhosters-fleet-report.html", *(folder / "clawhosters-restore").glob("*.html")]
    assert len(pages) == 2
    for page in pages:
        assert page.resolve().is_relative_to(folder)
        assert_page_is_whole(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("payload", [*PAYLOADS, "x" * 1_000_000])
def test_what_the_service_says_of_an_error_is_a_line(simulator: Simulator, payload: str) -> None:
    simulator.reset(state={"instances": [{"id": 1, "name": payload}]})
    details = {payload: [payload, {payload: payload}]}
    simulator.fault("status", method="POST", status=422, code=payload, message=payload, details=details)
    result = result_of(claw_instance, simulator, id=1, state="stopped")
    assert result["failed"] is True
    assert result["msg"].isprintable()
    assert len(result["msg"]) < 1500
    shown = as_shown(payload)
    assert result["error"]["message"] == result["error"]["code"] == shown
    assert result["error"]["details"] == {shown: [shown, {shown: shown}]}
    for status in ("deploying", payload):
        simulator.set_instance(1, status=status, ip_address=payload, tier=payload)
        late = result_of(claw_instance, simulator, id=1, state="stopped", wait=False)
        assert late["failed"] is True
        assert late["msg"].isprintable()
        assert len(late["msg"]) < 5000


EVERY_CONTROL = "".join(sorted(CONTROLS))
COMMANDS = {
    "ad hoc": ["ansible", "localhost", "-m", "clawhosters.cloud.claw_instance_info", "-vvv"],
    "inventory as JSON": ["ansible-inventory", "-i", "test.clawhosters.yml", "--list"],
    "inventory as graph": ["ansible-inventory", "-i", "test.clawhosters.yml", "--graph", "--vars"],
    "debug": ["ansible-playbook", "playbook.yml"],
    "failure": ["ansible", "localhost", "-m", "clawhosters.cloud.claw_instance", "-a", "id=1 state=stopped"],
    "plan": ["ansible-playbook", "clawhosters.cloud.restore", "-e", "restore_instance_ids=1 restore_incident=x", "-C"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_a_control_character(simulator: Simulator, controller: Controller, name: str) -> None:
    text = f"web{EVERY_CONTROL}bot"
    instance = {"id": 1, "name": text, "tier": text, text: text}
    backup = {"instance_id": 1, "created_at": "5h ago", "backup_type": text}
    simulator.reset(state={"instances": [instance], "backups": [backup]})
    simulator.fault("status", method="POST", times=None, status=409, code=text, message=text, details={text: text})
    controller.environment |= {"CLAWHOSTERS_RETRY_TIMEOUT": "0"}
    controller.write("test.clawhosters.yml", {"plugin": "clawhosters.cloud.instances"})
    show = ({"msg": "{{ found.instances[0].name }}"}, {"var": "found"})
    tasks = [{"clawhosters.cloud.claw_instance_info": {"details": True}, "register": "found"}]
    tasks += [{"ansible.builtin.debug": one} for one in show]
    controller.write("playbook.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    run = controller.run(*COMMANDS[name])
    assert (run.rc == 0) is (name != "failure"), run.screen
    assert find_controls(run.screen) == set()
    assert "\ufffd" in run.screen


def test_a_name_with_a_control_character_is_addressed_by_its_id(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(state={"instances": [{"id": 1, "name": "web\x9bbot"}, {"id": 2, "name": "web\x1bbot"}]})
    for state in ("stopped", "absent"):
        result = result_of(claw_instance, simulator, name="web\x9bbot", state=state)
        assert result["failed"] is True
        assert "name has control characters" in result["msg"]
        assert "use the id instead" in result["msg"]
        assert "ids 1, 2" in result_of(claw_instance, simulator, name="web\ufffdbot", state=state)["msg"]
    assert simulator.effects() == {}
    assert result_of(claw_instance, simulator, id=2, name="web\ufffdbot", state="stopped")["instance"]["id"] == 2


def test_headers_and_bodies_that_are_no_json_have_no_control_character() -> None:
    header = "a\x80b\x9b31mc\x1b"
    answers = {
        "/json": (422, json.dumps({"error": {"message": EVERY_CONTROL, "details": {EVERY_CONTROL: [EVERY_CONTROL]}}})),
        "/raw": (422, json.dumps({"error": {"message": "\x9b\u202e"}}, ensure_ascii=False)),
        "/text": (422, f"no {EVERY_CONTROL}"),
        "/bought": (200, f"bought\r\nby \x1b[1m{EVERY_CONTROL}"),
    }

    def answer(_method: str, path: str) -> Raw:
        status, body = answers[path]
        return status, {"X-Request-Id": header, "Content-Type": "text/plain"}, body.encode()

    with raw_service(answer) as options:
        client = Client(parse_settings(options, pytest.fail))
        errors = {}
        for path in ("/json", "/raw", "/text"):
            with pytest.raises(ApiError) as failure:
                client.fetch(path)
            errors[path] = failure.value.as_dict()
            assert errors[path]["request_id"] == "a\ufffdb\ufffd31mc\ufffd"
            assert find_controls(str(failure.value)) == set()
        bought = client.request("POST", "/bought", parse=parse_accepted)
    shown = "\ufffd" * len(EVERY_CONTROL)
    assert errors["/json"]["message"] == shown
    assert errors["/json"]["details"] == {shown: [shown]}
    assert errors["/raw"]["message"] == "\ufffd\ufffd"
    assert find_controls(errors["/text"]["message"]) == find_controls(bought) == set()
    assert bought.startswith("bought\nby \ufffd[1m")


def an_account(**instance: t.Any) -> dict[str, dict[str, t.Any]]:
    """An instance and its backup, by the path of the list."""
    shared = {"status": "running", "health_status": "healthy", "created_at": "2026-01-01"}
    return {
        "/instances": {**shared, "id": 1, "name": "web-bot", **instance},
        "/backups": {**shared, "id": 7, "instance_id": 1, "status": "completed"},
    }


@contextlib.contextmanager
def served(account: dict[str, dict[str, t.Any]]) -> t.Iterator[tuple[Worker, list[str]]]:
    """Serves the objects as they are at each request. Yields a worker, and the list of the requests."""
    requests: list[str] = []

    def answer(method: str, path: str) -> Raw:
        requests.append(f"{method} {path}")
        item = account[f"/{path.split('/')[1]}"]
        return 200, {}, json.dumps({"data": [item] if path in account else item}).encode()

    with raw_service(answer) as service:
        yield Worker(None, {**service, "wait_timeout": 60}), requests


WAYS_TO_RESTORE = pytest.mark.parametrize(
    ("module", "options"),
    [
        (claw_backup_restore, {"instance_name": "web-bot"}),
        (claw_backup_restore, {"backup_id": 7}),
        (claw_fleet_restore, {"instances": [{"name": "web-bot"}]}),
    ],
    ids=["by name", "by backup", "fleet"],
)


@pytest.mark.parametrize(
    "identity", [[], {"x": 1}, "..", ".", "", " ", True, 1.5, 2.0**60, "1.0", "+1", "\uff11", 0, -1], ids=repr
)
@WAYS_TO_RESTORE
def test_what_is_no_id_ends_the_task_at_once(module: ModuleType, options: dict[str, t.Any], identity: object) -> None:
    account = an_account(id=identity)
    account["/backups"]["id"] = identity
    with served(account) as (worker, requests):
        result = worker.run(module, incident="INC-1", **options)
    assert result["failed"] is True
    assert "in `data`; ids are positive whole numbers, or their text." in result["msg"]
    assert {request.split()[0] for request in requests} == {"GET"}


@pytest.mark.parametrize("spelling", [1.0, "1", "01", " 1 "], ids=repr)
@WAYS_TO_RESTORE
def test_an_instance_is_restored_once_however_its_id_is_spelled(
    module: ModuleType, options: dict[str, t.Any], spelling: object
) -> None:
    account = an_account()
    with served(account) as (worker, requests):
        for shown in (1, spelling):
            account["/instances"]["id"] = account["/backups"]["instance_id"] = shown
            result = worker.run(module, incident="INC-1", **options)
            assert result["failed"] is False, result["msg"]
    assert result["changed"] is False
    assert requests.count("POST /backups/7/restore") == 1


@pytest.mark.parametrize("name", [["web-bot"], {"name": "web-bot"}], ids=repr)
@pytest.mark.parametrize(
    ("module", "options"),
    [
        (claw_backup_restore, {"instance_id": 1, "incident": "INC-1"}),
        (claw_fleet_restore, {"ids": [1], "incident": "INC-1"}),
        (claw_fleet, {"ids": [1], "state": "stopped", "wait": False}),
        (claw_instance, {"id": 1, "state": "stopped", "wait": False}),
    ],
)
def test_a_name_that_is_no_text_counts_as_none(module: ModuleType, options: dict[str, t.Any], name: object) -> None:
    with served(an_account(name=name)) as (worker, _requests):
        result = worker.run(module, **options)
    assert result["failed"] is False, result["msg"]
    assert result.get("instances", [result.get("instance")])[0]["name"] is None
