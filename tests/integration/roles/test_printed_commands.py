# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that the collection prints, pasted from the screen into shells: each is what was meant, or is not run."""

from __future__ import annotations

import ast
import re
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv
from ansible.plugins.loader import callback_loader

from ansible_collections.clawhosters.cloud.plugins.action import internal_rehearsal as rehearsal
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan import ObstacleKind, Target
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._extra_variables import parse_list
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.commands import (
    Command,
    build_advice,
    build_command,
    select_plans,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.failures import FAILURES, FailureKind
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.record import CommandFiles
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.run import RolePlan
from simulator.handle import Simulator
from support.commands import START, parse_variables
from support.controller import REPOSITORY, Controller, Run, extra_variables
from support.restores import BACKUPS, TRICKY_NAMES, VARIABLES, plan
from support.shells import SHELLS, Call, Shells
from support.worker import Worker

PLAYBOOK = "clawhosters.cloud.restore"
FORMATS = ("json", "yaml")
NAMES = [
    "web-bot",
    "müller-bot",
    "a b",
    "it's",
    'the "best" bot',
    "back\\slash",
    "$(touch pwned)",
    "\N{LOBSTER} bot",
    "9999 instances would be deleted, more than",
    "n" * 60,
    *TRICKY_NAMES,
]
FLEETS = [[name] for name in NAMES] + [["web-bot", "müller-bot"], [f"a-long-name-of-bot-{n}" for n in range(40)]]
INCIDENTS = ["INC-15", "müller's ticket", "drill-1234567-2026-02-03-and-more"]
LIMITS: list[dict[str, t.Any]] = [
    {},
    {"restore_before": "2026-02-03T00:00:00Z", "restore_serial": [1, 5, "100%"], "restore_max_failures": 3},
]


def plans(names: list[str], *, is_known: bool) -> list[RolePlan]:
    found = []
    for number, name in enumerate(names, 1):
        one = plan(instance={"id": number, "name": name, "status": "running"}, backups=BACKUPS)
        one.target = Target(None, name)
        if not is_known:
            one.instance = None
        found.append(one)
    return found


def advised(*, is_known: bool = True) -> t.Iterator[Command]:
    """Yields the command of each kind of failure, for each fleet, and with and without limits."""
    for kind in FAILURES:
        for names in FLEETS if kind in (FailureKind.NOT_HEALTHY, ObstacleKind.NO_INSTANCE) else FLEETS[:3]:
            for incident in INCIDENTS:
                for limits in LIMITS:
                    variables = {**VARIABLES, **limits, "restore_incident": incident}
                    several = plans(names, is_known=is_known)
                    yield build_command(select_plans(several), variables, build_advice(kind, several[0], variables))


def show(lines: list[str], result_format: str) -> list[str]:
    """Returns the lines of a result on the screen, as this ansible-core prints it."""
    callback = callback_loader.get("ansible.builtin.default")
    callback.set_options(direct={"result_format": result_format, "pretty_results": True})
    return str(callback._dump_results({"failed": True, "failures": lines})).splitlines()


def select(line: str) -> str:
    """Returns what a user selects of a line of the screen: what the format puts around a whole line is left out."""
    return re.sub(r'^\s*(- |")|",?$', "", line)


def load(call: Call, folder: Path) -> dict[str, t.Any]:
    """Returns the extra variables of a call, as Ansible reads them."""
    given = call[call.index("-e") + 1]
    if given.startswith("@"):
        return dict(DataLoader().load_from_file(str(folder / given[1:])))
    return dict(parse_kv(given))


def agree(given: dict[str, t.Any], command: Command) -> bool:
    """Returns True if the role reads the same from ``given``: it takes text for numbers, and for lists."""

    def read(value: t.Any, like: t.Any) -> t.Any:
        return list(map(str, parse_list(value))) if isinstance(like, list) else str(value).lower()

    return given.keys() == command.variables.keys() and all(
        read(given[name], value) == read(value, value) for name, value in command.variables.items()
    )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("writes", [True, False], ids=["files", "check"])
def test_each_shell_hands_on_each_next_command_as_it_was_meant(tmp_path, monkeypatch, shell, writes):
    monkeypatch.chdir(tmp_path)
    files = CommandFiles(tmp_path / "clawhosters-restore" if writes else None)
    meant: dict[str, Command] = {}
    for command in [*advised(), *advised(is_known=False)]:
        printed = files.format(command)
        if printed.startswith("ansible-playbook "):
            assert meant.setdefault(printed, command) == command
        else:
            assert not writes
            assert printed.startswith(f"Run the playbook {PLAYBOOK} ")
    for result_format in FORMATS:
        screen = show(list(meant), result_format)
        pasted = [select(line) for line in screen if "ansible-playbook" in line]
        assert pasted == list(meant)
    for (call,), command in zip(Shells(tmp_path).paste(shell, list(meant)), meant.values(), strict=True):
        assert call[:2] == ["ansible-playbook", PLAYBOOK]
        assert bool({"--check", "-C"} & set(call)) is command.is_check
        assert agree(load(call, tmp_path), command), (call, command)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_next_command_that_is_cut_anywhere_is_not_run_with_less(tmp_path, monkeypatch, shell):
    monkeypatch.chdir(tmp_path)
    files = CommandFiles(tmp_path / "clawhosters-restore")
    short = {"restore_incident": "INC-15", "restore_instances": ["web-bot"]}
    # Of the same folder, so that a part of a name could be another's.
    variables: list[dict[str, t.Any]] = [
        short,
        {**short, "restore_force": True},
        {**short, "restore_incident": "INC-1 5"},
    ]
    for command in (Command(each, is_check=check) for each in variables for check in (False, True)):
        line = files.format(command)
        cuts = [line[:end] for end in range(1, len(line))]
        for calls in Shells(tmp_path).paste(shell, cuts):
            for call in calls:
                given = [*call[call.index("-e") + 1 :], ""][0] if "-e" in call else ""
                assert not given or (given.startswith("@") and not (tmp_path / given[1:]).is_file()), call


def test_no_command_without_its_variables_is_run(simulator: Simulator, controller: Controller) -> None:
    (controller.folder / "clawhosters-restore").mkdir()
    for given in ([], ["-e"], ["-e", "@"], ["-e", "@clawhosters-restore"], ["-e", "@clawhosters-restore/next-0123"]):
        run = controller.run("ansible-playbook", PLAYBOOK, *given)
        assert run.rc != 0, run.screen
    assert simulator.calls() == []


def fail_canary(controller: Controller, simulator: Simulator, result_format: str, **variables: t.Any) -> Run:
    """Restores two instances of which the first does not become healthy."""
    simulator.reset(
        state={
            "instances": [
                {"id": 1, "name": "web-bot", "health_after": "unhealthy"},
                {"id": 2, "name": "müller-bot"},
            ],
            "backups": [
                {"id": 10 * number + day, "instance_id": number, "created_at": f"{24 * day}h ago"}
                for number in (1, 2)
                for day in (1, 2)
            ],
        },
        switches={"transition_reads": 1},
    )
    given = {
        "restore_instances": ["web-bot", "müller-bot"],
        "restore_incident": "INC-15",
        "restore_confirm": "web-bot,müller-bot",
        "restore_healthy_timeout": 0,
        **variables,
    }
    return controller.run(
        "ansible-playbook",
        PLAYBOOK,
        *extra_variables(**given),
        ANSIBLE_CALLBACK_RESULT_FORMAT=result_format,
        ANSIBLE_LOG_PATH=str(controller.folder / "run.log"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("result_format", [pytest.param("json", marks=pytest.mark.rest), "yaml"])
def test_the_command_after_a_failed_canary_restores_no_newer_backup(
    simulator: Simulator, controller: Controller, result_format: str
) -> None:
    before = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:00Z}"
    run = fail_canary(controller, simulator, result_format, restore_before=before)
    assert run.rc == 2, run.screen
    pasted = [select(line) for line in run.stdout.splitlines() if START in line]
    # Lines of a log begin with a time, a process and a user.
    log = (controller.folder / "run.log").read_text(encoding="utf-8").splitlines()
    assert [select(line.partition("| ")[2] or line) for line in log if START in line] == pasted
    retry, rest = (parse_variables(line, controller.folder) for line in pasted)
    assert (retry["restore_instances"], retry["restore_before"]) == (["web-bot"], before)
    assert (rest["restore_instance_ids"], rest["restore_before"]) == ([2], before)
    assert run.says(f"(the command sets restore_before={before}):")
    done = controller.run("bash", "-c", f"{pasted[1]} -e restore_confirm=2 -e restore_healthy_timeout=60")
    assert done.rc == 0, done.screen
    assert simulator.calls("POST *")[-1] == "POST /backups/21/restore"


@pytest.mark.rest
@pytest.mark.slow
def test_a_file_of_variables_that_was_edited_is_obeyed(simulator: Simulator, controller: Controller) -> None:
    run = fail_canary(controller, simulator, "json")
    (line, *_rest) = [select(line) for line in run.stdout.splitlines() if START in line]
    (path,) = (controller.folder / line.split("@")[1],) if "@" in line else ()
    variables = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**variables, "restore_backup": 12, "restore_incident": "INC-16"}), encoding="utf-8")
    simulator.set_instance(1, health_after="healthy")
    done = controller.run("bash", "-c", f"{line} -e restore_confirm=web-bot -e restore_healthy_timeout=60")
    assert done.rc == 0, done.screen
    assert simulator.calls("POST *")[-1] == "POST /backups/12/restore"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_starts_the_rehearsal_as_it_is_told_to(simulator: Simulator, tmp_path, monkeypatch, shell):
    monkeypatch.chdir(tmp_path)
    report = Worker(simulator, {"port": 8800}).run(rehearsal, dir="clawhosters-rehearsal")["report"]
    for result_format in FORMATS:
        shown = [select(line) for line in show(report, result_format)]
        start = next(line for line in shown if line.startswith("sh "))
        assert start in report
        assert ". clawhosters-rehearsal/rehearsal.env" in shown
        *cuts, (whole,) = Shells(tmp_path, ["sh"]).paste(shell, [start[:end] for end in range(3, len(start) + 1)])
        assert whole == ["sh", "clawhosters-rehearsal/simulator.sh"]
        assert not any(tmp_path.joinpath(*call[1:]).is_file() for calls in cuts for call in calls)
    odd = Worker(simulator, {"port": 8800}).run(rehearsal, dir="my rehearsal")["report"]
    assert odd[-2:] == [
        "In one terminal, run simulator.sh of that folder with sh.",
        "In another one, source its rehearsal.env.",
    ]


