# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects what is wrong with the variables of a role, so that one run tells all of it."""

from __future__ import annotations

import typing as t

from ..module_utils._errors import ClawHostersError, SettingsError

P = t.ParamSpec("P")
T = t.TypeVar("T")


class Problems:
    """The errors that the checks of variables have raised, and other sentences."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def collect(self, check: t.Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Returns what a check returns. If it raises an error of the collection, keeps that and returns None."""
        try:
            return check(*args, **kwargs)
        except ClawHostersError as error:
            self._texts.append(error.text)
            return None

    def add(self, text: str) -> None:
        """Adds a sentence."""
        self._texts.append(text)

    def raise_if_any(self) -> None:
        """Raises SettingsError with all errors, if there are any."""
        if self._texts:
            raise SettingsError(" ".join(self._texts), is_unsent=True)
