# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many add-ons in one task: what it costs, what becomes of each entry, and which lists change nothing."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_fleet_addon
from simulator.handle import Simulator
from support.controller import Controller
from support.worker import result_of

LIST = "GET /addons"


def account(count: int, **fields: t.Any) -> dict[str, t.Any]:
    """An account of bot-1, bot-2, ..., each with an LLM add-on of the same id."""
    instances = [{"id": number, "name": f"bot-{number}", "billing_mode": "daily"} for number in range(1, count + 1)]
    addon = {"addon_type": "llm", "tier": "standard", "usage_limit": 5000, **fields}
    return {
        "instances": instances,
        "addons": [{"id": one["id"], "instance": one["name"], **addon} for one in instances],
    }


@pytest.fixture(autouse=True)
def four_add_ons(simulator: Simulator) -> None:
    """Four instances, each with an LLM add-on."""
    simulator.reset(state=account(4))


def set_addons(simulator: Simulator, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """A task that fails at the first error of the service."""
    return result_of(claw_fleet_addon, simulator, check=check, **options)


def by_name(*numbers: int, **config: t.Any) -> list[dict[str, t.Any]]:
    """Entries for the add-ons of these instances."""
    own = {"config": config} if config else {}
    return [{"addon_type": "llm", "instance_name": f"bot-{number}", **own} for number in numbers]


def tiers(simulator: Simulator) -> list[str]:
    """The tiers as the simulator holds them."""
    return [addon["tier"] for addon in simulator.state()["addons"]]


# What is sent


@pytest.mark.parametrize(("count", "pages"), [(10, 1), (26, 2), (1000, 40)])
@pytest.mark.parametrize("changes", [0, 10])
def test_it_costs_the_pages_and_with_changes_them_again(
    simulator: Simulator, count: int, pages: int, changes: int
) -> None:
    simulator.reset(state=account(count), switches={"rate_limit": 0})
    entries = [*by_name(*range(1, changes + 1), tier="pro"), *by_name(*range(changes + 1, count + 1))]
    result = set_addons(simulator, addons=entries, config={"tier": "standard"})
    assert result["summary"] == {"ok": count - changes, "changed": changes, "failed": 0}
    patches = [f"PATCH /addons/{number}" for number in range(1, changes + 1)]
    again = [LIST] * pages if changes else []
    calls = simulator.calls()
    assert calls[:pages] == [LIST] * pages
    assert sorted(calls[pages : pages + changes]) == sorted(patches)
    assert calls[pages + changes :] == again
    assert result["api"]["requests"] == len(calls)


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"id_as_string": True},
        {"addon_answer": 204},
        {"addon_body": "wrapped"},
        {"pagination": "none", "list_order": "reshuffled"},
        {"rename_fields": {"addon.instance_id": "instance.id", "addon.instance_name": "instance.name"}},
        {"drop_fields": ["addon.instance_id"]},
        {"drop_fields": ["addon.instance_name"]},
        {"drop_fields": ["addon.instance_id", "addon.instance_name"]},
        {"drop_fields": ["addon.addon_type"]},
        {"drop_fields": ["addons.tier", "addons.usage_limit"]},
    ],
    ids=str,
)
def test_check_real_and_again_in_every_shape_of_the_list(simulator: Simulator, switches: dict[str, t.Any]) -> None:
    simulator.switch(**switches)
    options: dict[str, t.Any] = {
        "addons": [
            {"id": 1},
            {"addon_type": "LLM", "instance_name": "bot-2"},
            {"addon_type": "llm", "instance_id": 3, "config": {"usage_limit": "6000", "tier": "standard"}},
        ],
        "config": {"tier": "eco", "usage_limit": 5000},
    }
    check = set_addons(simulator, check=True, **options)
    assert {entry["method"] for entry in simulator.log()} == {"GET"}
    real = set_addons(simulator, **options)
    again = set_addons(simulator, **options)
    assert (check["changed"], real["changed"], again["changed"]) == (True, True, False), (check, real, again)
    assert check["diff"] == real["diff"]
    assert check["addons"] == real["addons"]
    assert check["summary"] == real["summary"] == {"ok": 0, "changed": 3, "failed": 0}
    assert tiers(simulator) == ["eco", "eco", "standard", "standard"]
    assert simulator.effects() == {"patches": 3}


