# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads for processes of ``PROCESSES``. Each imports this file anew, so it imports little."""

from __future__ import annotations

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.client import Client
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.lists import fetch_all
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.open_store import open_store

from . import KEY


def read_by_tasks(url: str, store_options: dict[str, str], tasks: int) -> None:
    """Reads instances, each as a task of its own."""
    settings = parse_settings({"api_key": KEY, "api_url": url}, print)
    for number in range(tasks):
        with open_store(store_options) as store:
            Client(settings, store=store).fetch(f"/instances/{number + 1}")


def read_as(url: str, store_options: dict[str, str], priority: str, jobs: int) -> None:
    """Reads the pages of an inventory, with priority ``low``, or instances, as a fork of a play does."""
    params = {"api_key": KEY, "api_url": url, "priority": priority, "page_size": 3}
    with open_store(store_options) as store:
        client = Client(parse_settings(params, print), store=store)
        if priority == "low":
            fetch_all(client, "/instances")
        for number in range(jobs):
            client.fetch(f"/instances/{number + 1}")
