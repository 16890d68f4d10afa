# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store behind rate budget and journal: files of one machine, or a database of many.

Its users don't know which one they have.
"""

from __future__ import annotations

import hashlib

from .._errors import ClawHostersError


class StoreError(ClawHostersError):
    """The store can't be used. ``str(error)`` is a clause without a full stop; ``advice`` says what to do.

    ``is_known``: it could not be reached a while ago, and the user was warned.
    """

    def __init__(self, reason: object, advice: str, *, is_known: bool = False) -> None:
        super().__init__(reason)
        self.advice = advice
        self.is_known = is_known


class Document:
    """A small text that is locked in a block. At its end, ``new_content`` replaces the content, if it was set.

    ``clock_offset``: seconds by which the clock of the store is ahead of ``time.monotonic``.
    """

    def __init__(self, content: str, clock_offset: float = 0.0) -> None:
        self.content = content
        self.clock_offset = clock_offset
        self.new_content: str | None = None


def key_digest(api_url: str, api_key: str) -> str:
    """Returns what tells keys apart in names that others may see: a digest, which says nothing of the key."""
    return hashlib.sha256(f"{api_url}\n{api_key}".encode()).hexdigest()[:24]
