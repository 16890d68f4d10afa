# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with the database that the option ``state_database`` names, a connection string of libpq: opened at its
first use, with verified TLS over a network, and given up where an answer does not come in time.

No message holds a part of the string. So it holds nothing of the driver's own, which may contain it: only the SQLSTATE.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import socket
import sys
import threading
import typing as t
from urllib.parse import parse_qsl, unquote, urlsplit

from .._errors import ClawHostersError, SettingsError
from .._service_url import is_loopback
from .._text import one_line
from .store import StoreError

TIMEOUT = 5
"""Seconds for a connection, and for an answer."""
HOLDER_TIMEOUT = 25
"""Seconds after which the server gives up a client that is silent, so that what it holds is freed."""
MIN_SECRET_LENGTH = 4
"""Characters. Replacing a shorter password everywhere would make ordinary text unreadable."""

NEEDS_PSYCOPG = (
    "state_database needs psycopg 3.1 or newer, but {reason}. Install or upgrade it for the Python that runs Ansible, "
    "{python}: pip install 'psycopg[binary]', or as pipx, uv or your system do it."
)
_UNVERIFIED_MODES = ("disable", "allow", "prefer")
_KEYWORD_PASSWORD = re.compile(r"\b(?:ssl)?password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)+))")

UNCONFIRMED = "01000"
"""SQLSTATE of the warning with which the server commits on itself only."""
ENCODING = "UTF8"
UNREACHABLE_ADVICE = "Check state_database and the server"
NO_SCHEMA = "state_database has no schema of this collection"
SCHEMA_ADVICE = "An administrator must run clawhosters.cloud.claw_state_database"
STANDBY = "the server is a standby, which can't be written to"
READ_ONLY = "the server is a standby, or default_transaction_read_only is on for the role or the database"
LIBPQ_WITH_PRIMARY = 140000
"""The first version of libpq that can ask for a primary, whatever a role has as a default."""

_CONFIGURE = f"""
BEGIN; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL statement_timeout = '{TIMEOUT}s';
SELECT pg_catalog.set_config(name, value, false) FROM (VALUES
    ('search_path', 'pg_catalog, pg_temp'),
    ('client_min_messages', 'warning'),
    ('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off'),
    ('row_security', 'off'), ('synchronous_commit', 'on'), ('datestyle', 'ISO, YMD'), ('extra_float_digits', '1'),
    ('lock_timeout', '0'), ('transaction_timeout', '0'), ('idle_session_timeout', '0'),
    ('statement_timeout', '{TIMEOUT}s'), ('idle_in_transaction_session_timeout', '{TIMEOUT}s'),
    ('tcp_keepalives_idle', '10'),
    ('tcp_keepalives_interval', '5'),
    ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '{HOLDER_TIMEOUT * 1000}')
) AS settings (name, value)
WHERE pg_catalog.pg_backend_pid() = %(backend)s::integer AND pg_catalog.current_setting(name, true) IS NOT NULL;
COMMIT
"""
"""The first statement of a session, for which a role or a database may have other defaults. Without row_security, rows
that a policy hides are an error, and no memory that is empty. A server knows the time-outs of its version.

The search path holds no schema in which another user could make a function or an operator that one of ours would run.

A pooler may give each transaction another session, which strands locks and settings. It shows a number of its own
for the server's process; then nothing is set, and no row comes back."""
_INVALID = re.compile(r"invalid (\w+ value|port|literal)|could not match|bad value|^connection is bad: \"")
"""Errors of libpq or psycopg about a value of the connection string, before anything is sent. Before 3.2, psycopg may
show the value alone."""
_REFUSALS = {
    "root certificate file": "no sslrootcert is set, so the server's certificate can't be verified",
    "certificate": "the server's certificate is not trusted, or is for another name",
    "does not support SSL": "the server does not support TLS",
    "hot standby": STANDBY,
    "read-only": READ_ONLY,
    "writable": READ_ONLY,  # all that libpq before 14 says
    "FATAL": "the server rejects the user, the password, the database or this address, or takes no connection now",
    "resolve host": "the host is unknown",
    "service not known": "the host is unknown",  # all that psycopg before 3.1.9 says
    "Connection refused": "no server listens at this address",
    "timeout": f"no connection within {TIMEOUT} s",
    "service": "its service is not defined",
}
"""Parts of messages of libpq and the server, and the words that replace them. The first that fits counts."""

Rows: t.TypeAlias = "list[tuple[t.Any, ...]]"


