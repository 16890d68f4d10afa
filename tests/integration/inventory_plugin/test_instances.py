# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory as its users see it: `ansible-inventory` over HTTP, and plays over its hosts."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import ansible.template
import pytest

from ansible_collections.clawhosters.cloud.plugins.inventory.instances import InventoryModule
from simulator.handle import Simulator
from support.controller import Controller, Run

PAYLOADS = [
    "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}",
    "{% set x = lookup('ansible.builtin.pipe', 'touch pwned') %}{{ x }}",
    "#jinja2:variable_start_string:'[[',variable_end_string:']]'\n[[ lookup('ansible.builtin.pipe', 'touch pwned') ]]",
    "lookup('ansible.builtin.pipe', 'touch pwned')",
    "<script>alert(1)</script>",
    "!unsafe x: [1, 2",
    "9 ** 9 ** 9 ** 9",
    "#jinja2:variable_start_string:'<<',variable_end_string:'>>',x:'<<claw_id>>'!",
    "na\u0131ve ~ \u202egnirts",
]
CACHE = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": "cache"}


def listed(run: Run) -> dict[str, t.Any]:
    """Returns the data that --list printed."""
    assert run.rc == 0, run.screen
    return json.loads(run.stdout)


def hosts(run: Run, group: str = "clawhosters") -> list[str]:
    names = listed(run)[group]["hosts"]
    if hasattr(ansible.template, "trust_as_template"):
        return names
    # Up to ansible-core 2.18 a name that could be a template is marked, like any other text.
    return [name["__ansible_unsafe"] if isinstance(name, dict) else name for name in names]


def variables(run: Run, host: str) -> dict[str, t.Any]:
    return listed(run)["_meta"]["hostvars"][host]


@pytest.fixture
def small(simulator: Simulator) -> Simulator:
    """Three that run and one that does not."""
    instances = [
        {"id": 4, "name": "delta", "status": "running", "tier": "pro", "ip_address": "2001:0db8:0::0004"},
        {"id": 2, "name": "bravo", "status": "running", "tier": "budget", "ip_address": "192.0.2.2"},
        {"id": 3, "name": "charlie", "status": "stopped", "tier": "pro"},
        {"id": 1, "name": "alpha", "status": "running", "tier": "pro", "ip_address": None},
    ]
    simulator.reset(state={"instances": instances})
    return simulator


@pytest.mark.slice
def test_running_instances_are_hosts_with_every_field_as_a_variable(small: Simulator, controller: Controller) -> None:
    run = controller.inventory()
    assert hosts(run) == ["alpha", "bravo", "delta"]
    found = variables(run, "delta")
    assert {"claw_name", "claw_status", "claw_tier", "claw_billing_mode", "claw_ip_address"} <= set(found)
    assert found["claw_id"] == 4
    assert "ansible_host" not in found


def test_the_order_of_the_service_does_not_show(small: Simulator, controller: Controller) -> None:
    expected = controller.inventory().stdout
    small.switch(list_order="shuffled")
    assert controller.inventory().stdout == expected


def test_statuses_choose_and_all_filters_must_hold(small: Simulator, controller: Controller) -> None:
    assert hosts(controller.inventory({"statuses": ["stopped"]})) == ["charlie"]
    assert hosts(controller.inventory({"statuses": ["ALL"]})) == ["alpha", "bravo", "charlie", "delta"]
    assert hosts(controller.inventory({"filters": ["claw_tier == 'pro'", "claw_ip_address"]})) == ["delta"]


@pytest.mark.parametrize("condition", ["claw_can_start", "claw_tier =="])
def test_a_filter_that_can_not_be_evaluated_fails(small: Simulator, controller: Controller, condition: str) -> None:
    run = controller.inventory({"filters": [condition]})
    assert run.rc != 0
    assert run.says(f"filters: '{condition}' can't be evaluated"), run.screen
    assert "Traceback" not in run.screen


@pytest.mark.parametrize(("details", "field"), [(False, "tier"), (True, "can_stop")])
def test_a_field_that_is_left_out_is_null(small: Simulator, controller: Controller, details: bool, field: str) -> None:
    small.switch(drop_fields=[f"instance.{field}", "provisioned_at"])
    constructed = {"groups": {"pro": "claw_tier == 'pro'"}, "compose": {"since": "claw_provisioned_at or 'never'"}}
    filters = ["claw_tier != 'budget'", "not claw_provisioned_at", f"claw_{field} is none"]
    config = {**constructed, "strict": True, "details": details, "filters": filters, "hostnames": [field, "name"]}
    run = controller.inventory(config)
    assert "alpha" in hosts(run)
    found = variables(run, "alpha")
    assert (found[f"claw_{field}"], found["claw_provisioned_at"], found["since"]) == (None, None, "never")


