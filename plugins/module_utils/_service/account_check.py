# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the account of the key, and refuses another one than the option ``account`` names.

Accounts are told apart by what GET /account shows of them: its fields are undocumented.
"""

from __future__ import annotations

import copy
import math
import threading
import typing as t
from dataclasses import dataclass, field

from .._errors import (
    AccountError,
    ApiError,
    ClawHostersError,
    PartialError,
    RateLimitedError,
    ResponseError,
    UnauthorizedError,
)
from .._http.responses import parse_data
from .._model.resource import as_object, parse_id
from .._text import one_line

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Result


_SHOWN = 80
"""Characters shown of an e-mail address or a name."""


def find_id(account: object) -> str | None:
    """Returns the id as text; None if the account shows none."""
    identity = parse_id(as_object(account).get("id"))
    return None if identity is None else str(identity)


def find_email(account: object) -> str | None:
    """Returns the e-mail address; None if the account shows none."""
    value = as_object(account).get("email")
    return value if isinstance(value, str) and value.strip() else None


def is_account(account: object, wanted: str) -> bool | None:
    """Returns True if ``wanted`` is the id or the e-mail address of the account; None if that can't be told.

    An e-mail address is compared without regard to case and white space.
    """
    identity, email = find_id(account), find_email(account)
    if wanted.strip() == identity or (email and _fold(wanted) == _fold(email)):
        return True
    return None if (email if "@" in wanted else identity) is None else False


def _fold(email: str) -> str:
    return "".join(email.split()).casefold()


def format_account(account: object) -> str:
    """Returns e-mail address, or else the name, and the id of the account; empty if it shows none of them."""
    identity, name = find_id(account), find_email(account) or as_object(account).get("name")
    shown = one_line(name, _SHOWN) if isinstance(name, str) else ""
    if identity is None:
        return shown
    return f"{shown} (id {one_line(identity, 20)})" if shown else f"id {one_line(identity, 20)}"


def format_scope(host: str, account: str) -> str:
    """Returns the line by which a plan or a report says where it belongs. ``account`` is as shown; empty if unknown."""
    return f"Service {one_line(host, _SHOWN)}, account {account or 'unknown'}."


@dataclass
class AccountCheck:
    """The account of the key of ``client``. It is read at most once, and only if something needs it.

    If the option ``account`` is set, the runner has the client call :meth:`before_change` before each change.
    """

    client: Client
    refusal: AccountError | None = None
    """Why nothing is changed; None if nothing was refused."""
    _answer: object = None
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def fetch(self, retry_timeout: float = math.inf) -> object:
        """Returns what GET /account shows, of any type. Raises what the client raises; the same error each time."""
        with self._lock:
            if self._answer is None:
                try:
                    self._answer = self.client.get("/account", {}, parse=parse_data, retry_timeout=retry_timeout)
                except ClawHostersError as error:
                    self._answer = error
        if isinstance(self._answer, ClawHostersError):
            raise copy.copy(self._answer)
        return self._answer

    def require(self) -> None:
        """Raises AccountError unless the account is the one that the option ``account`` names, if it is set."""
        wanted, host = self.client.settings.account, self.client.settings.host
        if not wanted:
            return
        expected = f"account is set to {one_line(wanted)}"
        try:
            account = self.fetch()
        except ClawHostersError as error:
            problem = f"{expected}, but {host} does not show the account of this key: {error}"
            raise AccountError(problem, error) from None
        is_wanted, found = is_account(account, wanted), format_account(account)
        if is_wanted is None:
            missing = "no email" if "@" in wanted else "no id"
            raise AccountError(
                f"{expected}, but {host} shows {missing} of the account of this key, only {found or 'other fields'}."
            )
        if not is_wanted:
            raise AccountError(f"{expected}, but this key is for {found} at {host}. Correct the key or account.")

    def before_change(self) -> None:
        """Raises AccountError as :meth:`require` does, and keeps it in ``refusal``."""
        try:
            self.require()
        except AccountError as error:
            self.refusal = error
            # Callers add to the message of an error.
            raise copy.copy(error) from None

    def label(self) -> str:
        """Returns the account as a plan or a report shows it: ``ops@example.com (id 1)``.

        One that can't be read is unknown, unless the option ``account`` is set. Raises AccountError, and the error of a
        service that can't be reached or rejects the key.
        """
        self.require()
        return self._find_label()

    def _find_label(self) -> str:
        try:
            return format_account(self.fetch()) or "unknown"
        except (UnauthorizedError, RateLimitedError):
            raise
        except ApiError as error:
            return f"unknown ({error.reason})"
        except ResponseError:
            return "unknown (unusable response)"

    def identify(self) -> str | None:
        """Returns the id of the account, or else its e-mail address; None if it shows neither. Raises as ``fetch``."""
        account = self.fetch()
        return find_id(account) or find_email(account)

    def describe(self) -> str:
        """Returns service and account, the first line of each playbook. Raises what :meth:`label` raises."""
        return format_scope(self.client.settings.host, self.label())

    def summarize(self) -> Result:
        """Returns the result of ``claw_account_info``. It may be another account than the one that is meant.

        Raises PartialError if the service does not show the account; the rest of the result is in it.
        """
        found: Result = {"scope": format_scope(self.client.settings.host, self._find_label()), "refusal": None}
        try:
            self.require()
        except AccountError as error:
            found["refusal"] = str(error)
        try:
            return {"account": self.fetch(), **found}
        except ClawHostersError as error:
            raise PartialError(str(error), found, error) from None
