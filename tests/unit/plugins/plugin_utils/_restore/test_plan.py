# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of the role restore. test_role_restore.py has more."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan import match_backups, parse_targets
from support.restores import BACKUPS, WEB, plan


def test_parsing_of_targets():
    assert (
        parse_targets("a, b", None)
        == parse_targets(["a", "b"], [])
        == [{"name": "a", "id": None}, {"name": "b", "id": None}]
    )
    assert parse_targets([" a, b "], None) == [{"name": " a, b ", "id": None}]
    assert parse_targets(None, [" 7"]) == parse_targets(None, "7") == [{"name": None, "id": 7}]


@pytest.mark.parametrize(
    ("names", "ids"),
    [(None, None), (["a"], [1]), (["a", "a"], None), (None, ["x"]), (None, "1,01"), ([""], []), (" , ", [])],
)
def test_invalid_targets_are_rejected(names, ids):
    with pytest.raises(RefusedError):
        parse_targets(names, ids)


def test_the_newest_backup_is_selected_and_an_ambiguous_name_is_an_obstacle():
    assert match_backups(parse_targets("web-bot", None), [WEB], BACKUPS)[0].backup["id"] == 12
    twins = match_backups(parse_targets("web-bot", None), [WEB, {**WEB, "id": 3}], BACKUPS)[0]
    assert twins.kind == "ambiguous"
    nameless = [{"id": 9, "instance_name": "web-bot", "created_at": "2026-02-02T10:00:00Z"}]
    assert match_backups(parse_targets(None, [1]), [WEB, {**WEB, "id": 3}], nameless)[0].kind == "no_backup"
    assert match_backups(parse_targets(None, [1]), [WEB], nameless)[0].backup["id"] == 9


def test_a_plan_shows_the_data_loss():
    assert plan().sends is True
    assert "1 d 0 h old" in plan().lines[0]
    assert plan().lines[1].startswith("DATA LOSS: all changes since 2026-02-02 10:00 UTC")
    assert plan().older_backup == 11


def test_the_age_limit_applies_only_to_restores_that_would_be_sent():
    assert plan(restore_max_age="23h").kind == "too_old"
    assert plan(restore_max_age="25h").kind == ""
    assert plan({"restore": {"outcome": "in_flight", "sent_at": "x"}}, restore_max_age="23h").ready is True
    unreadable = {"backup": {"id": 12, "created_at": "some day"}}
    assert plan(unreadable, restore_max_age="23h").kind == "too_old"
    assert plan(unreadable).kind == ""
