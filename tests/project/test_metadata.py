# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The places that a contributor may forget when adding a module: each test says which place lacks which module."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.clawhosters.cloud.extensions.eda.plugins.event_source import instances as event_source
from ansible_collections.clawhosters.cloud.plugins.doc_fragments.api import ModuleDocFragment
from ansible_collections.clawhosters.cloud.plugins.inventory.instances import DOCUMENTATION, SETTINGS
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.waiting import wait_arguments
from ansible_collections.clawhosters.cloud.plugins.module_utils._version import VERSION
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import SPEC as EVENT_SOURCE_SPEC

ROOT = Path(__file__).resolve().parents[2]
ALL_MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
INTERNAL = [name for name in ALL_MODULES if not name.startswith("claw_")]
"""Modules for the roles of the collection alone; their names don't begin with ``claw_``."""
MODULES = [name for name in ALL_MODULES if name not in INTERNAL]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
CHANGELOG = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text(encoding="utf-8"))
VERSIONS = [*CHANGELOG["releases"], GALAXY["version"]]


def module(name: str):
    return importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.modules.{name}")


def test_the_checks_before_a_commit_fetch_nothing_and_are_those_of_make_lint():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        command = hook["entry"].split()
        assert command[0].startswith(".venv/bin/")
        assert f"$(RUN) {command[0].removeprefix('.venv/bin/')}" in makefile, f"make lint does not run {hook['id']}"


def test_help_shows_six_targets_first():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [line.split()[0] for line in shown[1:]]
    assert names[:6] == ["demo", "setup", "check", "test", "docs", "bench"]
    assert {"unit", "lint", "release"} <= {*names[6:]}
    assert len(names) == len({*names})


def test_the_code_knows_its_version():
    assert GALAXY["version"] == VERSION


def test_the_action_group_holds_every_module():
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    assert sorted(runtime["action_groups"]["all"]) == ALL_MODULES


def test_every_module_has_its_action():
    actions = sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py"))
    assert actions == ALL_MODULES


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_supports(name):
    documentation = yaml.safe_load(module(name).DOCUMENTATION)
    fragments = documentation["extends_documentation_fragment"]
    assert "clawhosters.cloud.attributes" in fragments
    kind = "reads" if name.endswith("_info") else "changes"
    assert f"clawhosters.cloud.attributes.{kind}" in fragments
    assert kind == "reads" or "idempotent" in documentation["attributes"]


def choices_of(options):
    """Each option that has choices, with those that an example must show: a default shows by not being there."""
    for option, known in options.items():
        default = known.get("default")
        shown = default if isinstance(default, list) else [default]
        yield option, [choice for choice in known.get("choices", []) if choice not in shown]
        yield from choices_of(known.get("suboptions", {}))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_shows_each_choice_in_an_example(name):
    options = yaml.safe_load(module(name).DOCUMENTATION)["options"]
    examples = module(name).EXAMPLES
    for option, choices in choices_of(options):
        for choice in choices:
            shown = rf"{option}: ({choice}\b|\[.*\b{choice}\b.*\])|'{choice}'"
            assert re.search(shown, examples), f"{name}: no example shows {option}: {choice}"
    tasks = yaml.safe_load(examples)
    assert all("name" in task for task in tasks)
    assert any(f"clawhosters.cloud.{name}" in task for task in tasks)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_run_by_an_integration_test(name):
    """Not by reading one: some test of the folder starts a task of it."""
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/integration").rglob("test_*.py")]
    started = re.compile(rf"clawhosters\.cloud\.{name}\b|\bmodule=\"{name}\"|^    \"{name}\":", re.MULTILINE)
    assert any(map(started.search, tests)), f"no file in tests/integration runs {name}; begin with test_every_module.py"


# A target has no PostgreSQL.
@pytest.mark.parametrize("name", sorted({*MODULES} - {"claw_state_database"}))
def test_every_module_has_a_target_of_ansible_test(name):
    tasks = ROOT / f"tests/integration/targets/{name}/tasks/main.yml"
    assert tasks.exists(), f"{tasks.relative_to(ROOT)} is missing; begin with that of claw_instance"
    assert f"clawhosters.cloud.{name}:" in tasks.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_stands_where_users_look_for_it(name):
    for place in ("docs/endpoints.md", "README.md"):
        assert f"`{name}`" in (ROOT / place).read_text(encoding="utf-8"), f"{place} does not name {name}"