def test_details_add_the_fields_that_lists_do_not_show(small: Simulator, controller: Controller) -> None:
    run = controller.inventory({"details": True, "filters": ["claw_can_stop"]})
    assert "claw_daily_claw_cost" in variables(run, "alpha")
    assert sorted(small.calls()) == ["GET /instances", "GET /instances/1", "GET /instances/2", "GET /instances/4"]


def test_one_that_is_gone_before_its_details_are_read_is_told(small: Simulator, controller: Controller) -> None:
    small.fault("status", path="/instances/2", status=404, code="not_found", message="Not found", times=None)
    run = controller.inventory({"details": True})
    assert hosts(run) == ["alpha", "delta"]
    assert run.says("Left out, since they were deleted while the list was read: 2."), run.screen


def test_host_names_by_preference(small: Simulator, controller: Controller) -> None:
    run = controller.inventory({"hostnames": ["no_such_field", "ip_address", "{{ claw_name }}-{{ claw_tier }}"]})
    assert hosts(run) == ["alpha-pro", "192.0.2.2", "2001:0db8:0::0004"]
    assert hosts(controller.inventory({"hostnames": ["no_such_field", "claw_name"]})) == ["alpha", "bravo", "delta"]
    run = controller.inventory({"hostnames": ["no_such_field", "subdomain_url"]})
    assert run.rc != 0
    assert run.says("instance with id 1"), run.screen


@pytest.mark.parametrize(
    ("missing", "hostnames", "names"),
    [
        ({"name": ""}, ["name"], ["alpha", "2", "delta"]),
        ({"name": "\u200b"}, ["{{ claw_name }}"], ["alpha", "2", "delta"]),
        ({"ip_address": None}, ["ip_address"], ["1", "2", "2001:0db8:0::0004"]),
    ],
)
def test_an_instance_with_a_blank_name_is_a_host_by_its_id(
    small: Simulator, controller: Controller, missing: dict[str, object], hostnames: list[str], names: list[str]
) -> None:
    small.set_instance(2, **missing)
    run = controller.inventory({"hostnames": hostnames})
    assert hosts(run) == names
    ids = ", ".join(name for name in names if name in "12")
    assert run.says(f"Instances whose names are blank become hosts by their ids: {ids}."), run.screen


def test_a_host_that_is_named_like_a_group_is_still_the_host(small: Simulator, controller: Controller) -> None:
    """Ansible's own helpers would add the group to groups, and set the variables of the host for the whole group."""
    small.set_instance(2, name="web")
    small.set_instance(4, ip_address=None)
    composed = {"compose": {"ansible_user": "'u-' ~ claw_name"}, "groups": {"web": "true", "bots": "claw_id == 2"}}
    run = controller.inventory({"connect_with": "ip_address", **composed})
    assert hosts(run, "web") == ["alpha", "web", "delta"]
    assert listed(run)["bots"] == {"hosts": ["web"]}
    assert variables(run, "web")["ansible_host"] == "192.0.2.2"
    assert variables(run, "web")["ansible_user"] == "u-web"
    assert "ansible_host" not in variables(run, "delta")


def test_no_field_of_the_service_says_how_to_connect(small: Simulator, controller: Controller) -> None:
    small.switch(add_fields={"instance.ansible_connection": "local", "instance.region": "moon"})
    run = controller.inventory({"hostvars_prefix": "", "statuses": ["all"]})
    assert variables(run, "alpha")["region"] == "moon"
    assert not [name for name in variables(run, "alpha") if name.startswith("ansible_")]


@pytest.mark.slice
def test_constructed_options(small: Simulator, controller: Controller) -> None:
    compose = {"ansible_user": "'root'", "label": "claw_name ~ '/' ~ claw_tier"}
    groups = {"professional": "claw_tier == 'pro'"}
    keyed_groups = [{"key": "claw_tier", "prefix": "tier"}]
    run = controller.inventory({"compose": compose, "groups": groups, "keyed_groups": keyed_groups})
    assert hosts(run, "professional") == ["alpha", "delta"]
    assert hosts(run, "tier_budget") == ["bravo"]
    assert variables(run, "alpha")["label"] == "alpha/pro"


