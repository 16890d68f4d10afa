# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of a controller that run playbooks: ansible-runner, on one node and from node to node, ansible-navigator,
and the image that ansible-builder prepares. The key comes by the credential type that is in the examples, and in no
other way.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import typing as t
from pathlib import Path

import jinja2.sandbox
import pytest
import yaml

from simulator.exchange import fingerprint
from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller, Run

pytestmark = pytest.mark.rest

EXAMPLES = REPOSITORY / "examples"
SURVEY: dict[str, t.Any] = json.loads((EXAMPLES / "controller/restore_survey.json").read_text(encoding="utf-8"))
OPTIONS: dict[str, t.Any] = yaml.safe_load(
    (REPOSITORY / "roles/restore/meta/argument_specs.yml").read_text(encoding="utf-8")
)["argument_specs"]["main"]["options"]
ANSWERS = {"restore_incident": "INC-7", "restore_instances": "web-bot", "restore_confirm": "web-bot"}
"""The answers that a person would type into the survey."""

STAGING_KEY = "oc_live_staging_0000"
FROM_CREDENTIAL = ("CLAWHOSTERS_API_KEY", "CLAWHOSTERS_API_URL", "CLAWHOSTERS_STATE_DIR")


def example(name: str) -> t.Any:
    return yaml.safe_load((EXAMPLES / "controller" / name).read_text(encoding="utf-8"))


def injected(credential_type: str = "credential_type", **inputs: str) -> dict[str, str]:
    """The environment that the controller makes of the credential type's injector and somebody's inputs."""
    fields = example(f"{credential_type}_input.yml")
    given = {field["id"]: inputs.get(field["id"], field.get("default")) for field in fields["fields"]}
    assert all(given[name] for name in fields["required"])
    # As the controller does it: an input that the injector does not know is an error.
    templates = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    injector = example(f"{credential_type}_injector.yml")
    assert set(injector) == {"env"}, "only the environment reaches playbook, inventory and event source alike"
    return {name: templates.from_string(text).render(**given) for name, text in injector["env"].items()}


def answered(**more: object) -> dict[str, object]:
    """The variables that the survey gives to the job: what was typed, and the defaults of the rest."""
    answers = {question["variable"]: question["default"] for question in SURVEY["spec"]}
    return {**answers, **ANSWERS, **more}


@pytest.fixture
def node(controller: Controller, simulator: Simulator) -> Controller:
    """A node of a controller: nothing of a key is in its own environment."""
    simulator.switch(transition_reads=1)
    for name in FROM_CREDENTIAL:
        controller.environment.pop(name, None)
    return controller


@pytest.fixture
def job(node: Controller, simulator: Simulator) -> t.Callable[..., Path]:
    """Makes the folder of a job as the controller does: project, inventory, credential, variables."""

    def make(**variables: object) -> Path:
        folder = node.folder / "job"
        shutil.copytree(EXAMPLES / "controller/project", folder / "project")
        shutil.copy(EXAMPLES / "unhealthy.yml", folder / "project")
        (folder / "inventory").mkdir()
        shutil.copy(EXAMPLES / "fleet.clawhosters.yml", folder / "inventory")
        (folder / "env").mkdir()
        credential = injected(api_key=KEY, api_url=simulator.url, state_dir=str(node.folder / "state"))
        (folder / "env/envvars").write_text(json.dumps(credential), encoding="utf-8")
        (folder / "env/extravars").write_text(json.dumps(variables), encoding="utf-8")
        return folder

    return make


def run_here(node: Controller, folder: Path, playbook: str) -> Run:
    return node.run("ansible-runner", "run", str(folder), "-p", playbook, "--ident", "1")


def run_on_another_node(node: Controller, folder: Path, playbook: str) -> Run:
    """The job is packed here, run there, and its events are read here again."""
    pipe = (
        f"ansible-runner transmit {folder} -p {playbook} --ident 1"
        f" | ansible-runner worker --private-data-dir {node.folder}/worker"
        f" | ansible-runner process {folder} --ident 1"
    )
    (node.folder / "worker").mkdir()
    return node.run("bash", "-o", "pipefail", "-c", pipe)


def status_of(folder: Path) -> str:
    """Returns how the job ended. All that is left of it where people look, its screen and its events, has no key."""
    left = folder / "artifacts/1"
    for path in (left / "stdout", *(left / "job_events").glob("*.json")):
        assert KEY not in path.read_text(encoding="utf-8")
    return (left / "status").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("run", [run_here, run_on_another_node], ids=["run", "transmit-worker-process"])
