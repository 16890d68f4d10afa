# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses and validates the connection settings, for modules, inventory and event source alike."""

from __future__ import annotations

import math
import os
import stat
import typing as t
from urllib.parse import urlsplit

from .._errors import SettingsError
from .._rate.limiter import Priority
from .._service_url import find_url_problem, is_loopback, normalize_url
from .._text import KEY_PREFIX, lacks_home, one_line

DEFAULT_API_URL = "https://clawhosters.com/api/v1"
MAX_KEY_FILE_BYTES = 4096
MAX_SECONDS = 1e6
PRIORITIES = [priority.name.lower() for priority in reversed(Priority)]
DEFAULT_PRIORITY = Priority.NORMAL.name.lower()

Warn = t.Callable[[str], None]
KeyReader = t.Callable[[str, Warn], str]


class Settings(t.NamedTuple):
    """Valid settings of a client, from :func:`parse_settings`. Times are in seconds."""

    api_url: str
    api_key: str | None
    ca_path: str | None = None
    timeout: float = 30.0
    retry_timeout: float = 180.0
    page_size: int | None = None
    priority: Priority = Priority.NORMAL
    account: str | None = None
    """Id or e-mail address of the account that is meant."""

    def __repr__(self) -> str:
        """Shows no key."""
        return f"{type(self).__name__}({self.api_url!r})"

    @property
    def host(self) -> str:
        """Host and port of the service."""
        return urlsplit(self.api_url).netloc


def parse_settings(
    params: t.Mapping[str, t.Any], warn: Warn, *, needs_key: bool = True, read_key: KeyReader | None = None
) -> Settings:
    """Returns the settings in ``params``, the options that all plugins share. Ignores the key unless ``needs_key``.

    ``read_key`` replaces :func:`read_key_file`. Raises SettingsError for an invalid value. No message contains a key.
    """
    _require_text(params, "state_database", "Set it to the database, or omit the option to use state_dir.")
    _require_text(params, "account", "Set it to the id or the e-mail address of the account, or omit the option.")
    return Settings(
        api_url=validate_url(params.get("api_url", DEFAULT_API_URL)),
        api_key=find_key(params, warn, read_key or read_key_file) if needs_key else None,
        ca_path=_find_ca_path(params),
        timeout=validate_seconds("timeout", params.get("timeout", 30.0), above=0.0),
        retry_timeout=validate_seconds("retry_timeout", params.get("retry_timeout", 180.0)),
        page_size=_validate_page_size(params.get("page_size")),
        priority=parse_priority("priority", params.get("priority")),
        account=params.get("account") if needs_key else None,
    )


