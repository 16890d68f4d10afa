# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claws are bought at most once for an order, and only while the balance is low (interface 3, contract 5.5)."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationKey
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal_writer import lock_operation
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import MASK
from ansible_collections.clawhosters.cloud.plugins.modules import claw_purchase
from simulator.handle import Simulator
from support import TIME_IN_MESSAGE
from support.controller import Controller
from support.full_disk import full_disk
from support.stores import StorePlace
from support.worker import Worker

BUY = "POST /billing/buy_claws"
ORDER = {"order": "2026-02-topup", "package_id": 2, "balance_below": 1000}
OTHER_ACCOUNT = "oc_live_another_0000"
CHECK_FIRST = (
    "It may have bought already: check the transactions first. For another purchase or another account, use another "
    "order. Nothing was sent."
)


@pytest.fixture
def worker(simulator: Simulator, place: StorePlace) -> Worker:
    """Buys for an account with 500 Claws."""
    simulator.set_state(balance=500)
    return Worker(simulator, {**place.options, **ORDER})


def test_in_check_mode_for_real_and_again(simulator: Simulator, worker: Worker) -> None:
    check = worker.run(claw_purchase, check=True)
    real = worker.run(claw_purchase)
    again = worker.run(claw_purchase)
    assert [result["changed"] for result in (check, real, again)] == [True, True, False]
    assert check["diff"] == real["diff"]
    assert "checkout_url" in real["purchase"]
    assert again["purchase"] is None
    assert real["balance"] == 500
    assert simulator.calls("POST *") == [BUY]


def test_an_immediate_credit_shows_in_the_balance(simulator: Simulator, worker: Worker) -> None:
    simulator.switch(purchase_answer="credit", purchase_status=200)
    result = worker.run(claw_purchase)
    assert (result["changed"], result["balance"]) == (True, 6000)


def test_enough_balance_is_no_purchase_and_leaves_the_order_free(simulator: Simulator, worker: Worker) -> None:
    simulator.set_state(balance=1000)
    result = worker.run(claw_purchase)
    assert (result["changed"], result["balance"]) == (False, 1000)
    assert simulator.calls() == ["GET /billing/summary"]
    simulator.set_state(balance=999)
    assert worker.run(claw_purchase)["changed"] is True


def test_a_run_that_can_not_read_the_service_tells_what_the_journal_holds(simulator: Simulator, worker: Worker) -> None:
    simulator.fault("reset_before", method="POST")
    for order, known in (
        ("2026-02-topup", "Nothing was sent for order 2026-02-topup."),
        ("2026-02-topup", "Order 2026-02-topup may have been sent. Run the same command again"),
        ("2026-03-topup", "Nothing was sent for order 2026-03-topup."),
        ("2026-03-topup", "Order 2026-03-topup has completed."),
    ):
        simulator.fault("json_503", method="GET")
        worker.run(claw_purchase, order=order)
        assert worker.interrupt_texts.pop().startswith(known)
    simulator.fault("unauthorized", method="GET", times=None)
    for order, known in (
        ("2026-02-topup", f"order 2026-02-topup may have been sent at {TIME_IN_MESSAGE}, and its outcome is unknown"),
        ("2026-03-topup", f"order 2026-03-topup, sent at {TIME_IN_MESSAGE}, has completed"),
    ):
        result = worker.run(claw_purchase, order=order)
        assert re.search(rf"This run sent nothing; {known}\.$", result["msg"]), result["msg"]
        assert result["error"]["status"] == 401
    assert "This run sent nothing" not in worker.run(claw_purchase, order="2026-04-topup")["msg"]
    assert simulator.calls("POST *") == [BUY, BUY]


def test_the_body_holds_the_package_and_what_was_added(simulator: Simulator, worker: Worker) -> None:
    worker.run(claw_purchase, request={"quantity": 2, "package_id": 3}, package_id="1")
    (bought,) = [entry for entry in simulator.log() if entry["method"] == "POST"]
    assert bought["body"] == {"package_id": 1, "quantity": 2}


