# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Buys Claws at most once for an order, and only while the balance is low.

This spends real money: one POST, which is never retried.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field
from functools import partial

from .._errors import ClawHostersError, PartialError, RateLimitedError, RefusedError, SettingsError
from .._http.acceptance import parse_accepted
from .._http.client import Client
from .._http.responses import parse_data, parse_json
from .._http.transport import NEVER, RequestHooks, Response
from .._model.resource import Options, Redacted, Result, as_object
from .._numbers import Number, parse_number, to_json
from .._redaction import Redactor
from .._secret_fields import PAYMENT_WORDS, find_secrets, find_texts, map_texts, redact
from .._state.journal import Journal, OperationEvent, OperationKey, OperationState
from .._text import MASK, is_number
from .account_check import AccountCheck, find_email, find_id
from .at_most_once import (
    OperationGuard,
    OutcomeUnknownError,
    UnrecordedError,
    explain_recorded,
    explain_unknown,
    format_at,
)

_EMAIL = "email "
"""Begins the identity of an account that the service shows no id of. The rest is a digest of its e-mail address."""


_SLASH = r"(?:\\{0,8}/|%(?:25){0,4}2[fF]|&(?:#47|#[xX]2[fF]|sol);)"
_COLON = r"(?::|%(?:25){0,4}3[aA]|&(?:#58|#[xX]3[aA]|colon);)"
# Each alternative begins at the start of a word, so that a long word is scanned only once.
_LINK = re.compile(
    r"(?<![\w.+-])(?:"
    rf"[^\W\d_][\w.+-]*{_COLON}{_SLASH}{{2}}\S*"  # https://pay.example/...
    rf"|{_SLASH}{{2}}[\w-]+\.\S*"  # //pay.example/...
    rf"|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:{_SLASH}|[?#])\S*"  # pay.example/...
    rf"|{_SLASH}[\w.%-]+(?:{_SLASH}|[?#=])\S*"  # /checkout/...
    r")"
)

MAX_SEARCH = 10**8
"""Characters of a response times the secrets in it: a second or two to search for all of them."""


def build_request_body(package_id: object, request: dict[str, t.Any]) -> dict[str, t.Any]:
    """Returns the request body. Ids seem to be numbers, so a number written as text is sent as a number.

    Raises SettingsError for an id that is neither a number nor a text, or that is blank.
    """
    if isinstance(package_id, bool) or not isinstance(package_id, (int, str)) or not str(package_id).strip():
        raise SettingsError("package_id is empty or not an id. Nothing was sent.")
    return {**request, "package_id": int(package_id) if is_number(package_id) else package_id}


def redact_request(params: Options) -> Redacted:
    """Redacts all of ``request``: its fields are undocumented."""
    request = params.get("request")
    if not request:
        return Redacted(params, set())
    redacted = dict.fromkeys(request, MASK) if isinstance(request, dict) else MASK
    return Redacted({**params, "request": redacted}, find_secrets(request, words=PAYMENT_WORDS))


def redact_links(text: str) -> str:
    """Returns ``text`` with everything redacted that could be a link, with or without scheme or host.

    A link ends at white space, since it may contain any other character.
    """
    return _LINK.sub(MASK, text)


def redact_payment(response: Response, texts: t.Iterable[str] = ()) -> Response:
    """Returns ``response`` with links, secret fields and the ``texts`` redacted.

    For displayed responses about a payment: a checkout link works for everybody who has it. A response that is cut off,
    or has too many secrets to search for, is redacted as a whole.
    """
    parsed, is_json = parse_json(response.text)
    secrets = {*texts, *find_secrets(parsed, words=PAYMENT_WORDS)}
    # In an object that is cut off, a secret can't be told by its field.
    is_cut_off = not is_json and response.text.lstrip().startswith(("{", "["))
    if is_cut_off or len(secrets) * len(response.text) > MAX_SEARCH:
        return response._replace(text=MASK, request_id=MASK)
    redact_secrets = Redactor(secrets)

    def redact_all(text: str) -> str:
        return redact_links(redact_secrets(text))

    redacted = (
        json.dumps(map_texts(redact(parsed, words=PAYMENT_WORDS), redact_all)) if is_json else redact_all(response.text)
    )
    return response._replace(text=redacted, request_id=response.request_id and redact_all(response.request_id))