def test_each_entry_has_its_result_in_the_order_given(simulator: Simulator) -> None:
    result = set_addons(simulator, addons=[*by_name(3), *by_name(1, tier="standard")], config={"tier": "eco"})
    third, first = result["addons"]
    assert third == {
        "id": 3,
        "addon_type": "llm",
        "instance_id": 3,
        "instance_name": "bot-3",
        "before": {"tier": "standard"},
        "after": {"tier": "eco"},
        "changed": True,
        "failed": False,
        "msg": "",
    }
    assert (first["id"], first["changed"], first["after"]) == (1, False, {"tier": "standard"})
    assert result["diff"]["after"] == {
        "llm add-on 3 of bot-3 (id 3)": {"tier": "eco"},
        "llm add-on 1 of bot-1 (id 1)": {"tier": "standard"},
    }
    assert [entry["body"] for entry in simulator.log() if entry["method"] == "PATCH"] == [{"tier": "eco"}]


def test_ids_get_the_config_of_the_task_after_the_entries(simulator: Simulator) -> None:
    options = {"addons": by_name(3, tier="premium"), "ids": [4, 1], "config": {"tier": "eco"}}
    result = set_addons(simulator, **options)
    assert [(one["id"], one["after"]["tier"]) for one in result["addons"]] == [(3, "premium"), (4, "eco"), (1, "eco")]
    assert tiers(simulator) == ["eco", "standard", "premium", "eco"]
    twice = set_addons(simulator, **options | {"ids": [1, 3]})
    assert twice["report"] == [
        "entry 3, id 3: the llm add-on 3 of bot-3 (id 3) is listed already, in entry 1",
    ]
    assert set_addons(simulator, ids=[1])["report"] == ["entry 1, id 1: it has no config, and the task has none"]


def test_batches_are_compared_with_what_was_read_after_the_one_before(simulator: Simulator) -> None:
    options = {"ids": [1, 2, 3, 4], "config": {"tier": "eco"}, "serial": [1, 2]}
    check = set_addons(simulator, check=True, **options)
    assert simulator.calls() == [LIST, "GET /account"]
    result = set_addons(simulator, **options)
    assert check["addons"] == result["addons"]
    assert [one["batch"] for one in result["addons"]] == [1, 2, 2, 3]
    assert result["summary"] == check["summary"] == {"ok": 0, "changed": 4, "failed": 0, "not_begun": 0}
    patches = [call for call in simulator.calls() if call.startswith("PATCH")]
    assert [patches[0], sorted(patches[1:3]), patches[3]] == [
        "PATCH /addons/1",
        ["PATCH /addons/2", "PATCH /addons/3"],
        "PATCH /addons/4",
    ]
    assert simulator.calls().count(LIST) == 1 + 1 + 3


def test_no_further_batch_of_add_ons_begins_after_too_many_failures(simulator: Simulator) -> None:
    simulator.fault("status", method="PATCH", path="/addons/2", status=403, times=9)
    options = {"ids": [1, 2, 3, 4], "config": {"tier": "eco"}, "serial": 1}
    result = set_addons(simulator, **options)
    assert result["summary"] == {"ok": 0, "changed": 1, "failed": 1, "not_begun": 2}
    assert "Not begun: 2, since more than max_failures (0) failed. Changed: llm add-on 1" in result["msg"]
    assert tiers(simulator) == ["eco", "standard", "standard", "standard"]
    assert set_addons(simulator, **options, max_failures=1)["summary"]["changed"] == 2
    assert tiers(simulator) == ["eco", "standard", "eco", "eco"]


