# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several sources of the inventory in one run: of several accounts, of one account, and beside a static inventory."""

from __future__ import annotations

import json
import os
import time
import typing as t

import pytest

from simulator.exchange import fingerprint
from simulator.handle import Simulator
from support.controller import Controller, Run

PRODUCTION, STAGING = "oc_live_production_0000", "oc_live_staging_0000"
CACHE = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": "cache"}
TOLERANT = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}


@pytest.fixture
def accounts(simulator: Simulator, controller: Controller) -> Simulator:
    """Two accounts, each with an instance named web-bot. Their keys are in files."""
    simulator.reset(
        state={
            "instances": [{"id": 1, "name": "web-bot", "tier": "pro"}, {"id": 2, "name": "shop-bot"}],
            "keys": {STAGING: "foreign"},
            "foreign": {"instances": [{"id": 901, "name": "web-bot"}, {"id": 902, "name": "test-bot"}]},
        },
        switches={"transition_seconds": 0},
    )
    controller.environment.pop("CLAWHOSTERS_API_KEY")
    for name, key in {"production": PRODUCTION, "staging": STAGING}.items():
        controller.write(f"{name}.key", key).chmod(0o600)
    return simulator


def source(controller: Controller, name: str, account: str | None = None, **config: t.Any) -> tuple[str, str]:
    """Writes a source. Returns the arguments that read it."""
    account = account or name
    options = {"api_key_file": f"{account}.key", "group": name, "compose": {"claw_account": f"'{account}'"}, **config}
    path = controller.write(f"{name}.clawhosters.yml", {"plugin": "clawhosters.cloud.instances", **options})
    return "-i", str(path)


def static(controller: Controller, hosts: dict[str, dict[str, str]]) -> tuple[str, str]:
    return "-i", str(controller.write("static.yml", {"all": {"hosts": hosts}}))


def listing(controller: Controller, *arguments: str, **environment: str | None) -> tuple[Run, dict[str, t.Any]]:
    """Returns the run and the variables of each host. They include ``groups``."""
    run = controller.run("ansible-inventory", *arguments, "--list", **environment)
    assert run.rc == 0, run.screen
    printed = json.loads(run.stdout)
    hosts: dict[str, t.Any] = printed["_meta"]["hostvars"]
    for variables in hosts.values():
        variables["groups"] = set()
    for group, content in printed.items():
        for host in content.get("hosts", []):
            # A host without variables is not listed among them.
            hosts.setdefault(host, {"groups": set()})["groups"].add(group)
    return run, hosts


def test_hosts_of_two_accounts_do_not_overwrite_each_other(accounts: Simulator, controller: Controller) -> None:
    production, staging = source(controller, "production"), source(controller, "staging")
    run, hosts = listing(controller, *production, *staging)
    assert {name: (host["claw_id"], host["groups"]) for name, host in hosts.items()} == {
        "web-bot": (1, {"production"}),
        "shop-bot": (2, {"production"}),
        "web-bot-901": (901, {"staging"}),
        "test-bot": (902, {"staging"}),
    }
    told = "Host names that Ansible reserves, or several instances share, get the instance's id appended: web-bot-901."
    assert run.says(f"staging.clawhosters.yml: {told}"), run.screen
    _run, hosts = listing(controller, *staging, *production)
    assert {name: host["claw_id"] for name, host in hosts.items() if "web" in name} == {"web-bot": 901, "web-bot-1": 1}


def test_a_host_of_another_account_is_an_error_if_that_is_wanted(accounts: Simulator, controller: Controller) -> None:
    sources = (*source(controller, "production"), *source(controller, "staging", on_duplicate="fail"))
    run, hosts = listing(controller, *sources, **TOLERANT)
    assert set(hosts) == {"web-bot", "shop-bot"}
    assert hosts["web-bot"]["claw_id"] == 1
    assert run.says(
        "staging.clawhosters.yml: web-bot can't be the host name of the instance with id 901, since "
        "production.clawhosters.yml uses it for another instance (on_duplicate: fail)."
    ), run.screen


