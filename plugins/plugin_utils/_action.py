# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's work in the controller's own process (interface 1a): no copy of it, and no key, goes to a target."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from pathlib import Path
from types import ModuleType

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import AnsibleValidationErrorMultiple, UnsupportedError
from ansible.plugins.action import ActionBase

from ..module_utils._http.client import Usage
from ..module_utils._module.runner import ModuleRunner
from ._display import display_progress
from ._unsafe import make_unsafe


class ControllerAction(ActionBase):
    """Base of all action plugins; a subclass names its module, which has a SPEC and a run()."""

    MODULE: ModuleType

    _supports_async = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The task's result, in the shape that the module's would have."""
        result = super().run(tmp, task_vars)
        if self._task.async_val:
            # Only a process of its own can outlive the task.
            self._hide_source({str(self._task.args.get("api_key") or "").strip()} - {""})
            wrap_async = not self._connection.has_native_async
            return {**result, **self._execute_module(task_vars=task_vars, wrap_async=wrap_async)}
        environment: dict[str, t.Any] = {}
        self._compute_environment_string(environment)
        with _environment(environment):
            return {**result, **self._run_here()}

    def _run_here(self) -> dict[str, t.Any]:
        validator = ArgumentSpecValidator(self.MODULE.SPEC.options, **self.MODULE.SPEC.constraints())
        # Up to ansible-core 2.18 an inline vault is an object that the validator doesn't take for text.
        args = {name: str(value) if hasattr(value, "vault") else value for name, value in self._task.args.items()}
        validation = validator.validate(args)
        # A blank is no secret, and masking it would make every message unreadable.
        secrets = {value for value in map(str, validation._no_log_values) if value.strip()}
        given = _plain(validation.validated_parameters)
        shown = self.MODULE.SPEC.redact(given)
        secrets |= shown.secrets | {key for key in [str(args.get("api_key") or "").strip()] if key}
        if validation.error_messages:
            outcome = {"failed": True, "msg": self._option_error(validation.errors), "api": Usage().as_dict()}
        else:
            runner = ModuleRunner(
                given,
                bool(self._task.check_mode),
                display_progress(self._display),
                needs_key=self.MODULE.SPEC.needs_key,
                secrets=secrets,
            )
            outcome = runner.run(self.MODULE.run)
            if runner.warnings:
                outcome["warnings"] = runner.warnings
        if outcome.get("failed"):
            self._hide_source(secrets, is_secret=shown.params != given)
        if outcome.get("_ansible_no_log"):
            # ansible-core 2.18 shows the result of a loop as a whole, unless its task says so.
            self._task.no_log = True
        outcome["invocation"] = {"module_args": shown.params}
        return make_unsafe(_masked(outcome, secrets))

    def _option_error(self, errors: AnsibleValidationErrorMultiple) -> str:
        """What is wrong with the options, in the words that modules use."""
        if isinstance(errors[0], UnsupportedError):
            return f"Unsupported parameters for ({self._task.action}) module: {errors.msg}"
        return errors.msg

    def _hide_source(self, secrets: set[str], *, is_secret: bool = False) -> None:
        """Keeps a failed task's source off the screen when it holds one of ``secrets``, or if ``is_secret``.

        From ansible-core 2.19 on a failure shows the lines of the playbook around its task, or the ad-hoc command.
        """
        source = str(self._task.get_ds())
        with contextlib.suppress(OSError, UnicodeDecodeError):
            source += Path(self._task.get_path().rpartition(":")[0]).read_text(encoding="utf-8")
        # A key in the task may stand in its source in another spelling.
        if is_secret or self._task.args.get("api_key") or any(secret in source for secret in secrets):
            self._task._ds = None


def _masked(outcome: dict[str, t.Any], secrets: set[str]) -> dict[str, t.Any]:
    """``outcome`` without the secrets, as AnsibleModule does it: bools and nulls at the top stay what they are."""
    kept = {name: value for name, value in outcome.items() if value is None or isinstance(value, bool)}
    return {**remove_values(outcome, secrets), **kept}


def _plain(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options as a module process would get them: through JSON, without tags, lazy values or dates."""
    return json.loads(json.dumps(params, default=str))


@contextlib.contextmanager
def _environment(overlay: t.Mapping[str, t.Any]) -> t.Iterator[None]:
    """The ``environment`` of play, block and task, for as long as the task runs in this process."""
    saved = os.environ.copy()
    os.environ.update({name: str(value) for name, value in overlay.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)
