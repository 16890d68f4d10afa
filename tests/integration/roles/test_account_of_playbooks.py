# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each playbook first says which service and account it is about, and stops at the account that is not meant."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

import pytest

from simulator.handle import Simulator
from support import KEY
from support.controller import REPOSITORY, Controller, Run, extra_variables

STAGING_KEY = "oc_live_staging_0123456789"
STATE: dict[str, t.Any] = {
    "account": {"id": 1, "email": "ops@example.com"},
    "balance": 10,
    "instances": [
        {"id": 1, "name": "news-bot", "billing_mode": "daily", "health_status": "unhealthy"},
        {"id": 2, "name": "web-bot", "billing_mode": "daily", "health_status": "healthy"},
    ],
    "backups": [{"id": number * 11, "instance_id": number, "created_at": "2h ago"} for number in (1, 2)],
    "keys": {STAGING_KEY: "foreign"},
    "foreign": {
        "account": {"id": 2, "email": "staging@example.com"},
        "balance": 10,
        "instances": [{"id": 3, "name": "news-bot", "billing_mode": "daily", "health_status": "healthy"}],
        "backups": [{"id": 33, "instance_id": 3, "created_at": "2h ago"}],
    },
}
PLAYBOOKS: dict[str, dict[str, t.Any]] = {
    "balance_guard": {"balance_guard_stop_order": ["web-bot"], "balance_guard_min_days": 30},
    "doctor": {},
    "fleet": {"fleet_instances": [{"name": "news-bot", "state": "stopped"}]},
    "fleet_report": {},
    "restore": {"restore_instances": "news-bot", "restore_incident": "INC-1", "restore_confirm": "news-bot"},
    "restore_drill": {"restore_drill_instances": "news-bot"},
    "restore_unhealthy": {"restore_unhealthy_id": 1, "restore_unhealthy_names": "all", "restore_incident": "INC-1"},
}
HEADINGS = ("PLAY [", "TASK [", "ok: [", "changed: [", "skipping: [", "included: ")
QUICK = ("fleet", "restore_drill")
EVERY = pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.rest) for name in PLAYBOOKS if name not in QUICK)]
)


@pytest.fixture(autouse=True)
def two_accounts(simulator: Simulator) -> None:
    """Production, with the default key, and staging: both have a news-bot."""
    simulator.reset(state=STATE, switches={"transition_reads": 1})


def play(controller: Controller, name: str, *options: str, **environment: str | None) -> Run:
    command = ["ansible-playbook", f"clawhosters.cloud.{name}", *extra_variables(**PLAYBOOKS[name]), *options]
    return controller.run(*command, **environment)


def before_first_line(run: Run, line: str) -> list[str]:
    """Returns what was shown before the line, except for the headings of plays and tasks."""
    above, found, _rest = run.stdout.partition(line)
    assert found, run.screen
    shown = above.splitlines()[:-1]
    return [one for one in shown if one.strip() and not one.startswith(HEADINGS) and one.strip() != '"msg": [']


def test_each_playbook_is_here() -> None:
    # It shows the journal, whichever key there is: test_restore_status.py.
    assert sorted([*PLAYBOOKS, "restore_status"]) == sorted(
        path.stem for path in (REPOSITORY / "playbooks").glob("*.yml")
    )


@EVERY
def test_the_first_line_names_service_and_account(simulator: Simulator, controller: Controller, name: str) -> None:
    host = urlsplit(simulator.url).netloc
    line = f"Service {host}, account ops@example.com (id 1)."
    run = play(controller, name, "--check", CLAWHOSTERS_ACCOUNT="ops@example.com")
    assert before_first_line(run, line) == []
    simulator.fault("forbidden", path="/account", times=None)
    unknown = play(controller, name, "--check")
    assert before_first_line(unknown, f"Service {host}, account unknown (403 forbidden).") == []
    assert simulator.changes() == []


@EVERY
@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
def test_the_wrong_key_sends_nothing(simulator: Simulator, controller: Controller, name: str, check: bool) -> None:
    run = play(controller, name, *(["--check"] if check else []), CLAWHOSTERS_ACCOUNT="staging@example.com")
    assert run.rc == 2, run.screen
    assert simulator.changes() == []
    if name == "doctor":
        # It only reads, and says what is wrong.
        assert run.says("not known to be for the account that the option account names")
        return
    host = urlsplit(simulator.url).netloc
    assert run.says(f"account is set to staging@example.com, but this key is for ops@example.com (id 1) at {host}.")
    assert run.says("nothing was sent.") or run.says("Nothing was sent.")
    assert simulator.calls("GET /account") == ["GET /account"]
    assert simulator.calls("GET /instances*") == simulator.calls("GET /backups*") == []
    assert list(controller.folder.glob("clawhosters-*report*")) == []


def test_the_drill_and_the_fleet_act_on_the_account_that_is_meant(simulator: Simulator, controller: Controller) -> None:
    staging = {"CLAWHOSTERS_API_KEY": STAGING_KEY, "CLAWHOSTERS_ACCOUNT": "STAGING@example.com"}
    assert play(controller, "restore_drill", **{**staging, "CLAWHOSTERS_API_KEY": KEY}).rc == 2
    assert play(controller, "fleet", **{**staging, "CLAWHOSTERS_ACCOUNT": "1"}).rc == 2
    assert simulator.changes() == []
    assert play(controller, "restore_drill", **staging).rc == 0
    assert play(controller, "fleet", **staging).rc == 0
    assert simulator.changes() == ["POST /backups/33/restore", "POST /instances/3/stop"]


def test_module_defaults_name_the_account_for_a_role(simulator: Simulator, controller: Controller) -> None:
    tasks = [{"ansible.builtin.include_role": {"name": "clawhosters.cloud.fleet_report"}}]
    defaults = {"group/clawhosters.cloud.all": {"account": "staging@example.com"}}
    play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    run = controller.playbook([play])
    assert run.rc == 2
    assert run.says("account is set to staging@example.com, but this key is for ops@example.com (id 1)")
