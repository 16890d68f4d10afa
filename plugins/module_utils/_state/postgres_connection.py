# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the option ``state_database``, a connection string of libpq, and decides about TLS.

No message holds a part of the string.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import typing as t
from urllib.parse import parse_qsl, unquote, urlsplit

from .._errors import ClawHostersError, SettingsError
from .._installation import install_command
from .._service_url import is_loopback

TIMEOUT = 5
"""Seconds for a connection, and for an answer."""
HOLDER_TIMEOUT = 25
"""Seconds after which both sides give up a connection that is silent, so that what it holds is freed."""
MIN_SECRET_LENGTH = 4
"""Characters. Replacing a shorter password everywhere would make ordinary text unreadable."""

NEEDS_PSYCOPG = (
    "state_database needs psycopg 3.1 or newer, but {reason}. Install or upgrade it for the Python that runs Ansible: "
    "{command}"
)
_DEFAULTS = {
    "application_name": "clawhosters.cloud",
    "target_session_attrs": "read-write",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": str(HOLDER_TIMEOUT * 1000),
}
_UNVERIFIED_MODES = ("disable", "allow", "prefer")
_KEYWORD_PASSWORD = re.compile(r"\b(?:ssl)?password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)+))")


def load_psycopg() -> t.Any:
    """Imports psycopg, which takes 0.2 s. Raises ClawHostersError if it is missing or too old."""
    reason = "it is not installed"
    with contextlib.suppress(ImportError):
        psycopg = importlib.import_module("psycopg")
        if hasattr(psycopg, "ClientCursor"):
            return psycopg
        reason = f"version {psycopg.__version__} is installed"
    raise ClawHostersError(NEEDS_PSYCOPG.format(reason=reason, command=install_command("psycopg", "psycopg-binary")))


def find_secrets(text: str) -> set[str]:
    """Returns the connection string and the passwords in it, in each spelling."""
    passwords = {"".join(match.groups(default="")) for match in _KEYWORD_PASSWORD.finditer(text)}
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        login = parts.netloc.rpartition("@")[0]
        passwords.add(login.partition(":")[2])
        passwords |= {value for name, value in parse_qsl(parts.query) if name.endswith("password")}
    passwords.add(os.environ.get("PGPASSWORD", ""))
    spellings = {spelling for word in passwords for spelling in (word, unquote(word), re.sub(r"\\(.)", r"\1", word))}
    return {text} | {word for word in spellings if len(word) >= MIN_SECRET_LENGTH}


def parse_connection(text: str) -> dict[str, str]:
    """Returns the parameters of the connection, with verified TLS over a network.

    Raises SettingsError if the string can't be read, or if it asks for no verification. Nothing is sent.
    """
    psycopg = load_psycopg()
    try:
        given = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(text.strip()).items()}
    except psycopg.Error:
        raise SettingsError(
            "state_database can't be read. Write it as postgresql://USER@HOST/DATABASE or host=HOST dbname=DATABASE.",
            is_unsent=True,
        ) from None
    # A role or a variable may name another encoding, which lacks characters of names.
    params = {**_DEFAULTS, **given, "client_encoding": "UTF8"}
    hosts = _find_hosts(psycopg, given)
    params.setdefault("connect_timeout", str(TIMEOUT if len(hosts) < 2 else 2))
    if not all(map(_is_local, hosts)):
        if given.get("sslmode") in _UNVERIFIED_MODES:
            raise SettingsError(
                f"state_database is rejected, and nothing was sent: sslmode={given['sslmode']} would trust any server "
                "on the network. Use verify-full, which is the default, with sslrootcert."
            )
        params.setdefault("sslmode", "verify-full")
        # Otherwise libpq may choose Kerberos, which checks no certificate.
        params.setdefault("gssencmode", "disable")
    return params


def _find_hosts(psycopg: t.Any, given: t.Mapping[str, str]) -> list[str]:
    """Returns all hosts and addresses of the connection, also those of the environment and of a service file."""
    with _environment("PGSERVICE", given.get("service")):
        defaults = {
            option.keyword.decode(): option.val.decode()
            for option in psycopg.pq.Conninfo.get_defaults()
            if option.val is not None
        }
    values = [given.get(name) or defaults.get(name, "") for name in ("host", "hostaddr")]
    return [host.strip() for value in values for host in value.split(",") if value]


@contextlib.contextmanager
def _environment(name: str, value: str | None) -> t.Iterator[None]:
    """Sets a variable for a moment: libpq reads service files only for the one in the environment."""
    before = os.environ.get(name)
    if value is None or value == before:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _is_local(host: str) -> bool:
    """Returns True for a loopback address and for a socket, which an empty host is, too."""
    return not host or host.startswith(("/", "@")) or is_loopback(host)
