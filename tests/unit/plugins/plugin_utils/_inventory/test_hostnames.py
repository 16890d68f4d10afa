# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names (contract U22) and variables of the hosts of the inventory."""

from __future__ import annotations

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._inventory.hosts import (
    Claim,
    DuplicateNamesError,
    InvalidAddressError,
    find_address,
    make_unique,
    safe_name,
)


def test_a_changed_name_is_told_with_its_id():
    warnings = []
    make_unique([("1", "a/b"), ("2", "a_b")], may_rename=True, warn=warnings.append)
    assert warnings[0].endswith("are changed: a/b (id 1) to a_b-1.")
    assert warnings[1].endswith(" appended: a_b-1, a_b-2.")


@given(st.lists(st.sampled_from(["a", "a-1", "a-2", "a-1-2", "b", "b-3"]), max_size=12))
def test_names_are_unique_and_begin_with_the_wanted_name(wanted):
    named = [(str(number), name) for number, name in enumerate(wanted, start=1)]
    names = make_unique(named, may_rename=True, warn=lambda warning: None)
    assert len(set(names.values())) == len(named)
    for instance_id, name in named:
        assert names[instance_id] in (name, f"{name}-{instance_id}")
    for instance_id, name in named:
        if wanted.count(name) > 1:
            assert names[instance_id] == f"{name}-{instance_id}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc", "_._.._etc"),
        (".", "_"),
        ("-V", "_V"),
        ("a\x00b\x1b[2J\u202e\ud800\n", "a_b_[2J___"),
        ("$HOME", "_HOME"),
        # The dollar would be that of a variable named _.
        ("a$/b", "a__b"),
        ("🤖" * 100, "🤖" * 50),
    ],
)
def test_a_safe_name(text, name):
    assert safe_name(text) == name
    assert safe_name(name) == name


@given(st.text(alphabet="/.-$_{}aA\x00\x1b~\\\ud800é"))
def test_a_safe_name_is_neither_a_path_nor_an_option(text):
    name = safe_name(text)
    expanded = os.path.expandvars(os.path.join("/folder", f"{name}.yml"))
    assert expanded == f"/folder/{name}.yml"
    assert not name.startswith(("-", "."))
    assert "/" not in name
    assert name == "" or name.isprintable()
    assert len(name.encode()) <= 200


def test_a_host_of_another_source_for_the_same_instance_keeps_its_name():
    claims = {
        "web": Claim("1", "web", "a"),
        "bot-2": Claim("2", "bot", "a"),
        "db": Claim(None, "db", "b"),
        "bot": Claim("9", "bot", "b"),
    }
    warnings = []
    wanted = [("1", "web"), ("2", "bot"), ("3", "db"), ("4", "bot"), ("5", "bot-2")]
    names = make_unique(wanted, claims=claims, may_rename=True, warn=warnings.append)
    assert names == {"1": "web", "2": "bot-2", "3": "db-3", "4": "bot-4", "5": "bot-2-5"}
    assert [warning.rpartition(" appended: ")[2] for warning in warnings] == ["db-3, bot-4, bot-2-5."]
    with pytest.raises(DuplicateNamesError, match=r"db can't be .* instance with id 3, since b uses it"):
        make_unique(wanted, claims=claims, may_rename=False, warn=pytest.fail)


NAMES = st.sampled_from(["a", "a-1", "a-2", "a-1-2", "b", "b-3", "all"])


@given(st.lists(NAMES, max_size=8), st.dictionaries(NAMES, st.sampled_from([None, "1", "2", "20"]), max_size=6))
def test_no_host_is_of_two_instances(wanted, hosts):
    claims = {name: Claim(instance_id, name, "other") for name, instance_id in hosts.items()}
    named = [(str(number), name) for number, name in enumerate(wanted, start=1)]
    names = make_unique(named, reserved={"all"}, claims=claims, may_rename=True, warn=lambda warning: None)
    assert len(set(names.values())) == len(named)
    for instance_id, name in names.items():
        assert name not in claims or claims[name].instance_id == instance_id


# Host variables have valid names, and addresses are addresses


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("ip_address", "-oProxyCommand=touch pwned"),
        ("ip_address", "fe80::1%-oProxyCommand"),
        ("ip_address", "7"),
        ("subdomain", "https://-oProxyCommand=x/"),
        ("subdomain", "https://user@web.example.com"),
    ],
)
def test_options_of_ssh_are_no_addresses(source: str, value: object) -> None:
    with pytest.raises(InvalidAddressError) as error:
        find_address({"ip_address": value, "subdomain_url": value}, source)
    assert error.value.value == value
