# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests the address of an instance, to see whether its web server responds."""

from __future__ import annotations

import re
import time
import typing as t

from ...module_utils._errors import ClawHostersError
from ...module_utils._http.transport import BearerAuth, PlainSession, require_library
from ...module_utils._http.watchdog import RequestWatchdog, WatchedAdapter
from ...module_utils._text import one_line

try:
    from requests import RequestException
except ImportError:
    if not t.TYPE_CHECKING:
        RequestException = OSError

ATTEMPTS = 3
DELAY = 2.0
READ_TIMEOUT = 30.0
TOTAL_TIMEOUT = 60.0
"""Seconds of one attempt. The timeout of each read does not limit a response that comes byte by byte."""

_PLAIN_HOST = re.compile(r"https?://[A-Za-z0-9.-]+")


class AddressError(ClawHostersError):
    """The address can't be requested, or does not respond as expected."""


def parse_address(subdomain: object) -> str:
    """Returns the URL of the instance. The service may show it without a scheme.

    Raises AddressError for anything but a plain host: the service could name any other URL.
    """
    text = str(subdomain or "").strip().rstrip("/")
    url = text if re.match("https?://", text) else f"https://{text}"
    if not _PLAIN_HOST.fullmatch(url):
        raise AddressError("The address is not a plain host name, so no request was sent.")
    return url


def check_address(
    url: str, statuses: t.Collection[int], ca_path: str | None = None, sleep: t.Callable[[float], None] = time.sleep
) -> int:
    """Returns the status of the response, one of ``statuses``. Tries a few times. Raises AddressError, and
    ClawHostersError if ``requests`` is missing."""
    require_library()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            status = _fetch_status(url, ca_path)
        except (RequestException, OSError, ValueError) as error:
            problem = f"No response within {TOTAL_TIMEOUT:g} s" if isinstance(error, TimeoutError) else one_line(error)
        else:
            if status in statuses:
                return status
            problem = f"It responded with status {status}, not {' or '.join(map(str, statuses))}"
        if attempt < ATTEMPTS:
            sleep(DELAY)
    raise AddressError(f"{problem}.")


def _fetch_status(url: str, ca_path: str | None) -> int:
    """Sends one GET and returns the status. Follows no redirect, reads no body and no ``~/.netrc``."""
    watchdog = RequestWatchdog(TOTAL_TIMEOUT, lambda _seconds: None)
    try:
        with watchdog, PlainSession() as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, WatchedAdapter())
            with session.get(
                url,
                timeout=READ_TIMEOUT,
                auth=BearerAuth(None),
                verify=ca_path or True,
                allow_redirects=False,
                stream=True,
            ) as response:
                status: int = response.status_code
    finally:
        # A response that was cut off can look complete.
        if watchdog.has_timed_out:
            raise TimeoutError
    return status
