# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches balance, costs, transactions and packages of the account."""

from __future__ import annotations

import typing as t

from .._errors import SettingsError
from .._http.client import Client
from .._http.lists import fetch_list

PARTS = ("summary", "usage", "transactions", "packages")


def fetch_billing(client: Client, parts: t.Iterable[str], max_pages: int) -> dict[str, t.Any]:
    """Returns each of ``parts`` by its name, in whatever shape. Costs one request each; transactions one per page.

    ``max_pages`` limits the pages of transactions; 0 for all. Raises SettingsError if it is negative.
    """
    if max_pages < 0:
        raise SettingsError(f"max_pages is {max_pages}, but must be 0 (all pages) or more.")
    fetchers: dict[str, t.Callable[[], t.Any]] = {
        "summary": lambda: client.fetch_data("/billing/summary"),
        "usage": lambda: client.fetch_data("/billing/usage"),
        "transactions": lambda: fetch_list(client, "/billing/transactions", max_pages),
        "packages": lambda: fetch_list(client, "/billing/packages"),
    }
    return {part: fetchers[part]() for part in dict.fromkeys(parts)}
