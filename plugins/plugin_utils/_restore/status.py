# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of an incident on the screen: what is restored, what is not, who works on it, and what to do. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from ...module_utils._model.backup import taken_at
from ...module_utils._model.instance import describe_instance, is_healthy
from ...module_utils._model.instance_index import InstanceIndex
from ...module_utils._service.restore.incident_state import IN_PROGRESS
from ...module_utils._service.restore.plan import AccountView
from ...module_utils._text import format_count, format_list, one_line
from ...module_utils._times import format_duration, parse_time
from .._formatting import format_clock, format_label, format_value
from .results import LISTED, OK, format_done, format_failures, format_restored
from .role_plan import OLD

if t.TYPE_CHECKING:
    from ...module_utils._model.resource import Resource
    from ...module_utils._service.restore.incident_state import IncidentState
    from .results import Result

LISTED_PERIOD = timedelta(days=30)
"""Age up to which incidents are listed."""


def add_present(
    results: t.Sequence[Result], instances: t.Sequence[Resource], backups: t.Sequence[Resource], now: datetime
) -> None:
    """Adds to each result how its instance is now, and the newest backup that is newer than the restored one."""
    account = AccountView(InstanceIndex(instances), backups)
    for result in results:
        instance = account.index.by_id.get(str(result.id))
        if instance is None and result.id is None:
            continue
        if instance is None:
            result.now, result.is_ill = "It does not exist any more.", True
            continue
        result.is_ill = not is_healthy(instance)
        newer = account.find_newer(instance, parse_time((result.backup or {}).get("taken_at")), now)
        found = f" Its newest backup is {newer[0]['id']}, taken {format_clock(taken_at(newer[0]))}." if newer else ""
        result.now = f"It is {describe_instance(instance, with_health=True)[1]} now.{found}"


def show_incident(results: t.Sequence[Result], state: IncidentState, now: datetime) -> list[str]:
    """Returns the lines of one incident. What is not restored, and what to do about it, comes first."""
    failed, done = [one for one in results if one.outcome != OK], [one for one in results if one.outcome == OK]
    lines = [f"Incident {one_line(state.incident)}: {format_restored(list(results))}.", *_show_workers(state, now)]
    lines += format_failures(failed)
    lines += format_done(done)
    lines += _show_present(results)
    sent = [at for one in results if (at := parse_time(one.sent_at))]
    if sent and now - max(sent) > OLD:
        age = format_duration(now - max(sent))
        lines.append(
            f"The last restore was sent {age} ago. What has happened since is another incident: give it another name."
        )
    return [*lines, *_show_runs(state)]


def _show_workers(state: IncidentState, now: datetime) -> list[str]:
    """Returns who works on which instances now."""
    held: dict[str, list[str]] = {}
    for instance in state.instances.values():
        if instance.holder:
            who = instance.holder.format(now.timestamp())
            other = "" if instance.holder.name in (None, state.incident) else f" for incident {instance.holder.name}"
            held.setdefault(f"{who}{other}", []).append(format_label(instance.name, instance.id))
    if held:
        return [f"{who} works on {format_list(labels, LISTED)}." for who, labels in held.items()]
    going_on = sum(run.state == IN_PROGRESS for run in state.runs)
    return [f"{format_count(going_on, 'run')} in progress." if going_on else "Nobody works on it now."]


def _show_present(results: t.Sequence[Result]) -> list[str]:
    """Returns how the instances are now: a line for each condition."""
    conditions: dict[str, list[str]] = {}
    for one in results:
        if one.now:
            conditions.setdefault(one.now, []).append(one.label)
    return [f"{format_list(labels, LISTED)}: {condition}" for condition, labels in conditions.items()]


def _show_runs(state: IncidentState) -> list[str]:
    lines = ["Runs:"] if state.runs else []
    for run in state.runs:
        by = f" by {format_value(run.by.get('user'))}@{format_value(run.by.get('host'))}" if run.by else ""
        end = run.ended_at or run.interrupted_at
        ended = f"{run.state} {format_clock(parse_time(end))}" if end else run.state
        confirmed = format_clock(parse_time(run.confirmed_at))
        lines.append(f"    {confirmed}{by}: {format_count(len(run.backups), 'instance')}, {ended}.")
    return lines


def show_incidents(states: t.Sequence[IncidentState], results: t.Sequence[list[Result]], now: datetime) -> list[str]:
    """Returns a line for each incident. ``results``: those of each."""
    if not states:
        return [f"The journal has no incident of the last {LISTED_PERIOD.days} days."]
    lines = [f"Incidents of the last {LISTED_PERIOD.days} days, newest first:"]
    for state, own in zip(states, results, strict=True):
        going_on = any(run.state == IN_PROGRESS for run in state.runs)
        latest = parse_time(state.latest_at) or now
        work = "; a run is in progress" if going_on else ""
        lines.append(f"    {format_clock(latest)} {one_line(state.incident)}: {format_restored(own)}{work}.")
    return lines
