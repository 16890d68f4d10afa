# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a module's work meets Ansible: options in, one result out, whatever happens between.

The same code serves a module process (``run_module``) and the controller's own (the action plugins).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule

from .._errors import MESSAGE_LIMIT, ApiError, ClawHostersError, PartialError, SettingsError, one_line
from .._http.client import Client
from .._http.settings import parse_settings
from .._http.transport import require_library
from .._http.usage import Usage
from .._progress import Progress
from .._waiter import Waiter
from .arguments import ArgumentSpec

Result = dict[str, t.Any]


@dataclass
class ModuleContext:
    """What the work of a module gets: the options, a client, and a way to warn."""

    params: t.Mapping[str, t.Any]
    client: Client
    warn: t.Callable[[str], None]

    def waiter(self) -> Waiter | None:
        """A waiter with the task's deadline, which begins now; None when the task should not wait."""
        if not self.params["wait"]:
            return None
        timeout = self.params["wait_timeout"]
        if timeout < 0:
            raise SettingsError(f"wait_timeout is {timeout}, but must be 0 or more seconds.")
        return Waiter(timeout, self.client.progress, requests_left=lambda: self.client.usage.remaining)


RunFunction = t.Callable[[ModuleContext], Result]


@dataclass
class ModuleRunner:
    """One run of a module's work. ``secrets`` holds what the result must not show."""

    params: t.Mapping[str, t.Any]
    check_mode: bool
    progress: Progress = field(default_factory=Progress)
    needs_key: bool = True
    warnings: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def warn(self, text: str) -> None:
        """Takes a warning, in which there may be words of the service: it becomes a line."""
        self.warnings.append(one_line(text, MESSAGE_LIMIT))

    def run(self, run: RunFunction) -> Result:
        """What ``run`` returns, completed to the shape of interface 2; a failure is a result too."""
        usage = Usage()
        try:
            require_library()
            settings = parse_settings(self.params, self.warn, needs_key=self.needs_key)
            if settings.api_key:
                self.secrets.add(settings.api_key)
            client = Client(settings, check_mode=self.check_mode, progress=self.progress, usage=usage, warn=self.warn)
            result = {"changed": False, **run(ModuleContext(self.params, client, self.warn))}
        except ClawHostersError as error:
            result = build_failure(error)
        except Exception as error:  # A fault of our own must read as one line, too.
            result = {
                "failed": True,
                "msg": f"A fault of the collection, please report it: {type(error).__name__}: {one_line(error)}",
            }
        result["api"] = usage.as_dict()
        return result


def build_failure(error: ClawHostersError) -> Result:
    """The result of a task that ``error`` stopped."""
    result: Result = {"changed": False}
    if isinstance(error, PartialError):
        result.update(error.result)
    result.update(failed=True, msg=str(error))
    if isinstance(error, ApiError):
        result["error"] = error.as_dict()
    return result


def run_module(spec: ArgumentSpec, run: RunFunction) -> None:
    """The ``main()`` of every module."""
    # What the spec alone can tell to be secret, the module's own log of its options would show.
    no_log = spec.redact_options is not None
    module = AnsibleModule(argument_spec=spec.options, supports_check_mode=True, no_log=no_log, **spec.constraints())
    runner = ModuleRunner(module.params, module.check_mode, needs_key=spec.needs_key)
    result = runner.run(run)
    redacted = spec.redacted(module.params)
    result["invocation"] = {"module_args": redacted.params}
    # A key read from a file is as secret as one that was given; a blank is none, and would mask every message.
    secrets = module.no_log_values | runner.secrets | redacted.secrets
    module.no_log_values = {value for value in secrets if str(value).strip()}
    for warning in runner.warnings:
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
