# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the statuses of an instance mean, and what to do to reach another: the state table of interface 3, as data.

Deciding is pure; what finds and reads instances is at the end. Changing them is the work of power.py.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import NotFoundError, RefusedError, format_list, one_line
from .._http.client import Client
from .._http.pagination import Resource
from .._http.responses import require_id, resource_path
from .ownership import instance_of, require_names

NAME_LIMIT = 80
"""Characters of a name that messages show."""
STATES = ("started", "stopped", "restarted", "absent")


class Action(enum.Enum):
    """What a decision comes to. The values of the last four are the service's words."""

    NONE = "keep"
    WAIT = "settle"
    REJECT = "refuse"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    DELETE = "delete"


_KEEP, _SETTLE, _REFUSE = Action.NONE, Action.WAIT, Action.REJECT
_START, _STOP, _RESTART, _DELETE = Action.START, Action.STOP, Action.RESTART, Action.DELETE

_TABLE: dict[str, tuple[Action, Action, Action, Action]] = {
    # found status            started  stopped  restarted absent
    "running": (_KEEP, _STOP, _RESTART, _DELETE),
    "stopped": (_START, _KEEP, _START, _DELETE),
    "provisioning": (_SETTLE, _SETTLE, _SETTLE, _DELETE),
    "deploying": (_SETTLE, _SETTLE, _SETTLE, _DELETE),
    "paused": (_REFUSE, _KEEP, _REFUSE, _DELETE),
    "pending_configuration": (_REFUSE, _REFUSE, _REFUSE, _DELETE),
    "error": (_REFUSE, _REFUSE, _REFUSE, _DELETE),
    "deploy_failed": (_REFUSE, _REFUSE, _REFUSE, _DELETE),
    "deleting": (_REFUSE, _REFUSE, _REFUSE, _KEEP),
}
_UNKNOWN_STATUS = (_SETTLE, _SETTLE, _SETTLE, _DELETE)
"""Statuses may be added (contract U1): one that is not listed counts as busy."""

_POWER_ACTION = {"started": _START, "stopped": _STOP, "restarted": _RESTART}

_REMEDY = {
    "paused": "its balance ran out. Top it up with Claws and resume the instance in the dashboard",
    "pending_configuration": "it waits for its configuration. Give it an LLM key in the dashboard",
    "error": "it is at fault. See what the dashboard says, and rebuild it there or restore a backup",
    "deploy_failed": "its set-up did not finish. Retry that in the dashboard",
    "deleting": "it is being deleted",
}

END_STATUS = {"started": "running", "stopped": "stopped", "restarted": "running"}
"""The status that each wanted state ends in."""

FAILURE_STATUSES = frozenset(_REMEDY)
"""Statuses that no waiting leads out of."""

_FILTERS = {
    "status": ("statuses", frozenset(_TABLE)),
    "tier": ("tiers", frozenset({"budget", "balanced", "pro"})),
    "health_status": ("health_statuses", frozenset({"healthy", "unhealthy", "unknown"})),
}
"""By field: the option that filters by it, and the field's documented words (contract 4.1, 4.2)."""

Words: t.TypeAlias = "t.Mapping[str, t.Collection[str] | None]"
"""By field the words that it may have; None for any."""


@dataclass(frozen=True)
class Decision:
    """What to do; with REJECT, ``reason`` says why not."""

    action: Action
    reason: str = ""


def normalize(word: object) -> str:
    """A word of the service in the form of the table: five of the nine spellings of statuses are inferred
    (contract 4.2), so neither case nor blanks count."""
    return str(word or "").strip().lower().replace(" ", "_").replace("-", "_")


def status_of(instance: Resource) -> str:
    """The status, in the form of the table."""
    return normalize(instance.get("status"))


def is_healthy(instance: Resource) -> bool:
    """Whether the service calls it healthy; that can lag the status by a minute or more (contract 4.3)."""
    return normalize(instance.get("health_status")) == "healthy"


