# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of the store, and the names by which it keeps accounts and senders apart."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import pwd

from .._errors import ClawHostersError


def key_digest(api_url: str, api_key: str) -> str:
    """Returns what tells keys apart in names that others may see: a digest, which says nothing of the key."""
    return hashlib.sha256(f"{api_url}\n{api_key}".encode()).hexdigest()[:24]


class StoreError(ClawHostersError):
    """The store can't be used. ``str(error)`` is a clause without a full stop; ``advice`` says what to do."""

    def __init__(self, reason: object, advice: str) -> None:
        super().__init__(reason)
        self.advice = advice


class KnownOutageError(StoreError):
    """The store could not be reached a while ago, and the user was warned."""

    def __init__(self) -> None:
        super().__init__("state_database could not be reached", "Check state_database and the server")


def describe_sender() -> dict[str, str]:
    """Returns ``by`` of the journal: user and host of this process, whatever its environment says."""
    return {"user": find_user_name(os.geteuid()), "host": platform.node()}


@functools.cache
def find_user_name(user_id: int) -> str:
    """Returns the name in the password database, or the number: a container may run as a user without a name."""
    try:
        return pwd.getpwuid(user_id).pw_name or str(user_id)
    except KeyError:
        return str(user_id)