def test_no_group_takes_the_place_of_the_controller(small: Simulator, controller: Controller) -> None:
    small.set_instance(1, name="localhost")
    run = controller.inventory({"keyed_groups": [{"key": "claw_name", "separator": ""}]})
    assert hosts(run, "_localhost") == ["localhost-1"]
    assert "localhost" not in json.loads(run.stdout)


def test_a_composed_variable_that_fails_is_an_error_when_strict(small: Simulator, controller: Controller) -> None:
    assert controller.inventory({"compose": {"x": "no_such_variable"}}).rc == 0
    assert controller.inventory({"compose": {"x": "no_such_variable"}, "strict": True}).rc != 0


def test_connecting_by_address_takes_any_family_and_nothing_else(small: Simulator, controller: Controller) -> None:
    run = controller.inventory({"connect_with": "ip_address"})
    assert variables(run, "delta")["ansible_host"] == "2001:db8::4"
    assert variables(run, "bravo")["ansible_host"] == "192.0.2.2"
    assert "ansible_host" not in variables(run, "alpha")
    small.set_instance(2, ip_address="-oProxyCommand=touch pwned")
    small.set_instance(4, ip_address="fe80::1%$(touch pwned)")
    run = controller.inventory({"connect_with": "ip_address"})
    assert not [name for name in hosts(run) if "ansible_host" in variables(run, name)]
    reason = "ansible_host is not set where ip_address is not an IP address: -oProxyCommand=touch pwned (id 2)"
    assert run.says(reason), run.screen


def test_an_address_that_is_composed_is_no_option_either(small: Simulator, controller: Controller) -> None:
    small.set_instance(2, ip_address="-oProxyCommand=touch pwned")
    run = controller.inventory({"compose": {"ansible_host": "claw_ip_address"}})
    assert variables(run, "delta")["ansible_host"] == "2001:0db8:0::0004"
    assert "ansible_host" not in variables(run, "bravo")
    reason = "ansible_host is not set where its value from compose begins with a dash:"
    assert run.says(f"{reason} -oProxyCommand=touch pwned (bravo)."), run.screen


def test_fewer_hosts_than_wanted_is_an_error(small: Simulator, controller: Controller) -> None:
    assert controller.inventory({"min_hosts": 3}).rc == 0
    run = controller.inventory({"min_hosts": 4})
    assert run.rc != 0
    reason = "Of 3 instances with a wanted status (running), filters excluded 0."
    assert run.says(f"3 instances became hosts, fewer than min_hosts (4). {reason}"), run.screen
    run = controller.inventory({"min_hosts": 4, "statuses": ["all"], "filters": ["claw_id == 1"]})
    assert run.says("1 instance became hosts, fewer than min_hosts (4). Of 4 instances in all"), run.screen