@pytest.mark.parametrize("name", INTERNAL)
def test_an_internal_module_says_so_and_is_not_where_users_look(name):
    assert "internal to the roles" in yaml.safe_load(module(name).DOCUMENTATION)["short_description"]
    assert not name.startswith("claw_")
    for place in ("docs/endpoints.md", "README.md"):
        assert name not in (ROOT / place).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", INTERNAL)
def test_an_internal_module_documents_its_options(name):
    documentation = yaml.safe_load(module(name).DOCUMENTATION)
    action = importlib.import_module(f"ansible_collections.clawhosters.cloud.plugins.action.{name}").ActionModule
    shared = dict(API.options)
    if "clawhosters.cloud.api.wait" in documentation["extends_documentation_fragment"]:
        shared |= wait_arguments(0).options
    options = action.MODULE.SPEC.options
    if options["priority"] == shared["priority"]:
        assert "priority" not in documentation["options"]
    assert [option for option in documentation["options"] if option != "priority"] == [
        option for option in options if option not in shared
    ]
    for option, documented in documentation["options"].items():
        if option in shared:
            assert documented == {"default": options[option]["default"]}
            continue
        for key in ("type", "default", "required", "choices"):
            assert documented.get(key) == options[option].get(key), f"{option}: {key}"


@pytest.mark.parametrize("name", ALL_MODULES)
def test_every_module_says_who_wrote_it_and_since_when_it_is_there(name):
    documentation = yaml.safe_load(module(name).DOCUMENTATION)
    assert documentation["module"] == name
    assert documentation["author"] == ["ClawHosters Ansible collection contributors (@clawhosters)"]
    assert str(documentation["version_added"]) in VERSIONS, (
        f"{name} is said to be there since {documentation['version_added']}, which is neither a release in "
        f"changelogs/changelog.yaml nor the version in galaxy.yml ({', '.join(VERSIONS)})"
    )


@pytest.mark.parametrize("name", MODULES)
def test_every_module_returns_what_it_cost(name):
    assert "api" in yaml.safe_load(module(name).RETURN)


def test_modules_and_inventory_take_the_same_connection_options():
    for_modules = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    for_plugins = yaml.safe_load(ModuleDocFragment.PLUGIN)["options"]
    assert set(for_modules) == set(for_plugins) == set(SETTINGS) == set(API.options)
    for name, option in for_plugins.items():
        assert option["env"] == [{"name": f"CLAWHOSTERS_{name.upper()}"}]
        assert API.options[name]["fallback"][1] == [f"CLAWHOSTERS_{name.upper()}"]
        assert f"E(CLAWHOSTERS_{name.upper()})" in for_modules[name]["description"][-1]
        for key in ("type", "choices"):
            assert option.get(key) == for_modules[name].get(key) == API.options[name].get(key)
        assert for_modules[name].get("default") == API.options[name].get("default")
        assert option.get("default") == for_modules[name].get("default")
    assert yaml.safe_load(DOCUMENTATION)["options"]["priority"] == {"default": "low"}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_documents_its_priority(name):
    own = yaml.safe_load(module(name).DOCUMENTATION).get("options", {})
    default = "high" if "restore" in name else "normal"
    assert module(name).SPEC.options["priority"]["default"] == default
    assert own.get("priority") == ({"default": default} if default != "normal" else None)


def test_the_event_source_documents_exactly_its_arguments():
    documented = yaml.safe_load(event_source.DOCUMENTATION)["options"]
    for_modules = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert list(documented) == list(EVENT_SOURCE_SPEC.options)
    assert set(documented) - set(API.options) == {"name", "interval", "health_stays_for", "state_file"}
    for name, option in documented.items():
        for key in ("type", "default", "choices"):
            assert option.get(key) == EVENT_SOURCE_SPEC.options[name].get(key)
        if name in for_modules:
            assert option["description"][-1] == for_modules[name]["description"][-1]
    guide = (ROOT / "docs/event-driven.md").read_text(encoding="utf-8")
    for source in yaml.safe_load(event_source.EXAMPLES):
        assert set(source["clawhosters.cloud.instances"] or {}) <= set(documented)
    assert all(f"`{name}`" in guide for name in documented)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_file_is_documentation_a_spec_and_little_code(name):
    source = (ROOT / f"plugins/modules/{name}.py").read_text(encoding="utf-8")
    code = source.rpartition('"""\n\nfrom ansible_collections')[2]
    assert "requests" not in code
    assert "exit_json" not in code
    assert "fail_json" not in code