@pytest.mark.parametrize(("fault", "options"), [("rate_limited", {}), ("status", {"status": 422})])
def test_a_refusal_is_not_repeated_and_leaves_the_order_free(
    simulator: Simulator, worker: Worker, fault: str, options: dict[str, t.Any]
) -> None:
    simulator.fault(fault, method="POST", **options)
    result = worker.run(claw_purchase)
    assert result["failed"] is True
    assert "you can run the same order again" in result["msg"]
    assert "retry_timeout" not in result["msg"]
    assert simulator.calls("POST *") == [BUY]
    assert worker.sleeper.total == 0
    assert worker.run(claw_purchase)["changed"] is True
    assert simulator.effects() == {"purchases": 1}


@pytest.mark.parametrize("package_id", ["", " ", True, [2], {"id": 2}])
def test_a_package_without_id_is_refused_unsent(simulator: Simulator, worker: Worker, package_id: object) -> None:
    result = worker.run(claw_purchase, package_id=package_id)
    assert result["failed"] is True
    assert "package_id" in result["msg"]
    assert simulator.calls() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_before"},
        {"kind": "truncated"},
        {"kind": "truncated_json"},
        {"kind": "html_200"},
        {"kind": "status", "status": 207},
        {"kind": "status", "status": 409},
        {"kind": "wrong_type", "body": {"error": {"code": "declined", "message": "pay at https://pay.example/s3cr3t"}}},
        {"kind": "wrong_type", "body": {"data": {"status": "failed", "checkout_url": "/checkout/s3cr3t?sid=1"}}},
        {"kind": "wrong_type", "body": {"success": False, "message": "pay at https://pay.example/s3cr3t"}},
        {"kind": "wrong_type", "body": {"data": {"purchase": {"package_id": 3}, "token": "s3cr3t"}}},
    ],
)
def test_a_lost_answer_is_called_unknown_and_the_order_is_never_sent_again(
    simulator: Simulator, worker: Worker, place: StorePlace, fault: dict[str, t.Any]
) -> None:
    simulator.fault(**fault, method="POST")
    for _run in range(2):
        result = worker.run(claw_purchase)
        assert_nothing_pays(worker, result, place)
        assert "It is unknown whether Claws were bought" in result["msg"]
        assert "try again later" not in result["msg"]
    assert simulator.calls("POST *") == [BUY]
    assert worker.run(claw_purchase, order="another")["changed"] is True


@pytest.mark.parametrize("fault", [None, "reset_after"])
def test_an_order_of_another_package_or_account_fails(simulator: Simulator, worker: Worker, fault: str | None) -> None:
    simulator.set_state(keys={OTHER_ACCOUNT: "foreign"})
    if fault:
        simulator.fault(fault, method="POST")
    worker.run(claw_purchase)
    for options, words in (
        ({"package_id": 3}, f"for package 2, not 3. {CHECK_FIRST}"),
        ({"api_key": OTHER_ACCOUNT}, "for package 2 by another account. For another purchase or"),
        ({"package_id": 1, "api_key": OTHER_ACCOUNT}, "for package 2, not 1, by another account. For another"),
    ):
        for check in (True, False):
            result = worker.run(claw_purchase, check=check, **options)
            assert result["failed"] is True
            assert words in result["msg"]
            assert re.search(rf"was sent at {TIME_IN_MESSAGE} for", result["msg"])
            assert result["msg"].endswith("Nothing was sent.")
    assert simulator.calls("POST *") == [BUY]
    assert worker.run(claw_purchase, package_id="2")["failed"] is bool(fault)


@pytest.mark.parametrize("hidden", [[], ["account.id"]])
@pytest.mark.parametrize("fault", [None, "reset_after"])
def test_a_new_key_of_the_same_account_is_the_same_account(
    simulator: Simulator, worker: Worker, fault: str | None, hidden: list[str]
) -> None:
    simulator.switch(drop_fields=hidden)
    if fault:
        simulator.fault(fault, method="POST")
    worker.run(claw_purchase)
    for check in (True, False):
        result = worker.run(claw_purchase, api_key="oc_live_rotated_0000", check=check)
        assert (result["failed"], result["changed"]) == (bool(fault), False)
        assert "key" not in result.get("msg", "")
    assert simulator.calls("POST *") == [BUY]