def test_a_type_alone_is_enough_where_one_add_on_fits(simulator: Simulator) -> None:
    simulator.add_addon(instance_id=2, addon_type="backup")
    assert set_addons(simulator, addons=[{"addon_type": "backup"}], config={"status": "active"})["addons"][0]["id"] == 5
    assert "4 add-ons match llm add-on" in set_addons(simulator, addons=[{"addon_type": "llm"}], config={})["msg"]


def test_attributes_that_the_list_lacks_are_read_and_checked_by_details(simulator: Simulator) -> None:
    simulator.switch(drop_fields=["addons.tier"])
    result = set_addons(simulator, addons=[*by_name(1, 2, tier="eco"), *by_name(3, usage_limit=7)])
    assert result["summary"]["changed"] == 3
    calls = simulator.calls()
    assert calls.count(LIST) == 2
    assert calls.count("GET /addons/1") == calls.count("GET /addons/2") == 2
    assert "GET /addons/3" not in calls


@pytest.mark.parametrize(
    ("shown", "given"),
    [({"instance_id": 1}, {"instance_name": "bot-1"}), ({"instance_name": "bot-1"}, {"instance_id": 1})],
)
@pytest.mark.parametrize("others", [[], [{"addon_type": "backup", "instance_name": "bot-2", "config": {}}]])
def test_the_result_names_the_instance_as_the_instances_show_it(
    simulator: Simulator, shown: dict[str, t.Any], given: dict[str, t.Any], others: list[dict[str, t.Any]]
) -> None:
    listed = [
        {"id": 1, "addon_type": "llm", "tier": "eco", **shown},
        {"id": 5, "addon_type": "backup", "instance_id": 2},
    ]
    simulator.fault("wrong_type", path="/addons", body={"success": True, "data": listed})
    result = set_addons(simulator, addons=[{"addon_type": "llm", "config": {"tier": "eco"}, **given}, *others])
    first = result["addons"][0]
    assert (first["instance_id"], first["instance_name"]) == (1, "bot-1")


def test_a_wrong_attribute_of_one_type_hides_no_attribute_of_another(simulator: Simulator) -> None:
    """The list shows all attributes of the backup add-on, and not all of the LLM add-on."""
    simulator.add_addon(instance_id=2, addon_type="backup")
    detail = {"id": 1, "addon_type": "llm", "instance_id": 1, "region": "eu"}
    simulator.fault("wrong_type", path="/addons/1", body={"success": True, "data": detail})
    wrong = {"id": 5, "config": {"statsu": "active"}}
    result = set_addons(simulator, addons=[wrong, *by_name(1, region="us")])
    assert [line.split(":")[0] for line in result["report"]] == ["entry 1, id 5"]
    assert simulator.effects() == {}


# What fails


def test_an_entry_that_is_refused_does_not_stop_the_others(simulator: Simulator) -> None:
    result = set_addons(
        simulator,
        addons=[*by_name(1), *by_name(2, usage_limit=-1), *by_name(3), *by_name(4, tier="standard")],
        config={"tier": "eco"},
    )
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["summary"] == {"ok": 1, "changed": 2, "failed": 1}
    assert result["msg"].startswith("1 of 4 entries failed: entry 2, bot-2: PATCH /addons/2 was answered with 422")
    assert result["msg"].endswith("Changed: llm add-on 1 of bot-1 (id 1), llm add-on 3 of bot-3 (id 3).")
    assert result["error"]["status"] == 422
    assert [entry["failed"] for entry in result["addons"]] == [False, True, False, False]
    assert "usage_limit" in result["addons"][1]["msg"]
    assert result["diff"]["after"]["llm add-on 2 of bot-2 (id 2)"] == {"usage_limit": 5000}


def test_a_list_that_only_was_refused_is_not_read_again(simulator: Simulator) -> None:
    result = set_addons(simulator, addons=by_name(1, 2), config={"usage_limit": -1})
    assert (result["changed"], result["summary"]["failed"]) == (False, 2)
    assert simulator.calls()[0] == LIST
    assert simulator.calls().count(LIST) == 1