def test_a_list_that_never_holds_still_fails_and_no_part_shows(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("vanish_between_pages", times=None)
    run = controller.inventory({"statuses": ["all"]})
    assert run.rc != 0
    assert run.says("could not be read completely"), run.screen
    assert "web-bot" not in run.stdout


def test_a_payload_in_any_field_never_runs_and_prints_as_text(simulator: Simulator, controller: Controller) -> None:
    named = [{"id": number, "name": text, "tier": text} for number, text in enumerate(PAYLOADS, 1)]
    simulator.reset(state={"instances": named})
    found = listed(controller.inventory())["_meta"]["hostvars"].values()
    # What could be a template is marked, so that who reads this output does not run it either.
    shown = {text.replace("\u202e", "\ufffd") for text in PAYLOADS}
    assert {one["claw_name"]["__ansible_unsafe"] for one in found} == shown
    assert {one["claw_tier"]["__ansible_unsafe"] for one in found} == shown
    play = {
        "hosts": "clawhosters",
        "gather_facts": False,
        "connection": "local",
        "tasks": [
            {"ansible.builtin.debug": {"msg": "{{ claw_name }} {{ inventory_hostname }} {{ claw_tier | upper }}"}},
            {"clawhosters.cloud.claw_instance_info": {"id": "{{ claw_id }}"}, "register": "read"},
            {"ansible.builtin.debug": {"msg": "{{ read.instances[0].name }}"}},
            {"ansible.builtin.assert": {"that": ["{{ claw_name }}"]}, "ignore_errors": True},
            {"ansible.builtin.assert": {"that": ["{{ read.instances[0].name }}"]}, "ignore_errors": True},
        ],
    }
    run = controller.playbook([play], "-i", str(controller.folder / "test.clawhosters.yml"), "-vvv")
    assert run.rc == 0, run.screen
    # The forks of a play read at the same time.
    assert sorted(simulator.calls("GET /instances/{id}")) == [f"GET /instances/{one['id']}" for one in named]
    assert not (controller.folder / "pwned").exists()


def test_a_name_that_calls_nothing_prints_as_it_is(simulator: Simulator, controller: Controller) -> None:
    names = ["Büro & Söhne #2", "O'Brien's \"bot\"", "🤖, the 1st!", "<b>a = b<b>; c?", "50 € + $ ^ `x`"]
    simulator.reset(state={"instances": [{"name": name} for name in names]})
    run = controller.inventory()
    assert set(hosts(run)) == set(names)
    assert all(variables(run, name)["claw_name"] == name for name in names)
    assert "__ansible_unsafe" not in run.stdout


def test_what_looks_like_ansible_s_marks_is_data_in_a_cache_too(simulator: Simulator, controller: Controller) -> None:
    names = [
        {
            "__ansible_type": "_AnsibleTaggedStr",
            "value": "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}",
            "tags": [{"__ansible_type": "TrustedAsTemplate"}],
        },
        {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256"},
        {"__ansible_unsafe": "x"},
    ]
    body = {"data": [{"id": number, "name": name, "status": "running"} for number, name in enumerate(names, 4)]}
    simulator.fault("wrong_type", path="/instances", body=body, times=None)
    config = {**CACHE, "hostnames": ["id"], "compose": {"composed": "claw_name"}}
    first, second = controller.inventory(config), controller.inventory(config)
    assert simulator.calls() == ["GET /instances"]
    assert listed(first)["_meta"] == listed(second)["_meta"]
    assert set(hosts(first)) == {"4", "5", "6"}
    play = {"hosts": "clawhosters", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"var": "claw_name"}}]}
    run = controller.playbook([play], "-i", str(controller.folder / "test.clawhosters.yml"))
    assert run.rc == 0, run.screen
    assert not (controller.folder / "pwned").exists()


CACHED = {"a text": "no list", "nested": "[" * 50_000, "twins": '[{"id": 1}, {"id": "01"}]', "no id": '[{"id": [1]}]'}


@pytest.mark.parametrize("content", ["", "[]", "null", *CACHED])
def test_a_damaged_cache_is_read_anew(small: Simulator, controller: Controller, content: str) -> None:
    controller.inventory(CACHE)
    (path,) = (controller.folder / "cache").iterdir()
    # Ansible keeps the text in a text.
    whole = json.dumps({"__payload__": json.dumps(CACHED[content])}) if content in CACHED else content
    path.write_text(whole, encoding="utf-8")
    run = controller.inventory(CACHE)
    assert hosts(run) == ["alpha", "bravo", "delta"]
    assert run.says("The cache can't be read, so the instances are read from the service") is (content not in CACHED)


def test_a_name_that_ansible_gives_another_meaning_hides_nobody(simulator: Simulator, controller: Controller) -> None:
    names = ["all", "ungrouped", "clawhosters", "localhost", "127.0.0.1"]
    wanted = [f"{name}-{number}" for number, name in enumerate(names, 1)]
    simulator.reset(state={"instances": [{"name": name} for name in [*names, "alpha"]]})
    run = controller.inventory()
    assert set(hosts(run)) == {*wanted, "alpha"}
    assert run.says(f"or several instances share, get the instance's id appended: {', '.join(wanted)}."), run.screen
    run = controller.inventory({"on_duplicate": "fail"})
    assert run.rc != 0
    assert run.says("(on_duplicate: fail)"), run.screen


MISSPELT = {"quux": 1, "page_sise": 3, "keyed_group": [], "keyed_groups": [{"key": "claw_tier", "prefx": "tier"}]}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"filters": [{"claw_tier": "pro"}]}, "filters has the entry '{'claw_tier': 'pro'}', but each must be"),
        ({"hostnames": [None]}, "hostnames has the entry 'None', but each must be"),
        ({"hostvars_prefix": "ansible_"}, "hostvars_prefix must not begin with ansible_"),
        pytest.param(
            MISSPELT,
            "Unknown options: quux, page_sise, keyed_group, in keyed_groups prefx. Nothing was read.",
            marks=pytest.mark.slice,
        ),
    ],
    ids=["filter", "host name", "prefix", "misspelt"],
)
def test_odd_options_are_refused(small: Simulator, controller: Controller, config: dict[str, t.Any], said: str) -> None:
    run = controller.inventory(config)
    assert run.rc == 1
    assert run.says(said), run.screen
    assert small.calls() == []


