# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key is nowhere but in the requests: not on a screen, in a result, or in a file that Ansible writes."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import socket
import threading
import typing as t
from urllib.parse import quote, quote_plus, unquote

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ApiError, ClawHostersError, SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API, KNOWN_VARIABLES
from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet, claw_instance
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import SPEC, parse_arguments
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, Run
from support.raw_service import Raw, raw_service
from support.worker import Worker

SECRET = "oc_live_very+secret/0123456789"
FORMS = [
    SECRET,
    quote(SECRET, safe=""),
    quote(SECRET),
    quote_plus(SECRET),
    base64.b64encode(SECRET.encode()).decode().rstrip("="),
    base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    # As part of a longer text, such as `Bearer KEY`, it may begin at any of three places.
    *(base64.b64encode(b"x" * shift + SECRET.encode()).decode()[4:-4] for shift in (1, 2)),
    SECRET.encode().hex(),
    SECRET[::-1],
]


def assert_key_is_nowhere(run: Run, controller: Controller) -> None:
    """No form of the key is in what the run printed or in any file below the controller's folder and home."""
    for form in FORMS:
        assert form not in run.screen
        assert form not in str(run.results)
    for path in controller.left():
        if path.is_file() and path.name not in ("playbook.yml", "key", "test.clawhosters.yml"):
            content = path.read_bytes()
            assert not any(form.encode() in content for form in FORMS), path