def test_the_same_id_at_another_service_is_another_instance(accounts: Simulator, controller: Controller) -> None:
    elsewhere = source(controller, "elsewhere", "production", api_url=accounts.url.replace("127.0.0.1", "localhost"))
    _run, hosts = listing(controller, *source(controller, "production"), *elsewhere)
    assert {name for name in hosts if "web" in name} == {"web-bot", "web-bot-1"}


def test_two_files_over_one_account_make_one_host(accounts: Simulator, controller: Controller) -> None:
    """Also if only one of them sees that two instances share the name."""
    accounts.set_instance(2, name="web-bot")
    both = source(controller, "both", "production")
    one = source(controller, "one", "production", filters=["claw_id == 1"], compose={"claw_account": "'one'"})
    _run, hosts = listing(controller, *both, *one)
    groups = {name: host["groups"] for name, host in hosts.items()}
    assert groups == {"web-bot-1": {"both", "one"}, "web-bot-2": {"both"}}
    assert hosts["web-bot-1"]["claw_account"] == "one", "of the later source"
    _run, hosts = listing(controller, *one, *both)
    assert {name: host["groups"] for name, host in hosts.items()} == {"web-bot": {"both", "one"}, "web-bot-2": {"both"}}


def test_a_static_host_is_the_same_host_and_keeps_its_variables(accounts: Simulator, controller: Controller) -> None:
    own = {"claw_tier": "own", "claw_account": "mine", "ansible_host": "192.0.2.9"}
    declared = static(controller, {"web-bot": own})
    by_address = {"connect_with": "ip_address", "keyed_groups": [{"key": "claw_tier", "prefix": "t"}]}
    sources = source(controller, "production", **by_address)
    sources += source(controller, "again", "production", connect_with="ip_address")
    sources += source(controller, "staging")
    for order in ((*declared, *sources), (*sources[:2], *declared, *sources[2:]), (*sources, *declared)):
        _run, hosts = listing(controller, *order)
        host = hosts["web-bot"]
        assert (host["claw_tier"], host["claw_account"], host["ansible_host"]) == ("own", "mine", "192.0.2.9")
        assert (host["claw_id"], hosts["web-bot-901"]["claw_id"]) == (1, 901)
        # The groups are those of the variables that the host had then.
        assert host["groups"] == {"production", "again", "t_own" if order[:2] == declared else "t_pro"}


NOT_SET = "ansible_host is not set for hosts that another source declares: "
CONNECTING: list[dict[str, t.Any]] = [
    {"connect_with": "ip_address"},
    {"compose": {"ansible_host": "claw_ip_address"}},
    {"compose": {"ansible_ssh_host": "claw_ip_address"}},
]


@pytest.mark.parametrize("config", CONNECTING, ids=["connect_with", "ansible_host", "ansible_ssh_host"])
def test_a_renamed_instance_takes_over_no_connection(
    accounts: Simulator, controller: Controller, config: dict[str, t.Any]
) -> None:
    accounts.set_instance(2, name="db.example.com")
    declared = static(controller, {"db.example.com": {"note": "static"}})
    run, hosts = listing(controller, *declared, *source(controller, "production", **config))
    assert {"ansible_host", "ansible_ssh_host"}.isdisjoint(hosts["db.example.com"])
    assert hosts["db.example.com"]["claw_id"] == 2
    assert {"ansible_host", "ansible_ssh_host"} & set(hosts["web-bot"])
    assert run.says(f"production.clawhosters.yml: {NOT_SET}db.example.com (id 2)."), run.screen
    # An address of its own stays, without a warning.
    own = static(controller, {"web-bot": {"ansible_host": "192.0.2.9"}, "shop-bot": {"ansible_ssh_host": "192.0.2.10"}})
    accounts.set_instance(2, name="shop-bot")
    run, hosts = listing(controller, *own, *source(controller, "production", **config))
    assert hosts["web-bot"]["ansible_host"] == "192.0.2.9"
    assert "ansible_host" not in hosts["shop-bot"]
    assert not run.says(NOT_SET), run.screen


