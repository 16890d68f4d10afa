# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules in the controller's process, so that no API key is sent to a host."""

from __future__ import annotations

import contextlib
import json
import sys
import typing as t
from functools import partial
from pathlib import Path
from types import ModuleType

from ansible import template
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import AnsibleValidationErrorMultiple, UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ...module_utils._errors import ClawHostersError, SettingsError
from ...module_utils._http.client import RequestStats
from ...module_utils._http.settings import expand_home, without_unused_key
from ...module_utils._model.resource import Options, Result
from ...module_utils._module.arguments import API, ArgumentSpec, environment, require_ids
from ...module_utils._module.runner import ModuleContext, ModuleRunner, build_failure
from ...module_utils._state.open_store import find_database_secrets, open_store, preload_database
from ...module_utils._text import find_keys
from .display import display_progress, outage_path, read_key_once
from .interruption import interrupt_texts_shown

preload_database()


class ControllerAction(ActionBase):
    """Base of all action plugins. Those of roles and playbooks have one of their own, in ``role_action.py``."""

    MODULE: ModuleType
    """Holds SPEC and ``run()``."""
    PREFIX = ""
    """Begins the variables of a role that are options with a path."""

    # With False, Ansible would refuse `async` in words of its own, and could show a key in the source of the task.
    _supports_async = True
    _requires_connection = False

    def __init_subclass__(cls, module: ModuleType | None = None) -> None:
        """Makes the action of ``module``, by default of the file that the class is in."""
        super().__init_subclass__()
        cls.MODULE = module or sys.modules[cls.__module__]

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Returns the result that the module would return. Shows the diff of a failed task, which Ansible does not."""
        result = super().run(tmp, task_vars)
        variables: dict[str, t.Any] = {}
        self._compute_environment_string(variables)
        with environment(variables):
            result.update(self._validate_and_run())
        # With failed_when, the task may count as ok. Then Ansible shows the diff.
        is_shown = self._task.diff and not self._task.failed_when and not self._task.no_log
        if is_shown and result.get("failed") and result.get("changed") and result.get("diff"):
            # On standard error, since standard output may be the JSON of a callback.
            self._display.display(_format_diff(**result["diff"]), stderr=True)
        return result

    def spec(self) -> ArgumentSpec:
        """Returns the options of the task."""
        spec: ArgumentSpec = self.MODULE.SPEC
        return spec

    def require_valid(self, args: Options) -> None:
        """Raises ClawHostersError for options that Ansible's validation would explain less well. Called before it."""
        require_ids(args)

    def show_result(self, result: Result, secrets: t.Collection[str]) -> None:
        """Shows what is not shown by Ansible."""

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the task. ``secrets`` are redacted in its result, and only there."""
        result: Result = self.MODULE.run(context)
        return result

    def _validate_and_run(self) -> dict[str, t.Any]:
        spec = self.spec()
        validator = ArgumentSpecValidator(spec.options, **spec.constraints())
        # Up to ansible-core 2.18 the validator does not accept an inline vault, an object, as text.
        args = {name: str(value) if hasattr(value, "vault") else value for name, value in self._task.args.items()}
        validation = validator.validate(args)
        # Redacting blanks would make every message unreadable.
        secrets = {value for value in map(str, validation._no_log_values) if value.strip()}
        params = _to_plain_json(validation.validated_parameters)
        redacted = spec.redact(params)
        secrets |= redacted.secrets | self._find_secret_args()
        if failure := self._find_invalid(spec, args, validation):
            result = {**failure, "api": RequestStats().as_dict()}
        else:
            progress = display_progress(self._display)
            runner = ModuleRunner(
                without_unused_key(params, args),
                bool(self._task.check_mode),
                progress,
                needs_key=spec.needs_key,
                secrets=secrets,
                open_store=partial(open_store, outage_path=outage_path()),
                read_key=read_key_once,
            )
            for both in validation._warnings:
                runner.warn("Both option {option} and its alias {alias} are set.".format(**both))
            with interrupt_texts_shown(progress):
                # The runner adds the key to the secrets.
                result = runner.run(lambda context: self.run_task(context, secrets))
            if runner.warnings:
                result["warnings"] = runner.warnings
        if result.get("failed"):
            if not result.get("changed"):
                result = spec.build_unread(params | _to_plain_json(args)) | result
            self._hide_source(secrets, has_secret_params=redacted.params != params)
        self.show_result(result, secrets)
        if result.get("_ansible_no_log"):
            # ansible-core 2.18 prints the whole result of a loop unless the task has no_log.
            self._task.no_log = True
        result["invocation"] = {"module_args": redacted.params}
        return _mark_unsafe(_redact_values(result, secrets))

    def _find_invalid(
        self, spec: ArgumentSpec, args: dict[str, t.Any], validation: ValidationResult
    ) -> dict[str, t.Any] | None:
        """Returns the result for a task that can't run; None if it can."""
        try:
            if self._task.async_val:
                raise SettingsError(
                    f"{self._task.action} can't run with async: a job could outlive the run unnoticed, and one "
                    "claw_fleet task waits for many instances at once. Remove async from the task, or -B from an "
                    "ad-hoc command. Nothing was sent."
                )
            for name, option in spec.options.items():
                path = validation.validated_parameters.get(name)
                if path and option.get("type") == "path" and name not in API.options:
                    expand_home(f"{self.PREFIX}{name}", str(path))
            self.require_valid(_to_plain_json(args))
        except ClawHostersError as error:
            return build_failure(error)
        return {"failed": True, "msg": self._format_error(validation.errors)} if validation.error_messages else None

    def _find_secret_args(self) -> set[str]:
        """Returns the secrets in the arguments of the task."""
        key = str(self._task.args.get("api_key") or "").strip()
        secrets = ({key} if key else set()) | find_database_secrets(self._task.args)
        # Validation may lose an option that it can't convert.
        return secrets | find_keys(str(self._task.args))

    def _format_error(self, errors: AnsibleValidationErrorMultiple) -> str:
        """Returns the error message for invalid options, in the words of a module process."""
        # Another error may be due to the misspelt option: with nam instead of name, a name is missing.
        misspelt = next((error.msg for error in errors.errors if isinstance(error, UnsupportedError)), None)
        return self.format_unsupported(misspelt) if misspelt else errors.msg

    def format_unsupported(self, problem: str) -> str:
        """Returns the message for an option that does not exist."""
        return f"Unsupported parameters for ({self._task.action}) module: {problem}"

    def _hide_source(self, secrets: set[str], *, has_secret_params: bool = False) -> None:
        """Keeps the source of a failed task off the screen if it may hold a secret.

        From ansible-core 2.19 a failure shows the lines of the playbook around the task, or the ad-hoc command.
        """
        source = str(self._task.get_ds())
        with contextlib.suppress(OSError, UnicodeDecodeError):
            source += Path(self._task.get_path().rpartition(":")[0]).read_text(encoding="utf-8")
        # The source may spell the key of the task differently.
        has_secret_args = any(self._task.args.get(name) for name in ("api_key", "state_database"))
        if has_secret_params or has_secret_args or any(secret in source for secret in secrets):
            self._task._ds = None


def _format_diff(before: dict[str, t.Any], after: dict[str, t.Any]) -> str:
    """Returns the diff as Ansible shows it."""
    import difflib  # 1 % of a task is spent on it, and few show a diff.

    old, new = (json.dumps(state, indent=4, ensure_ascii=False).splitlines() for state in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm=""))


def _redact_values(result: dict[str, t.Any], secrets: t.Iterable[str]) -> dict[str, t.Any]:
    """Returns ``result`` without the secrets, like AnsibleModule: bools and nulls at the top level stay."""
    kept = {name: value for name, value in result.items() if value is None or isinstance(value, bool)}
    return {**remove_values(result, secrets), **kept}


def _mark_unsafe(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """Returns the result so that none of its text is evaluated. From ansible-core 2.19, only trusted text is."""
    return result if hasattr(template, "trust_as_template") else wrap_var(result)


def _to_plain_json(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Returns the options as a module process gets them: through JSON, without tags, lazy values or dates."""
    return json.loads(json.dumps(params, default=str))