@pytest.mark.parametrize("after", ["reset_after", "truncated"])
def test_the_list_shows_whether_a_change_without_an_answer_was_made(simulator: Simulator, after: str) -> None:
    simulator.fault(after, method="PATCH", path="/addons/1")
    simulator.fault("json_500", method="PATCH", path="/addons/2")
    result = set_addons(simulator, addons=by_name(1, 2, 3), config={"tier": "eco"})
    assert result["summary"] == {"ok": 0, "changed": 2, "failed": 1}
    assert 'llm add-on 2 of bot-2 (id 2) was read again: tier is "standard" instead of' in result["addons"][1]["msg"]
    assert "run the task again" in result["addons"][1]["msg"]
    assert sorted(simulator.calls("PATCH *")) == [f"PATCH /addons/{number}" for number in (1, 2, 3)]
    assert simulator.calls("GET *") == [LIST, LIST]
    assert set_addons(simulator, addons=by_name(1, 2, 3), config={"tier": "eco"})["summary"]["changed"] == 1


def test_what_was_ignored_is_a_failure_and_what_took_a_change(simulator: Simulator) -> None:
    simulator.switch(addon_unknown_keys="ignored")
    config = {"status": "paused", "tier": "eco"}
    result = set_addons(simulator, addons=[*by_name(1, **config), *by_name(2, status="paused")])
    assert [entry["changed"] for entry in result["addons"]] == [True, False]
    assert result["addons"][0]["after"] == {"status": "active", "tier": "eco"}
    assert 'but status is "active" instead of "paused"' in result["addons"][1]["msg"]


def test_a_list_that_can_not_be_read_again_leaves_accepted_changes(simulator: Simulator) -> None:
    simulator.fault("json_500", method="GET", skip=1)
    simulator.fault("reset_before", method="PATCH", path="/addons/2")
    result = set_addons(simulator, addons=by_name(1, 2), config={"tier": "eco"})
    assert [entry["changed"] for entry in result["addons"]] == [True, False]
    assert result["addons"][0]["after"] == {"tier": "eco"}
    assert "accepted the update of llm add-on 1" in result["addons"][0]["msg"]
    assert "It is unknown whether the llm add-on 2" in result["addons"][1]["msg"]


def test_more_changes_than_allowed_fail_before_the_first(simulator: Simulator) -> None:
    options = {"addons": [*by_name(1, 2), *by_name(3, tier="standard")], "config": {"tier": "eco"}, "max_changes": 1}
    result = set_addons(simulator, **options)
    assert result["msg"] == "2 add-ons would change, more than max_changes (1) allows. Nothing was sent."
    assert (result["changed"], result["summary"]) == (False, {"ok": 1, "changed": 0, "failed": 2})
    assert result["exceeded"] == [{"option": "max_changes", "limit": 1, "count": 2, "details": ""}]
    plan = set_addons(simulator, check=True, **options)
    assert (plan["failed"], plan["changed"], plan["msg"]) == (True, True, result["msg"])
    assert plan["diff"]["after"]["llm add-on 1 of bot-1 (id 1)"] == {"tier": "eco"}
    assert simulator.effects() == {}
    assert set_addons(simulator, **options | {"max_changes": 2})["summary"]["changed"] == 2
    assert "max_changes is -1" in set_addons(simulator, **options | {"max_changes": -1})["msg"]


def test_every_fault_of_the_list_is_told_and_nothing_is_sent(simulator: Simulator) -> None:
    entries = [*by_name(1), {"id": 99}, *by_name(1), {"id": 2, "instance_name": "bot-3"}, {"addon_type": "llm"}]
    result = set_addons(simulator, addons=[*entries, *by_name(2)], config={"tier": "eco"})
    assert result["msg"].startswith(
        "The list of add-ons has 4 faults, and nothing was changed: entry 2, id 99: No add-"
    )
    missing, twice, other, several = result["report"]
    assert missing.startswith("entry 2, id 99: No add-on matches add-on with id 99. Found: ")
    assert twice == "entry 3, bot-1: the llm add-on 1 of bot-1 (id 1) is listed already, in entry 1"
    assert "The llm add-on 2 of bot-2 (id 2) is not the add-on of the instance named bot-3" in other
    assert "4 add-ons match llm add-on (ids 1 of bot-1" in several
    assert (result["changed"], simulator.calls()) == (False, [LIST])


