# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request before it is sent, and the hooks around sending it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .retry import IDEMPOTENT, RetryPolicy


class RequestHooks(t.Protocol):
    """Hooks called when a change is sent, after any wait for the rate limit."""

    def before_send(self) -> None:
        """Called just before the request is sent. An exception cancels it."""

    def on_rejected(self) -> None:
        """Called after a 429: nothing was executed, and the request may be sent again."""


@dataclass(frozen=True)
class Request:
    """One request to the API. ``timeout`` (seconds) and ``attempt`` (from 1) are set before each attempt."""

    method: str
    path: str
    params: t.Mapping[str, str] = field(default_factory=dict)
    body: object = None
    retry: RetryPolicy = IDEMPOTENT
    hooks: RequestHooks | None = None
    timeout: float = 30.0
    attempt: int = 1

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
