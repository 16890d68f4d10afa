# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to give a key, to modules, to the inventory and to the event source: the table of docs/connection.md.

Each way has a key of its own. Which keys arrived is seen in the simulator's log.
"""

from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import parse_arguments
from simulator.exchange import fingerprint
from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller
from support.key_ways import (
    EVENT_SOURCE,
    INVENTORY,
    MODULE,
    PASSWORD,
    WAYS,
    assert_keys_arrived,
    key_of,
    vaulted,
    vaulted_value,
    ways_for,
)


@pytest.fixture
def prepared(controller: Controller) -> Controller:
    """A controller with the files and variables that the ways need, but without the usual key."""
    controller.environment.pop("CLAWHOSTERS_API_KEY")
    for way in ("environment variable with a file", "file", "lookup file", "lookup pipe"):
        controller.write(way.replace(" ", "_"), key_of(way)).chmod(0o600)
    controller.write("keys.ini", f"[staging]\napi_key={key_of('lookup ini')}\n")
    controller.write("vaulted_value.yml", vaulted_value("vaulted_value", key_of("vaulted value")))
    controller.write("vaulted_file.yml", vaulted(yaml.safe_dump({"vaulted_file": key_of("vaulted file")})))
    controller.write("password", PASSWORD)
    return controller


def options_of(controller: Controller, way: str) -> dict[str, str]:
    """Returns the options of a task or an inventory file that give the key in this way."""
    lookup = {
        "lookup env": "'ansible.builtin.env', 'MY_KEY'",
        "lookup file": f"'ansible.builtin.file', '{controller.folder}/lookup_file'",
        "lookup pipe": f"'ansible.builtin.pipe', 'cat {controller.folder}/lookup_pipe'",
        "lookup ini": f"'ansible.builtin.ini', 'api_key', section='staging', file='{controller.folder}/keys.ini'",
    }
    if way in lookup:
        return {"api_key": f"{{{{ lookup({lookup[way]}) }}}}"}
    if way in ("extra variable", "vaulted value", "vaulted file", "host variable", "group variable"):
        return {"api_key": f"{{{{ {way.replace(' ', '_')} }}}}"}
    return {"api_key_file": str(controller.folder / "file")} if way == "file" else {}


def environment_of(controller: Controller, way: str) -> dict[str, str]:
    """Returns the environment variables that give the key in this way."""
    if way == "environment variable with a file":
        return {"CLAWHOSTERS_API_KEY_FILE": str(controller.folder / "environment_variable_with_a_file")}
    if way == "credential of the controller":
        injector = (REPOSITORY / "examples/controller/credential_type_injector.yml").read_text(encoding="utf-8")
        (name,) = re.findall(r'^  (\w+): "{{ api_key }}"$', injector, re.MULTILINE)
        return {name: key_of(way)}
    return {"CLAWHOSTERS_API_KEY": key_of(way)} if way == "environment variable" else {}


def extra_variables(controller: Controller) -> tuple[str, ...]:
    variables = controller.write("extra.yml", {"extra_variable": key_of("extra variable")})
    files = [argument for name in ("vaulted_value", "vaulted_file") for argument in ("-e", f"@{name}.yml")]
    return ("-e", f"@{variables}", *files, "--vault-password-file", "password")


@pytest.mark.rest
def test_to_modules(prepared: Controller, simulator: Simulator) -> None:
    static = {
        "hosts": {"target": {"host_variable": key_of("host variable"), "ansible_connection": "local"}},
        "vars": {"group_variable": key_of("group variable")},
    }
    prepared.write("static.yml", {"all": static})
    plays = []
    for way in ways_for(MODULE):
        play = {"hosts": "target", "gather_facts": False, "environment": environment_of(prepared, way)}
        if way == "module_defaults":
            play["module_defaults"] = {"group/clawhosters.cloud.all": {"api_key": key_of(way)}}
        plays.append({**play, "tasks": [{"clawhosters.cloud.claw_account_info": options_of(prepared, way)}]})
    # Not in the playbook's own file, whose lines a failure would show.
    arguments = ("-i", "static.yml", *extra_variables(prepared), "-vvv")
    run = prepared.playbook(plays, *arguments, MY_KEY=key_of("lookup env"))
    assert run.rc == 0, run.screen
    assert_keys_arrived(simulator, ways_for(MODULE), run)


def test_to_the_inventory(prepared: Controller, simulator: Simulator) -> None:
    sources: list[str] = []
    by_environment = [way for way in ways_for(INVENTORY) if environment_of(prepared, way)]
    for way in set(ways_for(INVENTORY)) - set(by_environment):
        name, plugin = f"{way.replace(' ', '_')}.clawhosters.yml", "plugin: clawhosters.cloud.instances\n"
        if way == "vaulted inventory file":
            prepared.write(name, vaulted(f"{plugin}api_key: {key_of(way)}\n"))
        elif way == "vaulted value":
            prepared.write(name, plugin + vaulted_value("api_key", key_of(way)))
        else:
            prepared.write(name, plugin + yaml.safe_dump(options_of(prepared, way)))
        sources += ["-i", name]
    command = ("ansible-inventory", "--graph", "-vvv")
    runs = [prepared.run(*command, *sources, *extra_variables(prepared), MY_KEY=key_of("lookup env"))]
    prepared.write("plain.clawhosters.yml", "plugin: clawhosters.cloud.instances\n")
    plain = (*command, "-i", "plain.clawhosters.yml")
    runs += [prepared.run(*plain, **environment_of(prepared, way)) for way in by_environment]
    assert [run.rc for run in runs] == [0] * len(runs), runs[0].screen
    assert_keys_arrived(simulator, ways_for(INVENTORY), *runs)


def test_to_the_event_source(prepared: Controller, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of a rulebook, plain and vaulted, are tested with ansible-rulebook in test_rulebooks.py."""
    ways = set(ways_for(EVENT_SOURCE)) - {"extra variable", "vaulted value"}
    for way in ways:
        with monkeypatch.context() as patch:
            for name, value in environment_of(prepared, way).items():
                patch.setenv(name, value)
            arguments = parse_arguments({"api_url": simulator.url, **options_of(prepared, way)}, pytest.fail)
        fetch_all(Client(arguments.settings), "/instances")
    assert_keys_arrived(simulator, ways)


