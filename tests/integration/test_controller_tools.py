# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs playbooks in a controller: ansible-runner, on one node and from node to node, ansible-navigator, and the
image that ansible-builder prepares. The key comes by the credential type that is in the examples, and in no other way.
"""

from __future__ import annotations

import json
import shutil
import sys
import typing as t
from pathlib import Path

import jinja2.sandbox
import pytest
import yaml

from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller, Run

EXAMPLES = REPOSITORY / "examples"
SURVEY: dict[str, t.Any] = json.loads((EXAMPLES / "controller/restore_survey.json").read_text(encoding="utf-8"))
OPTIONS: dict[str, t.Any] = yaml.safe_load(
    (REPOSITORY / "roles/restore/meta/argument_specs.yml").read_text(encoding="utf-8")
)["argument_specs"]["main"]["options"]
ANSWERS = {"restore_incident": "INC-7", "restore_instances": "web-bot", "restore_confirm": "web-bot"}
"""What a person would type into the survey."""

FROM_CREDENTIAL = ("CLAWHOSTERS_API_KEY", "CLAWHOSTERS_API_URL", "CLAWHOSTERS_STATE_DIR")


def example(name: str) -> t.Any:
    return yaml.safe_load((EXAMPLES / "controller" / name).read_text(encoding="utf-8"))


def injected(**inputs: str) -> dict[str, str]:
    """The environment that the controller makes of the credential type's injector and somebody's inputs."""
    fields = example("credential_type_input.yml")
    given = {field["id"]: inputs.get(field["id"], field.get("default")) for field in fields["fields"]}
    assert all(given[name] for name in fields["required"])
    # As the controller does it: an input that the injector does not know is an error.
    templates = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    injector = example("credential_type_injector.yml")
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
        shutil.copytree(REPOSITORY / "playbooks", folder / "project")
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


WAYS = pytest.mark.parametrize("run", [run_here, run_on_another_node], ids=["run", "transmit-worker-process"])
Way = t.Callable[[Controller, Path, str], Run]


def artifacts(folder: Path) -> tuple[str, str]:
    """How the job ended, and all that is left of it where people look: its screen and its events."""
    left = folder / "artifacts/1"
    texts = [(left / "stdout").read_text(encoding="utf-8")]
    texts += [path.read_text(encoding="utf-8") for path in (left / "job_events").glob("*.json")]
    assert KEY not in "".join(texts)
    return (left / "status").read_text(encoding="utf-8"), texts[0]


@WAYS
def test_the_fleet(node: Controller, job: t.Callable[..., Path], simulator: Simulator, run: Way) -> None:
    folder = job(fleet_instances=[{"name": "web-bot", "state": "stopped"}, {"name": "news-bot"}])
    done = run(node, folder, "fleet.yml")
    assert artifacts(folder)[0] == "successful", done.screen
    assert "1 as declared, 1 changed" in artifacts(folder)[1]
    assert simulator.effects() == {"stops": 1}


@WAYS
@pytest.mark.slow
def test_the_restore_with_the_answers_of_the_survey(
    node: Controller, job: t.Callable[..., Path], simulator: Simulator, run: Way
) -> None:
    folder = job(**answered(restore_report_dir=str(node.folder / "reports")))
    done = run(node, folder, "restore.yml")
    assert artifacts(folder)[0] == "successful", done.screen
    assert simulator.effects() == {"restores": 1}
    assert (node.folder / "reports/INC-7.html").exists()
    assert (node.folder / "state").is_dir(), "the journal is where the credential says"


@WAYS
def test_a_play_over_the_inventory(
    node: Controller, job: t.Callable[..., Path], simulator: Simulator, run: Way
) -> None:
    done = run(node, job(), "unhealthy.yml")
    assert artifacts(node.folder / "job")[0] == "successful", done.screen
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


def test_a_restore_without_the_folder_of_the_journal_sends_nothing(
    node: Controller, job: t.Callable[..., Path], simulator: Simulator
) -> None:
    """A node on which nobody exposed the folder: better no restore than one that is forgotten with its container."""
    (node.folder / "state").write_text("This is no folder.", encoding="utf-8")
    folder = job(**answered(restore_report_dir=str(node.folder / "reports")))
    run_here(node, folder, "restore.yml")
    assert artifacts(folder)[0] == "failed"
    assert "restores and purchases are never sent without a journal" in artifacts(folder)[1].replace("\n", " ")
    assert simulator.effects() == {}


# ansible-navigator


@pytest.mark.parametrize("name", ["fleet", "restore"])
@pytest.mark.slow
def test_navigator_runs_playbooks_by_name(node: Controller, simulator: Simulator, name: str) -> None:
    credential = injected(api_key=KEY, api_url=simulator.url, state_dir=str(node.folder / "state"))
    variables = {"fleet_instances": [{"name": "web-bot", "state": "stopped"}], **answered()}
    options = ("--ee", "false", "--mode", "stdout", "--pae", "false", "--la", "false", "-e", json.dumps(variables))
    run = node.run("ansible-navigator", "run", f"clawhosters.cloud.{name}", *options, **credential)
    assert run.rc == 0, run.screen
    assert simulator.effects() == ({"stops": 1} if name == "fleet" else {"restores": 1})
    assert KEY not in run.screen


def test_navigator_shows_the_inventory(node: Controller, simulator: Simulator) -> None:
    credential = injected(api_key=KEY, api_url=simulator.url, state_dir=str(node.folder / "state"))
    options = ("-i", str(EXAMPLES / "fleet.clawhosters.yml"), "--graph", "--ee", "false", "--mode", "stdout")
    run = node.run("ansible-navigator", "inventory", *options, **credential)
    assert run.rc == 0, run.screen
    assert "--web-bot" in run.stdout


# The survey

TYPES = {"text": ("str", "list", "path"), "integer": ("int",), "multiplechoice": ("bool",)}


@pytest.mark.parametrize("question", SURVEY["spec"], ids=lambda question: question["variable"])
def test_a_question_of_the_survey_is_about_a_variable_of_the_role(question: dict[str, t.Any]) -> None:
    option = OPTIONS[question["variable"]]
    assert option["type"] in TYPES[question["type"]]
    assert set(question) == {
        *("question_name", "question_description", "variable", "type", "required", "min", "max", "default"),
        *("choices", "new_question"),
    }
    assert option.get("required", False) <= question["required"]
    if question["type"] == "multiplechoice":
        assert question["choices"] == ["false", "true"]
        assert question["default"] in question["choices"]
    if question["type"] == "integer":
        assert question["default"] == option["default"]


def test_the_survey_asks_for_what_must_be_given() -> None:
    asked = {question["variable"]: question["required"] for question in SURVEY["spec"]}
    assert set(SURVEY) == {"name", "description", "spec"}
    assert len(asked) == len(SURVEY["spec"])
    assert all(asked[name] for name in ("restore_incident", "restore_instances", "restore_confirm"))


# The image


def test_builder_makes_the_context_of_the_image(node: Controller) -> None:
    definition = str(EXAMPLES / "execution-environment.yml")
    run = node.run("ansible-builder", "create", "-f", definition, "-c", "context")
    assert run.rc == 0, run.screen
    context = node.folder / "context"
    recipe = next(path for name in ("Containerfile", "Dockerfile") if (path := context / name).exists())
    assert "fedora" in recipe.read_text(encoding="utf-8")
    assert "clawhosters.cloud" in (context / "_build/requirements.yml").read_text(encoding="utf-8")


def test_builder_finds_out_what_the_collection_needs(node: Controller, collections: Path) -> None:
    """Its own requirement, and nothing of the tools of its developers."""
    run = node.run("ansible-builder", "introspect", str(collections))
    assert run.rc == 0, run.screen
    needs = yaml.safe_load(run.stdout)
    assert [line.split()[0] for line in needs["python"]] == ["requests", "psycopg[binary]"]
    assert needs["system"] == []