def load_psycopg() -> t.Any:
    """Imports psycopg, which takes 0.2 s. Raises ClawHostersError if it is missing or too old."""
    reason = "it is not installed"
    with contextlib.suppress(ImportError):
        psycopg = importlib.import_module("psycopg")
        if hasattr(psycopg, "ClientCursor"):
            return psycopg
        reason = f"version {psycopg.__version__} is installed"
    raise ClawHostersError(NEEDS_PSYCOPG.format(reason=reason, python=sys.executable))


def find_secrets(text: str) -> set[str]:
    """Returns the connection string and the passwords in it, in each spelling."""
    passwords = {"".join(match.groups(default="")) for match in _KEYWORD_PASSWORD.finditer(text)}
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        passwords.add(parts.netloc.rpartition("@")[0].partition(":")[2])
        passwords |= {value for name, value in parse_qsl(parts.query) if name.endswith("password")}
    passwords.add(os.environ.get("PGPASSWORD", ""))
    spellings = {spelling for word in passwords for spelling in (word, unquote(word), re.sub(r"\\(.)", r"\1", word))}
    return {text} | {word for word in spellings if len(word) >= MIN_SECRET_LENGTH}


def parse_connection(text: str) -> dict[str, str]:
    """Returns the parameters of the connection, with verified TLS over a network.

    Raises SettingsError if the string can't be read, or asks for no verification. Then nothing is sent.
    """
    psycopg = load_psycopg()
    try:
        given = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(text.strip()).items()}
    except psycopg.Error:
        raise SettingsError(
            "state_database can't be read. Write it as postgresql://USER@HOST/DATABASE or host=HOST dbname=DATABASE.",
            is_unsent=True,
        ) from None
    target = "primary" if psycopg.pq.version() >= LIBPQ_WITH_PRIMARY else "read-write"
    # A role or a variable may name another encoding, which lacks characters of names.
    params = {"application_name": "clawhosters.cloud", "target_session_attrs": target, **given}
    params["client_encoding"] = "UTF8"
    effective = {**_find_defaults(psycopg, given.get("service")), **params}
    hosts = [host.strip() for name in ("host", "hostaddr") for host in effective.get(name, "").split(",")]
    params.setdefault("connect_timeout", str(TIMEOUT if len(hosts) < 3 else 2))
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


def _find_defaults(psycopg: t.Any, service: str | None) -> dict[str, str]:
    """Returns the parameters of the environment and of a service file."""
    before = os.environ.get("PGSERVICE")
    if service:
        # libpq reads service files only for the one in the environment.
        os.environ["PGSERVICE"] = service
    try:
        options = psycopg.pq.Conninfo.get_defaults()
    finally:
        if before is not None:
            os.environ["PGSERVICE"] = before
        elif service:
            del os.environ["PGSERVICE"]
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}


def _is_local(host: str) -> bool:
    """Returns True for a loopback address and for a socket, which an empty host is, too."""
    return not host or host.startswith(("/", "@")) or is_loopback(host)


