# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two ways to be refused: by the service (what a client sees) and by the control side (what a tester sees)."""

from __future__ import annotations


class Refused(Exception):
    """The service says no; becomes the error envelope of contract 1."""

    def __init__(self, status: int, code: str | None, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class BadControl(Exception):
    """A state file, switch, fault or control request that makes no sense; the text says what to write instead."""


def not_found() -> Refused:
    """Absent, or of another account: the service doesn't tell which (contract 1)."""
    return Refused(404, "not_found", "There is nothing here under that address.")


def refused_now(message: str, details: dict[str, str] | None = None) -> Refused:
    """422: a validation error, or an action that the present state forbids (contract 1)."""
    return Refused(422, "unprocessable_entity", message, details)
