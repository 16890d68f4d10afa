# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places that a contributor may forget when adding a module, an option of the event source, or a version."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from ansible_collections.clawhosters.cloud.extensions.eda.plugins.event_source import instances as event_source
from ansible_collections.clawhosters.cloud.plugins.module_utils._version import VERSION
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import SPEC as EVENT_SOURCE_SPEC
from support.controller import REPOSITORY

MODULES = sorted(path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py"))
EVENT_SOURCES = "extensions/eda/plugins/event_source"
PUBLIC = [name for name in MODULES if name.startswith("claw_")]


def read_yaml(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def test_the_action_group_has_every_module_and_each_module_its_action() -> None:
    assert sorted(read_yaml("meta/runtime.yml")["action_groups"]["all"]) == MODULES
    assert sorted(path.stem for path in (REPOSITORY / "plugins/action").glob("[a-z]*.py")) == MODULES


@pytest.mark.parametrize("place", ["docs/contract.md", "README.md"])
def test_every_module_stands_where_users_look_for_it(place: str) -> None:
    text = (REPOSITORY / place).read_text(encoding="utf-8")
    assert [name for name in PUBLIC if f"`{name}`" not in text] == []


def test_the_event_source_documents_exactly_its_arguments() -> None:
    documented = yaml.safe_load(event_source.DOCUMENTATION)["options"]
    assert list(documented) == list(EVENT_SOURCE_SPEC.options)
    for name, option in documented.items():
        for key in ("type", "default", "choices"):
            assert option.get(key) == EVENT_SOURCE_SPEC.options[name].get(key), name


def test_the_schema_has_the_arguments_of_the_event_source() -> None:
    schema = json.loads((REPOSITORY / f"{EVENT_SOURCES}/schemas/instances.json").read_text(encoding="utf-8"))
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(EVENT_SOURCE_SPEC.options)
    types = {"str": "string", "path": "string", "float": "number", "int": "integer", "bool": "boolean"}
    for name, option in EVENT_SOURCE_SPEC.options.items():
        found = {key: value for key, value in schema["properties"][name].items() if key not in ("title", "description")}
        expected = {"type": types[option["type"]]}
        expected |= {"format": "password"} if option.get("no_log") else {}
        expected |= {"enum": list(option["choices"])} if "choices" in option else {}
        expected |= {"default": option["default"]} if option.get("default") is not None else {}
        assert found == expected, name


def test_code_galaxy_and_changelog_know_the_same_version() -> None:
    assert read_yaml("galaxy.yml")["version"] == VERSION
    assert VERSION in read_yaml("changelogs/changelog.yaml")["releases"]


def test_every_address_of_the_project_begins_with_that_of_the_repository() -> None:
    galaxy = read_yaml("galaxy.yml")
    address = galaxy["repository"]
    pages = ["docs/docsite/links.yml", "docs/docsite/rst/guides.rst"]
    texts = [(REPOSITORY / page).read_text(encoding="utf-8") for page in pages]
    linked = [one for text in texts for one in re.findall(r"https://[^\s>]+/(?:blob|issues)/\S+", text)]
    assert len(linked) > 2
    wrong = [one for one in (galaxy["issues"], galaxy["documentation"], *linked) if not one.startswith(f"{address}/")]
    assert wrong == []
    assert address.endswith(f"/{read_yaml(pages[0])['edit_on_github']['repository']}")


def test_the_weekly_run_tests_the_supported_versions() -> None:
    page = (REPOSITORY / "docs/support.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (2\.\d+) \| ([\d., ]+) \|$", page, re.MULTILINE)
    supported = {(core, python) for core, pythons in rows for python in pythons.split(", ")}
    tested = read_yaml(".github/workflows/full.yml")["jobs"]["pair"]["strategy"]["matrix"]["include"]
    assert {(pair["core"], pair["python"]) for pair in tested} - {("lowest", "3.11"), ("next", "3.13")} == supported
