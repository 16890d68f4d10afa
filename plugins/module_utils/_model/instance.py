# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances: statuses, the state table as data, and the change that reaches a state. Pure."""

from __future__ import annotations

import enum
import typing as t

from .._errors import RefusedError
from .._text import one_line
from .instance_fields import HEALTH_STATUSES, NOT_KNOWN, is_gone, read_word
from .resource import Resource

NAME_LIMIT = 80
"""Characters of a name that messages show."""
STATES = ("started", "stopped", "restarted", "absent")


class Action(enum.Enum):
    """Action towards a wanted state. The values of the last four are the API's own words."""

    NONE = "none"
    WAIT = "wait"
    REJECT = "reject"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    DELETE = "delete"


_NONE, _WAIT, _REJECT = Action.NONE, Action.WAIT, Action.REJECT
_START, _STOP, _RESTART, _DELETE = Action.START, Action.STOP, Action.RESTART, Action.DELETE

_TABLE: dict[str, tuple[Action, Action, Action, Action]] = {
    # found status            started  stopped  restarted absent
    "running": (_NONE, _STOP, _RESTART, _DELETE),
    "stopped": (_START, _NONE, _START, _DELETE),
    "provisioning": (_WAIT, _WAIT, _WAIT, _DELETE),
    "deploying": (_WAIT, _WAIT, _WAIT, _DELETE),
    "paused": (_REJECT, _NONE, _REJECT, _DELETE),
    "pending_configuration": (_REJECT, _REJECT, _REJECT, _DELETE),
    "error": (_REJECT, _REJECT, _REJECT, _DELETE),
    "deploy_failed": (_REJECT, _REJECT, _REJECT, _DELETE),
    "deleting": (_REJECT, _REJECT, _REJECT, _NONE),
}
_UNKNOWN_STATUS = (_WAIT, _WAIT, _WAIT, _DELETE)
"""The service may add statuses: an unknown one counts as busy."""

_POWER_ACTION = {"started": _START, "stopped": _STOP, "restarted": _RESTART}

_CAUSES = {
    "paused": "the account's balance ran out.",
    "pending_configuration": "it waits for its configuration.",
    "error": "it has failed.",
    "deploy_failed": "its deployment failed.",
}

REMEDIES = {
    "paused": "Buy Claws and resume it in the dashboard",
    "pending_configuration": "Give it an LLM key in the dashboard",
    "error": "See the dashboard for the reason, and rebuild it there or restore a backup",
    "deploy_failed": "Retry it in the dashboard",
    "deleting": "It is being deleted, so nothing can be done",
}
"""The advice on each status that an instance does not leave by itself."""

END_STATUS = {"started": "running", "stopped": "stopped", "restarted": "running"}
"""Status in which each wanted state ends."""

FAILURE_STATUSES = frozenset(REMEDIES)
"""Statuses that an instance does not leave by itself."""

RESPONSE_LOST = "The response to an earlier request was lost or unclear, and it is unknown whether it was executed."
"""Added to a failure that follows a request with an unknown outcome."""


class Decision(t.NamedTuple):
    """The next action; ``reason`` explains a REJECT."""

    action: Action
    reason: str = ""


def get_status(instance: Resource) -> str:
    """Returns the status, normalized; NOT_KNOWN if the service does not show it."""
    return read_word(instance, "status")


def get_health(instance: Resource) -> str:
    """Returns the health, normalized; NOT_KNOWN if the service shows none that is documented."""
    health = read_word(instance, "health_status")
    return health if health in HEALTH_STATUSES else NOT_KNOWN


def find_state(instance: Resource) -> str:
    """Returns the status that decides: of one that is not known or not documented, the one that its flags amount to.

    Only a stopped instance can be started, and only a running one stopped.
    """
    status = get_status(instance)
    can_start, can_stop = (instance.get(flag) is True for flag in ("can_start", "can_stop"))
    if status in _TABLE or can_start is can_stop:
        return status
    return "stopped" if can_start else "running"


def is_healthy(instance: Resource) -> bool:
    """Returns True if the service reports it healthy, which can be a minute or more after its status."""
    return get_health(instance) == "healthy"


def is_health_final(instance: Resource) -> bool:
    """Returns True if its health is not waited for any longer: it is healthy, or the detail shows no health."""
    return get_health(instance) in ("healthy", NOT_KNOWN)


def is_unhealthy(instance: Resource) -> bool:
    """Returns True if it runs, and the service reports it unhealthy."""
    return find_state(instance) == "running" and get_health(instance) == "unhealthy"


def is_busy(instance: Resource) -> bool:
    """Returns True if the status will change by itself, or is not documented; False if it is not known."""
    status = NOT_KNOWN if is_gone(instance) else find_state(instance)
    return status != NOT_KNOWN and _TABLE.get(status, _UNKNOWN_STATUS)[0] is Action.WAIT