@pytest.mark.parametrize("when", ["at the purchase", "afterwards"])
def test_an_account_that_is_not_told_may_have_bought_already(simulator: Simulator, worker: Worker, when: str) -> None:
    """The message says so before it says what else is possible."""
    if when == "at the purchase":
        simulator.fault("forbidden", path="/account")
    assert worker.run(claw_purchase)["changed"] is True
    if when == "afterwards":
        simulator.switch(drop_fields=["account.id"])
    result = worker.run(claw_purchase, api_key="oc_live_rotated_0000")
    assert result["failed"] is True
    assert result["msg"].endswith(f"for package 2 with another API key. {CHECK_FIRST}")
    assert simulator.calls("POST *") == [BUY]


def test_a_run_beside_another_names_it(simulator: Simulator, worker: Worker, place: StorePlace) -> None:
    with lock_operation(place.journal(), OperationKey("purchase", simulator.url, "2026-02-topup")):
        message = worker.run(claw_purchase)["msg"]
    assert re.search(r"is working on order 2026-02-topup: held by \S+@\S+, process \d+, for \d+ s\.", message)
    assert message.endswith("Nothing was sent.")
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize("data", [{}, {"claws_balance": "low"}, {"claws_balance": "1e9"}, [{"claws_balance": 1}]])
def test_a_balance_that_is_not_told_buys_nothing(simulator: Simulator, worker: Worker, data: object) -> None:
    simulator.fault("wrong_type", path="/billing/summary", body={"data": data})
    assert "has no number in claws_balance" in worker.run(claw_purchase)["msg"]
    assert simulator.calls("POST *") == []


@pytest.mark.parametrize(("below", "is_bought"), [(12, False), (13, True)])
def test_a_text_balance_is_compared_exactly(simulator: Simulator, worker: Worker, below: int, is_bought: bool) -> None:
    told = {"data": {"claws_balance": "12.50"}}
    simulator.fault("wrong_type", path="/billing/summary", body=told, times=None)
    result = worker.run(claw_purchase, balance_below=below)
    assert (result["changed"], result["balance"]) == (is_bought, 12.5)


def test_an_outcome_that_can_not_be_recorded_is_no_success(simulator: Simulator, worker: Worker) -> None:
    with full_disk():
        result = worker.run(claw_purchase)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "the journal could not be written. No space left" in result["msg"]
    assert result["purchase"]["checkout_url"] == MASK
    assert any("the journal could not be written. No space left" in warning for warning in worker.warnings)
    assert "It is unknown whether" in worker.run(claw_purchase)["msg"]
    assert simulator.calls("POST *") == [BUY]


LINKS = [
    "https://pay.example/s3cr3t",
    "https://pay.example/f\u00fcr-s3cr3t?sid=s3cr3t",
    "/checkout/s3cr3t?sid=1",
    "https%3A%2F%2Fpay.example%2Fs3cr3t",
]


def assert_nothing_pays(worker: Worker, result: dict[str, t.Any], place: StorePlace) -> None:
    """No part of a link or a token is in the result, the warnings or the journal."""
    assert result["failed"] is True
    shown = [str(result), str(worker.warnings), place.read_journal()]
    assert not [text for text in shown if "s3cr3t" in text or "pay.example/" in text]


@pytest.mark.parametrize("status", [402, 502])
@pytest.mark.parametrize("link", LINKS)
def test_a_link_to_pay_by_is_as_secret_in_a_refusal(
    simulator: Simulator, worker: Worker, place: StorePlace, status: int, link: str
) -> None:
    details = {
        "at": f"see {link}.",
        "also": [link],
        "checkout_token": "tok-s3cr3t-1",
        "payment": {"url": "s3cr3t-2", "client_secret": "s3cr3t-2", "retry_token": 77},
    }
    headers = {"X-Request-Id": link.encode("ascii", "xmlcharrefreplace").decode()}
    message = f"pay at {link} with tok-s3cr3t-1"
    told = {"code": "payment", "message": message, "details": details}
    simulator.fault("status", method="POST", status=status, headers=headers, **told)
    result = worker.run(claw_purchase)
    assert_nothing_pays(worker, result, place)
    assert "pay at ******** with ********" in result["msg"]
    assert result["error"]["status"] == status
    assert result["error"]["details"]["payment"] == dict.fromkeys(("url", "client_secret", "retry_token"), MASK)


