# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared data of the tests of the role ``restore``: an instance with its backups, and its plan."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.model import RestorePlan
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.plan import (
    build_plans,
    match_backups,
    parse_targets,
)

NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)
WEB = {"id": 1, "name": "web-bot", "status": "running"}
INSTANCES = [WEB, {"id": 2, "name": "other"}]
BACKUPS = [
    {"id": 12, "instance_id": 1, "created_at": "2026-02-02T10:00:00Z"},
    {"id": 11, "instance_id": 1, "created_at": "2026-02-01T10:00:00Z"},
    {"id": 21, "instance_id": 2, "created_at": "2026-02-03T09:00:00Z"},
]
SETTINGS = {"restore_incident": "INC-1"}
TRICKY_NAMES = [
    "{{ lookup('pipe','touch pwned') }}",
    "{% raw %}x{% endraw %}{{ }}",
    "}}{{",
    "{#",
    "#jinja2: x",
    "- x",
    "~root",
    "a: b",
    "$(touch pwned)",
    "'",
    '"',
    " no ",
    "two\nlines",
]
"""Names with a special meaning in YAML, a shell or a template. Every fourth is of another kind."""


def plan(result: dict[str, t.Any] | None = None, **settings: t.Any) -> RestorePlan:
    """Returns the plan to restore web-bot if the module returns ``result``."""
    candidates = match_backups(parse_targets("web-bot", None), INSTANCES, BACKUPS)
    outcome = {"instance": WEB, "backup": BACKUPS[0], "restore": {"outcome": "planned"}, "item": {"instance": WEB}}
    return build_plans(candidates, [{**outcome, **(result or {})}], {**SETTINGS, **settings}, INSTANCES, NOW)[0]
