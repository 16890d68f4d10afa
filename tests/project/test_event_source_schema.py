# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON schema of the event source's arguments, against the options of the source itself."""

from __future__ import annotations

import json
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import SPEC, parse_arguments
from support.controller import REPOSITORY

FOLDER = REPOSITORY / "extensions/eda/plugins/event_source"
SCHEMA = json.loads((FOLDER / "schemas/instances.json").read_text(encoding="utf-8"))
TYPES = {"str": "string", "path": "string", "float": "number", "int": "integer", "bool": "boolean"}
KEY = {"api_key": "oc_live_0"}


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_has_the_options_of_the_source_with_types_and_defaults() -> None:
    assert set(SCHEMA["properties"]) == set(SPEC.options)
    for name, option in SPEC.options.items():
        found = {key: value for key, value in SCHEMA["properties"][name].items() if key not in ("title", "description")}
        expected = {"type": TYPES[option["type"]]}
        expected |= {"format": "password"} if option.get("no_log") else {}
        expected |= {"enum": list(option["choices"])} if "choices" in option else {}
        expected |= {"default": option["default"]} if option.get("default") is not None else {}
        assert found == expected, name
        assert SCHEMA["properties"][name]["title"]
        assert SCHEMA["properties"][name]["description"]


@pytest.mark.parametrize(
    "arguments",
    [{"intervall": 60}, {"interval": "often"}, {"priority": "urgent"}, {"page_size": 2.5}],
    ids=str,
)
def test_schema_and_source_refuse_the_same(arguments: dict[str, t.Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(KEY | arguments, SCHEMA)
    with pytest.raises(SettingsError):
        parse_arguments(KEY | arguments, print)


def test_the_rulebooks_and_the_defaults_fit_it() -> None:
    defaults = {name: one["default"] for name, one in SCHEMA["properties"].items() if "default" in one}
    given = [defaults | KEY, defaults | KEY | {"name": "nightly", "page_size": 100}]
    for arguments in given:
        jsonschema.validate(arguments, SCHEMA)
        assert parse_arguments(arguments, print).interval == 30.0
    for path in (REPOSITORY / "extensions/eda/rulebooks").glob("*.yml"):
        for rulebook in yaml.safe_load(path.read_text(encoding="utf-8")):
            for source in rulebook["sources"]:
                named = source.get("clawhosters.cloud.instances") or {}
                assert set(named) <= set(SCHEMA["properties"])
