# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Describes a wait for several resources. Pure."""

from __future__ import annotations

import typing as t

from ._progress import LINE_WIDTH
from ._text import format_list

REMAINING_NAMED = 3
"""Resources that a progress line names."""


def describe_remaining(descriptions: t.Iterable[tuple[str, str]], prefix: str = "") -> tuple[str, str]:
    """Returns name and condition of a wait: ``web-bot``, ``deploying``, or ``5 to go``, ``web-bot: deploying, …``."""
    described = list(descriptions)
    if len(described) == 1:
        return f"{prefix}{described[0][0]}", described[0][1]
    texts = [": ".join(description) for description in described]
    return f"{len(texts)} to go", format_list(texts, REMAINING_NAMED)


class ProgressSummary:
    """Formats the progress lines of a wait for several resources: each names what has changed since the one before.

    ``describe`` returns name and condition of each resource that is waited for. ``prefix`` begins each line.
    """

    def __init__(self, describe: t.Callable[[], t.Iterable[tuple[str, str]]], prefix: str = "") -> None:
        self._describe = describe
        self._prefix = prefix
        self._shown: dict[str, str] = {}

    def format(self) -> str:
        """Returns ``5 to go: web-bot done; docs-bot and 2 more running; the rest unchanged``."""
        described = list(self._describe())
        now, before, self._shown = dict(described), self._shown, dict(described)
        changes: dict[str, list[str]] = {"done": [name for name in before if name not in now]}
        for name, condition in described:
            if before.get(name) != condition:
                changes.setdefault(condition, []).append(name)
        changes = {condition: names for condition, names in changes.items() if names}
        rest = ["the rest unchanged" if changes else "all unchanged"] if before.items() & now.items() else []
        for named in range(REMAINING_NAMED, -1, -1):
            parts = [f"{_format_names(names, named)} {condition}" for condition, names in changes.items()]
            text = f"{self._prefix}{len(described)} to go: {'; '.join([*parts, *rest])}"
            if len(text) <= LINE_WIDTH:
                break
        return text


def _format_names(names: list[str], named: int) -> str:
    return format_list(names, named) if named else str(len(names))
