# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of the service, seen by clients, and errors of the control API, seen by testers."""

from __future__ import annotations


class Refused(Exception):
    """An error response of the service, in the envelope of contract 1."""

    def __init__(self, status: int, code: str | None, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class BadControl(Exception):
    """An invalid state file, switch, fault or control request. The message says what to write instead."""


def not_found() -> Refused:
    """Returns 404: the object doesn't exist or belongs to another account (contract 1)."""
    return Refused(404, "not_found", "Nothing found at this path.")


def refused_now(message: str, details: dict[str, str]) -> Refused:
    """Returns 422: a validation error, or an action that the current state forbids (contract 1)."""
    return Refused(422, "unprocessable_entity", message, details)