def is_busy(instance: Resource) -> bool:
    """Whether its status will change by itself."""
    return _TABLE.get(status_of(instance), _UNKNOWN_STATUS)[0] is Action.WAIT


def label(instance: Resource) -> str:
    """How messages name an instance."""
    return one_line(f"{one_line(instance.get('name'), NAME_LIMIT)} (id {instance.get('id')})")


def decide(instance: Resource, wanted: str) -> Decision:
    """What brings ``instance`` to the state ``wanted``: the table, overruled by the flags where they are shown.

    Of the flags only a plain true or false counts; list items have none (contract 4.1).
    """
    status = status_of(instance)
    by_table = _TABLE.get(status, _UNKNOWN_STATUS)[STATES.index(wanted)]
    if by_table in (Action.NONE, Action.DELETE):
        return Decision(by_table)
    power = by_table if by_table in _POWER_ACTION.values() else _POWER_ACTION[wanted]
    allowed = instance.get(f"can_{power.value}")
    if allowed is True:
        return Decision(power)
    if by_table is Action.REJECT:
        return Decision(Action.REJECT, f"{_REMEDY[status]}.")
    if allowed is False and by_table is power:
        return Decision(
            Action.REJECT, f"the service says that it can't {power.value} now (can_{power.value} is false)."
        )
    return Decision(by_table)


def summary(instance: Resource | None) -> dict[str, t.Any]:
    """What diffs show of an instance; empty when there is none."""
    return {} if instance is None else {key: instance.get(key) for key in ("id", "name", "status")}


def predicted(instance: Resource, wanted: str, action: Action) -> dict[str, t.Any]:
    """The ``after`` of a diff once ``action`` is done, known before it is."""
    if action is Action.NONE:
        return summary(instance)
    if action is Action.DELETE:
        return {}
    after = {**summary(instance), "status": END_STATUS[wanted]}
    # Before and after look the same otherwise, and yet something changes.
    return {**after, "restarted": True} if action is Action.RESTART else after


class InstanceIndex:
    """Instances by id, as text since whether ids are numbers is not sure (contract U24), and by name, of which several
    may have the same (contract U22)."""

    def __init__(self, instances: t.Iterable[Resource]) -> None:
        self.id_sort_key: dict[str, Resource] = {}
        self.by_name: dict[str, list[Resource]] = {}
        for instance in instances:
            self.id_sort_key[str(instance["id"])] = instance
            if instance.get("name") is not None:
                self.by_name.setdefault(str(instance["name"]), []).append(instance)

    def unique_by_name(self, name: object) -> Resource | None:
        """The instance of this name; None where there is none, or more than one."""
        named = self.by_name.get(str(name), [])
        return named[0] if len(named) == 1 else None

    def owner_of(self, item: Resource) -> Resource | None:
        """The instance that ``item`` is of, such as a backup; by its name where that is only one's."""
        instance_id, name = instance_of(item)
        return self.id_sort_key.get(instance_id) if instance_id is not None else self.unique_by_name(name)

    def resolve(self, instance_id: int | None, name: str | None) -> Resource | None:
        """The instance that a user means, by id or else by its exact name; None when there is none.

        Raises RefusedError when the name fits several, or is not that of the id, and SettingsError when it is empty.
        """
        require_names(name=name)
        if instance_id is None:
            named = self.by_name.get(str(name), [])
            if len(named) > 1:
                ids = ", ".join(str(instance["id"]) for instance in named)
                raise RefusedError(
                    f"{len(named)} instances are named {one_line(name, NAME_LIMIT)} (ids {one_line(ids)}): "
                    "say which one is meant with id."
                )
            return named[0] if named else None
        instance = self.id_sort_key.get(str(instance_id))
        if instance is not None and name not in (None, str(instance.get("name"))):
            raise RefusedError(
                f"The instance with id {instance_id} is named {one_line(instance.get('name'), NAME_LIMIT)}, not "
                f"{one_line(name, NAME_LIMIT)}; nothing was done."
            )
        return instance


