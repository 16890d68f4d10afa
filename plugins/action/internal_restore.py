# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_restore, which does the work of the role ``restore``, and asks at the terminal.

Its parts: ``role_planner.py`` checks and plans, ``role_executor.py`` confirms and restores, ``finish.py`` reports.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import to_text

from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._service.restore.reason import ReasonError, ReasonKind
from ..plugin_utils._controller.display import show_lines
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._restore_role.role_planner import RolePlanner, begin_run
from ..plugin_utils._restore_role.variables import parse_variables

if t.TYPE_CHECKING:
    from ..module_utils._model.resource import Options, Result
    from ..module_utils._module.runner import ModuleContext
    from ..plugin_utils._restore_role.role_planner import Screen

NO_TERMINAL = "restore_confirm is empty, and there is no terminal to ask at."
_STDIN, _STDOUT = 0, 1


def _open_hidden_terminal() -> int | None:
    """Opens the terminal at which the user types; None if there is none, or standard output goes there."""
    with contextlib.suppress(OSError):
        if os.isatty(_STDIN) and not os.isatty(_STDOUT):
            return os.open(os.ttyname(_STDIN), os.O_WRONLY | os.O_NOCTTY)
    return None


_hidden_terminal = _open_hidden_terminal()
"""Opened before the worker is forked, which may have no terminal: ansible-core imports action plugins before."""


def show_question(text: str) -> None:
    """Shows a question at the terminal if Ansible's own output goes elsewhere, such as into a file."""
    if _hidden_terminal is not None:
        with contextlib.suppress(OSError):
            os.write(_hidden_terminal, f"{text}\n".encode(errors="replace"))


SPEC = ArgumentSpec({"variables": {"type": "dict", "required": True}}).merge(
    FAILURE_OPTION, API.with_default("priority", "high")
)


def run(context: ModuleContext, redact: t.Callable[[t.Any], t.Any], screen: Screen) -> Result:
    """Carries out a run, and returns the result of the task. ``redact`` removes secrets from what is shown."""
    role_run = begin_run(context.params["variables"], check=context.client.check_mode)
    planner = RolePlanner(context, role_run, screen, redact)
    if planner.plan() and not role_run.check:
        _restore(planner)
    from ..plugin_utils._restore_role.finish import finish

    return finish(planner)


def _restore(planner: RolePlanner) -> None:
    with planner.client.progress.if_interrupted(lambda: [f"Nothing was sent for incident {planner.run.incident}."]):
        from ..plugin_utils._restore_role.role_executor import RoleExecutor
    with contextlib.ExitStack() as held:
        executor = RoleExecutor(planner)
        if planner.step(lambda: executor.confirm(held)):
            planner.step(executor.carry_out, ReasonKind.INTERRUPTED)


class ActionModule(RoleAction):
    """Carries out a run of the role. It is the screen, too."""

    _is_seen = True
    _lines: t.Sequence[str] = ()
    """Lines that were shown since the last question."""

    def require_variables(self, args: Options) -> None:
        """Raises ClawHostersError for wrong variables: a missing key is told only after them."""
        parse_variables(args["variables"], check=bool(self._task.check_mode))

    def run_task(self, context: ModuleContext, secrets: t.Collection[str]) -> Result:
        """Runs the task."""
        return run(context, lambda value: remove_values(value, secrets), self)

    # Screen

    def show(self, lines: t.Sequence[str]) -> None:
        """Shows lines at once, and with the question where they were not shown."""
        self._is_seen = show_lines(self._display, lines)
        self._lines = [*self._lines, *lines]

    def ask(self, prompt: str) -> str:
        """Returns what is typed at the terminal."""
        whole, self._lines = "\n".join([*self._lines, prompt]), []
        show_question(whole)
        try:
            return to_text(self._display.prompt_until(prompt if self._is_seen else whole), errors="replace")
        except AnsiblePromptNoninteractive:
            raise ReasonError(ReasonKind.NOT_CONFIRMED, NO_TERMINAL) from None
        except AnsiblePromptInterrupt:
            raise ReasonError(ReasonKind.NOT_CONFIRMED, "Interrupted at the prompt.") from None