def test_a_detail_that_shows_less_or_another_status_than_the_list(small: Simulator, controller: Controller) -> None:
    detail = {"data": {"id": 4, "status": "running", "subdomain_url": "delta.example"}}
    small.fault("wrong_type", path="/instances/4", body=detail)
    small.fault("wrong_type", path="/instances/2", body={"data": {"id": 2, "name": "bravo", "status": "stopped"}})
    run = controller.inventory({"details": True})
    assert hosts(run) == ["alpha", "delta"]
    assert variables(run, "delta")["claw_tier"] == "pro"
    assert variables(run, "delta")["claw_subdomain_url"] == "delta.example"


def test_what_was_cached_without_details_serves_no_hosts_with_them(small: Simulator, controller: Controller) -> None:
    assert "claw_subdomain_url" not in variables(controller.inventory(CACHE), "alpha")
    assert "claw_subdomain_url" in variables(controller.inventory({**CACHE, "details": True}), "alpha")
    connected = controller.inventory({**CACHE, "connect_with": "subdomain"})
    assert variables(connected, "alpha")["ansible_host"] == "alpha.clawhosters.com"
    assert "claw_subdomain_url" not in variables(controller.inventory(CACHE), "alpha")


@pytest.mark.parametrize("enabled", ["auto", "clawhosters.cloud.instances, yaml"])
@pytest.mark.parametrize(
    "text",
    [
        "---\n# Mine\n{'plugin': 'clawhosters.cloud.instances'}\n",
        '{\n\t"cache": true,\n\t"plugin": "clawhosters.cloud.instances"\n}\n',
        "api_key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nplugin:\n  clawhosters.cloud.instances\n",
    ],
    ids=["flow", "JSON", "after a vaulted key"],
)
def test_a_file_of_another_name_is_not_read_but_told_once(
    small: Simulator, controller: Controller, text: str, enabled: str
) -> None:
    (controller.folder / "bots.yml").write_text(text, encoding="utf-8")
    run = controller.run("ansible-inventory", "-i", "bots.yml", "--list", ANSIBLE_INVENTORY_ENABLED=enabled)
    screen = " ".join(run.screen.split())
    assert screen.count("bots.yml names the plugin clawhosters.cloud.instances, which does not read it") == 1
    assert "clawhosters.yml or clawhosters.yaml. Rename it, for example to bots.clawhosters.yml." in screen
    assert small.calls() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts.yml", "all:\n  vars:\n    plugin: clawhosters.cloud.instances\n  hosts: {web: {}}\n"),
        ("hosts.yml", "# plugin: clawhosters.cloud.instances\nall: {hosts: {web: {}}}\n"),
        ("hosts", "[all]\nweb plugin='clawhosters.cloud.instances'\n"),
    ],
)
def test_a_file_of_others_is_left_to_them(small: Simulator, controller: Controller, name: str, text: str) -> None:
    (controller.folder / name).write_text(text, encoding="utf-8")
    enabled = {"ANSIBLE_INVENTORY_ENABLED": "clawhosters.cloud.instances, yaml, ini"}
    run = controller.run("ansible-inventory", "-i", name, "--list", **enabled)
    assert run.rc == 0, run.screen
    assert "WARNING" not in run.screen
    assert json.loads(run.stdout)["_meta"]["hostvars"].keys() <= {"web"}


def test_no_pipe_is_opened_and_bytes_name_no_plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = InventoryModule()
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "bytes.yml").write_bytes(b"\xff")
    for name in ("pipe.yml", "bytes.yml"):
        assert plugin.verify_file(str(tmp_path / name)) is False
    assert capsys.readouterr().err == ""


SAFE_NAMES = {
    "../../planted/evil": "_._.._planted_evil",
    "$ROOT..${ROOT}..${ROOT}planted${ROOT}evil": "_ROOT.._{ROOT}.._{ROOT}planted_{ROOT}evil",
    "-V": "_V",
    "-Elog": "_Elog",
    "-oProxyCommand=x": "_oProxyCommand=x",
    "..": "_.",
}