def path_of(instance_id: object) -> str:
    """Where the instance lives under the API's URL."""
    return resource_path("instances", instance_id)


def find(client: Client, instance_id: int | None, name: str | None) -> Resource | None:
    """The instance that a user means, with its detail fields; raises what :meth:`InstanceIndex.resolve` does."""
    require_names(name=name)
    if instance_id is not None:
        instance = fetch_or_none(client, instance_id)
        return InstanceIndex([] if instance is None else [instance]).resolve(instance_id, name)
    listed = InstanceIndex(client.fetch_all("/instances")).resolve(None, name)
    return None if listed is None else fetch_or_none(client, listed["id"])


def fetch_or_none(client: Client, instance_id: object, retry_timeout: float | None = None) -> Resource | None:
    """The instance with its detail fields, None when it does not exist."""
    try:
        return require_id(client.fetch(path_of(instance_id), retry_timeout=retry_timeout), instance_id, "Instance")
    except NotFoundError:
        return None


def fetch_again(client: Client, instance: Resource, retry_timeout: float | None = None) -> Resource:
    """The instance as it is now. Raises RefusedError when it is gone."""
    now = fetch_or_none(client, instance["id"], retry_timeout=retry_timeout)
    if now is None:
        raise RefusedError(f"{label(instance)} does not exist any more: it was deleted while this task worked on it.")
    return now


def read(
    client: Client,
    instance_id: int | None,
    name: str | None,
    wanted: Words,
    *,
    details: bool,
    warn: t.Callable[[str], None],
) -> list[Resource]:
    """The instances that fit, sorted by id. Warns of words in ``wanted`` that fit nothing because nobody knows them.

    One by id comes with its detail fields; others only with ``details``, at one request each. Raises SettingsError.
    """
    require_names(name=name)
    if instance_id is None:
        instances = client.fetch_all("/instances")
    else:
        found = fetch_or_none(client, instance_id)
        instances = [] if found is None else [found]
    for warning in unknown_words(wanted, words_in(instances, wanted)):
        warn(warning)
    fitting = [instance for instance in instances if name in (None, instance.get("name")) and fits(instance, wanted)]
    if not details or instance_id is not None:
        return fitting
    return [instance for instance in with_details(client, fitting) if fits(instance, wanted)]


def fits(instance: Resource, wanted: Words) -> bool:
    """Whether each field of ``wanted`` has one of its words."""
    return all(
        words is None or normalize(instance.get(field)) in map(normalize, words) for field, words in wanted.items()
    )


def words_in(instances: list[Resource], fields: t.Iterable[str]) -> dict[str, list[str]]:
    """Returns the words that the instances have in each of ``fields``, sorted, in the form of the table."""
    return {field: sorted({normalize(instance.get(field)) for instance in instances}) for field in fields}


def unknown_words(wanted: Words, seen: t.Mapping[str, t.Collection[str]]) -> list[str]:
    """Returns a warning for each field of ``wanted`` with a word that is neither documented nor ``seen``.

    Such a word may be a slip, or a status that the service added and that no instance has now (contract U1).
    """
    warnings = []
    for field, words in wanted.items():
        option, documented = _FILTERS[field]
        unknown = [word for word in words or () if normalize(word) not in {*documented, *seen[field]}]
        if unknown:
            found = format_list((one_line(word, NAME_LIMIT) for word in seen[field] if word), 10)
            warnings.append(
                f"{option}: no instance has {format_list((one_line(word, NAME_LIMIT) for word in unknown), 10)}, "
                f"and it is no word that the service documents. Seen: {found or 'none'}."
            )
    return warnings


def with_details(client: Client, instances: list[Resource]) -> list[Resource]:
    """The same instances with their detail fields; those that were deleted meanwhile are left out.

    What the detail does not show is as the list showed it (contract U23).
    """
    details = map_ordered(lambda instance: fetch_or_none(client, instance["id"]), instances)
    return [{**listed, **detail} for listed, detail in zip(instances, details, strict=True) if detail is not None]
