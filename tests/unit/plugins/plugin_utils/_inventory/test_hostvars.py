# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host variables have valid names, and addresses are addresses."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._inventory.hosts import (
    InvalidAddressError,
    build_host_variables,
    find_address,
)


def test_fields_with_a_valid_name_win_over_renamed_ones() -> None:
    variables = build_host_variables({"a-b": 1, "a_b": 2, "a.c": 3}, "claw_")
    assert variables == {"claw_a_b": 2, "claw_a_c": 3}


def test_the_service_does_not_set_connection_variables() -> None:
    assert build_host_variables({"ansible_host": "192.0.2.1", "host": "x", "id": 1}, "") == {"host": "x", "id": 1}
    assert build_host_variables({"host": "x", "id": 1}, "ansible_") == {}


@pytest.mark.parametrize(
    ("source", "value", "address"),
    [
        ("ip_address", " 192.0.2.1 ", "192.0.2.1"),
        ("ip_address", "2001:0db8:0::0004", "2001:db8::4"),
        ("ip_address", None, None),
        ("subdomain", "https://web.example.com/path", "web.example.com"),
        ("subdomain", "web.example.com", "web.example.com"),
        ("none", None, None),
    ],
)
def test_addresses(source: str, value: str | None, address: str | None) -> None:
    assert find_address({"ip_address": value, "subdomain_url": value}, source) == address


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
