# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requires that the user confirms what the role ``restore`` will overwrite: with a variable, or at the terminal."""

from __future__ import annotations

import typing as t

from ...module_utils._errors import ClawHostersError
from .._formatting import SCREEN_WIDTH, wrap
from .confirmation import expected_answer, explain_wrong_answer, format_question, is_confirmed
from .model import RestorePlan

TRIES = 3
"""Answers that are accepted at the terminal before the run ends."""


class NoTerminalError(ClawHostersError):
    """There is no terminal to ask at."""


class PromptInterruptedError(ClawHostersError):
    """Ctrl-C was pressed at the prompt."""


class NotConfirmedError(ClawHostersError):
    """The restores were not confirmed."""


class NobodyToAskError(NotConfirmedError):
    """They were not confirmed, since there was no terminal to ask at."""


def require_confirmation(
    plans: list[RestorePlan], given: str, ask: t.Callable[[str], str], shown: t.Sequence[str]
) -> str:
    """Returns how the plans were confirmed: by ``given``, the variable, or at the terminal. Raises NotConfirmedError.

    ``ask`` asks at the terminal. It raises NoTerminalError or PromptInterruptedError. ``shown`` are the lines of the
    plan.
    """
    if given:
        if not is_confirmed(given, plans, in_advance=True):
            raise NotConfirmedError(explain_wrong_answer("restore_confirm is", given, plans))
        return "The answer was given as restore_confirm."
    prompt = "\n".join([*shown, *format_question(plans)])
    problem = ""
    for _attempt in range(TRIES):
        answer = _ask(ask, prompt, plans)
        if not answer:
            raise NotConfirmedError("Nothing was typed.")
        if is_confirmed(answer, plans):
            return "The answer was typed at the terminal."
        problem = explain_wrong_answer("You typed", answer, plans)
        prompt = "\n".join([*wrap(problem, SCREEN_WIDTH), *format_question(plans, is_repeated=True)])
    raise NotConfirmedError(problem)


def _ask(ask: t.Callable[[str], str], prompt: str, plans: list[RestorePlan]) -> str:
    try:
        return ask(prompt).strip()
    except NoTerminalError:
        raise NobodyToAskError(
            "restore_confirm is empty, and no name was typed. There is no terminal to ask at: "
            f"set restore_confirm to {expected_answer(plans)}."
        ) from None
    except PromptInterruptedError:
        raise NotConfirmedError("Interrupted at the prompt.") from None
