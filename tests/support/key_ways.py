# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to give a key, each with a key of its own, whose arrival is seen in the simulator's log."""

from __future__ import annotations

import typing as t

from ansible.parsing.vault import VaultLib, VaultSecret

from simulator.exchange import fingerprint
from simulator.handle import Simulator

from .controller import Run

PASSWORD = "vault-password"
MODULE, INVENTORY, EVENT_SOURCE = "module", "inventory", "event source"
EVERYWHERE = {MODULE, INVENTORY, EVENT_SOURCE}
WAYS: dict[str, set[str]] = {
    "environment variable": EVERYWHERE,
    "environment variable with a file": EVERYWHERE,
    "credential of the controller": EVERYWHERE,
    "file": EVERYWHERE,
    "extra variable": EVERYWHERE,
    "vaulted value": EVERYWHERE,
    "vaulted file": {MODULE, INVENTORY},
    "vaulted inventory file": {INVENTORY},
    "lookup env": {MODULE, INVENTORY},
    "lookup file": {MODULE, INVENTORY},
    "lookup pipe": {MODULE, INVENTORY},
    "lookup ini": {MODULE, INVENTORY},
    "module_defaults": {MODULE},
    "host variable": {MODULE},
    "group variable": {MODULE},
}
"""The ways, and what each works for."""


def key_of(way: str) -> str:
    return f"oc_live_{way.replace(' ', '_')}_0000"


def vaulted(text: str) -> str:
    """Returns ``text`` as `ansible-vault encrypt` writes it."""
    return VaultLib([("default", VaultSecret(PASSWORD.encode()))]).encrypt(text).decode()


def vaulted_value(name: str, text: str) -> str:
    """Returns a variable as `ansible-vault encrypt_string` writes it."""
    return f"{name}: !vault |\n" + "".join(f"  {line}\n" for line in vaulted(text).splitlines())


def assert_keys_arrived(simulator: Simulator, ways: t.Iterable[str], *runs: Run) -> None:
    """The keys of these ways arrived, no other, and none was printed."""
    arrived = {call["headers"].get("authorization") for call in simulator.log()}
    by_print = {fingerprint(key_of(way)): way for way in WAYS}
    assert {by_print.get(one, one) for one in arrived} == set(ways), "".join(run.screen for run in runs)
    assert not [way for way in WAYS for run in runs if key_of(way) in run.screen]


def ways_for(target: str) -> list[str]:
    return [way for way, targets in WAYS.items() if target in targets]
