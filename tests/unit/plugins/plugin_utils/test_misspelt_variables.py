# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Misspelt variables are those one typo away from an option, and no others."""

from __future__ import annotations

import string
from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.similar_names import is_misspelling
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._extra_variables import (
    find_misspelt,
)

ROOT = Path(__file__).resolve().parents[4]
FLEET = yaml.safe_load((ROOT / "playbooks/fleet.yml").read_text(encoding="utf-8"))
RESTORE_UNHEALTHY = yaml.safe_load((ROOT / "playbooks/restore_unhealthy.yml").read_text(encoding="utf-8"))
OWNERS = (
    {
        option: f"role {path.parts[-3]}"
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
        for option in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    }
    | dict.fromkeys(FLEET[0]["vars"]["fleet__options"], "playbook fleet")
    | dict.fromkeys(RESTORE_UNHEALTHY[0]["vars"]["restore_unhealthy__options"], "playbook restore_unhealthy")
)


@st.composite
def typos(draw: st.DrawFn) -> tuple[str, str]:
    """Draws a name of the collection, and the same with one typo."""
    name = draw(st.sampled_from(sorted(OWNERS)))
    letter = draw(st.sampled_from(string.ascii_letters))
    place = draw(st.integers(1, len(name) - 1))
    before, here, after = name[:place], name[place], name[place + 1 :]
    changes = {
        "missing": before + after,
        "too many": before + letter + here + after,
        "wrong": before + letter + after if here != "_" else before + after,
        "swapped": name[: place - 1] + here + name[place - 1] + after,
        "underscores": name.replace("_", draw(st.sampled_from(["", "__", "-", ".", " "]))),
        "an underscore": before + "_" + here + after,
        "case": draw(st.sampled_from([name.upper(), name.capitalize(), name.title().replace("_", "")])),
    }
    return name, changes[draw(st.sampled_from(sorted(changes)))]


@given(typos())
@example(("restore_unhealthy_id", "restore_unhealthy_idx"))
def test_every_single_typo_is_found_with_the_known_name(typo: tuple[str, str]) -> None:
    known, name = typo
    found = find_misspelt([name], OWNERS)
    if name in OWNERS:
        assert not found
    else:
        # One letter too many in one known name can be a wrong letter in another.
        assert found[name] == known or is_misspelling(found[name], known)


def test_other_variables_are_not_reported() -> None:
    own = [
        *("restore_note", "restore_team", "restore_incident_id", "restore_incident_no", "restore_backup_id", "restore"),
        *("restore_max_size", "restore_http_port", "restore_before_lunch", "restore_names", "restore_folder", "id"),
        *("fleet_owner", "fleet_status", "fleet_max_cost", "fleet_instances_2", "fleet_instances2", "fleet_ids"),
        *("balance_guard_mail_to", "balance_guard_min_claws", "fleet_report_page", "fleet_report_owner", ""),
    ]
    assert find_misspelt([*own, 7, None, True], OWNERS) == {}


@given(st.sampled_from(sorted(OWNERS)), st.from_regex(r"_[a-z]{3,10}", fullmatch=True))
def test_an_additional_word_makes_another_name(known: str, word: str) -> None:
    assert find_misspelt([known + word], OWNERS) == {}


def test_loop_variables_are_not_reported() -> None:
    assert find_misspelt({"restore_instance"}, OWNERS) == {"restore_instance": "restore_instances"}
    assert find_misspelt({"restore_instance", "restore_instances"}, OWNERS) == {}
    assert find_misspelt({"balance_guard_min_day", "balance_guard_min_days"}, OWNERS) != {}
