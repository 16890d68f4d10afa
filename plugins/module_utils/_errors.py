# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong, as a small tree: each error is one line that says what happened and what to do.

Nothing below the module or plugin exits; everything raises one of these.
"""

from __future__ import annotations

import difflib
import json
import typing as t

MASK = "********"
"""What stands where a secret was."""

SERVICE_TEXT_LIMIT = 200
"""Characters of the service's own text that a message repeats (contract U11)."""

MESSAGE_LIMIT = 4000
"""Characters of a whole message, for what was not cut where it was put in."""


def one_line(text: object, limit: int = SERVICE_TEXT_LIMIT) -> str:
    """``text`` on one line, without control characters, cut at ``limit`` characters."""
    printable = "".join(character if character.isprintable() else " " for character in str(text)[: limit * 4])
    flat = " ".join(printable.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def details_text(details: object) -> str:
    """The ``details`` of a validation error as one line, whatever their shape (contract U12)."""
    if isinstance(details, dict):
        parts = [f"{field}: {details_text(reason)}" for field, reason in details.items()]
        return one_line("; ".join(parts))
    if isinstance(details, (list, tuple)):
        return one_line(", ".join(details_text(item) for item in details))
    if details is None or details == "":
        return ""
    return one_line(details if isinstance(details, str) else json.dumps(details))


def format_list(texts: t.Iterable[str], limit: int) -> str:
    """The first of them, and how many more there are: ``a, b and 3 more``."""
    every = list(texts)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more


def with_suggestion(name: str, known: t.Iterable[str]) -> str:
    """``name``, and the most similar of the ``known`` names where one is similar: ``tire (do you mean tier?)``."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"{name} (do you mean {near[0]}?)" if near else name


class ClawHostersError(Exception):
    """Anything that stops a task. ``str(error)`` is the whole message, one line, with no secret in it.

    Words of the service's own, such as a status, are often in it; so that it is one line is seen to here.
    """

    may_have_been_sent = True
    """False if the request did not reach the service, so that nothing was executed."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message, MESSAGE_LIMIT))

    def add(self, sentence: str) -> None:
        """Ends the message with one more sentence, where a caller knows more than the place that raised."""
        self.args = (one_line(f"{self} {sentence}", MESSAGE_LIMIT),)


class SettingsError(ClawHostersError):
    """An option is missing or can't be used; nothing was sent."""

    may_have_been_sent = False


class CheckModeError(ClawHostersError):
    """Something other than GET was about to be sent in check mode; it was not."""

    may_have_been_sent = False


class RefusedError(ClawHostersError):
    """The wanted state can't be reached from the one found; nothing was changed."""


class TransportError(ClawHostersError):
    """No usable response arrived. ``sent`` is False for an unknown host or a refused connection."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.may_have_been_sent = sent


class TlsError(ClawHostersError):
    """The service's certificate is not trusted, or no encrypted connection came about; nothing was sent."""

    may_have_been_sent = False


class ResponseError(ClawHostersError):
    """The service answered with success, but not in a shape that can be used."""


class RedirectedError(ResponseError):
    """The answer was a redirect that is not followed; ``status`` tells which."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class MalformedResponseError(ResponseError):
    """The answer is cut off or empty; the next one may be whole."""


class IncompleteListError(ResponseError):
    """A list could not be read whole; a part of it is never passed on as all of it (contract 4.4)."""


class PartialError(ClawHostersError):
    """Not all of what was asked for was done; ``result`` is what the task returns all the same.

    ``cause``: what stopped it; the service's own words in it are handed on.
    """

    def __init__(self, message: str, result: dict[str, t.Any], cause: ClawHostersError | None = None) -> None:
        super().__init__(message)
        self.result = {**result, "error": cause.as_dict()} if isinstance(cause, ApiError) else result


class WaitTimeoutError(ClawHostersError):
    """The wanted state was not seen in time; ``last`` is what was seen last."""

    def __init__(self, message: str, last: t.Any = None) -> None:
        super().__init__(message)
        self.last = last


class ApiError(ClawHostersError):
    """The service answered with an error (contract 1, "Status codes and error codes")."""

    hint = ""
    retry_after: float | None = None
    """Seconds after which the service allows a retry, if it says so."""

    def __init__(
        self,
        request: str,
        status: int,
        *,
        code: str | None = None,
        message: str | None = None,
        details: t.Any = None,
        request_id: str | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id
        said = " ".join(part for part in (str(status), one_line(code) if code else "") if part)
        if message:
            said += f": {one_line(message)}"
        if text := details_text(details):
            said += f" ({text})"
        super().__init__(f"{request} was answered with {said.rstrip('.')}.{' ' if self.hint else ''}{self.hint}")

    def as_dict(self) -> dict[str, t.Any]:
        """The ``error`` that a failed task returns (interface 2)."""
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "request_id": self.request_id,
        }


class UnauthorizedError(ApiError):
    """401: the key is missing, wrong, revoked or expired."""

    hint = (
        "Check the API key (api_key, api_key_file, CLAWHOSTERS_API_KEY); "
        "keys are made under Dashboard > Settings > API Keys."
    )


class ForbiddenError(ApiError):
    """403: the key is good, but may not do this."""

    hint = "The key is valid but has no permission for this."


class NotFoundError(ApiError):
    """404: absent, or another account's; the service does not tell which. 410 says the same of what was there once."""

    hint = "It does not exist, or belongs to another account than this key."


class UnprocessableError(ApiError):
    """422: the request is invalid, or not possible in the present state."""


class RateLimitedError(ApiError):
    """429: over the limit. A refused request did nothing."""

    hint = "Try again when the rate limit has opened, or allow more time with retry_timeout."


class ServerError(ApiError):
    """5xx: the service or the proxy in front of it is at fault."""

    hint = "The fault is on the service's side; try again later."


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
