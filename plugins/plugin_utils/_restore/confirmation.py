# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requires that the user confirms what the role ``restore`` will overwrite: with a variable, or at the terminal."""

from __future__ import annotations

import typing as t

from ...module_utils._errors import ClawHostersError
from .._formatting import SCREEN_WIDTH, wrap
from .answers import explain_wrong_answer, format_question, is_confirmed
from .failures import FailureKind

if t.TYPE_CHECKING:
    from .run import Run


TYPED, GIVEN, NOT_ASKED = "typed", "restore_confirm", "not asked"
"""How a run was confirmed; otherwise by the playbook that is named."""

TRIES = 3
"""Answers that are accepted at the terminal before the run ends."""


class PromptInterruptedError(ClawHostersError):
    """Ctrl-C was pressed at the prompt."""


class NotConfirmedError(ClawHostersError):
    """The restores were not confirmed. ``failure`` is the kind of the failure."""

    failure = FailureKind.NOT_CONFIRMED


class NoTerminalError(NotConfirmedError):
    """There is no terminal to ask at."""


class PictureChangedError(NotConfirmedError):
    """A backup of the plan, or the account, has changed since it was shown."""

    failure = FailureKind.PICTURE_CHANGED


def require_confirmation(run: Run, given: str, ask: t.Callable[[str], str], shown: t.Sequence[str]) -> str:
    """Returns how the plans were confirmed: ``TYPED`` at the terminal, or ``GIVEN`` in the variable.

    ``ask`` asks at the terminal. It raises NoTerminalError or PromptInterruptedError. ``shown`` are the lines of the
    plan. Raises NotConfirmedError.
    """
    plans, incident = run.plans, run.incident
    if given:
        if not is_confirmed(given, plans, incident, in_advance=True):
            raise NotConfirmedError(explain_wrong_answer("restore_confirm is", given, plans, incident))
        return GIVEN
    question, above = format_question(plans, incident), list(shown)
    for _attempt in range(TRIES):
        answer = _ask(ask, "\n".join([*above, *question]))
        if not answer:
            raise NotConfirmedError("Nothing was typed.")
        if is_confirmed(answer, plans, incident):
            return TYPED
        problem = explain_wrong_answer("You typed", answer, plans, incident)
        above = wrap(problem, SCREEN_WIDTH)
    raise NotConfirmedError(problem)


def _ask(ask: t.Callable[[str], str], prompt: str) -> str:
    try:
        return ask(prompt).strip()
    except NoTerminalError:
        raise NoTerminalError("restore_confirm is empty, and there is no terminal to ask at.") from None
    except PromptInterruptedError:
        raise NotConfirmedError("Interrupted at the prompt.") from None
