# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of the collection. Each message is one line that says what happened and what to do.

Code below the modules and plugins never exits; it raises one of these.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime

from ._text import MESSAGE_LIMIT, format_details, mask_keys, one_clause, one_line


class LastSeen(t.NamedTuple):
    """The last response of a wait: the resource, its condition in words, and the time."""

    resource: t.Any
    condition: str
    at: datetime


NOTHING_SENT = "Nothing was sent."
_WORD = re.compile(r"[\w.:-]{1,80}", re.ASCII)


class ClawHostersError(Exception):
    """Base class. ``str(error)`` is the whole message, without secrets. It is made one line here, since it may contain
    texts of the service. What looks like a key is masked, since it may be the value of a wrong option.

    Nobody looks into a message: who needs to know what happened reads the class and the attributes.
    """

    may_have_been_sent = True
    """False if the request did not reach the service, so that nothing was executed."""
    kind = "other"
    """The kind of error in results: ``unauthorized``, ``forbidden``, ``unreachable``, ``timeout`` or ``other``."""
    cause: ClawHostersError | None = None
    """The error behind this one."""
    last_seen: LastSeen | None = None
    """Set if the error ended a wait."""
    is_unsent = False
    """True if nothing was sent. The last sentence of ``str(error)`` then says so."""
    _reason = ""
    hint = ""
    """The end of the message, which says what to do, until ``replace`` replaces both."""

    def __init__(self, message: object = "", cause: ClawHostersError | None = None, *, is_unsent: bool = False) -> None:
        super().__init__(mask_keys(one_line(message, MESSAGE_LIMIT)))
        self.cause = cause
        self.is_unsent = self.is_unsent or is_unsent

    def __str__(self) -> str:
        return f"{self.text} {NOTHING_SENT}" if self.is_unsent else self.text

    @property
    def text(self) -> str:
        """The message, without the sentence that nothing was sent."""
        return f"{super().__str__()} {self.hint}".rstrip()

    def __copy__(self) -> ClawHostersError:
        """Returns the same error. Subclasses have other arguments than the message, so that the default fails."""
        copied = type(self).__new__(type(self))
        copied.args = self.args
        vars(copied).update(vars(self))
        return copied

    @property
    def may_have_been_executed(self) -> bool:
        """False if the request surely had no effect, so that it can be sent again."""
        return self.may_have_been_sent

    @property
    def reason(self) -> str:
        """The error in a few words, for progress lines."""
        return self._reason or str(self)

    @property
    def response(self) -> ApiError | None:
        """The error response of the service behind this error, if there is one."""
        return self.cause.response if self.cause else None

    @property
    def facts(self) -> dict[str, t.Any]:
        """The kind of the error, and status, code and request id of the response behind it: what may be stored."""
        facts: dict[str, t.Any] = {} if self.kind == "other" else {"fault": self.kind}
        if response := self.response:
            words = {"code": response.code, "request_id": response.request_id}
            # A service may send any text in them.
            facts |= {name: word for name, word in words.items() if word and _WORD.fullmatch(word)}
            facts["http_status"] = response.status
        return facts

    def add(self, sentence: str) -> None:
        """Appends a sentence to the message."""
        self.replace(f"{self.text} {sentence}")

    def replace(self, message: str) -> None:
        """Replaces the message, and the hint in it."""
        self.args, self.hint = (one_line(message, MESSAGE_LIMIT),), ""


class SettingsError(ClawHostersError):
    """An option is missing or invalid. Nothing was sent."""

    may_have_been_sent = False


class AccountError(SettingsError):
    """The key is, or may be, for another account than the option ``account`` names. Nothing was changed.

    ``cause``: the error because of which the account can't be read.
    """

    is_unsent = True


class CheckModeError(ClawHostersError):
    """A request other than GET was not sent, since check mode is on."""

    may_have_been_sent = False


class RefusedError(ClawHostersError):
    """The wanted state can't be reached from the current one. Nothing was changed.

    ``cause``: the error that shows it, such as the 404 for an instance that does not exist.
    """


class TransportError(ClawHostersError):
    """No usable response arrived. ``sent`` is False for an unknown host or a refused connection."""

    kind = "unreachable"

    def __init__(self, message: str, *, sent: bool, reason: str = "") -> None:
        super().__init__(message)
        self.may_have_been_sent = sent
        self._reason = reason


class TlsError(ClawHostersError):
    """The certificate is not trusted, or there is no TLS. Nothing was sent."""

    may_have_been_sent = False
    kind = "unreachable"


class ResponseError(ClawHostersError):
    """The response can't be used: wrong shape, incomplete list, or a redirect."""

    kind = "unreachable"


