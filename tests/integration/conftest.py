# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sorts the tests, and marks those of the slice."""

from __future__ import annotations

import pytest

IN_PROCESS = ("addons", "backup_info", "budget", "client", "finding")
IN_PROCESS += ("fleet", "power", "purchase", "restore", "state_folder")
"""Files (test_NAME.py) whose tests are in the slice of `make check`, except those that start commands."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds the markers ``command`` and ``slice``, and sorts the tests, slow ones first.

    So no worker is left with a slow test at the end.
    """
    for item in items:
        if "controller" in getattr(item, "fixturenames", ()):
            item.add_marker("command")
        elif item.path.stem.removeprefix("test_") in IN_PROCESS:
            item.add_marker("slice")
    items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in ("slow", "command")])
