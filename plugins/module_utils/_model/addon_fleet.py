# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries, plan and results of ``claw_fleet_addon``. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import RefusedError, SettingsError
from .._text import format_count
from .addon import AddonIndex, AddonQuery, label, require_one
from .addon_job import AddonJob
from .compare import Config
from .fleet_entries import ADDON_KEYS, FaultyListError, NumberedEntry, find_duplicates, find_faults, format_entry
from .fleet_results import NOT_BEGUN, Limits, count_results
from .ownership import parse_owner
from .resource import Resource, parse_id
from .results import Options, Result


@dataclass(frozen=True)
class AddonEntry(NumberedEntry):
    """One entry of the option ``addons``."""

    query: AddonQuery
    config: Config

    @property
    def label(self) -> str:
        """``entry 3, support-bot``, for messages."""
        return format_entry(self.number, self.query.id, self.query.instance_name)


def require_valid_addons(options: Options) -> None:
    """Raises FaultyListError for unknown keys, wrong ids, and entries without an add-on or ``config``."""
    faults = []
    given = options.get("addons")
    for number, entry in enumerate(given if isinstance(given, list) else [], 1):
        if isinstance(entry, dict):
            found = list(find_faults(entry, ADDON_KEYS))
            if entry.get("config") is None and options.get("config") is None:
                found.append("it has no config, and the task has none")
            place = format_entry(number, entry.get("id"), entry.get("instance_name"))
            faults += [f"{place}: {fault}" for fault in found]
    if faults:
        raise FaultyListError(faults, "add-ons")


def parse_entries(options: Options) -> list[AddonEntry]:
    """Returns the entries of the task. Raises FaultyListError."""
    require_valid_addons(options)
    entries, faults = [], []
    for number, item in enumerate(options["addons"], 1):
        try:
            query = AddonQuery(item["id"], item["addon_type"], item["instance_id"], item["instance_name"])
        except SettingsError as error:
            faults.append(f"entry {number}: {error}")
        else:
            config = options["config"] if item["config"] is None else item["config"]
            entries.append(AddonEntry(number, query, config))
    if faults:
        raise FaultyListError(faults, "add-ons")
    return entries


class Match(t.NamedTuple):
    """The add-on of an entry: as it was listed, and with type and instance as far as the service shows them."""

    listed: Resource
    known: Resource


def match_entries(entries: list[AddonEntry], found: list[list[Resource]], addons: list[Resource]) -> list[Match]:
    """Returns the add-on of each entry. ``found`` are the matches of each.

    Raises FaultyListError for no match and for several, and if two entries mean the same add-on.
    """
    matches: list[Resource | None] = []
    faults = {}
    index = AddonIndex(addons)
    for entry, candidates in zip(entries, found, strict=True):
        try:
            matches.append(require_one(candidates, index, entry.query))
        except RefusedError as error:
            matches.append(None)
            faults[entry.number] = str(error)
    for position, fault in find_duplicates(entries, matches, label):
        faults[entries[position].number] = f"the {fault}"
    raise_faults(entries, faults)
    by_id = {str(addon["id"]): addon for addon in addons}
    return [Match(by_id[str(known["id"])], known) for known in matches if known is not None]


def raise_faults(entries: list[AddonEntry], faults: t.Mapping[int, object]) -> None:
    """Raises FaultyListError if there are faults, which are by the numbers of their entries."""
    if faults:
        raise FaultyListError(
            [f"{entry.label}: {faults[entry.number]}" for entry in entries if entry.number in faults], "add-ons"
        )


def find_excess(jobs: list[AddonJob], limits: Limits) -> str:
    """Returns why the plan exceeds the limits; empty if it does not."""
    count = sum(bool(job.changes) for job in jobs)
    if limits.changes is None or count <= limits.changes:
        return ""
    return f"{format_count(count, 'add-on')} would change, more than max_changes ({limits.changes}) allows."


def build_result(matches: list[Match], jobs: list[AddonJob], *, refused: bool = False) -> Result:
    """Returns the result of the task. ``refused``: nothing was begun because of the limits."""
    results = []
    before: dict[str, Resource] = {}
    after: dict[str, Resource] = {}
    for match, job in zip(matches, jobs, strict=True):
        owner = parse_owner(match.known)
        error = str(job.error or (NOT_BEGUN if refused and job.changes else ""))
        before[job.label], after[job.label] = job.attributes()
        results.append(
            {
                "id": job.addon["id"],
                "addon_type": match.known.get("addon_type"),
                "instance_id": parse_id(owner.id),
                "instance_name": owner.name,
                "before": before[job.label],
                "after": after[job.label],
                "changed": job.changed,
                "failed": bool(error),
                "msg": error,
            }
        )
    return {
        "changed": any(job.changed for job in jobs),
        "addons": results,
        "summary": count_results(results),
        "diff": {"before": before, "after": after},
    }
