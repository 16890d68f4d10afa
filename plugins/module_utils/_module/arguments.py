# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs with their constraints, those that modules share, and the environment variables of the collection."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ansible.module_utils.common.parameters import env_fallback

from .._errors import SettingsError
from .._http.settings import DEFAULT_API_URL, DEFAULT_PRIORITY, PRIORITIES
from .._model.resource import IDS_ARE, Options, Redacted, Result, parse_id
from .._text import find_keys, one_line

DEFAULT_STATE_DIR = "~/.ansible/clawhosters"
PROTECTED_VARIABLE = "CLAWHOSTERS_PROTECTED"
"""Names instances which are never deleted."""


class ArgumentSpec(t.NamedTuple):
    """Options and their constraints, as AnsibleModule takes them."""

    options: dict[str, dict[str, t.Any]]
    required_one_of: tuple[tuple[str, ...], ...] = ()
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    needs_key: bool = True
    build_unread: t.Callable[[Options], Result] = lambda _options: {}
    """Returns what the result of a task has that failed before it read anything. Its options need not be valid."""
    redact_options: t.Callable[[Options], Redacted] | None = None
    """Redacts secrets inside of options. An option that is a secret as a whole has ``no_log``."""

    def merge(self, *others: ArgumentSpec) -> ArgumentSpec:
        """Returns this spec with the options and constraints of all."""
        specs = (self, *others)
        return self._replace(
            options={name: option for spec in specs for name, option in spec.options.items()},
            required_one_of=tuple(names for spec in specs for names in spec.required_one_of),
            mutually_exclusive=tuple(names for spec in specs for names in spec.mutually_exclusive),
            needs_key=all(spec.needs_key for spec in specs),
        )

    def with_default(self, name: str, value: t.Any) -> ArgumentSpec:
        """Returns a copy in which the option ``name`` has this default."""
        return self._replace(options={**self.options, name: {**self.options[name], "default": value}})

    def constraints(self) -> dict[str, t.Any]:
        """Returns the constraints as keywords of AnsibleModule and ArgumentSpecValidator."""
        return {"required_one_of": self.required_one_of, "mutually_exclusive": self.mutually_exclusive}

    def redact(self, params: Options) -> Redacted:
        """Returns the options as results show them, and the secrets that were redacted."""
        redacted = self.redact_options(params) if self.redact_options else Redacted(params, set())
        # A key may have been given as another option.
        return redacted._replace(secrets=redacted.secrets | find_keys(json.dumps(params, default=str)))


def _from_environment(name: str, **option: t.Any) -> dict[str, t.Any]:
    return {**option, "fallback": (env_fallback, [name])}


API = ArgumentSpec(
    {
        "api_key": _from_environment("CLAWHOSTERS_API_KEY", type="str", no_log=True),
        # The path is not a secret; the key in the file is redacted once it is read.
        "api_key_file": _from_environment("CLAWHOSTERS_API_KEY_FILE", type="path", no_log=False),
        "api_url": _from_environment("CLAWHOSTERS_API_URL", type="str", default=DEFAULT_API_URL),
        "ca_path": _from_environment("CLAWHOSTERS_CA_PATH", type="path"),
        "timeout": _from_environment("CLAWHOSTERS_TIMEOUT", type="float", default=30.0),
        "retry_timeout": _from_environment("CLAWHOSTERS_RETRY_TIMEOUT", type="float", default=180.0),
        "page_size": _from_environment("CLAWHOSTERS_PAGE_SIZE", type="int"),
        "state_dir": _from_environment("CLAWHOSTERS_STATE_DIR", type="path", default=DEFAULT_STATE_DIR),
        "state_database": _from_environment("CLAWHOSTERS_STATE_DATABASE", type="str", no_log=True),
        "priority": _from_environment("CLAWHOSTERS_PRIORITY", type="str", choices=PRIORITIES, default=DEFAULT_PRIORITY),
        "account": _from_environment("CLAWHOSTERS_ACCOUNT", type="str"),
    }
)
"""Connection options of every module. One with another priority takes ``API.with_default("priority", "high")``."""

KNOWN_VARIABLES = (
    *(option["fallback"][1][0] for option in API.options.values()),
    "CLAWHOSTERS_PROGRESS",
    PROTECTED_VARIABLE,
)
"""The environment variables of the collection."""


def unset_empty_variables() -> None:
    """Unsets what is empty of these and of HOME: Ansible would take it as a value, and ``~`` as the root folder."""
    for name in (*KNOWN_VARIABLES, "HOME"):
        if os.environ.get(name) == "":
            del os.environ[name]


@contextlib.contextmanager
def environment(overlay: t.Mapping[str, object]) -> t.Iterator[None]:
    """Sets the variables of ``overlay`` for a block, in which none of the collection is empty."""
    saved = os.environ.copy()
    os.environ.update({name: str(value) for name, value in overlay.items()})
    unset_empty_variables()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


API_WITHOUT_KEY = API._replace(needs_key=False)
"""Connection options of a module that needs no key. A key is accepted and ignored."""


def require_ids(options: t.Mapping[str, t.Any]) -> None:
    """Raises SettingsError for an option that names an id, and is none. The options need not be valid."""
    for name in ("id", "instance_id", "backup_id", "ids"):
        given = options.get(name)
        for value in given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]:
            if value is not None and not isinstance(parse_id(value), int):
                raise SettingsError(f"{name} is {one_line(value) or 'empty'}, but {IDS_ARE}.", is_unsent=True)


def wait_arguments(seconds: int) -> ArgumentSpec:
    """Returns the options of modules that wait for an instance. ``seconds`` is the default of ``wait_timeout``."""
    return ArgumentSpec(
        {
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": seconds},
            "wait_healthy": {"type": "bool", "default": False},
        }
    )


def parse_wait(params: t.Mapping[str, t.Any], prefix: str = "") -> float | None:
    """Returns the seconds of the wait that the options ask for; None with ``wait: false``. Raises SettingsError."""
    return parse_wait_timeout(params, prefix) if params["wait"] else None


def parse_wait_timeout(params: t.Mapping[str, t.Any], prefix: str = "") -> float:
    """Returns the option ``wait_timeout``, in seconds. Raises SettingsError if it is negative."""
    timeout: float = params["wait_timeout"]
    if timeout < 0:
        raise SettingsError(f"{prefix}wait_timeout is {timeout}, but must be 0 or more seconds.")
    return timeout