class UnreachableError(StoreError):
    """There is no connection, or no answer in time."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"state_database can't be reached ({reason})", UNREACHABLE_ADVICE)


class StatementError(StoreError):
    """The server rejected a statement. ``sqlstate`` is its code."""

    def __init__(self, reason: str, advice: str, sqlstate: str | None) -> None:
        super().__init__(reason, advice)
        self.sqlstate = sqlstate


class Session:
    """A session of this process with the database that ``connection`` names.

    Threads share it: whoever needs more than one statement takes ``lock``.
    """

    def __init__(self, connection: str) -> None:
        self._params = parse_connection(connection)
        self._psycopg = load_psycopg()
        self._connection: t.Any = None
        self._process = 0
        self._notices: list[str] = []
        self.lock = threading.RLock()

    @property
    def is_open(self) -> bool:
        return self._connection is not None and self._process == os.getpid()

    @property
    def backend(self) -> int:
        """Number of the server's process."""
        return self._connection.info.backend_pid

    def execute(self, statements: str, params: t.Mapping[str, object] | None = None) -> Rows:
        """Runs statements in one round trip, and returns the rows of the last one that has any.

        Raises UnreachableError or StatementError; an unknown outcome is an UnreachableError, and a change that no
        synchronous standby has confirmed a StatementError.
        """
        with self.lock:
            if not self.is_open:
                self._open()
            return self._run(statements, params)

    def close(self) -> None:
        """Ends the session; a later use opens it again."""
        with self.lock:
            if self.is_open:
                with contextlib.suppress(self._psycopg.Error):
                    self._connection.close()
            self._connection = None

    def _open(self) -> None:
        self._connection = None  # after a fork, the session belongs to the parent

        def connect() -> t.Any:
            return self._psycopg.connect(
                **self._params, autocommit=True, prepare_threshold=None, cursor_factory=self._psycopg.ClientCursor
            )

        try:
            connection = _call_in_time(connect)
        except (self._psycopg.Error, ValueError) as error:  # before 3.2, psycopg does not catch those of a timeout
            raise _explain_refusal(str(error)) from None
        except _NoAnswerError:
            raise UnreachableError(f"no connection within {TIMEOUT} s") from None
        self._connection, self._process = connection, os.getpid()
        connection.add_notice_handler(lambda notice: self._notices.append(notice.sqlstate or ""))
        try:
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != ENCODING:
                # It could not keep each name, or not return it as it was.
                raise StoreError(
                    f"the database in state_database has the encoding {one_line(encoding, 40)}, not {ENCODING}",
                    f"Create another with ENCODING '{ENCODING}' TEMPLATE template0",
                )
            if not self._run(_CONFIGURE, {"backend": self.backend}):
                raise StoreError(
                    "state_database goes through a connection pooler, which does not keep locks",
                    "Name the server itself",
                )
        except StoreError:
            self.close()
            raise

    def _run(self, statements: str, params: t.Mapping[str, object] | None) -> Rows:
        connection = self._connection
        self._notices.clear()
        try:
            rows = _call_in_time(lambda: _fetch(connection, statements, params))
        except _NoAnswerError:
            self._abandon()
            raise UnreachableError(f"no answer within {TIMEOUT} s") from None
        except self._psycopg.Error as error:
            if connection.closed or connection.broken:
                self._abandon()
                raise UnreachableError("the connection was lost") from None
            if connection.info.transaction_status:
                try:
                    _call_in_time(lambda: connection.execute("ROLLBACK"))
                except (self._psycopg.Error, _NoAnswerError):
                    self._abandon()
            raise _explain_error(error.sqlstate) from None
        if UNCONFIRMED in self._notices:
            raise StatementError(
                "a standby of state_database has not confirmed the change", UNREACHABLE_ADVICE, UNCONFIRMED
            )
        return rows

    def _abandon(self) -> None:
        """Gives up the connection. A thread that still waits for an answer gets an error."""
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)


class _NoAnswerError(Exception):
    """The call has not ended in time."""


T = t.TypeVar("T")


def _call_in_time(function: t.Callable[[], T]) -> T:
    """Returns the result of ``function``. Raises _NoAnswerError after TIMEOUT; the call then goes on in its thread.

    Neither libpq nor psycopg limits the time of a name lookup, or of an answer that a proxy holds back.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="clawhosters-database", daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    if errors:
        raise errors[0]
    if not results:
        raise _NoAnswerError
    return results[0]


def _fetch(connection: t.Any, statements: str, params: t.Mapping[str, object] | None) -> Rows:
    cursor = connection.execute(statements, params)
    rows: Rows = []
    while True:
        if cursor.description:
            rows = cursor.fetchall()
        if not cursor.nextset():
            return rows


def _explain_refusal(text: str) -> UnreachableError | SettingsError:
    """Returns the error of a connection that was not made. Only the text has the reason: there is no code before it.

    A value that is invalid is not shown: it may be a part of a password.
    """
    if _INVALID.search(text):
        return SettingsError(
            "state_database, or a variable or file that completes it, has a value that libpq rejects, such as of port "
            "or sslmode. In a URI, write @, : and / of a password as %40, %3A and %2F.",
            is_unsent=True,
        )
    return UnreachableError(next((reason for part, reason in _REFUSALS.items() if part in text), "no connection"))


def _explain_error(sqlstate: str | None) -> StoreError:
    """Returns the error for the code of the server (PostgreSQL, appendix A)."""
    code = sqlstate or ""
    if code in ("42P01", "3F000", "42703"):
        return StatementError(NO_SCHEMA, SCHEMA_ADVICE, code)
    if code == "42501":
        return StatementError("state_database does not grant what is needed", SCHEMA_ADVICE, code)
    if code == "25006":
        return StatementError(f"state_database can't be used ({STANDBY})", UNREACHABLE_ADVICE, code)
    if code == "57014":
        return UnreachableError(f"no answer within {TIMEOUT} s")
    return StatementError(f"state_database can't be used (SQLSTATE {code or 'unknown'})", UNREACHABLE_ADVICE, code)
