# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An account with add-ons, and the shapes in which a service may show them."""

from __future__ import annotations

import typing as t

WORLD = {
    "instances": [{"id": 7, "name": "web-bot"}, {"id": 8, "name": "shop-bot", "status": "stopped"}],
    "addons": [
        {"instance": "web-bot", "addon_type": "llm", "tier": "standard", "usage_limit": 5000},
        {"instance": "web-bot", "addon_type": "backup"},
        {"instance": "shop-bot", "addon_type": "llm", "tier": "eco"},
    ],
}
SHAPES: dict[str, dict[str, t.Any]] = {
    "as guessed": {},
    "ids as text": {"id_as_string": True},
    "no answer to PATCH": {"addon_answer": 204},
    "more fields": {"add_fields": {"addon.region": "moon", "addon.settings": {"model": "x"}}},
    "nested instance": {"rename_fields": {"addon.instance_id": "instance.id", "addon.instance_name": "instance.name"}},
    "instance by name": {"drop_fields": ["addon.instance_id"]},
    "instance by id": {"drop_fields": ["addon.instance_name"]},
    "no instance": {"drop_fields": ["addon.instance_id", "addon.instance_name"]},
    "no type": {"drop_fields": ["addon.addon_type"]},
    "no status": {"drop_fields": ["addon.status", "addon.created_at"]},
    "fractions": {"timestamps": "fraction"},
    "offsets": {"timestamps": "offset"},
    "wrapped": {"addon_body": "wrapped"},
    "wrapped, nothing back": {"addon_body": "wrapped", "addon_answer": 204},
    "silent about unknown": {"addon_unknown_keys": "ignored"},
    "not in pages": {"pagination": "none"},
    "shuffled": {"list_order": "reshuffled"},
}
