# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random accounts, journals and rules for the planner of restores, and a client that reads such an account."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import NotFoundError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.resource import Resource
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.history import RestoreHistory
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.options import Rules
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import Target
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import (
    OperationEvent,
    OperationKey,
    OperationState,
)

NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)
SERVICE = "https://clawhosters.com/api/v1"
NAMES = ("web-bot", "Web-bot")
"""Names that several instances may bear; the others have one of their own."""
HOURS = (-1, -3, -24, -48, -1, 0, 1, 24, None)
IDS = st.integers(1, 5)
SHOWN = ("id", "id", "id", "both", "both", "both", "name", "name", "nothing")
"""How a backup shows its instance."""
# Strategies are built once: hypothesis examines each new one.
ages = st.sampled_from([timedelta(hours=hours) for hours in (1, 2, 12, 30, 100)])
numbered_names = {number: st.sampled_from([f"bot-{number}", f"bot-{number}", *NAMES]) for number in range(1, 6)}
statuses = st.sampled_from(["running", "running", "running", "stopped", "deploying", "error", "paused"])
bare_backups = st.lists(
    st.fixed_dictionaries(
        {
            "created_at": st.sampled_from(
                [None if hours is None else (NOW + timedelta(hours=hours)).isoformat() for hours in HOURS]
            ),
            "status": st.sampled_from([None, "completed", "completed", "failed"]),
        }
    ),
    min_size=2,
    max_size=9,
)
operations = st.tuples(
    st.sampled_from(["INC-2", "INC-3", "INC-1"]),
    IDS,
    st.sampled_from([-1, 5, 30, 300]),
    st.sampled_from([one for one in OperationEvent if one is not OperationEvent.REFUSED]),
    st.integers(10, 18),
    st.sampled_from([*NAMES, "bot-1"]),
)
pasts = st.lists(operations, max_size=3)
sets_of_ids = st.sets(IDS, min_size=1)
given_backups = st.sampled_from([*[None] * 12, *range(10, 19)])


@dataclass
class World:
    """The facts that a restore is planned from."""

    instances: list[Resource]
    backups: list[Resource]
    history: RestoreHistory
    rules: Rules


class AccountClient:
    """Reads an account: lists of two a page, and single resources."""

    PAGE = 2

    def __init__(self, world: World) -> None:
        self._lists = {"/instances": world.instances, "/backups": world.backups}
        self.settings = SimpleNamespace(api_url=SERVICE, page_size=None)
        self.stats = SimpleNamespace(now=lambda: NOW)
        self.requests: Counter[str] = Counter()
        self.warn = list[str]().append

    def fetch(self, path: str, **_options: t.Any) -> Resource:
        self.requests[path] += 1
        name, number = path.rsplit("/", 1)
        for item in self._lists[name]:
            if str(item["id"]) == number:
                return item
        raise NotFoundError(f"GET {path}", 404)

    def get(
        self, path: str, params: t.Mapping[str, str], *, parse: t.Callable[[str, Response], t.Any], **_options: t.Any
    ) -> t.Any:
        number = int(params.get("page", "1"))
        if number == 1:
            self.requests[path] += 1
        items = self._lists[path]
        pagination = {"total_pages": -(-len(items) // self.PAGE) or 1, "total_count": len(items)}
        page = items[(number - 1) * self.PAGE : number * self.PAGE]
        return parse(f"GET {path}", Response(200, {}, json.dumps({"data": page, "pagination": pagination})))

    def end_of_wait(self, time_left: float | None) -> float | None:
        return time_left


def _own(backup: dict[str, t.Any], number: int, shown: str, instances: list[Resource]) -> Resource:
    """Returns the backup as the service shows its instance, which may not exist any more."""
    name = next((one["name"] for one in instances if one["id"] == number), "gone-bot")
    fields = {"id": {"instance_id": number}, "name": {"instance_name": name}, "nothing": {}}
    fields["both"] = {"instance": {"id": number, "name": name}}
    return {**backup, **fields[shown]}


@st.composite
def backups_of(draw: st.DrawFn, instances: list[Resource], shown: t.Sequence[str]) -> list[Resource]:
    """Backups of these instances, with any time and status, that show their instance by id, by name, or not."""
    owners, ways = st.sampled_from([*(one["id"] for one in instances), 9]), st.sampled_from(shown)
    return [
        _own({"id": 10 + number, **fields}, draw(owners), draw(ways), instances)
        for number, fields in enumerate(draw(bare_backups))
    ]


@st.composite
def histories(draw: st.DrawFn) -> RestoreHistory:
    """Restores of this incident and of others, in any state."""
    states = {}
    for incident, instance_id, minutes, event, backup_id, name in draw(pasts):
        key = OperationKey("restore", SERVICE, incident, str(instance_id))
        sent_at = (NOW - timedelta(minutes=minutes)).isoformat()
        states[key] = OperationState(event, sent_at, sent_at, {"backup_id": backup_id, "instance_name": name})
    return RestoreHistory(SERVICE, "INC-1", states, read_at=NOW)


rules = st.builds(
    Rules,
    before=st.none() | st.none() | st.sampled_from([NOW - timedelta(hours=hours) for hours in (-2, 0, 2, 30)]),
    max_age=st.none() | st.none() | ages,
    min_interval=st.none() | st.none() | ages,
    force=st.booleans(),
)


@st.composite
def worlds(draw: st.DrawFn, shown: t.Sequence[str] = SHOWN) -> World:
    """Accounts of up to five instances, some of which have one name."""
    instances: list[Resource] = [
        {"id": number, "name": draw(numbered_names[number]), "status": draw(statuses)}
        for number in sorted(draw(sets_of_ids))
    ]
    return World(instances, draw(backups_of(instances, shown)), draw(histories()), draw(rules))


@st.composite
def targets_in(draw: st.DrawFn, world: World) -> Target:
    """A target, by id or by name: mostly one of the account, and without a backup."""
    backup_id = draw(given_backups)
    one = draw(st.sampled_from(world.instances))
    if draw(st.booleans()):
        return Target(draw(st.sampled_from([one["id"]] * 5 + [5])), None, backup_id)
    return Target(None, draw(st.sampled_from([one["name"]] * 5 + ["web-bot"])), backup_id)


@st.composite
def cases(draw: st.DrawFn, shown: t.Sequence[str] = SHOWN) -> tuple[World, Target]:
    world = draw(worlds(shown))
    return world, draw(targets_in(world))


@st.composite
def fleets(draw: st.DrawFn) -> tuple[World, list[Target]]:
    world = draw(worlds())
    return world, draw(st.lists(targets_in(world), min_size=1, max_size=4))
