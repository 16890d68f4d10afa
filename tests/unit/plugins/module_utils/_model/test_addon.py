# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add-ons without a service: what diffs show, what is concealed, when a body is wrapped (contract 6)."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import RefusedError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.addon import AddonQuery, require_one
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.addon_changes import (
    AddonUpdate,
    redact_addon_options,
)

ACCOUNT = [
    {"id": 1, "addon_type": "llm", "instance_id": 7, "instance_name": "web-bot"},
    {"id": 2, "addon_type": "browser", "instance_id": 7, "instance_name": "web-bot"},
    {"id": 3, "addon_type": "browser", "instance_id": 8, "instance_name": "spare-bot"},
]


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        (ACCOUNT[1:], (None, "browser"), "2 add-ons match browser add-on (ids 2 of web-bot (id 7), 3 of spare-bot (id"),
        ([], (2, "llm"), "The browser add-on 2 of web-bot (id 7) is not the llm add-on; nothing was"),
        ([], (9, None), "No add-on matches add-on with id 9. Found: llm add-on 1 of web-bot (id 7), browser"),
    ],
)
def test_a_query_without_one_match_is_refused_with_what_is_there(found, wanted, message):
    with pytest.raises(RefusedError) as refusal:
        require_one(found, ACCOUNT, AddonQuery(*wanted, instance_id=None, instance_name=None))
    assert message in str(refusal.value)


def test_that_a_secret_changes_shows_although_it_does_not():
    addon, sent = {"id": 3, "tier": "eco", "api_key": "one", "plan": "a"}, "******** (sent)"
    update = AddonUpdate(addon, {"tier": "pro", "api_key": "two", "mode": 1, "plan": "b"}, ["mode"])
    # The service has ignored the plan, which is no secret.
    change = update.compare({**addon, "tier": "pro", "api_key": "two"}, changed=True)
    assert change.before == {"id": 3, "tier": "eco", "api_key": "********", "plan": "a"}
    assert change.after == {"id": 3, "tier": "pro", "api_key": sent, "plan": "a", "mode": sent}
    unchanged = AddonUpdate(addon, {"tier": "eco", "api_key": "one"}, []).compare(addon, changed=False)
    assert unchanged.before == unchanged.after == {"id": 3, "tier": "eco", "api_key": "********"}


def test_options_are_redacted_whatever_was_given():
    params = {"id": 1, "config": {"tier": "eco", "api_key": "sk-1234"}, "write_only": ["tier"]}
    redacted = redact_addon_options(params)
    assert redacted.params == {**params, "config": {"tier": "********", "api_key": "********"}}
    assert redacted.secrets == {"sk-1234"}
    misspelt = redact_addon_options({"id": 2, "confg": {"token": "tk-5678"}})
    assert misspelt == ({"id": 2, "confg": {"token": "********"}}, {"tk-5678"})
    for odd in ({}, {"config": None}, {"config": "text"}, {"config": {"tier": 1}, "write_only": None}):
        assert redact_addon_options(odd).params == odd
