# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module as a process of its own: what it prints and what it writes to the system's log."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.clawhosters.cloud.plugins.modules import claw_addon, claw_instance

SECRET = "sk-very-secret-1234567"
MASKED = {"provider_key": "********", "pin": "********", "tier": "eco"}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What modules write to the system's log; and no key in the environment."""
    written: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, *message, **more: written.append(f"{message} {more}"))
    for name in ("CLAWHOSTERS_API_KEY", "CLAWHOSTERS_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return written


def test_a_secret_that_only_the_module_can_tell_is_neither_printed_nor_logged(log, capsys):
    config = {"provider_key": SECRET, "pin": "77", "tier": "eco"}
    with patch_module_args({"id": 1, "config": config, "write_only": ["pin"]}), pytest.raises(SystemExit):
        claw_addon.main()
    printed = capsys.readouterr().out
    assert SECRET not in printed + str(log)
    # From ansible-core 2.21 on modules return their options only where that is asked for.
    invocation = json.loads(printed).get("invocation", {"module_args": {"config": MASKED}})
    assert invocation["module_args"]["config"] == MASKED
    assert log == []


def test_what_holds_no_secret_is_logged_as_ever(log, capsys):
    with patch_module_args({"id": 1}), pytest.raises(SystemExit):
        claw_instance.main()
    assert "No API key was given" in json.loads(capsys.readouterr().out)["msg"]
    assert "Invoked with" in str(log)