def label(instance: Resource) -> str:
    """Returns name and id, for messages; the id alone if the service shows no name."""
    if instance.get("id") is None:
        return short_name(instance)
    identity = f"id {instance['id']}"
    return one_line(f"{short_name(instance)} ({identity})" if has_name(instance) else identity)


def short_name(instance: Resource) -> str:
    """Returns the name alone, for progress lines and lists; the id if the service shows no name."""
    if has_name(instance):
        return one_line(instance["name"], NAME_LIMIT)
    return "no instance" if instance.get("id") is None else one_line(f"id {instance['id']}", NAME_LIMIT)


def has_name(instance: Resource) -> bool:
    """Returns True if the service shows a name. It may leave out any documented field."""
    return instance.get("name") not in (None, "")


def describe_status(instance: Resource, limit: int = NAME_LIMIT) -> str:
    """Returns the status, for ``Its status is …``."""
    return one_line(instance["status"], limit) if get_status(instance) else "not shown"


def describe_condition(instance: Resource) -> str:
    """Returns the status, for ``It is …``."""
    return one_line(instance["status"], NAME_LIMIT) if get_status(instance) else "of unknown status"


def describe_namesakes(name: object, ids: t.Collection[object]) -> str:
    """Returns the beginning of a sentence: several instances, with these ``ids``, have this name."""
    return f"{len(ids)} instances are named {one_line(name, NAME_LIMIT)} (ids {one_line(', '.join(map(str, ids)))})"


def find_name_fault(instance: Resource, name: str | None) -> str:
    """Returns how the instance is named instead of ``name``; empty if that is its name, or None."""
    if name is None or (has_name(instance) and name == str(instance["name"])):
        return ""
    given, identity = one_line(name, NAME_LIMIT), one_line(instance["id"])
    if not has_name(instance):
        return f"The service shows no name for the instance with id {identity}, so it may not be {given}"
    return f"The instance with id {identity} is named {short_name(instance)}, not {given}"


def require_name(instance: Resource, name: str | None) -> None:
    """Raises RefusedError if the instance is not named ``name``, whatever its name with None."""
    if fault := find_name_fault(instance, name):
        raise RefusedError(f"{fault}; nothing was done.")


def describe_instance(instance: Resource, *, with_health: bool = False) -> tuple[str, str]:
    """Returns name and status, for progress lines: ``web-bot``, ``deploying``.

    ``with_health``: the instance is to be healthy. Once it has settled, its health is shown too:
    ``running, unhealthy``.
    """
    name, status = short_name(instance), describe_condition(instance)
    if not with_health or is_busy(instance):
        return name, status
    health = one_line(get_health(instance), NAME_LIMIT) or "not shown"
    is_clear = health in ("healthy", "unhealthy")
    return name, f"{status}, {health}" if is_clear else f"{status}, health {health}"


def decide(instance: Resource, wanted: str) -> Decision:
    """Returns the next action from ``instance`` to the state ``wanted``: the table, overruled by the flags.

    Only a flag that is true or false counts; list items have no flags.
    """
    if is_gone(instance):
        return Decision(Action.NONE) if wanted == "absent" else Decision(Action.REJECT, "it is deleted.")
    status = find_state(instance)
    by_table = _TABLE.get(status, _UNKNOWN_STATUS)[STATES.index(wanted)]
    if by_table in (Action.NONE, Action.DELETE):
        return Decision(by_table)
    power = by_table if by_table in _POWER_ACTION.values() else _POWER_ACTION[wanted]
    allowed = instance.get(f"can_{power.value}")
    if allowed is True:
        return Decision(power)
    if by_table is Action.REJECT:
        return Decision(Action.REJECT, f"{_CAUSES.get(status, '')} {REMEDIES[status]}.".lstrip())
    if allowed is False and by_table is power:
        return Decision(
            Action.REJECT, f"the service says that it can't {power.value} now (can_{power.value} is false)."
        )
    if status == NOT_KNOWN:
        return Decision(Action.REJECT, f"neither status nor can_{power.value} says that it may, so nothing is sent.")
    return Decision(by_table)


def summarize(instance: Resource | None) -> dict[str, t.Any]:
    """Returns what diffs show of an instance; empty without one."""
    return {} if instance is None else {key: instance.get(key) for key in ("id", "name", "status")}


def predict(instance: Resource, wanted: str, action: Action) -> dict[str, t.Any]:
    """Returns the ``after`` of a diff once ``action`` is done."""
    if action is Action.NONE:
        return summarize(instance)
    if action is Action.DELETE:
        return {}
    after = {**summarize(instance), "status": END_STATUS[wanted]}
    # Otherwise before and after would be equal, although something changes.
    return {**after, "restarted": True} if action is Action.RESTART else after