def test_an_option_overrides_the_environment(prepared: Controller, simulator: Simulator) -> None:
    """Otherwise an exported key would replace the one of another account."""
    options = options_of(prepared, "file")
    prepared.write("plain.clawhosters.yml", {"plugin": "clawhosters.cloud.instances", **options})
    ways = ("environment variable", "environment variable with a file")
    by_variable, by_file = (environment_of(prepared, way) for way in ways)
    given = (options, {**options, "api_key": key_of("extra variable")}, {})
    tasks = [{"clawhosters.cloud.claw_account_info": one} for one in given]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = prepared.playbook([play], "-i", "plain.clawhosters.yml", **by_variable, **by_file)
    assert run.rc == 0, run.screen
    by_print = {fingerprint(key_of(way)): way for way in WAYS}
    arrived = [(call["path"], by_print[call["headers"]["authorization"]]) for call in simulator.log()]
    assert {way for path, way in arrived if path == "/instances"} == {"file"}
    assert [way for path, way in arrived if path == "/account"] == ["file", "extra variable", "environment variable"]
    empty = {"api_key": "{{ lookup('ansible.builtin.env', 'NOT_SET') }}"}
    prepared.write("empty.clawhosters.yml", {"plugin": "clawhosters.cloud.instances", **empty})
    for exported in (by_variable, by_file):
        prepared.environment.update(exported)
        task = prepared.task(empty, module="claw_account_info")
        assert task.result["msg"].startswith("No API key was given."), "the key of another account must not be used"
        inventory = prepared.run("ansible-inventory", "-i", "empty.clawhosters.yml", "--list")
        assert inventory.says("No API key was given. Set one in one of three ways")
        assert inventory.says("Messages of other plugins about this file don't matter. empty.clawhosters.yml: No API")


def test_a_key_file_is_read_once_by_each_command(prepared: Controller, simulator: Simulator) -> None:
    """By the inventory, or the first task: each task runs in a process of its own."""
    options = options_of(prepared, "file")
    prepared.write("plain.clawhosters.yml", {"plugin": "clawhosters.cloud.instances", **options})
    module, respelt = "clawhosters.cloud.claw_account_info", f"{prepared.folder}/../{prepared.folder.name}/file"
    replace = {"ansible.builtin.command": f"cp {prepared.folder}/lookup_file {prepared.folder}/file"}
    tasks = [{module: options}, replace, {module: {**options, "api_key_file": respelt}}]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    for sources in ([], ["-i", "plain.clawhosters.yml"]):
        prepared.write("file", key_of("file"))
        simulator.clear_log()
        run = prepared.playbook([play], *sources)
        assert run.rc == 0, run.screen
        assert simulator.calls().count("GET /account") == 2
        assert {call["headers"]["authorization"] for call in simulator.log()} == {fingerprint(key_of("file"))}
    prepared.task(options, module="claw_account_info")
    assert simulator.log()[-1]["headers"]["authorization"] == fingerprint(key_of("lookup file"))


def test_the_table_of_the_guide_is_complete() -> None:
    """A row is the way, and for each target how the key is given or `no`."""
    guide = (REPOSITORY / "docs/connection.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-zA-Z_`, ]+?) \| (.+?) \| (.+?) \| (.+?) \|$", guide, re.MULTILINE)
    targets = (MODULE, INVENTORY, EVENT_SOURCE)
    table = {
        way.replace("`", ""): {to for to, cell in zip(targets, cells, strict=True) if cell != "no"}
        for way, *cells in rows
    }
    assert {way: table.get(way) for way in WAYS} == WAYS
