# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a request, as the transport reports it and the rate limiter needs it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RequestOutcome:
    """Outcome of one request on the wire. ``status`` is None without a response."""

    sent: bool
    status: int | None = None
    headers: t.Mapping[str, str] = field(default_factory=dict)