def test_the_restore_with_the_answers_of_the_survey(
    node: Controller, job: t.Callable[..., Path], simulator: Simulator, run: t.Callable[[Controller, Path, str], Run]
) -> None:
    folder = job(**answered(restore_report_dir=str(node.folder / "reports")))
    done = run(node, folder, "restore.yml")
    assert status_of(folder) == "successful", done.screen
    assert simulator.effects() == {"restores": 1}
    assert (node.folder / "reports/INC-7.html").exists()
    assert (node.folder / "state").is_dir(), "the journal is where the credential says"


def test_a_play_over_the_inventory(node: Controller, job: t.Callable[..., Path], simulator: Simulator) -> None:
    done = run_here(node, job(), "unhealthy.yml")
    assert status_of(node.folder / "job") == "successful", done.screen
    assert simulator.effects() == {"restarts": 3}


def test_an_inventory_source(node: Controller, simulator: Simulator) -> None:
    """As the controller updates one: the plugin's file, and the credential in the environment."""
    credential = injected(api_key=KEY, api_url=simulator.url, state_dir=str(node.folder / "state"))
    source = EXAMPLES / "fleet.clawhosters.yml"
    program = f"""
import ansible_runner
hosts, said = ansible_runner.get_inventory("list", [{str(source)!r}], response_format="json", quiet=True)
print(len(hosts["clawhosters"]["hosts"]), len(hosts["unhealthy"]["hosts"]))
"""
    run = node.run(sys.executable, "-c", program, **credential)
    assert run.stdout.splitlines()[-1:] == ["44 3"], run.screen


def test_two_credentials_in_one_job(node: Controller, job: t.Callable[..., Path], simulator: Simulator) -> None:
    """Each instance is changed with the key of its account. The instances have the same name."""
    web_bot = {"name": "web-bot", "health_status": "unhealthy"}
    simulator.reset(
        state={
            "instances": [{"id": 1, **web_bot}],
            "keys": {STAGING_KEY: "foreign"},
            "foreign": {"instances": [{"id": 901, **web_bot}]},
        }
    )
    folder = job()
    (folder / "inventory/fleet.clawhosters.yml").unlink()
    for name in ("production", "staging"):
        shutil.copy(EXAMPLES / f"controller/{name}.clawhosters.yml", folder / "inventory")
    shutil.copy(EXAMPLES / "controller/two_accounts.yml", folder / "project")
    staging = injected("staging_credential_type", api_key=STAGING_KEY)
    variables = json.loads((folder / "env/envvars").read_text(encoding="utf-8"))
    assert not set(variables) & set(staging)
    (folder / "env/envvars").write_text(json.dumps({**variables, **staging}), encoding="utf-8")
    run = run_here(node, folder, "two_accounts.yml")
    assert status_of(folder) == "successful", run.screen
    assert STAGING_KEY not in run.screen
    posts = {(call["path"], call["headers"]["authorization"]) for call in simulator.log() if call["method"] == "POST"}
    assert posts == {("/instances/1/restart", fingerprint(KEY)), ("/instances/901/restart", fingerprint(STAGING_KEY))}
    # An inventory source has the credential of its account only.
    source = str(folder / "inventory/staging.clawhosters.yml")
    run = node.run("ansible-inventory", "-i", source, "--graph", CLAWHOSTERS_API_URL=simulator.url, **staging)
    assert "--web-bot.staging" in run.stdout, run.screen


# ansible-navigator


@pytest.mark.slow
def test_navigator_runs_a_playbook_by_name(node: Controller, simulator: Simulator) -> None:
    credential = injected(api_key=KEY, api_url=simulator.url, state_dir=str(node.folder / "state"))
    options = ("--ee", "false", "--mode", "stdout", "--pae", "false", "--la", "false", "-e", json.dumps(answered()))
    run = node.run("ansible-navigator", "run", "clawhosters.cloud.restore", *options, **credential)
    assert run.rc == 0, run.screen
    assert simulator.effects() == {"restores": 1}
    assert KEY not in run.screen


# The survey

TYPES = {"text": ("str", "path"), "textarea": ("list",), "integer": ("int",), "multiplechoice": ("bool",)}


