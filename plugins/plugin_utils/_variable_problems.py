# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects what is wrong with the variables of a role, so that one run tells all of it."""

from __future__ import annotations

import contextlib
import typing as t

from ..module_utils._errors import ClawHostersError, SettingsError


class Problems:
    """The errors that the checks of variables have raised."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    @contextlib.contextmanager
    def collected(self) -> t.Iterator[None]:
        """Keeps an error of the collection that is raised, and ends the context."""
        try:
            yield
        except ClawHostersError as error:
            self._texts.append(error.text)

    def raise_if_any(self) -> None:
        """Raises SettingsError with all errors, if there are any."""
        if self._texts:
            raise SettingsError(" ".join(self._texts), is_unsent=True)
