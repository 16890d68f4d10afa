# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""claw_account_info over HTTP; by commands, with claw_billing_info and claw_health_info."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

import pytest

from ansible_collections.clawhosters.cloud.plugins.modules import claw_account_info, claw_backup_info, claw_billing_info
from simulator.handle import Simulator
from support.worker import result_of


@pytest.mark.parametrize("switches", [{}, {"id_as_string": True}, {"drop_fields": ["account.id"]}])
def test_the_account_comes_as_it_is(simulator: Simulator, switches: dict[str, t.Any]) -> None:
    simulator.switch(**switches)
    for check in (True, False):
        result = result_of(claw_account_info, simulator, check=check)
        assert result["account"]["created_at"]
        assert result["changed"] is False
    assert simulator.calls() == ["GET /account"] * 2
    assert ("id" in result["account"]) is (switches.get("drop_fields") is None)


def test_it_names_service_and_account_and_why_changes_are_refused(simulator: Simulator) -> None:
    service = f"Service {urlsplit(simulator.url).netloc}"
    for account, refused in ((None, None), ("1", None), ("2", "account is set to 2, but this key is for")):
        result = result_of(claw_account_info, simulator, account=account)
        assert result["scope"] == f"{service}, account user@example.com (id 1)."
        assert (result["refusal"] or "").startswith(refused or "")
        assert (result["failed"], result["refusal"] is None) == (False, refused is None)
    for fault, status, why in (("forbidden", 403, "403 forbidden"), ("html_200", None, "unusable response")):
        simulator.fault(fault, path="/account", times=None)
        result = result_of(claw_account_info, simulator, account="1")
        assert result["scope"] == f"{service}, account unknown ({why})."
        assert (result["failed"], result.get("error", {}).get("status")) == (True, status)
        assert "does not show the account of this key" in result["refusal"]
        simulator.clear_faults()


def test_a_wrong_key_fails_with_the_services_own_words(simulator: Simulator) -> None:
    simulator.set_state(keys={"oc_live_once_good": "revoked"})
    result = result_of(claw_account_info, simulator, api_key="oc_live_once_good")
    assert result["failed"] is True
    assert result["error"]["code"] == "unauthorized"
    assert result["error"]["message"] in result["msg"]


def test_a_404_of_what_each_account_has_is_one_of_the_address(simulator: Simulator) -> None:
    simulator.fault("status", status=404, times=None)
    for module in (claw_account_info, claw_billing_info, claw_backup_info):
        message = result_of(module, simulator)["msg"]
        assert message.endswith("Is api_url the address of the API?")
        assert "another account" not in message


def test_an_account_that_is_no_object_comes_as_it_is(simulator: Simulator) -> None:
    simulator.fault("wrong_type", body={"data": [1]}, times=None)
    result = result_of(claw_account_info, simulator, account="1")
    assert result["account"] == [1]
    assert "shows no id of the account of this key" in result["refusal"]