def give_key(controller: Controller, how: str) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Options and play keywords that give the key in this way, and the environment without it."""
    controller.environment.pop("CLAWHOSTERS_API_KEY", None)
    if how == "environment":
        controller.environment["CLAWHOSTERS_API_KEY"] = SECRET
        return {}, {}
    if how == "file":
        path = controller.write("key", SECRET)
        path.chmod(0o600)
        return {"api_key_file": str(path)}, {}
    if how == "module_defaults":
        return {}, {"module_defaults": {"group/clawhosters.cloud.all": {"api_key": SECRET}}}
    if how == "play":
        return {}, {"environment": {"CLAWHOSTERS_API_KEY": SECRET}}
    if how == "variable":
        return {"api_key": "{{ key }}"}, {"vars": {"key": SECRET}}
    return {"api_key": SECRET}, {}


WAYS = ("option", "variable", "module_defaults", "file", "play")
"""Besides the environment, which would do for all of these."""
SITUATIONS: dict[str, dict[str, t.Any]] = {
    # From ansible-core 2.19 a failure shows the two lines above the task, where the key of the play is.
    "not found": {"id": 999},
    "success": {"id": 1, "state": "started"},
    "bad option": {"id": 1, "no_such_option": 1},
    "wrong key": {"id": 2, "state": "stopped"},
    "html": {"id": 3, "state": "restarted"},
}


def test_the_key_shows_nowhere_at_any_verbosity(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("unauthorized", path="/instances/2", times=None)
    simulator.fault("html_502", path="/instances/3", times=None)
    settings = {
        "ANSIBLE_LOG_PATH": str(controller.folder / "log"),
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "1",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(controller.folder / "retry"),
    }
    for ways in (["environment"], WAYS):
        plays = []
        for way in ways:
            options, keywords = give_key(controller, way)
            tasks: list[dict[str, t.Any]] = []
            for situation, given in SITUATIONS.items():
                task = {"clawhosters.cloud.claw_instance": {**options, **given, "retry_timeout": 0}}
                # The last failure ends the run.
                is_last = (way, situation) == (ways[-1], "html")
                tasks.append({**task, "register": "read", "ignore_errors": not is_last})
                tasks.append({"ansible.builtin.debug": {"var": "read"}})
            plays.append({"hosts": "localhost", "gather_facts": False, **keywords, "tasks": tasks})
        run = controller.playbook(plays, "-vvvv", "--diff", **settings)
        assert run.rc != 0, run.screen
        assert list((controller.folder / "retry").iterdir())
        # Two results of each case: the task's, and what debug shows of it. The last one has no second.
        cases = [f"{situation}, key by {way}" for way in ways for situation in SITUATIONS for _result in range(2)][:-1]
        assert len(run.results) == len(cases), run.screen
        for case, entry in zip(cases, run.results, strict=True):
            task_failed = "read" not in entry["result"] and entry["outcome"] == "failed"
            assert task_failed is ("read" not in entry["result"] and not case.startswith("success")), case
            assert not [form for form in FORMS if form in str(entry)], case
        assert_key_is_nowhere(run, controller)


MISTAKEN = "oc_live_given_by_mistake"
WRONG = [name for name in {**claw_instance.SPEC.options, **claw_fleet.SPEC.options} if name != "api_key"]


def test_a_key_given_as_another_option_of_a_task_does_not_show(controller: Controller) -> None:
    tasks: list[dict[str, t.Any]] = []
    for name in (*WRONG, "no_such_option"):
        for module in (claw_instance, claw_fleet):
            options = {"id": 1} if module is claw_instance else {"instances": [{"id": 1}]}
            task = {f"clawhosters.cloud.{module.__name__.rpartition('.')[2]}": {**options, name: MISTAKEN}}
            tasks.append({**task, "ignore_errors": True})
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], "-vvv", "--diff")
    assert run.rc == 0, run.screen
    assert len(run.results) == len(tasks)
    assert MISTAKEN not in run.screen + json.dumps(run.results)


@pytest.mark.rest
@pytest.mark.parametrize("variable", [name for name in KNOWN_VARIABLES if name != "CLAWHOSTERS_API_KEY"])
def test_a_key_given_as_another_variable_does_not_show(controller: Controller, variable: str) -> None:
    controller.environment[variable] = MISTAKEN
    if variable == "CLAWHOSTERS_API_KEY_FILE":
        del controller.environment["CLAWHOSTERS_API_KEY"]
    for run in (controller.task({"id": 1}, "-vvv"), controller.inventory()):
        assert MISTAKEN not in run.screen + json.dumps(run.results)


def test_a_key_given_as_another_option_of_the_inventory_does_not_show(controller: Controller) -> None:
    sources = []
    for name in (*API.options, "on_duplicate", "statuses", "min_hosts", "group", "hostvars_prefix", "no_such_option"):
        if name != "api_key":
            config = {"plugin": "clawhosters.cloud.instances", name: MISTAKEN}
            sources += ["-i", str(controller.write(f"{name}.clawhosters.yml", config))]
    run = controller.run("ansible", "all", *sources, "--list-hosts", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="false")
    assert "priority.clawhosters.yml" in run.stderr
    assert MISTAKEN not in run.screen


@pytest.mark.parametrize("name", [name for name in SPEC.options if name != "api_key"])
def test_a_key_given_as_another_argument_of_the_event_source_does_not_show(name: str) -> None:
    said: list[str] = []
    try:
        parse_arguments({"api_key": SECRET, "interval": 30.0, name: MISTAKEN}, said.append)
    except SettingsError as error:
        said.append(str(error))
    assert MISTAKEN not in str(said)


ECHOES = {
    "JSON with all escaped": "".join(f"\\u{ord(one):04x}" for one in SECRET),
    "escaped slashes": SECRET.replace("/", "\\/"),
    "percent": quote(SECRET, safe=""),
    "HTML": "".join(f"&#{ord(one)};" for one in SECRET),
    "base64": base64.b64encode(f"Bearer {SECRET}".encode()).decode(),
    "two lines": SECRET[:12] + "\\n" + SECRET[12:],
}
"""Spellings of the key within a text of JSON."""


def assert_no_echo(text: str) -> None:
    """Neither the key nor what it could be read from is in ``text``."""
    flat = "".join(unquote(html.unescape(text)).split())
    assert SECRET not in flat
    assert SECRET[-10:] not in flat
    assert FORMS[4][:20] not in flat
    assert ECHOES["base64"][12:30] not in flat


@pytest.mark.parametrize("echo", ECHOES)
def test_a_key_in_another_spelling_is_as_secret(echo: str) -> None:
    """In a body, in headers, in an error, in a page, and in what is wrong with them."""
    spelled = ECHOES[echo]
    header = json.loads(f'"{spelled}"').replace("\n", " ") if "two" not in echo else SECRET
    answers: list[Raw] = [
        (200, {}, f'{{"data": [{{"id": 1, "name": "a {spelled} b", "{spelled}": ["{spelled}"]}}]}}'.encode()),
        (200, {}, f"no JSON but {spelled}".encode()),
        (422, {"X-Request-Id": header}, f'{{"error": {{"message": "no {spelled}", "code": "{spelled}"}}}}'.encode()),
        (500, {"Content-Type": "text/html"}, f"<p>no {spelled}".encode()),
        (302, {"Location": f"https://elsewhere.example/{quote(header)}"}, b""),
        (302, {"Location": f"//[{quote(header)}"}, b""),
    ]
    for answer in answers:
        with raw_service(lambda _method, _path, answer=answer: answer) as options:
            client = Client(parse_settings({**options, "api_key": SECRET}, pytest.fail))
            try:
                said: t.Any = fetch_all(client, "/instances")
            except ClawHostersError as error:
                said = [str(error), error.as_dict() if isinstance(error, ApiError) else {}]
            assert_no_echo(json.dumps(said))
            assert "********" in str(said) or answer[0] == 302


def test_a_netrc_does_not_replace_the_key(simulator: Simulator, controller: Controller) -> None:
    (controller.home / ".netrc").write_text("machine 127.0.0.1 login user password wrong\n", encoding="utf-8")
    run = controller.task({"id": 1})
    assert run.rc == 0, run.screen


# Everything at once

EVERYTHING: list[dict[str, t.Any]] = [
    *({f"clawhosters.cloud.claw_{name}_info": {}} for name in ("account", "health", "doctor", "addon", "backup")),
    {"clawhosters.cloud.claw_instance_info": {"details": True}},
    {"clawhosters.cloud.claw_billing_info": {"include": ["summary", "usage", "transactions", "packages"]}},
    {"clawhosters.cloud.claw_addon": {"id": 1, "config": {"usage_limit": 7}}},
    {"clawhosters.cloud.claw_instance": {"id": 1, "state": "restarted"}},
    {"clawhosters.cloud.claw_fleet": {"instances": [{"id": 1, "state": "stopped"}, {"id": 999}]}},
    {"clawhosters.cloud.claw_backup_restore": {"incident": "INC-1", "instance_id": 2}},
    {"clawhosters.cloud.claw_fleet_restore": {"incident": "INC-2", "instances": [{"id": 2}]}},
    {"clawhosters.cloud.claw_purchase": {"order": "one", "package_id": 1, "balance_below": 100_000}},
    {"clawhosters.cloud.claw_journal_info": {}},
    {"clawhosters.cloud.claw_state_database": {"state_database": "postgresql://u:s3cret-Word@127.0.0.1:1/db"}},
]


def everything() -> list[dict[str, t.Any]]:
    """A playbook of every module, which goes on whatever fails, and shows what came of it."""
    tasks = []
    for number, task in enumerate(EVERYTHING):
        tasks += [
            {**task, "register": f"result_{number}", "ignore_errors": True},
            {"ansible.builtin.debug": {"var": f"result_{number}"}},
        ]
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]


def test_no_module_is_left_out() -> None:
    names = {name.rpartition(".")[2] for task in EVERYTHING for name in task}
    assert names == {path.stem for path in (REPOSITORY / "plugins/modules").glob("claw_*.py")}


@pytest.mark.parametrize(
    "mood", ["telling", *(pytest.param(mood, marks=pytest.mark.rest) for mood in ("well", "refusing", "broken"))]
)
@pytest.mark.slow
def test_no_key_is_left(simulator: Simulator, controller: Controller, mood: str) -> None:
    """Screens, results, logs, caches, the journal, reports and temporary files, whatever the service does.

    Names are short: ansible-core 2.21 makes a socket in TMPDIR, whose path must fit into 107 bytes.
    """
    temporary = controller.folder / "t"
    temporary.mkdir()
    controller.environment |= {
        "CLAWHOSTERS_API_KEY": SECRET,
        "CLAWHOSTERS_RETRY_TIMEOUT": "0",
        "TMPDIR": str(temporary),
        "ANSIBLE_LOCAL_TEMP": str(temporary / "local"),
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        "ANSIBLE_LOG_PATH": str(controller.folder / "log"),
        "ANSIBLE_RETRY_FILES_ENABLED": "1",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(controller.folder / "retry"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(controller.folder / "facts"),
    }
    if mood == "refusing":
        simulator.fault("unauthorized", times=None)
    if mood == "broken":
        simulator.fault("html_502", times=None)
    if mood == "telling":
        # It says the key in all that it can say.
        told = {"message": f"no, {SECRET}", "code": SECRET, "details": {SECRET: [SECRET]}}
        headers = {"X-Request-Id": SECRET, "Retry-After": SECRET}
        simulator.fault("status", method="POST", status=422, headers=headers, times=None, **told)
        simulator.set_instance(2, name=f"bot {SECRET}", tier=SECRET)
    assert_key_is_nowhere(controller.playbook(everything(), "-vvvv", "--diff"), controller)
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": "cache"}
    listed = controller.inventory({**cache, "details": True}, "-vvvv")
    assert (listed.rc == 0) is (mood in ("well", "telling")), listed.screen
    assert_key_is_nowhere(listed, controller)
    restore = {"restore_instance_ids": [2], "restore_confirm": "support-bot", "restore_incident": "INC-2"}
    for playbook, variables in {
        "restore": restore,
        "fleet_report": {},
        "balance_guard": {"balance_guard_min_days": 0},
        "fleet": {"fleet_instances": [{"id": 1}]},
    }.items():
        options = ("-e", json.dumps(variables), "-vvvv", "--diff")
        run = controller.run("ansible-playbook", f"clawhosters.cloud.{playbook}", *options)
        assert_key_is_nowhere(run, controller)
        assert run.rc == 0 or mood != "well", run.screen
    if mood == "telling":
        simulator.fault("status", status=422, headers=headers, times=None, **told)
        for run in (controller.task({"id": 1}, "-vvvv"), controller.inventory(None, "-vvvv")):
            assert run.rc != 0, run.screen
            assert_key_is_nowhere(run, controller)
    written = {path.name for path in controller.left() if path.is_file()}
    if mood == "well":
        assert any(path.parent.name == "journal-marks" for path in controller.left())
        assert {"clawhosters-fleet-report.html", "INC-2.json", "INC-2.html", "log"} <= written


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_carries_the_key_to_another_host(simulator: Simulator, status: int, method: str) -> None:
    """The other host is this machine under another name, so that what it gets is seen in the same log."""
    elsewhere = simulator.url.replace("127.0.0.1", "localhost")
    simulator.fault("redirect", method=method, status=status, location=f"{elsewhere}/instances/1", times=None)
    assert Worker(simulator).run(claw_instance, id=1, state="stopped")["failed"]
    assert [call for call in simulator.calls() if call.startswith(method)]
    assert not [entry for entry in simulator.log() if entry["headers"]["host"].startswith("localhost")]


@pytest.mark.parametrize(
    "proxy",
    [
        "http://us3r:pa55#w0rd@127.0.0.1:PORT",
        "http://us3r:pa55/w0rd@127.0.0.1:PORT",
        "http://us3r:pa55w0rd@127.0.0.1:99999",
        "us3r:pa55w0rd@127.0.0.1:PORT",
        "http://us3r:pa55w0rd@",
        "http://us3r:pa55w0rd[@127.0.0.1:PORT",
        "ftp://us3r:pa55w0rd@127.0.0.1:PORT",
        "socks5://us3r:pa55w0rd@127.0.0.1:PORT",
        # These two are addresses; what listens there tells the password in its refusal.
        "http://us3r:pa55w0rd@127.0.0.1:PORT",
        "http://us3r:pa55%23w0rd@127.0.0.1:PORT",
    ],
)
def test_no_message_tells_the_password_of_a_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    password = unquote(proxy.partition("us3r:")[2].rpartition("@")[0])
    login = base64.b64encode(f"us3r:{password}".encode()).decode()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])

        def refuse() -> None:
            with contextlib.suppress(OSError):
                connection, _address = server.accept()
                connection.recv(4096)
                connection.sendall(f"HTTP/1.1 407 not {password} or {quote(password)} or {login}\r\n\r\n".encode())
                connection.close()

        threading.Thread(target=refuse, daemon=True).start()
        monkeypatch.setenv("https_proxy", proxy.replace("PORT", port))
        options = {"api_key": SECRET, "api_url": "https://clawhosters.example", "timeout": 5, "retry_timeout": 0}
        client = Client(parse_settings(options, pytest.fail))
        with pytest.raises(ClawHostersError, match=r"was not sent: .*proxy") as failure:
            client.fetch("/account")
    assert not [part for part in ("us3r", "pa55", "w0rd", login[4:14]) if part in str(failure.value)]
    assert client.stats.requests == 0
