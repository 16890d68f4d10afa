# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module: options in, one result out, whatever fails between.

Serves module processes (``run_module``) and the action plugins, which run in the controller's process.
"""

from __future__ import annotations

import functools
import traceback
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule

from .._errors import ClawHostersError, PartialError
from .._http.client import Client, RequestStats
from .._http.connections import require_library
from .._http.settings import KeyReader, parse_settings
from .._progress import Progress
from .._redaction import Redactor
from .._state.open_store import find_database_secrets, open_store
from .._text import MESSAGE_LIMIT, one_line
from .arguments import ArgumentSpec, unset_empty_variables

if t.TYPE_CHECKING:
    from .._model.resource import Result
    from .._service.account_check import AccountCheck
    from .._state.open_store import Store


class ModuleContext:
    """Options, client and warnings of one run."""

    # Begins the names of the options in messages: those of a role's task are variables.
    prefix = ""

    def __init__(
        self, params: t.Mapping[str, t.Any], client: Client, store: Store, warn: t.Callable[[str], None]
    ) -> None:
        self.params = params
        self.client = client
        self.store = store
        self.warn = warn

    @functools.cached_property
    def account(self) -> AccountCheck:
        """The account of the key. Its code is imported only if the task needs it."""
        from .._service.account_check import AccountCheck

        return AccountCheck(self.client)


RunFunction: t.TypeAlias = "t.Callable[[ModuleContext], Result]"


@dataclass(eq=False, repr=False)
class ModuleRunner:
    """Runs one module. ``secrets`` holds what the result must not show; the API key is added to it."""

    params: t.Mapping[str, t.Any]
    check_mode: bool
    progress: Progress = field(default_factory=Progress)
    needs_key: bool = True
    secrets: set[str] = field(default_factory=set)
    open_store: t.Callable[..., t.ContextManager[Store]] = open_store
    read_key: KeyReader | None = None
    warnings: list[str] = field(default_factory=list, init=False)

    def warn(self, text: str) -> None:
        """Adds a warning, once, on one line since it may quote the service."""
        if (line := one_line(text, MESSAGE_LIMIT)) not in self.warnings:
            self.warnings.append(line)

    def run(self, run: RunFunction) -> Result:
        """Returns the result of ``run``, or of its failure, with the keys that every result has.

        An unexpected exception puts its traceback into ``exception``. Ansible shows it with ``-vvv`` up to
        ansible-core 2.18, and with ANSIBLE_DISPLAY_TRACEBACK=error from 2.19.
        """
        stats = RequestStats()
        self.secrets |= find_database_secrets(self.params)
        try:
            require_library()
            settings = parse_settings(self.params, self.warn, needs_key=self.needs_key, read_key=self.read_key)
            if settings.api_key:
                self.secrets.add(settings.api_key)
            with self.open_store(self.params, may_create=not self.check_mode) as store:
                client = Client(
                    settings,
                    check_mode=self.check_mode,
                    progress=self.progress,
                    stats=stats,
                    warn=self.warn,
                    store=store,
                )
                result = _run_checked(run, ModuleContext(self.params, client, store, self.warn))
        except ClawHostersError as error:
            result = build_failure(error)
        except Exception as error:
            result = build_bug(error, Redactor(map(str, self.secrets)))
            result["changed"] = bool(stats.changes)
        result["api"] = stats.as_dict()
        return result


def _run_checked(run: RunFunction, context: ModuleContext) -> Result:
    """Returns the result of ``run``. If the account is not the one that is meant, that is the failure that is told.

    In check mode, the account is checked if something would change.
    """
    if context.client.settings.account:
        context.client.before_change = context.account.before_change
    try:
        result: Result = {"changed": False, **run(context)}
    except ClawHostersError as error:
        _require_account(context, error.result if isinstance(error, PartialError) else {})
        raise
    _require_account(context, result)
    return result


def _require_account(context: ModuleContext, result: Result) -> None:
    if context.client.settings.account and (
        context.account.refusal or (context.client.check_mode and result.get("changed"))
    ):
        context.account.before_change()


def build_failure(error: ClawHostersError) -> Result:
    """Returns the result of a task that ``error`` stopped."""
    result: Result = {"changed": False}
    if isinstance(error, PartialError):
        result.update(error.result)
    result.update(failed=True, msg=str(error))
    if error.response:
        result["error"] = error.response.as_dict()
    return result


def build_bug(error: Exception, redact: t.Callable[[str], str]) -> Result:
    """Returns the result of a task that an unexpected exception stopped. Call it while ``error`` is handled."""
    return {
        "failed": True,
        "msg": redact(f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}"),
        "exception": redact(traceback.format_exc()),
    }


def run_module(spec: ArgumentSpec, run: RunFunction) -> None:
    """Runs a module process, and exits."""
    unset_empty_variables()
    # The module would log its options, and only the spec can redact secrets inside of them.
    no_log = spec.redact_options is not None
    module = AnsibleModule(argument_spec=spec.options, supports_check_mode=True, no_log=no_log, **spec.constraints())
    redacted = spec.redact(module.params)
    secrets = {str(value) for value in module.no_log_values | redacted.secrets}
    runner = ModuleRunner(module.params, module.check_mode, needs_key=spec.needs_key, secrets=secrets)
    result = runner.run(run)
    result["invocation"] = {"module_args": redacted.params}
    # Redacting white space would make every message unreadable.
    module.no_log_values = {value for value in secrets if value.strip()}
    for warning in runner.warnings:
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**(result if result["changed"] else spec.build_unread(module.params) | result))
    module.exit_json(**result)
