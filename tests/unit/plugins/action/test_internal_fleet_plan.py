# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that a run prints for the plan that it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.clawhosters.cloud.plugins.action.internal_fleet_plan import format_next

COMMAND = "ansible-playbook clawhosters.cloud.fleet -e fleet_apply_plan=plan.json"
SENTENCE = "To apply exactly this, run the playbook without --check, and with fleet_apply_plan for fleet_plan_path."


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["@/srv/fleet.yml"], f"{COMMAND} -e@fleet.yml"),
        (["fleet_plan_path=plan.json", "@/srv/sub/fleet.yml"], f"{COMMAND} -e@sub/fleet.yml"),
        (["@/srv/fleet.yml", "fleet_serial=2"], None),
        (["@/srv/a.yml", "@/srv/b.yml"], None),
        (["@/srv/my fleet.yml"], None),
        (["@/srv/fleet.yml", '{"fleet_plan_path": "plan.json"}'], None),
        (["@/srv/fleet.yml", "fleet_state=$(id)"], None),
    ],
)
def test_the_next_command_is_a_line_to_paste_or_a_sentence(options, line):
    lines = format_next(Path("/srv/plan.json"), Path("/srv"), options)
    assert lines == ["To apply exactly this:", line] if line else " ".join(lines) == SENTENCE
