# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebooks, run by ansible-rulebook, and the playbook that they hand an unhealthy instance to.

What ansible-rulebook did is seen by its effect on the service: its exit code is 0 whatever became of a playbook.
"""

from __future__ import annotations

import json
import re
import typing as t

import pytest
import yaml

from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, Run
from support.key_ways import PASSWORD, assert_keys_arrived, key_of, vaulted_value
from support.rulebooks import rulebook

NASTY = "{{ lookup('pipe', 'touch was-run') }}"
CONFIGURATION = REPOSITORY / "examples/controller/configuration/clawhosters.yml"
GUIDE = REPOSITORY / "docs/event-driven.md"


@pytest.fixture(autouse=True)
def fleet(simulator: Simulator) -> None:
    """Three instances that are well, each with a backup."""
    instances = [{"id": 7, "name": "web-bot"}, {"id": 8, "name": "shop-bot"}, {"id": 9, "name": NASTY}]
    backups = [{"id": 10 * number, "instance_id": number, "created_at": "2h ago"} for number in (7, 8, 9)]
    # Who sees a restore at work need not wait for one that nobody sees.
    switches = {"transition_seconds": 1, "transition_shows": "busy"}
    simulator.reset(state={"instances": instances, "backups": backups}, switches=switches)


def restored(simulator: Simulator) -> dict[int, int]:
    """The instances that were restored, each with the backup."""
    instances = simulator.state()["instances"]
    return {one["id"]: one["_restored_from"] for one in instances if one["_restored_from"]}


# ---- With ansible-rulebook


@pytest.mark.rest
@pytest.mark.slow
def test_the_rehearsal_of_the_guide_works(simulator: Simulator, controller: Controller, java_home: str | None) -> None:
    """With the fleet and the rate limit that the simulator has by default, in a shell that names a database."""
    rehearsal = GUIDE.read_text(encoding="utf-8").split("\n## Rehearse\n")[1]
    (typed,) = re.findall(r"```shell\n(.*?)```", rehearsal, re.DOTALL)
    ((path, body),) = re.findall(r"curl -X PATCH http://127.0.0.1:8800/_sim(/\S+) \\\n  -d '(.*)'", rehearsal)
    simulator.reset(state={"instances": 60}, switches={"rate_limit": 100, "rate_window_seconds": 60})
    controller.environment["CLAWHOSTERS_STATE_DATABASE"] = "postgresql://production.invalid/state"
    typed = typed.replace("http://127.0.0.1:8800/api/v1", simulator.url).replace("\nansible-", "\nexec ansible-")
    with rulebook(controller, java_home, simulator, "guide", command=["bash", "-ec", typed]) as running:
        simulator.control("PATCH", path, json.loads(body))
        running.until(lambda: "PLAY RECAP" in running.screen)
        assert list(restored(simulator)) == [1], running.screen
        assert simulator.instance(1)["health_status"] == "healthy"
        simulator.control("PATCH", path, json.loads(body))
        simulator.set_instance(2, health_status="unhealthy")
        running.until(lambda: running.screen.count("PLAY RECAP") == 3)
    assert re.search(r"A restore for eda-1-20\S+T\d{6}\.\d{3}Z was sent .+ ago", running.screen)
    assert "The instance is not in restore_unhealthy_names." in running.screen
    assert "with restore_instance_ids=2 and restore_incident=eda-2-20" in running.screen
    assert simulator.effects() == {"restores": 1}
    assert [entry["status"] for entry in simulator.log() if entry["status"] != 200 and entry["method"] == "GET"] == []


def test_the_two_forms_of_the_rulebook_differ_only_in_their_action() -> None:
    rulebooks = REPOSITORY / "extensions/eda/rulebooks"
    here, there = (
        yaml.safe_load((rulebooks / f"restore_unhealthy{form}.yml").read_text(encoding="utf-8"))[0]
        for form in ("", "_job")
    )
    (rule_here,), (rule_there,) = here["rules"], there["rules"]
    assert rule_here["condition"] == rule_there["condition"]
    action_here, action_there = rule_here["action"]["run_playbook"], rule_there["action"]["run_job_template"]
    assert action_here["extra_vars"] == action_there["job_args"]["extra_vars"]
    assert action_there["include_events"] is False
    # What it sets, the survey of the job template takes.
    templates = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["controller_templates"]
    (template,) = [one for one in templates if f"'{one['name']}'" in action_there["name"]]
    assert {one["variable"] for one in template["survey_spec"]["spec"]} == set(action_there["job_args"]["extra_vars"])
    assert here["sources"] == there["sources"]


@pytest.mark.rest
def test_the_rulebook_watch_prints_changes(simulator: Simulator, controller: Controller, java_home: str | None) -> None:
    variables = controller.write("vars.yml", {"watch_interval": 0.5})
    simulator.set_instance(9, name="news\x1b[2J\u202ebot")
    with rulebook(controller, java_home, simulator, "watch", "--vars", str(variables)) as running:
        simulator.set_instance(7, status="error", health_status="unhealthy")
        simulator.set_instance(9, status="error\x1b[2J", health_status="\x9bunhealthy")
        simulator.remove_instance(8)
        running.until(lambda: "shop-bot (id 8) disappeared" in running.screen)
        running.until(lambda: "was healthy, is \ufffdunhealthy" in running.screen)
        assert "news\ufffd[2J\ufffdbot (id 9) was running, is error\ufffd[2J" in running.screen
        assert not set("\x1b\x9b\u202e") & set(running.screen)
        assert "web-bot (id 7) was running, is error" in running.screen
        assert "web-bot (id 7) was healthy, is unhealthy" in running.screen
    assert simulator.calls("POST *") == []


@pytest.mark.rest
@pytest.mark.slow
def test_a_source_gets_its_key_from_a_variable_of_the_rulebook(
    simulator: Simulator, controller: Controller, java_home: str | None
) -> None:
    """Plain, and from a vault: the ways that need ansible-rulebook itself."""
    controller.environment.pop("CLAWHOSTERS_API_KEY")
    ways = ("extra variable", "vaulted value")
    names = [way.replace(" ", "_") for way in ways]
    arguments = {name: {"api_key": f"{{{{ {name} }}}}", "interval": 0.5} for name in names}
    sources = [{"name": name, "clawhosters.cloud.instances": arguments[name]} for name in names]
    rule = {"name": "Never", "condition": "event.never is defined", "action": {"debug": None}}
    controller.write("keys.yml", [{"name": "Keys", "hosts": "localhost", "sources": sources, "rules": [rule]}])
    values = vaulted_value("vaulted_value", key_of("vaulted value"))
    controller.write("vars.yml", f"extra_variable: {key_of('extra variable')}\n{values}")
    controller.write("password", PASSWORD)
    options = ("--vars", "vars.yml", "--vault-password-file", "password")

    def keys_arrived() -> bool:
        return len({call["headers"]["authorization"] for call in simulator.log()}) == len(ways)

    # ansible-rulebook exits if ansible-vault takes more than 30 seconds, and has no option for this limit. On a busy
    # machine that happens without a fault of the collection.
    for is_last in (False, False, True):
        try:
            with rulebook(controller, java_home, simulator, "keys.yml", *options) as running:
                running.until(keys_arrived)
            break
        except AssertionError as failure:
            if is_last or "ansible-vault decrypt timed out" not in str(failure):
                raise
    assert_keys_arrived(simulator, ways)
    assert not [way for way in ways if key_of(way) in running.screen]


# ---- The playbook that the rulebook runs


def restore(controller: Controller, number: int, code: int = 0, **variables: t.Any) -> Run:
    given = {"restore_unhealthy_id": number, "restore_incident": "INC-1", **variables}
    run = controller.run("ansible-playbook", "clawhosters.cloud.restore_unhealthy", "-e", json.dumps(given))
    assert run.rc == code, run.screen
    return run


def test_a_name_is_never_run_as_a_template(simulator: Simulator, controller: Controller) -> None:
    simulator.set_instance(9, health_status="unhealthy")
    restore(controller, 9, restore_unhealthy_names="all")
    assert restored(simulator) == {9: 90}
    assert "was-run" not in [path.name for path in controller.left()]
    # By default the evidence is where it outlives the run, whose folder ansible-rulebook removes.
    assert (controller.home / "clawhosters-restore/INC-1.html").exists()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        pytest.param("b\u00fcro-bot", {"restore_unhealthy_names": "all"}, id="unusual"),
        pytest.param("web-bot", {"restore_unhealthy_ids": "7, 9"}, id="not unique", marks=pytest.mark.rest),
    ],
)
def test_a_name_that_is_unusual_or_not_unique_is_restored_too(
    simulator: Simulator, controller: Controller, name: str, allowed: dict[str, object]
) -> None:
    """The playbook confirms by the id. It needs no other names."""
    simulator.set_instance(9, health_status="unhealthy", name=name)
    restore(controller, 9, **allowed)
    assert restored(simulator) == {9: 90}
    assert len(simulator.calls("GET /instances")) <= 2  # the decision, and what the wait reads


def test_one_that_was_allowed_by_its_name_must_still_bear_it(simulator: Simulator, controller: Controller) -> None:
    simulator.set_instance(9, health_status="unhealthy", name="prod")
    listed = {**simulator.instance(9), "name": "garden-bot"}
    simulator.fault("wrong_type", method="GET", path="/instances", body={"data": [listed]})
    run = restore(controller, 9, 2, restore_unhealthy_names="garden-bot")
    assert restored(simulator) == {}
    assert run.says("The instance with id 9 is named prod, not garden-bot"), run.screen
    simulator.set_instance(9, name="garden-bot")
    restore(controller, 9, restore_unhealthy_names="garden-bot")
    assert restored(simulator) == {9: 90}