@pytest.mark.parametrize(
    "declaration",
    [{"hosts": {"web-bot": {"note": "static"}}}, {"children": {"bots": {"hosts": {"web-bot": None}}}}],
    ids=["variable", "group"],
)
def test_a_host_that_was_declared_between_two_sources_keeps_its_address(
    accounts: Simulator, controller: Controller, declaration: dict[str, t.Any]
) -> None:
    first, last = source(controller, "first", "production"), source(controller, "last", "production", **CONNECTING[0])
    declared = "-i", str(controller.write("static.yml", {"all": declaration}))
    run, hosts = listing(controller, *first, *declared, *source(controller, "more", "production"), *last)
    assert "ansible_host" not in hosts["web-bot"]
    assert "ansible_host" in hosts["shop-bot"]
    assert run.says(f"last.clawhosters.yml: {NOT_SET}web-bot (id 1)."), run.screen
    # A group of their groups declares no host.
    grouped = "-i", str(controller.write("grouped.yml", {"all": {"children": {"bots": {"children": {"first": None}}}}}))
    run, hosts = listing(controller, *first, *grouped, *last)
    assert "ansible_host" in hosts["web-bot"]
    assert not run.says(NOT_SET), run.screen


def test_a_failure_removes_nothing_that_others_have_made(accounts: Simulator, controller: Controller) -> None:
    declared = static(controller, {"web-bot": {"note": "static"}})
    compose = {"note": "'x'", "other": "1 / (2 - claw_id)"}
    broken = source(controller, "broken", "production", strict=True, groups={"early": True}, compose=compose)
    run, hosts = listing(controller, *declared, *broken, **TOLERANT)
    assert run.says("Could not set other for host shop-bot"), run.screen
    assert hosts == {"web-bot": {"note": "static", "groups": {"ungrouped"}}}
    _run, hosts = listing(controller, *source(controller, "production"), *broken, **TOLERANT)
    groups = {name: host["groups"] for name, host in hosts.items()}
    assert groups == {"web-bot": {"production"}, "shop-bot": {"production"}}
    assert "note" not in hosts["web-bot"]


def test_a_refreshed_inventory_has_the_same_hosts(accounts: Simulator, controller: Controller) -> None:
    sources = (*source(controller, "production", **CACHE), *source(controller, "staging", **CACHE))
    show = {"ansible.builtin.debug": {"msg": "{{ groups['all'] | sort | join(' ') }}"}}
    tasks = [show, {"ansible.builtin.meta": "refresh_inventory"}, show]
    run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *sources)
    assert [result["msg"] for result in run.all] == ["shop-bot test-bot web-bot web-bot-901"] * 2
    # A refresh reads from the service again.
    assert accounts.calls() == ["GET /instances"] * 4


def test_each_host_is_changed_with_the_key_of_its_account(accounts: Simulator, controller: Controller) -> None:
    sources = (*source(controller, "production"), *source(controller, "staging"))
    play = {
        "hosts": "production:staging",
        "gather_facts": False,
        "module_defaults": {"group/clawhosters.cloud.all": {"api_key_file": "{{ claw_account }}.key"}},
        "tasks": [{"clawhosters.cloud.claw_instance": {"id": "{{ claw_id }}", "state": "stopped"}}],
    }
    run = controller.playbook([play], *sources)
    assert run.rc == 0, run.screen
    seen = {(call["path"], call["headers"]["authorization"]) for call in accounts.log() if call["method"] == "POST"}
    keys = {1: PRODUCTION, 2: PRODUCTION, 901: STAGING, 902: STAGING}
    assert seen == {(f"/instances/{number}/stop", fingerprint(key)) for number, key in keys.items()}
    state = accounts.state()
    assert (state["effects"]["stops"], state["foreign"]["effects"]["stops"]) == (2, 2)


# Templates in options


