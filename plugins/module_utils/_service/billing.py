# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the account has, spends and could buy, as the service tells it (contract 5)."""

from __future__ import annotations

import typing as t

from .._errors import SettingsError
from .._http.client import Client

PARTS = ("summary", "usage", "transactions", "packages")


def read(client: Client, parts: t.Iterable[str], max_pages: int) -> dict[str, t.Any]:
    """Each of the parts that is asked for, at one request each; transactions up to ``max_pages``, 0 for all."""
    if max_pages < 0:
        raise SettingsError(f"max_pages is {max_pages}, but must be 0 (all pages) or more.")
    readers: dict[str, t.Callable[[], t.Any]] = {
        "summary": lambda: client.fetch_object("/billing/summary"),
        "usage": lambda: client.fetch_object("/billing/usage"),
        "transactions": lambda: client.fetch_list("/billing/transactions", max_pages),
        "packages": lambda: client.fetch_list("/billing/packages"),
    }
    return {part: readers[part]() for part in dict.fromkeys(parts)}