def find_messages(path: Path) -> t.Iterator[str]:
    """Yields the texts of a file that may be shown: neither docstrings nor documentation."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        or (
            isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES", "RETURN")
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def test_no_message_has_a_command_within_a_sentence():
    """A message is folded anywhere: a command in it would lose what follows. Each is a line, which the tests paste."""
    command = re.compile(r"\b(ansible-(playbook|doc|inventory|galaxy|rulebook|vault)|pip3?) \S")
    found = [
        (path.name, text)
        for folder in ("plugins", "extensions", "tests/simulator")
        for path in (REPOSITORY / folder).rglob("*.py")
        for text in find_messages(path)
        for line in text.splitlines()
        # The way to psycopg is promised in these words. What is cut of them installs nothing.
        if (there := command.search(line.replace("`pip install 'psycopg[binary]'`", ""))) and there.start() > 0
    ]
    assert found == []
    texts = [path.read_text(encoding="utf-8") for path in REPOSITORY.glob("[pr]*/**/*.yml")]
    lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if command.search(line) and "description" not in line] == []


def find_blocks() -> list[str]:
    """Returns the shell blocks of the guides that run a playbook, without their comments."""
    pages = [*REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*.md"), *REPOSITORY.glob("roles/*/README.md")]
    texts = [path.read_text(encoding="utf-8") for path in pages]
    blocks = [block for text in texts for block in re.findall(r"```(?:shell|bash)\n(.*?)```", text, re.DOTALL)]
    bare = [re.sub(r"^#.*\n|[ ]+# .*$", "", block, flags=re.MULTILINE) for block in blocks]
    return [block for block in bare if re.search(r"^ansible-playbook ", block, re.MULTILINE)]


def test_each_shell_runs_the_playbooks_of_the_guides_alike(tmp_path):
    blocks = find_blocks()
    assert len(blocks) > 20
    programs = ["ansible-playbook", "ansible-inventory", "ansible-rulebook", "ansible-galaxy", "ansible", "curl", "git"]
    expected, *others = (dict(enumerate(Shells(tmp_path, programs).paste(shell, blocks))) for shell in SHELLS)
    for number, calls in expected.items():
        assert sum(call[0] == "ansible-playbook" for call in calls) == blocks[number].count("ansible-playbook ")
    assert others == [expected, expected]