def test_attributes_that_no_add_on_shows_change_nothing_at_all(simulator: Simulator) -> None:
    entries = [*by_name(1, tier="eco"), *by_name(2, teir="eco"), *by_name(3, teir="eco")]
    result = set_addons(simulator, addons=entries)
    assert [line.partition(",")[0] for line in result["report"]] == ["entry 2", "entry 3"]
    assert "teir (did you mean tier?)" in result["report"][0]
    # The page of one shows whether the list is shorter.
    assert simulator.calls() == [LIST, "GET /addons/2"]


def test_a_list_without_sense_is_refused_before_any_request(simulator: Simulator, controller: Controller) -> None:
    entries = [
        {"id": 1, "confg": {"token": "sk-abcdef"}},
        {"instance_name": "bot-1", "config": {}},
        {"addon_type": " "},
    ]
    run = controller.task({"addons": entries}, "-vvv", module="claw_fleet_addon")
    assert run.result["report"] == [
        "entry 1, id 1: unknown key confg; did you mean config?",
        "entry 1, id 1: it has no config, and the task has none",
        "entry 2, bot-1: it has neither id nor addon_type",
        "entry 3: addon_type is empty",
        "entry 3: it has no config, and the task has none",
    ]
    assert "sk-abcdef" not in run.screen
    assert simulator.calls() == []


# Secrets


def test_secrets_are_shown_nowhere_and_marked_where_they_change(simulator: Simulator, controller: Controller) -> None:
    simulator.reset(
        state=account(2, api_token="old-Secret-1"), switches={"addon_writable": ["api_token", "tier", "provider_key"]}
    )
    options = {
        "addons": [*by_name(1), *by_name(2, provider_key="hidden-Word-3", tier="eco")],
        "config": {"api_token": "new-Secret-2"},
        "write_only": ["provider_key"],
    }
    check = controller.task(options, "--check", "--diff", "-vvv", module="claw_fleet_addon")
    run = controller.task(options, "--diff", "-vvv", module="claw_fleet_addon")
    again = controller.task(options, module="claw_fleet_addon")
    for screen in (check.screen, run.screen, again.screen):
        assert not any(secret in screen for secret in ("old-Secret-1", "new-Secret-2", "hidden-Word-3"))
    assert check.result["diff"] == run.result["diff"]
    assert [entry["after"] for entry in run.result["addons"]] == [
        {"api_token": "******** (sent)"},
        {"tier": "eco", "provider_key": "******** (sent)"},
    ]
    assert [entry["changed"] for entry in again.result["addons"]] == [False, True]


def test_the_diff_of_a_failed_task_is_shown_too(simulator: Simulator, controller: Controller) -> None:
    simulator.fault("status", method="PATCH", path="/addons/2", status=422, message="no")
    run = controller.task({"addons": by_name(1, 2), "config": {"tier": "eco"}}, "--diff", module="claw_fleet_addon")
    assert run.result["failed"] is True
    assert '+        "tier": "eco"' in run.screen


def test_of_two_namesakes_no_add_on_is_changed_by_a_guess(simulator: Simulator) -> None:
    llm = {"addon_type": "llm", "tier": "standard", "usage_limit": 5000}
    instances = [{"id": 1, "name": "web"}, {"id": 2, "name": "web"}, {"id": 3, "name": "shop"}]
    addons = [{"id": 1, "instance_id": 2, **llm}, {"id": 3, "instance_id": 3, **llm}]
    simulator.reset(state={"instances": instances, "addons": addons})
    simulator.switch(drop_fields=["addon.instance_id"])
    wanted = [{"addon_type": "llm", "instance_id": number} for number in (1, 3)]
    result = set_addons(simulator, addons=wanted, config={"tier": "eco"})
    assert "2 instances are named web (ids 1, 2)" in result["msg"]
    assert tiers(simulator) == ["standard", "standard"]