def test_a_link_to_pay_by_is_as_secret_in_whatever_else_the_service_answers(
    simulator: Simulator, worker: Worker, place: StorePlace
) -> None:
    link = LINKS[0]
    for options in (
        {"kind": "status", "status": 402, "message": f"pay at {link}"},
        {"kind": "wrong_type", "body": link},
        {"kind": "wrong_type", "body": {"data": {"claws_balance": link, "checkout_url": link}}},
        {"kind": "redirect", "location": link},
    ):
        simulator.fault(**options, path="/billing/summary")
        assert_nothing_pays(worker, worker.run(claw_purchase), place)
    simulator.fault("status", status=402, message=f"pay at {link}", path="/billing/summary", skip=1)
    result = worker.run(claw_purchase)
    assert result["changed"] is True
    assert "pay at ********" in str(worker.warnings)
    assert_nothing_pays(worker, {"failed": True}, place)


GIVEN = {"coupon": "given-at-the-counter", "quantity": 2, "card": {"pin_token": "pin7", "owner": "A. N. Other"}}


def test_what_was_given_for_a_purchase_is_shown_nowhere(simulator: Simulator, controller: Controller) -> None:
    simulator.set_state(balance=500)
    told = {"message": "given-at-the-counter is used up", "details": {"card": "A. N. Other may not"}}
    simulator.fault("status", method="POST", status=422, **told)
    options = {**ORDER, "request": "{{ given }}", "state_dir": str(controller.folder / "state")}
    tasks = [
        {"clawhosters.cloud.claw_purchase": options, "check_mode": True},
        {"clawhosters.cloud.claw_purchase": options, "ignore_errors": True},
        {"clawhosters.cloud.claw_purchase": {**options, "balance_below": 1}},
    ]
    given = controller.write("given.yml", {"given": GIVEN})
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = controller.playbook([play], "-vvvv", "--diff", "-e", f"@{given}")
    assert run.rc == 0, run.screen
    assert "******** is used up" in run.all[1]["msg"]
    for text in ("given-at-the-counter", "pin7", "A. N. Other"):
        assert text not in run.screen
        assert text not in str(run.all)
    assert simulator.calls("POST *") == [BUY]
    (bought,) = [entry for entry in simulator.log() if entry["method"] == "POST"]
    assert bought["body"] == {"package_id": 2, **GIVEN}


@pytest.mark.slice
@pytest.mark.parametrize("callback", ["minimal", "default"])
def test_the_link_of_an_item_is_on_no_screen(simulator: Simulator, controller: Controller, callback: str) -> None:
    """One that bought is followed by one that did not, and by one that failed, which shows why."""
    simulator.set_state(balance=500)
    options = {**ORDER, "order": "{{ item.order }}", "balance_below": "{{ item.below }}"}
    task = {
        "clawhosters.cloud.claw_purchase": options,
        "loop": [{"order": "one", "below": 1000}, {"order": "two", "below": 1}, {"order": " ", "below": 1}],
        "register": "bought",
        "ignore_errors": True,
    }
    check = {"ansible.builtin.assert": {"that": ["bought.results[0].purchase.checkout_url is match('https://')"]}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task, check]}
    run = controller.playbook([play], "-vvvv", "--diff", ANSIBLE_STDOUT_CALLBACK=callback)
    assert run.rc == 0, run.screen
    assert "checkout" not in run.stdout.replace("checkout_url is match", "")
    if callback == "default":
        assert run.says("order is empty")
    for path in controller.left():
        if path.is_file() and path.name != "playbook.yml":
            assert b"checkout" not in path.read_bytes(), path
