# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add-ons without a service: what diffs show, what is concealed, when a body is wrapped (contract 6)."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.addon import (
    AddonQuery,
    label,
    needs_wrapping,
    require_shown,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.addon_job import AddonJob
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.redacted_options import redact_addon_options


@pytest.mark.parametrize(
    ("shown", "by_id", "by_name"),
    [
        ({"instance_id": 7}, False, True),
        ({"instance_name": "web-bot"}, True, False),
        ({"instance_id": 7, "instance_name": "web-bot"}, False, False),
        # Without any owner, no other list can tell it.
        ({}, False, False),
    ],
)
def test_an_owner_by_id_alone_lacks_its_name_and_the_reverse(shown, by_id, by_name):
    addon = {"id": 1, "addon_type": "llm", **shown}
    assert AddonQuery(None, "llm", 7, None).lacks_owner(addon) is by_id
    assert AddonQuery(None, "llm", None, "web-bot").lacks_owner(addon) is by_name
    assert not AddonQuery(None, "llm", None, None).lacks_owner(addon)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (AddonQuery(3, None, None, None), "add-on with id 3"),
        (AddonQuery(None, "llm", 7, None), "llm add-on of the instance with id 7"),
        (AddonQuery(None, "llm", None, "web-bot"), "llm add-on of the instance named web-bot"),
    ],
)
def test_how_messages_say_what_is_meant(wanted, text):
    assert str(wanted) == text


def test_how_messages_name_an_add_on():
    assert label({"id": 3}) == "add-on 3"
    assert label({"id": 3, "addon_type": "llm", "instance_name": "web-bot"}) == "llm add-on 3 of web-bot"


def test_each_attribute_that_is_not_shown_is_named():
    require_shown({"id": 3, "tier": "eco"}, {"tier": "x", "key": "y"}, ["key"])
    with pytest.raises(RefusedError, match=r"no attribute teir \(did you mean tier\?\), zzz; it shows id, tier\."):
        require_shown({"id": 3, "tier": "eco"}, {"teir": "x", "zzz": "y"}, [])


def test_that_a_secret_changes_shows_although_it_does_not():
    addon = {"id": 3, "tier": "eco", "api_key": "one", "plan": "a"}
    job = AddonJob(addon, {"tier": "pro", "api_key": "two", "mode": 1, "plan": "b"}, ["mode"], addon)
    job.is_accepted = True
    # The service has ignored the plan, which is no secret.
    job.see({**addon, "tier": "pro", "api_key": "two"})
    assert job.attributes() == (
        {"tier": "eco", "api_key": "********", "plan": "a"},
        {"tier": "pro", "api_key": "******** (sent)", "plan": "a", "mode": "******** (sent)"},
    )
    unchanged = AddonJob(addon, {"tier": "eco", "api_key": "one"}, [], addon)
    assert unchanged.attributes() == ({"tier": "eco", "api_key": "********"},) * 2


def test_options_are_redacted_whatever_was_given():
    params = {"id": 1, "config": {"tier": "eco", "api_key": "sk-1234"}, "write_only": ["tier"]}
    redacted = redact_addon_options(params)
    assert redacted.params == {**params, "config": {"tier": "********", "api_key": "********"}}
    assert redacted.secrets == {"sk-1234"}
    many = redact_addon_options({"addons": [params, {"id": 2, "confg": {"token": "tk-5678"}}, "text"]})
    assert many.params["addons"] == [
        redacted.params | {"config": {"tier": "eco", "api_key": "********"}},
        {"id": 2, "confg": {"token": "********"}},
        "text",
    ]
    assert many.secrets == {"sk-1234", "tk-5678"}
    for odd in ({}, {"config": None}, {"config": "text"}, {"config": {"tier": 1}, "write_only": None}):
        assert redact_addon_options(odd).params == odd


@pytest.mark.parametrize(
    ("status", "details", "wants"),
    [
        (422, {"addon": "is missing"}, True),
        (400, ["addon is missing"], True),
        (422, "param is missing: addon", True),
        (422, {"addon": ["is missing"]}, True),
        (422, {"tier": "is not known for this addon"}, False),
        (422, {"addon_type": "is wrong"}, False),
        (422, None, False),
        (403, {"addon": "is missing"}, False),
    ],
)
def test_a_body_is_wrapped_only_where_the_refusal_asks_for_it(status, details, wants):
    assert needs_wrapping(ApiError("PATCH /addons/1", status, details=details), {"tier": "eco"}) is wants