@pytest.fixture
def hostile(simulator: Simulator, controller: Controller) -> Simulator:
    """Names that would be paths or options. The first two lead to a file outside the inventory, a template in it."""
    instances = [{"id": number, "name": name} for number, name in enumerate(SAFE_NAMES, 1)]
    simulator.reset(state={"instances": instances})
    for folder in ("planted", "inventory", "inventory/host_vars", "inventory/group_vars"):
        (controller.folder / folder).mkdir()
    pwned = controller.folder / "pwned"
    controller.write("planted/evil.yml", {"planted": f"{{{{ lookup('ansible.builtin.pipe', 'touch {pwned}') }}}}"})
    return simulator


def play_over(
    controller: Controller, config: dict[str, t.Any], *tasks: dict[str, t.Any], **environment: str | None
) -> Run:
    """Runs the tasks on all hosts of the inventory/ folder."""
    path = controller.write("inventory/clawhosters.yml", {"plugin": "clawhosters.cloud.instances", **config})
    play = {"hosts": "all", "gather_facts": False, "tasks": list(tasks)}
    return controller.playbook([play], "-i", str(path), **environment)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"hostnames": ["{{ claw_name }}"], "keyed_groups": [{"key": "claw_name", "separator": ""}]},
        {"hostnames": ["id"], "group": "../../planted/evil", "groups": {"../../planted/evil": True}},
    ],
)
def test_no_name_leads_to_variables_outside_the_inventory(
    hostile: Simulator, controller: Controller, config: dict[str, t.Any]
) -> None:
    show = {"ansible.builtin.debug": {"msg": "{{ planted | default('nothing') }}"}}
    run = play_over(controller, {"compose": {"ansible_connection": "'local'"}, **config}, show, ROOT="/")
    assert run.rc == 0, run.screen
    assert [result["msg"] for result in run.all] == ["nothing"] * len(SAFE_NAMES)
    assert not (controller.folder / "pwned").exists()
    if config.get("hostnames") != ["id"]:
        assert {entry["host"] for entry in run.results} == set(SAFE_NAMES.values())
        assert run.says("-V (id 3) to _V"), run.screen
    else:
        assert run.says("_._.._planted_evil is used instead"), run.screen


def test_all_options_that_ansible_knows_of_an_inventory_are_taken(small: Simulator, controller: Controller) -> None:
    options = {"cache_timeout": 60, "cache_prefix": "x_", "use_extra_vars": True, "leading_separator": False}
    keyed = {"parent_group": "tiers", "prefix": "", "separator": "-", "default_value": "none"}
    groups = [{"key": "claw_tier", **keyed}, {"key": "claw_tier", "trailing_separator": False}]
    constructed = {"strict": True, "compose": {"x": "1"}, "groups": {"y": "true"}, "keyed_groups": groups}
    run = controller.inventory({**CACHE, **options, **constructed})
    assert hosts(run, "pro") == ["alpha", "delta"]


@pytest.mark.parametrize(
    ("parent", "parents"),
    [
        ("{{ claw_status }}_{{ customer }}", {"running_acme": ["tier_budget", "tier_pro"]}),
        ("{{ claw_name if claw_tier == 'budget' else none }}", {"bravo": ["tier_budget"]}),
    ],
)
def test_parent_group_is_evaluated_for_each_instance(
    small: Simulator, controller: Controller, parent: str, parents: dict[str, list[str]]
) -> None:
    groups = [{"key": "claw_tier", "prefix": "tier", "parent_group": parent}]
    config = {"strict": True, "use_extra_vars": True, "keyed_groups": groups}
    run = controller.inventory(config, "-e", "customer=acme")
    found = {name: sorted(group["children"]) for name, group in listed(run).items() if "children" in group}
    del found["all"]
    assert found == parents


def test_a_status_that_nobody_knows_is_an_error_with_a_cache_too(small: Simulator, controller: Controller) -> None:
    for _time in range(2):
        run = controller.inventory({**CACHE, "statuses": ["runing", "Stopped"]})
        assert run.rc != 0
        assert run.says("statuses: no instance that was read has runing, and the service documents no such value.")
    assert hosts(controller.inventory({**CACHE, "statuses": ["Stopped", "paused"]})) == ["charlie"]
    assert controller.inventory({"statuses": ["all", "runing"]}).rc == 0
