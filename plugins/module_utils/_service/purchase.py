# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Buys Claws at most once for an order, and only while the balance is low (interface 3, ``claw_purchase``).

It is about real money: one POST, never repeated by itself on anything (contract 5.5).
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from .._errors import MASK, ClawHostersError, PartialError, RefusedError
from .._http.client import Client
from .._http.responses import parse_data_or_body
from .._http.retry import NEVER
from .._secret_fields import PAYMENT_WORD, Options, RedactedOptions, find_secrets, find_texts
from .._state.journal import Journal, OperationEvent, OperationKey, OperationState
from .at_most_once import AtMostOnce, OutcomeUnknownError

Result = dict[str, t.Any]


def redact_options(params: Options) -> RedactedOptions:
    """Returns the options without ``request``, of which nobody knows what in it is secret."""
    request = params.get("request")
    if not request:
        return RedactedOptions(params, set())
    shown = dict.fromkeys(request, MASK) if isinstance(request, dict) else MASK
    return RedactedOptions({**params, "request": shown}, find_secrets(request, word=PAYMENT_WORD))


def build_request_body(package_id: object, request: dict[str, t.Any]) -> dict[str, t.Any]:
    """The body of the request. Ids are numbers as far as is known; one that was written as text is sent as a number."""
    is_number = isinstance(package_id, str) and package_id.isascii() and package_id.isdigit() and len(package_id) < 20
    return {**request, "package_id": int(str(package_id)) if is_number else package_id}


@dataclass
class Purchase:
    """One order."""

    client: Client
    journal: Journal
    order: str
    warn: t.Callable[[str], None]

    def run(self, body: dict[str, t.Any], balance_below: int) -> Result:
        """The result of the task.

        Raises RefusedError when another run is at the same order, ApiError when the service refused, and PartialError
        when it is not known whether the purchase was made.
        """
        self.client = self.client.with_payment_texts(find_texts({**body, "package_id": None}))
        operation = OperationKey("purchase", self.client.settings.api_url, self.order)
        once = AtMostOnce(self.journal, operation, self.warn)
        if self.client.check_mode:
            return self._run(once, body, balance_below)
        with once.lock() as is_free:
            if not is_free:
                raise RefusedError(
                    f"Another run is working on order {self.order} now: nothing was sent. Run this again."
                )
            return self._run(once, body, balance_below)

    def _run(self, once: AtMostOnce, body: dict[str, t.Any], balance_below: int) -> Result:
        record = once.record()
        balance = self._balance()
        if record is not None:
            return self._already(record, balance)
        if balance >= balance_below:
            return self._result(None, balance)
        if self.client.check_mode:
            return self._result(None, balance, bought=body)
        notes = {"package_id": body["package_id"], "balance": balance}
        try:
            answer = once.send(
                self.client,
                lambda hooks: self.client.request(
                    "POST", "/billing/buy_claws", body=body, retry=NEVER, hooks=hooks, parse=parse_data_or_body
                ),
                notes,
                "Nothing was bought; the same order may be run again.",
            )
        except OutcomeUnknownError as unclear:
            raise self._unknown(str(unclear), unclear.cause, balance) from None
        once.record_event(OperationEvent.COMPLETED)
        return self._result(answer, self._balance_after(balance), bought=body)

    def _already(self, record: OperationState, balance: int) -> Result:
        """What an earlier run of the order came to: nothing is bought again."""
        if record.event is OperationEvent.COMPLETED:
            return self._result(None, balance)
        what = f"Order {self.order} was to be sent at {record.sent_at}, and what came of it was not seen."
        raise self._unknown(what, None, balance)

    def _unknown(self, what: str, error: ClawHostersError | None, balance: int) -> PartialError:
        return PartialError(
            f"{what} Whether Claws were bought is not known. See the transactions or the dashboard; this order is not "
            "sent again. If nothing was bought, use another order.",
            self._result(None, balance),
            error,
        )

    def _balance(self) -> int:
        """The balance in Claws. Raises RefusedError when the service does not tell it: nobody buys blindly."""
        balance = self.client.fetch_object("/billing/summary").get("claws_balance")
        if isinstance(balance, bool) or not isinstance(balance, (int, float)) or not math.isfinite(balance):
            raise RefusedError(
                "The billing summary tells no claws_balance, so whether to buy is not known: nothing was sent."
            )
        return int(balance)

    def _balance_after(self, balance: int) -> int:
        try:
            return self._balance()
        except ClawHostersError as error:
            self.warn(f"The order was accepted; the balance after it can't be read: {error}")
            return balance

    def _result(self, purchase: object, balance: int, bought: dict[str, t.Any] | None = None) -> Result:
        before: dict[str, t.Any] = {"order": self.order, "bought": None}
        after = {**before, "bought": bought["package_id"]} if bought else before
        return {
            "changed": bought is not None,
            "purchase": purchase,
            "balance": balance,
            "diff": {"before": before, "after": after},
        }
