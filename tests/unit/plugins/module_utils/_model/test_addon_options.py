# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of what is shown of options that hold secrets inside."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._model.addon_fleet import redact_addon_options


@pytest.mark.parametrize(
    "entry",
    [
        {"id": 3, "provider_key": "sk-123456"},
        {"id": 3, "confg": "provider_key=sk-123456"},
        {"id": 3, "config": {"provider_key": "sk-123456"}},
        {"id": 3, "config": {"model": "sk-123456"}},
    ],
    ids=["beside config", "misspelt", "in config", "write_only"],
)
def test_no_secret_of_an_entry_shows_wherever_it_stands(entry: dict[str, object]) -> None:
    redacted = redact_addon_options({"addons": [entry, "no object"], "write_only": ["model"]})
    assert "sk-123456" not in str(redacted.params)
    assert redacted.secrets == ({"sk-123456"} if isinstance(entry.get("config"), dict) else set())


def test_what_names_the_add_on_is_shown() -> None:
    entry = {"addon_type": "llm", "instance_name": "web-bot", "config": {"enabled": True}}
    assert redact_addon_options({"addons": [entry]}).params["addons"] == [entry]