def test_the_survey_asks_for_all_that_the_role_requires_and_nothing_unknown() -> None:
    asked = {question["variable"]: question["required"] for question in SURVEY["spec"]}
    assert all(asked[name] for name in ANSWERS)
    for question in SURVEY["spec"]:
        option = OPTIONS[question["variable"]]
        assert option["type"] in TYPES[question["type"]]
        assert question["type"] != "integer" or question["default"] == option["default"]


# The controller as code


CONFIGURATION: dict[str, t.Any] = yaml.safe_load(
    (EXAMPLES / "controller/configuration/clawhosters.yml").read_text(encoding="utf-8")
)


def test_the_configuration_names_only_what_it_has() -> None:
    names = {entry["name"] for kind in CONFIGURATION for entry in CONFIGURATION[kind] if "name" in entry}
    templates = CONFIGURATION["controller_templates"]
    playbooks = {path.name for path in (EXAMPLES / "controller/project").glob("*.yml")}
    assert {template["playbook"] for template in templates} == playbooks
    named = {name for template in templates for name in template["credentials"]}
    named |= {template[key] for template in templates for key in ("project", "execution_environment", "inventory")}
    named |= {source["source_project"] for source in CONFIGURATION["controller_inventory_sources"]}
    named |= {schedule["unified_job_template"] for schedule in CONFIGURATION["controller_schedules"]}
    (activation,) = CONFIGURATION["eda_rulebook_activations"]
    assert named | {*activation["eda_credentials"]} <= names
    assert (REPOSITORY / "extensions/eda/rulebooks" / activation["rulebook"]).exists()


def test_ansible_evaluates_the_configuration_as_the_dispatching_play_does(node: Controller) -> None:
    folder = EXAMPLES / "controller/configuration"
    given = {"aap_configs_dir": str(folder), "clawhosters_api_key": KEY, "aap_hostname": "https://a", "aap_token": "b"}
    given["clawhosters_state_database"] = "postgresql://db.example.com/state"
    options = ("-e", json.dumps(given), "-e", f"@{folder}/clawhosters.yml")
    shown = [{"ansible.builtin.debug": {"var": name}} for name in CONFIGURATION]
    run = node.playbook([{"hosts": "localhost", "gather_facts": False, "tasks": shown}], *options)
    assert run.rc == 0, run.screen
    values = {name: value for result in run.all for name, value in result.items() if name in CONFIGURATION}
    # The templates of the injector are the controller's to evaluate.
    for kind in ("controller_credential_types", "eda_credential_types"):
        assert values[kind][0]["injectors"] == example("credential_type_injector.yml")
        assert values[kind][0]["inputs"] == example("credential_type_input.yml")
    assert values["controller_templates"][1]["survey_spec"] == SURVEY
    assert values["controller_credentials"][0]["inputs"]["api_key"] == KEY


@pytest.mark.parametrize("template", CONFIGURATION["controller_templates"], ids=lambda template: template["name"])
def test_a_job_template_sets_variables_of_its_role_or_playbook(template: dict[str, t.Any]) -> None:
    name = template["playbook"].removesuffix(".yml")
    known = (REPOSITORY / f"playbooks/{name}.yml").read_text(encoding="utf-8") + "".join(
        path.read_text(encoding="utf-8") for path in REPOSITORY.glob("roles/*/meta/argument_specs.yml")
    )
    assert [variable for variable in template["extra_vars"] if not re.search(rf"\b{variable}\b", known)] == []


# The image


@pytest.mark.parametrize("name", ["execution-environment.yml", "controller/decision-environment.yml"])
def test_builder_makes_the_context_of_the_image(node: Controller, name: str) -> None:
    definition = str(EXAMPLES / name)
    run = node.run("ansible-builder", "create", "-f", definition, "-c", "context")
    assert run.rc == 0, run.screen
    context = node.folder / "context"
    recipe = next(path for name in ("Containerfile", "Dockerfile") if (path := context / name).exists())
    assert "fedora" in recipe.read_text(encoding="utf-8")
    assert "clawhosters.cloud" in (context / "_build/requirements.yml").read_text(encoding="utf-8")


def test_builder_finds_out_what_the_collection_needs(node: Controller, collections: Path) -> None:
    """Its own requirement: not what only some jobs need, and nothing of the tools of its developers."""
    run = node.run("ansible-builder", "introspect", str(collections))
    assert run.rc == 0, run.screen
    needs = yaml.safe_load(run.stdout)
    assert [line.split()[0] for line in needs["python"]] == ["requests"]
    assert needs["system"] == []