class RedirectedError(ResponseError):
    """The response is a redirect that is not followed. Services send redirects after the effect, too, even 307."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class MalformedResponseError(ResponseError):
    """The response is truncated or empty. A retry may succeed."""

    _reason = "unusable response"


class WebPageError(MalformedResponseError):
    """The response is a web page, of a proxy or a guest network."""

    _reason = "a web page instead of JSON"


class IncompleteListError(ResponseError):
    """A list could not be read completely."""

    _reason = "the list changes while it is read"


class PartialError(ClawHostersError):
    """The task failed; ``result`` holds what is known or was done.

    ``cause``: the error that stopped it. The error response behind it becomes ``error`` of the result.
    """

    def __init__(self, message: str, result: dict[str, t.Any], cause: ClawHostersError | None = None) -> None:
        super().__init__(message, cause)
        self.result = {**result, "error": self.response.as_dict()} if self.response else result


class WaitTimeoutError(ClawHostersError):
    """The wanted state was not reached in time. ``cause``: the error of the last poll, if there was no answer."""

    def __init__(self, message: str, cause: ClawHostersError | None = None) -> None:
        super().__init__(message, cause)
        self.kind = "unreachable" if cause else "timeout"


NOT_EXECUTED = frozenset({400, 401, 402, 403, 404, 405, 410, 415, 422, 429})
"""Statuses by which a service refuses a request. A proxy, or another version of the service, may send any other status
after the effect, such as 409 for a request that the proxy has repeated, or 499."""


class ApiError(ClawHostersError):
    """The response is an error."""

    retry_after: float | None = None
    """Seconds after which the service allows a retry, if it says so."""
    request_id: str | None = None

    def __init__(
        self,
        request: str,
        status: int,
        *,
        code: str | None = None,
        message: str | None = None,
        details: t.Any = None,
        asked: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        description = " ".join(part for part in (str(status), one_line(code) if code else "") if part)
        if message:
            description += f": {one_line(message)}"
        if text := format_details(details):
            description += f" ({text})"
        self.asks = f"; the service asks to wait {max(asked, 1):.0f} s" if asked and 0 < asked <= 1e6 else ""
        super().__init__(f"{request} was answered with {description.rstrip('.')}{self.asks}.")

    @property
    def may_have_been_executed(self) -> bool:
        return self.status not in NOT_EXECUTED

    @property
    def reason(self) -> str:
        """Status and code."""
        return " ".join(map(str, filter(None, (self.status, one_line(self.code or "")))))

    @property
    def words(self) -> str:
        """The status and the service's own words; empty without any."""
        return f"{self.status}, {one_clause(self.message)}" if self.message else ""

    @property
    def response(self) -> ApiError:
        """The error itself."""
        return self

    def as_dict(self) -> dict[str, t.Any]:
        """Returns the ``error`` of a failed task."""
        return {name: getattr(self, name) for name in ("status", "code", "message", "details", "request_id")}


class UnauthorizedError(ApiError):
    """401: the key is missing, wrong, revoked or expired."""

    kind = "unauthorized"
    hint = (
        "Check the API key (api_key, api_key_file, CLAWHOSTERS_API_KEY); "
        "create keys under Dashboard > Settings > API Keys."
    )


class ForbiddenError(ApiError):
    """403: the key is valid but has no permission for this."""

    kind = "forbidden"
    hint = (
        "The key is valid but has no permission for this. Use a key that has it (api_key, api_key_file, "
        "CLAWHOSTERS_API_KEY); keys are listed under Dashboard > Settings > API Keys."
    )


class NotFoundError(ApiError):
    """404 or 410: the resource does not exist, or belongs to another account."""

    hint = "It does not exist, or belongs to another account than this key."


class WrongAddressError(ApiError):
    """404 or 410 of a path that names no resource, or with a web page: this is not the address of the API."""

    hint = "Is api_url the address of the API?"


class UnprocessableError(ApiError):
    """422: the request is invalid, or not possible in the current state."""


class RateLimitedError(ApiError):
    """429: the rate limit is exceeded. Nothing was executed."""

    kind = "unreachable"
    hint = "Try again when the rate limit has reset, or increase retry_timeout."


class ServerError(ApiError):
    """5xx: an error of the service or of a proxy in front of it."""

    kind = "unreachable"
    hint = "This is an error of the service; try again later."
    change_hint = "This is an error of the service."
    """The hint for a change, which may have been executed: whoever reads the resource says how to go on."""


def error_class(status: int) -> type[ApiError]:
    """Returns the class of the error for an HTTP status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)


_BY_STATUS: dict[int, type[ApiError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    410: NotFoundError,
    422: UnprocessableError,
    429: RateLimitedError,
}
