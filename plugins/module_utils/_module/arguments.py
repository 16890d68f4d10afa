# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs that travel with their constraints, and the ones that modules share (interface 1)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible.module_utils.basic import env_fallback

from .._http.settings import DEFAULT_API_URL
from .._secret_fields import Options, RedactedOptions

DEFAULT_STATE_DIR = "~/.ansible/clawhosters"


@dataclass(frozen=True)
class ArgumentSpec:
    """Options and the constraints between them, in the terms of AnsibleModule."""

    options: dict[str, dict[str, t.Any]] = field(default_factory=dict)
    required_one_of: tuple[tuple[str, ...], ...] = ()
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    needs_key: bool = True
    redact_options: t.Callable[[Options], RedactedOptions] | None = None
    """For options in which only the module can tell what is secret; for those that are, there is no_log."""

    def merge(self, *others: ArgumentSpec) -> ArgumentSpec:
        """All of them together."""
        specs = (self, *others)
        return ArgumentSpec(
            options={name: option for spec in specs for name, option in spec.options.items()},
            required_one_of=tuple(names for spec in specs for names in spec.required_one_of),
            mutually_exclusive=tuple(names for spec in specs for names in spec.mutually_exclusive),
            needs_key=all(spec.needs_key for spec in specs),
            redact_options=next((spec.redact_options for spec in specs if spec.redact_options), None),
        )

    def constraints(self) -> dict[str, t.Any]:
        """The constraints by the names that AnsibleModule and ArgumentSpecValidator share."""
        return {"required_one_of": self.required_one_of, "mutually_exclusive": self.mutually_exclusive}

    def redacted(self, params: Options) -> RedactedOptions:
        """The options as results show them."""
        return self.redact_options(params) if self.redact_options else RedactedOptions(params, set())


def _from_environment(name: str, **option: t.Any) -> dict[str, t.Any]:
    return {**option, "fallback": (env_fallback, [name])}


API = ArgumentSpec(
    {
        "api_key": _from_environment("CLAWHOSTERS_API_KEY", type="str", no_log=True),
        # A path: what must not be seen is in the file, and is masked once it is read.
        "api_key_file": _from_environment("CLAWHOSTERS_API_KEY_FILE", type="path", no_log=False),
        "api_url": _from_environment("CLAWHOSTERS_API_URL", type="str", default=DEFAULT_API_URL),
        "ca_path": _from_environment("CLAWHOSTERS_CA_PATH", type="path"),
        "timeout": _from_environment("CLAWHOSTERS_TIMEOUT", type="float", default=30.0),
        "retry_timeout": _from_environment("CLAWHOSTERS_RETRY_TIMEOUT", type="float", default=180.0),
        "page_size": _from_environment("CLAWHOSTERS_PAGE_SIZE", type="int"),
        "state_dir": _from_environment("CLAWHOSTERS_STATE_DIR", type="path", default=DEFAULT_STATE_DIR),
    }
)
"""What every module takes: which service, which key, how patient."""

API_WITHOUT_KEY = replace(API, needs_key=False)
"""The same for a module that asks nothing of an account: a key is taken, and not looked at."""


def wait_arguments(seconds: int) -> ArgumentSpec:
    """What every module takes that can wait for an instance, by default for so many seconds at most."""
    return ArgumentSpec(
        {
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": seconds},
            "wait_healthy": {"type": "bool", "default": False},
        }
    )