def without_unused_key(params: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Returns ``params`` with ``api_key`` or ``api_key_file``, whichever applies; the other is None.

    What is in ``given``, the options without the environment, takes precedence: a variable may hold the key of another
    account. An empty key does not mean the file of the environment.
    """
    if not _has_key(given) and (given.get("api_key_file") or (given.get("api_key") is None and not _has_key(params))):
        return {**params, "api_key": None}
    return {**params, "api_key_file": None}


def _has_key(params: t.Mapping[str, t.Any]) -> bool:
    return bool(str(params.get("api_key") or "").strip())


def validate_url(url: str) -> str:
    """Returns ``url`` in the one spelling that its service has.

    Raises SettingsError unless it is https, or http to this machine: a key must not cross a network unencrypted.
    """
    if problem := find_url_problem(url):
        # What is not a plain URL is not shown: it may hold a password in a place that nobody expects.
        raise SettingsError(
            f"api_url can't be used: {problem}. Write it as https://HOST/PATH or https://HOST:PORT/PATH, or with http "
            "for a service on this machine. Nothing was sent."
        )
    url = normalize_url(url)
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise SettingsError(
            f"api_url '{one_line(url)}' is rejected, and nothing was sent: http would send the key unencrypted. "
            "Use https; http is allowed only for a service on this machine (127.0.0.0/8, ::1, localhost)."
        )
    return url


def find_key(params: t.Mapping[str, t.Any], warn: Warn, read_key: KeyReader) -> str:
    """Returns the API key from ``api_key`` or ``api_key_file``.

    Raises SettingsError if there is none, or if it is not valid in a header. Warns of a missing prefix, since
    other prefixes may exist.
    """
    key = str(params.get("api_key") or "").strip()
    source = "api_key"
    if not key and (path := params.get("api_key_file")):
        source = f"the key in {path}"
        key = read_key(str(path), warn)
    if not key:
        raise SettingsError(
            "No API key was given. Set one in one of three ways: the option api_key, the option api_key_file, or the "
            "environment variable CLAWHOSTERS_API_KEY (or CLAWHOSTERS_API_KEY_FILE)."
        )
    if not key.isascii() or not key.isprintable():
        raise SettingsError(
            f"{source} can't be used: it contains a line break or a character that is not allowed in an HTTP header. "
            "Copy the key again."
        )
    if not key.startswith(KEY_PREFIX):
        warn(f"{source} does not start with {KEY_PREFIX}, like the keys of ClawHosters; it is used anyway.")
    return key


def expand_home(option: str, path: str) -> str:
    """Returns the path with the home folder for ``~``. Raises SettingsError if none can be found."""
    expanded = os.path.expanduser(path)
    if lacks_home(expanded):
        raise SettingsError(
            f"{option} is {one_line(path)}, and no home folder can be found for ~. Set {option} to an absolute path."
        )
    return expanded


def read_key_file(path: str, warn: Warn) -> str:
    """Returns the key in a file. Raises SettingsError. Warns of a file that other users can read."""
    try:
        with open(expand_home("api_key_file", path), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"api_key_file {path} can't be read: {error.strerror}.") from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        warn(f"api_key_file {path} is readable by other users; run chmod 600 on it.")
    if len(content) > MAX_KEY_FILE_BYTES:
        raise SettingsError(f"api_key_file {path} is too long to be a key.")
    # Editors on Windows begin a file with a byte order mark. Invalid UTF-8 becomes a character that find_key rejects.
    key = content.decode("utf-8-sig", errors="replace").strip()
    if not key:
        raise SettingsError(f"api_key_file {path} is empty: put the API key into it.")
    return key


def _find_ca_path(params: t.Mapping[str, t.Any]) -> str | None:
    """Returns the CA bundle of the option, or of the variables that ``requests`` has; None without one."""
    variables = {name: os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
    for name, given in {"ca_path": params.get("ca_path"), **variables}.items():
        if given:
            path = expand_home(name, str(given))
            if not os.path.exists(path):
                raise SettingsError(f"{name} {one_line(path)} does not exist.")
            return path
    return None


def _require_text(params: t.Mapping[str, t.Any], name: str, advice: str) -> None:
    """Raises SettingsError for a blank text, as an unresolved secret leaves it: without it, another memory or account
    would do."""
    text = params.get(name)
    if text is not None and not str(text).strip():
        raise SettingsError(
            f"{name} (or CLAWHOSTERS_{name.upper()}) is blank; perhaps a variable or secret was not resolved. {advice} "
            "Nothing was sent."
        )


def validate_seconds(name: str, seconds: float, *, above: float | None = None) -> float:
    """Returns ``seconds`` if it is from 0 to MAX_SECONDS, and more than ``above``. Raises SettingsError otherwise."""
    if not math.isfinite(seconds) or not 0 <= seconds <= MAX_SECONDS or (above is not None and seconds <= above):
        raise SettingsError(
            f"{name} is {seconds:g}, but must be {'more than 0' if above is not None else '0 or more'} and at most "
            f"{MAX_SECONDS:.0f} seconds."
        )
    return seconds


def _validate_page_size(value: int | None) -> int | None:
    if value is not None and value < 1:
        raise SettingsError(f"page_size is {value}, but must be 1 or more; omit it for the default of the service.")
    return value


def parse_priority(name: str, word: str | None) -> Priority:
    """Returns the priority that the option ``name`` has, the default for None. Raises SettingsError."""
    if word is None:
        return Priority.NORMAL
    if word not in PRIORITIES:
        raise SettingsError(f"{name} is '{one_line(word)}', but must be low, normal or high.")
    return Priority[word.upper()]