def test_every_text_option_may_use_extra_variables(accounts: Simulator, controller: Controller) -> None:
    arguments = source(
        controller,
        "production",
        api_key_file="{{ folder }}/production.key",
        group="{{ customer }}",
        hostvars_prefix="{{ customer }}_",
        hostnames=["{{ customer }}-{{ acme_name }}"],
        filters=["acme_id == only_id | int"],
        statuses="{{ ['running'] }}",
        timeout="{{ seconds }}",
        keyed_groups=[{"key": "acme_tier", "prefix": "{{ customer }}"}],
        compose={},
    )
    extra = ("-e", f"folder={controller.folder} customer=acme only_id=1 seconds=50")
    _run, hosts = listing(controller, *arguments, *extra)
    assert {name: host["groups"] for name, host in hosts.items()} == {"acme-web-bot": {"acme", "acme_pro"}}
    assert hosts["acme-web-bot"]["acme_id"] == 1
    run, hosts = listing(controller, *arguments, *extra, "-e", "customer=../x", **TOLERANT)
    assert run.says("hostvars_prefix is '../x_', but a variable name consists of"), run.screen
    arguments = source(controller, "production", group="{{ customer }}")
    run, hosts = listing(controller, *arguments, "-e", "customer=../x")
    assert hosts["web-bot"]["groups"] == {"_._x"}
    assert run.says("group ../x would be a path or an option to Ansible: _._x is used instead."), run.screen


def test_a_template_that_fails_is_one_line_that_names_the_option(accounts: Simulator, controller: Controller) -> None:
    """Variables of hosts and groups do not exist yet."""
    (controller.folder / "group_vars").mkdir()
    controller.write("group_vars/all.yml", {"of_group": STAGING})
    options: dict[str, t.Any] = {
        "api_key": "{{ of_group }}",
        "api_key_file": "{{ lookup('ansible.builtin.file', 'nowhere') }}",
        "group": "{{ 1 / 0 }}",
        "hostvars_prefix": "{{ undefined_one }}",
        "statuses": ["{{ undefined_one }}"],
        "min_hosts": "{{ undefined_one }}",
        "keyed_groups": [{"key": "claw_tier", "prefix": "{{ undefined_one }}"}],
    }
    sources: list[str] = []
    for name, value in options.items():
        sources += source(controller, name, "production", **{name: value})
    run = controller.run("ansible-inventory", *sources, "--list", **TOLERANT)
    for name in options:
        assert run.says(f"{name}.clawhosters.yml: {name} can't be evaluated: "), run.screen
    assert run.says("can't be evaluated: 'undefined_one' is undefined. Nothing was read."), run.screen
    assert "Traceback" not in run.screen
    assert STAGING not in run.screen
    assert accounts.calls() == []
    failing = source(controller, "production", hostnames=["{{ 1 / (claw_id - 1) }}"])
    run = controller.run("ansible-inventory", *failing, "--list", **TOLERANT)
    assert run.says("hostnames: '{{ 1 / (claw_id - 1) }}' can't be evaluated: "), run.screen


# The cache


def test_the_caches_of_accounts_do_not_mix(accounts: Simulator, controller: Controller) -> None:
    sources = (*source(controller, "production", **CACHE), *source(controller, "staging", **CACHE))
    _run, first = listing(controller, *sources)
    _run, again = listing(controller, *sources)
    assert first == again
    assert accounts.calls() == ["GET /instances"] * 2
    # Another key in the same file is another account.
    controller.write("production.key", STAGING)
    _run, hosts = listing(controller, *source(controller, "production", **CACHE))
    assert set(hosts) == {"web-bot", "test-bot"}


@pytest.mark.parametrize("refresh", ["meta: refresh_inventory", "cache_timeout"])
def test_a_refresh_reads_again_and_fills_the_cache(accounts: Simulator, controller: Controller, refresh: str) -> None:
    arguments = source(controller, "production", **CACHE)
    listing(controller, *arguments)
    accounts.set_instance(2, name="renamed")
    _run, hosts = listing(controller, *arguments)
    assert set(hosts) == {"web-bot", "shop-bot"}, "from the cache"
    if refresh == "cache_timeout":
        for path in (controller.folder / "cache").iterdir():
            os.utime(path, (time.time() - 60,) * 2)
        run, _hosts = listing(controller, *source(controller, "production", **CACHE, cache_timeout=30))
    else:
        tasks = [{"ansible.builtin.meta": "refresh_inventory"}]
        run = controller.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], *arguments)
    assert run.rc == 0, run.screen
    assert accounts.calls() == ["GET /instances"] * 2
    _run, hosts = listing(controller, *source(controller, "production", **CACHE))
    assert set(hosts) == {"web-bot", "renamed"}
    assert accounts.calls() == ["GET /instances"] * 2
