# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_addon over HTTP: what is sent, what is read back, and every shape that one may have."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_addon, claw_addon_info
from simulator.handle import Simulator
from support.addons import SHAPES, WORLD
from support.controller import Controller
from support.worker import result_of

WEB_LLM, SHOP_LLM = 1, 3
ONE = f"/addons/{WEB_LLM}"
GET, PATCH = f"GET {ONE}", f"PATCH {ONE}"


@pytest.fixture(autouse=True)
def world(simulator: Simulator) -> None:
    """Two instances with three add-ons; both run, so that the usage shows all of them."""
    simulator.reset(state=WORLD)
    simulator.set_instance(8, status="running")


def set_addon(simulator: Simulator, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """A task of claw_addon, on the add-on that most tests are about unless they name one."""
    if not {"id", "addon_type"} & set(options):
        options["id"] = WEB_LLM
    return result_of(claw_addon, simulator, check=check, **options)


def tier(simulator: Simulator, number: int = WEB_LLM) -> str:
    """The tier as the simulator holds it."""
    (addon,) = [addon for addon in simulator.state()["addons"] if addon["id"] == number]
    return addon["tier"]


# What is sent


def test_an_add_on_that_is_as_wanted_is_one_request(simulator: Simulator) -> None:
    result = set_addon(simulator, config={"tier": "standard", "usage_limit": 5000})
    assert result["changed"] is False
    assert result["diff"]["before"] == result["diff"]["after"]
    assert simulator.calls() == [GET]
    assert result["api"]["requests"] == 1


def test_only_what_differs_is_sent_and_then_it_is_read_again(simulator: Simulator) -> None:
    result = set_addon(simulator, config={"tier": "eco", "usage_limit": 5000})
    assert result["changed"] is True
    assert result["addon"]["tier"] == "eco"
    assert result["diff"] == {
        "before": {"id": 1, "addon_type": "llm", "tier": "standard", "usage_limit": 5000},
        "after": {"id": 1, "addon_type": "llm", "tier": "eco", "usage_limit": 5000},
    }
    assert simulator.calls() == [GET, PATCH, GET]
    assert simulator.log()[1]["body"] == {"tier": "eco"}


@pytest.mark.parametrize("shape", SHAPES)
def test_check_real_and_again_in_every_shape_of_the_object(simulator: Simulator, shape: str) -> None:
    simulator.switch(**SHAPES[shape])
    options = {"addon_type": "llm", "instance_name": "web-bot", "config": {"tier": "eco", "usage_limit": 6000}}
    check = set_addon(simulator, check=True, **options)
    assert {entry["method"] for entry in simulator.log()} == {"GET"}
    real = set_addon(simulator, **options)
    again = set_addon(simulator, **options)
    assert (check["changed"], real["changed"], again["changed"]) == (True, True, False), (check, real, again)
    assert check["diff"] == real["diff"]
    assert again["addon"]["usage_limit"] == 6000
    assert tier(simulator) == "eco"
    assert simulator.effects() == {"patches": 1}


def test_attributes_go_by_the_names_that_the_service_shows(simulator: Simulator) -> None:
    simulator.switch(rename_fields={"addon.tier": "plan"})
    assert set_addon(simulator, config={"plan": "eco"})["changed"] is True
    assert tier(simulator) == "eco"
    assert "no attribute tier" in set_addon(simulator, config={"tier": "eco"})["msg"]


def test_a_control_character_in_config_is_sent_as_it_is_and_only_once(simulator: Simulator) -> None:
    simulator.switch(addon_writable=["tier", "settings"])
    simulator.set_addon(WEB_LLM, settings={"prompt": "short"})
    options = {"config": {"tier": "a\x9bb", "settings": {"prompt": "\u200fabc\r\n\x1b"}}}
    check, real, again = (set_addon(simulator, check=mode, **options) for mode in (True, False, False))
    assert (check["changed"], real["changed"], again["changed"]) == (True, True, False), (check, real, again)
    assert check["diff"] == real["diff"]
    assert real["diff"]["after"]["settings"] == again["addon"]["settings"] == {"prompt": "\ufffdabc\r\n\ufffd"}
    assert tier(simulator) == "a\x9bb"


# What fails


def test_an_unknown_attribute_fails_with_the_nearest_and_sends_nothing(simulator: Simulator) -> None:
    result = set_addon(simulator, config={"teir": "eco", "flavour": "mint"})
    assert result["failed"] is True
    assert "llm add-on 1 of web-bot (id 7)" in result["msg"]
    assert "teir (did you mean tier?), flavour; it shows id, addon_type" in result["msg"]
    assert "write_only" in result["msg"]
    assert simulator.calls() == [GET]


@pytest.mark.parametrize("shape", ["object", "null"])
def test_a_refusal_is_told_in_one_line_with_its_details(simulator: Simulator, shape: str) -> None:
    simulator.switch(details_shape=shape)
    result = set_addon(simulator, config={"usage_limit": -1})
    assert result["failed"] is True
    assert "422 unprocessable_entity" in result["msg"]
    assert ("usage_limit" in result["msg"]) is (shape != "null")
    assert result["error"]["status"] == 422
    assert simulator.calls() == [GET, PATCH]


def test_what_the_service_accepts_and_ignores_did_not_take(simulator: Simulator) -> None:
    simulator.switch(addon_unknown_keys="ignored")
    result = set_addon(simulator, config={"status": "paused"})
    assert (result["failed"], result["changed"]) == (True, True)
    assert '(id 7), but status is "active" instead of "paused"' in result["msg"]
    assert result["addon"]["status"] == "active"
    assert simulator.calls() == [GET, PATCH, *[GET] * 5]


def read_as(simulator: Simulator, times: int | None = None, **attributes: t.Any) -> None:
    """After a change, so many reads show the add-on as it was, but for these attributes; those of None are missing."""
    before = next(addon for addon in simulator.state()["addons"] if addon["id"] == WEB_LLM)
    shown = {name: value for name, value in {**before, **attributes}.items() if value is not None}
    simulator.fault("wrong_type", method="GET", path=ONE, skip=1, times=times, body={"data": shown})


def test_a_read_that_lags_behind_the_write_is_repeated(simulator: Simulator) -> None:
    read_as(simulator, times=3)
    result = set_addon(simulator, config={"tier": "eco"})
    assert (result["failed"], result["changed"], result["addon"]["tier"]) == (False, True, "eco")
    assert simulator.calls() == [GET, PATCH, *[GET] * 4]


def test_what_an_update_removes_fails_and_is_in_the_diff(simulator: Simulator) -> None:
    simulator.switch(addon_writable=["tier", "settings"])
    simulator.set_addon(WEB_LLM, api_key="sk-old-7654321", settings={"model": "x", "top": 1})
    read_as(simulator, tier="eco", usage_limit=None, api_key=None, settings={"top": 2})
    result = set_addon(simulator, config={"tier": "eco", "settings": {"top": 2}})
    assert (result["failed"], result["changed"]) == (True, True)
    removed = "usage_limit, api_key, settings.model"
    assert f"was updated, but no longer shows {removed}: the service replaces" in result["msg"]
    assert result["msg"].endswith("Set all attributes in config, with send=given; the diff has the values.")
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert (before["usage_limit"], before["api_key"]) == (5000, "********")
    assert before["settings"] == {"model": "x", "top": 1}
    assert not {"usage_limit", "api_key"} & after.keys()


def test_send_given_sends_all_of_config_if_anything_differs(simulator: Simulator) -> None:
    options = {"config": {"tier": "eco", "usage_limit": 5000}, "send": "given"}
    assert [set_addon(simulator, **options)["changed"] for _run in range(2)] == [True, False]
    assert [entry["body"] for entry in simulator.log() if entry["method"] == "PATCH"] == [options["config"]]


def test_a_change_of_which_a_part_took_is_a_change_and_a_failure(simulator: Simulator) -> None:
    simulator.switch(addon_unknown_keys="ignored")
    result = set_addon(simulator, config={"status": "paused", "tier": "eco"})
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["addon"]["tier"] == "eco"


@pytest.mark.parametrize("shape", ["object", "object_of_arrays", "array", "text"])
def test_a_service_that_misses_the_wrapping_gets_it(simulator: Simulator, shape: str) -> None:
    simulator.switch(addon_body="wrapped", details_shape=shape)
    result = set_addon(simulator, config={"tier": "eco"})
    assert result["changed"] is True
    assert simulator.calls() == [GET, PATCH, PATCH, GET]
    assert [entry["body"] for entry in simulator.log()[1:3]] == [{"tier": "eco"}, {"addon": {"tier": "eco"}}]


def test_a_wrapped_change_that_is_refused_too_is_told_by_the_first_refusal(simulator: Simulator) -> None:
    details = {"addon": "has expired"}
    for number in (1, 2):
        simulator.fault("status", method="PATCH", status=422, message=f"refusal {number}", details=details)
    assert "refusal 1" in set_addon(simulator, config={"tier": "eco"})["msg"]
    assert simulator.calls() == [GET, PATCH, PATCH]


# What an unclear answer comes to


@pytest.mark.parametrize("fault", ["reset_after", "json_500"])
def test_a_change_whose_answer_was_lost_is_read_back_and_not_repeated(simulator: Simulator, fault: str) -> None:
    simulator.fault(fault, method="PATCH", after_effect=True)
    result = set_addon(simulator, config={"tier": "eco"})
    assert (result["failed"], result["changed"]) == (False, True)
    assert result["addon"]["tier"] == "eco"
    assert simulator.calls("PATCH *") == [PATCH]


@pytest.mark.parametrize("fault", ["reset_before", "json_500"])
def test_a_change_that_was_lost_fails_and_is_not_repeated(simulator: Simulator, fault: str) -> None:
    simulator.fault(fault, method="PATCH")
    result = set_addon(simulator, config={"tier": "eco"})
    assert (result["failed"], result["changed"]) == (True, False)
    assert 'was read again: tier is "standard" instead of "eco"' in result["msg"]
    assert simulator.calls() == [GET, PATCH, GET]


def test_what_can_only_be_written_is_not_claimed_after_a_lost_answer(simulator: Simulator) -> None:
    simulator.switch(addon_writable=["tier", "provider_key"])
    simulator.fault("reset_after", method="PATCH")
    result = set_addon(simulator, config={"tier": "eco", "provider_key": "sk-1234567"}, write_only=["provider_key"])
    assert (result["failed"], result["changed"]) == (True, True)
    assert "It is unknown whether provider_key of the llm add-on 1" in result["msg"]
    assert "was set. Nothing was sent again" in result["msg"]
    assert simulator.calls("PATCH *") == [PATCH]


def test_an_add_on_that_can_not_be_read_back_is_not_known(simulator: Simulator) -> None:
    simulator.fault("reset_after", method="PATCH")
    simulator.fault("json_500", method="GET", skip=1)
    result = set_addon(simulator, config={"tier": "eco"})
    assert "was changed, since it can't be read now" in result["msg"]


def test_a_change_that_was_accepted_and_can_not_be_read_is_told_so(simulator: Simulator) -> None:
    simulator.fault("json_500", method="GET", skip=1)
    result = set_addon(simulator, config={"tier": "eco"})
    assert "but the add-on can't be read" in result["msg"]
    assert result["changed"] is True
    assert result["error"]["status"] == 500


# Which add-on is meant


@pytest.mark.parametrize(
    "options",
    [{"id": SHOP_LLM}, {"addon_type": "LLM", "instance_id": 8}, {"addon_type": "llm", "instance_name": "shop-bot"}],
)
def test_the_ways_to_name_an_add_on(simulator: Simulator, options: dict[str, t.Any]) -> None:
    assert set_addon(simulator, config={"tier": "premium"}, **options)["addon"]["id"] == SHOP_LLM
    lists = 0 if "id" in options else 1
    assert simulator.calls() == ["GET /addons"] * lists + ["GET /addons/3", "PATCH /addons/3", "GET /addons/3"]


def test_without_one_match_nothing_is_changed(simulator: Simulator) -> None:
    """Each message: test_addon.py of the unit tests."""
    words = "2 add-ons match llm add-on (ids 1 of web-bot (id 7), 3 of shop-bot (id 8))"
    assert words in set_addon(simulator, addon_type="llm", config={"tier": "eco"})["msg"]
    assert simulator.calls("PATCH *") == []


@pytest.mark.parametrize("option", ["addon_type", "instance_name"])
def test_an_empty_name_is_refused_before_anything_is_sent(simulator: Simulator, option: str) -> None:
    for module, more in ((claw_addon, {"config": {}, "id": 1}), (claw_addon_info, {})):
        assert f"{option} is empty" in result_of(module, simulator, **{option: "", **more})["msg"]
    assert simulator.calls() == []


def test_the_usage_says_whose_an_add_on_is_where_it_does_not_say_itself(simulator: Simulator) -> None:
    simulator.switch(drop_fields=["addon.instance_id", "addon.instance_name"])
    result = set_addon(simulator, addon_type="llm", instance_name="web-bot", config={"tier": "standard"})
    assert result["addon"]["id"] == WEB_LLM
    assert simulator.calls() == ["GET /addons", "GET /billing/usage", GET]
    simulator.clear_log()
    result = set_addon(simulator, addon_type="llm", instance_id=7, config={"tier": "standard"})
    assert result["addon"]["id"] == WEB_LLM
    assert simulator.calls() == ["GET /addons", "GET /billing/usage", "GET /instances", GET]


# What must not be seen

SECRET = "sk-very-secret-1234567"


def test_what_can_only_be_written_is_always_sent_and_never_shown(simulator: Simulator, controller: Controller) -> None:
    simulator.switch(addon_writable=["tier", "provider"])
    options = {"id": WEB_LLM, "config": {"provider": SECRET, "tier": "standard"}, "write_only": ["provider"]}
    runs = [controller.task(options, *flags, module="claw_addon") for flags in (["--check"], [], [])]
    for run in runs:
        assert run.result["changed"] is True, run.screen
        assert run.result["diff"]["after"]["provider"] == "******** (sent)"
        assert SECRET not in run.screen + str(run.results)
    assert [entry["body"] for entry in simulator.log() if entry["method"] == "PATCH"] == [{"provider": SECRET}] * 2


@pytest.mark.parametrize("trouble", ["none", "bad option", "refused", "did not take", "wrong type"])
def test_secrets_show_at_no_verbosity(simulator: Simulator, controller: Controller, trouble: str) -> None:
    simulator.set_addon(WEB_LLM, settings={"api_key": "sk-old-7654321", "model": "x"})
    simulator.switch(addon_writable=["settings"])
    if trouble == "did not take":
        simulator.switch(addon_writable=[], addon_unknown_keys="ignored")
    if trouble == "refused":
        simulator.fault("status", method="PATCH", status=422, message=f"bad {SECRET}", details={"settings": SECRET})
    options: dict[str, t.Any] = {"id": WEB_LLM, "config": {"settings": {"api_key": SECRET, "model": "x"}}}
    if trouble == "bad option":
        options["no_such_option"] = 1
    if trouble == "wrong type":
        options["id"] = "one"
    run = controller.task(options, "-vvvv", "--diff", module="claw_addon")
    assert (run.rc == 0) is (trouble == "none"), run.screen
    for secret in (SECRET, "sk-old-7654321"):
        assert secret not in run.screen + str(run.results)
    if trouble == "none":
        assert run.result["addon"]["settings"] == {"api_key": "********", "model": "x"}
        assert run.result["diff"]["before"] != run.result["diff"]["after"]


def test_secrets_show_in_no_list(simulator: Simulator) -> None:
    simulator.switch(add_fields={"addon.keys": ["sk-old-7654321"], "addon.token_limit": 5000})
    for addon in result_of(claw_addon_info, simulator)["addons"]:
        assert addon["keys"] == ["********"]
        assert addon["token_limit"] == 5000
