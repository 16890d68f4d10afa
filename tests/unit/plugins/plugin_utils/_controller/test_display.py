# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the lines that show what a task waits for."""

from __future__ import annotations

import pytest
from ansible.utils.display import Display

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._controller.display import display_progress


@pytest.mark.parametrize(("switch", "shown"), [("", "web-bot: deploying"), ("1", "web-bot: deploying"), ("0", "")])
def test_waits_are_shown_on_standard_error_unless_switched_off(switch, shown, monkeypatch, capsys):
    """Standard output may be the JSON of a callback."""
    monkeypatch.setenv("CLAWHOSTERS_PROGRESS", switch)
    progress = display_progress(Display())
    progress.sleep(0.0, lambda _now: "web-bot: deploying", since=progress.clock() - 20.0, limit=300.0)
    screen = capsys.readouterr()
    assert screen.out == ""
    assert screen.err.startswith(shown)
    assert bool(screen.err) == bool(shown)