@dataclass
class Purchase:
    """Purchase for one order."""

    client: Client
    journal: Journal
    order: str
    warn: t.Callable[[str], None]
    account: AccountCheck
    _secrets: frozenset[str] = field(default=frozenset(), init=False)
    """Texts of the request, which a response may repeat."""

    def run(self, body: dict[str, t.Any], balance_below: int) -> Result:
        """Buys if the balance is below ``balance_below``, and returns the result of the task.

        Raises RefusedError if another run works on the order, ApiError if the service rejects the request, and
        PartialError if it is unknown whether the purchase was made.
        """
        self._secrets = frozenset(find_texts({**body, "package_id": None}))
        key = OperationKey("purchase", self.client.settings.api_url, self.order)
        guard = OperationGuard(self.journal, key, self.warn)
        with self.client.progress.if_interrupted(lambda: [self._explain_interruption(guard.known_state())]):
            if self.client.check_mode:
                return self._run(guard, body, balance_below)
            with guard.lock() as is_free:
                if not is_free:
                    holder = guard.find_holder()
                    by = f": held by {holder.format(self.journal.now().timestamp())}" if holder else ""
                    raise RefusedError(
                        f"Another run is working on order {self.order}{by}. Run this again. Nothing was sent."
                    )
                return self._run(guard, body, balance_below)

    def _run(self, guard: OperationGuard, body: dict[str, t.Any], balance_below: int) -> Result:
        state = guard.read_state()
        if state is not None:
            self._require_same_request(state, body)
        try:
            balance = self._fetch_balance()
        except ClawHostersError as error:
            if state is not None:
                error.add(explain_recorded(f"order {self.order}", state))
            raise
        if state is not None:
            return self._result_of_earlier_run(state, balance)
        if balance >= balance_below:
            return self._build_result(None, balance)
        if self.client.check_mode:
            return self._build_result(None, balance, bought=body)
        facts = {"package_id": body["package_id"], "balance": to_json(balance), "key_id": self._key_id()}
        facts["account_id"] = self._find_account_id()
        try:
            purchase = guard.send(
                self.client,
                lambda hooks: self._buy(body, hooks),
                facts,
                "Nothing was bought; you can run the same order again.",
            )
        except OutcomeUnknownError as unclear:
            raise self._unknown_error(str(unclear), unclear.cause, balance) from None
        guard.record_event(OperationEvent.COMPLETED)
        result = self._build_result(purchase, self._fetch_balance_after(balance), bought=body)
        if guard.unrecorded:
            # A task that fails is shown, and must not show the link.
            hidden = {**result, "purchase": redact(result["purchase"], words=PAYMENT_WORDS)}
            raise UnrecordedError(guard.unrecorded, hidden)
        return result

    def _buy(self, body: dict[str, t.Any], hooks: RequestHooks) -> object:
        # Links and tokens are shown only if it was accepted.
        parse = partial(parse_accepted, asked={"package": {"id": body["package_id"]}}, redact=self._redact)
        try:
            return self.client.request(
                "POST", "/billing/buy_claws", body=body, retry_on=NEVER, hooks=hooks, parse=parse
            )
        except RateLimitedError as error:
            error.hint = "Try again when the rate limit has reset."
            raise

    def _require_same_request(self, state: OperationState, body: dict[str, t.Any]) -> None:
        """Raises RefusedError if the order is known with another package or of another account: it is another purchase.

        A new key of the same account is the same account, if the service tells accounts apart.
        """
        sent, wanted = state.facts.get("package_id"), body["package_id"]
        differences = [f", not {wanted}"] if str(sent) != str(wanted) else []
        is_other_account = False
        if state.facts.get("key_id") != self._key_id():
            before, now = state.facts.get("account_id"), self._find_account_id()
            # An account may get another e-mail address, but no other id.
            is_other_account = before != now and not any(one is None or one.startswith(_EMAIL) for one in (before, now))
            if is_other_account:
                differences.append(" by another account")
            elif before is None or before != now:
                differences.append(" with another API key")
        if differences:
            checked = "" if is_other_account else "It may have bought already: check the transactions first. "
            raise RefusedError(
                f"Order {self.order} was sent at {format_at(state.sent_at)} for package {sent}{','.join(differences)}. "
                f"{checked}For another purchase or another account, use another order. Nothing was sent."
            )

    def _find_account_id(self) -> str | None:
        """Returns the id of the account, or a digest of its e-mail address; None if the service tells neither at once.

        The fields of an account are undocumented.
        """
        try:
            # The balance must not grow old meanwhile.
            account = self.account.fetch(retry_timeout=0)
        except ClawHostersError:
            return None
        email = find_email(account)
        digest = _EMAIL + hashlib.sha256(email.lower().encode()).hexdigest()[:16] if email else None
        return find_id(account) or digest

    def _key_id(self) -> str:
        """Returns a fingerprint of the API key, by which the journal tells keys apart."""
        return hashlib.sha256(f"order {self.client.settings.api_key}".encode()).hexdigest()[:16]

    def _result_of_earlier_run(self, state: OperationState, balance: Number) -> Result:
        """Returns the result for an order that is in the journal. Nothing is bought again."""
        if state.event is OperationEvent.COMPLETED:
            return self._build_result(None, balance)
        raise self._unknown_error(explain_unknown(f"Order {self.order}", state), None, balance)

    def _explain_interruption(self, state: OperationState | None) -> str:
        if state is None:
            return f"Nothing was sent for order {self.order}."
        if state.event is OperationEvent.COMPLETED:
            return f"Order {self.order} has completed."
        again = "Run the same command again: it tells what is known, and sends nothing twice."
        return f"Order {self.order} may have been sent. {again}"

    def _unknown_error(self, reason: str, error: ClawHostersError | None, balance: Number) -> PartialError:
        return PartialError(
            f"{reason} It is unknown whether Claws were bought. Check the transactions or the dashboard; this order is "
            "not sent again. If nothing was bought, use another order.",
            self._build_result(None, balance),
            error,
        )

    def _redact(self, response: Response) -> Response:
        return redact_payment(response, self._secrets)

    def _fetch_balance(self) -> Number:
        """Returns the balance in Claws. Raises RefusedError if the summary does not have it."""

        def parse(request: str, response: Response) -> object:
            return parse_data(request, self._redact(response))

        balance = parse_number(as_object(self.client.get("/billing/summary", {}, parse=parse)).get("claws_balance"))
        if balance is None:
            raise RefusedError(
                "The billing summary has no number in claws_balance, so the balance is unknown. Nothing was sent."
            )
        return balance

    def _fetch_balance_after(self, balance: Number) -> Number:
        try:
            return self._fetch_balance()
        except ClawHostersError as error:
            self.warn(f"The order was accepted, but the new balance can't be read: {error}")
            return balance

    def _build_result(self, purchase: object, balance: Number, bought: dict[str, t.Any] | None = None) -> Result:
        before: dict[str, t.Any] = {"order": self.order, "bought": None}
        after = {**before, "bought": bought["package_id"]} if bought else before
        return {
            "changed": bought is not None,
            "purchase": purchase,
            "balance": to_json(balance),
            "diff": {"before": before, "after": after},
        }
