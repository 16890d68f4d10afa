# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host names are one to an instance, whatever the instances are called (contract U22)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils.hostnames import DuplicateNames, unique_names


def test_names_that_are_unique_stay():
    assert unique_names([("1", "web"), ("2", "db")], may_rename=True, warn=pytest.fail) == {"1": "web", "2": "db"}


def test_all_that_share_a_name_get_their_id_with_a_warning():
    warnings = []
    names = unique_names([("1", "web"), ("2", "web"), ("3", "db")], may_rename=True, warn=warnings.append)
    assert names == {"1": "web-1", "2": "web-2", "3": "db"}
    assert len(warnings) == 1


def test_one_that_such_a_name_would_hide_gets_its_id_too():
    names = unique_names([("1", "web"), ("2", "web"), ("3", "web-1")], may_rename=True, warn=lambda warning: None)
    assert names == {"1": "web-1", "2": "web-2", "3": "web-1-3"}


def test_sharing_can_be_an_error_that_lists_the_ids():
    with pytest.raises(DuplicateNames, match=r"ids 1, 2 .* web"):
        unique_names([("1", "web"), ("2", "web")], may_rename=False, warn=pytest.fail)


@given(st.lists(st.sampled_from(["a", "a-1", "a-2", "a-1-2", "b", "b-3"]), max_size=12))
def test_every_instance_has_a_name_of_its_own_that_begins_with_the_wanted_one(wanted):
    named = [(str(number), name) for number, name in enumerate(wanted, start=1)]
    names = unique_names(named, may_rename=True, warn=lambda warning: None)
    assert len(set(names.values())) == len(named)
    for instance_id, name in named:
        assert names[instance_id] in (name, f"{name}-{instance_id}")
    for instance_id, name in named:
        if wanted.count(name) > 1:
            assert names[instance_id] == f"{name}-{instance_id}"
