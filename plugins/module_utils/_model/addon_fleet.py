# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries, plan and results of ``claw_fleet_addon``. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import RefusedError, SettingsError
from .._secret_fields import find_secrets, redact
from .._text import MASK, map_texts, replace_controls
from .addon import AddonIndex, AddonQuery, label, require_one
from .addon_job import AddonJob
from .compare import Config
from .fleet_entries import ADDONS, FaultyListError, NumberedEntry, find_duplicates, format_entry
from .outcomes import BEYOND_FAILURES, BEYOND_LIMITS, Outcome
from .ownership import parse_owner
from .resource import Resource, parse_id
from .results import Options, Redacted
from .saved_plan import PlannedUpdate


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
    has_config = options.get("config") is not None
    lacking = ["it has no config, and the task has none"]
    ADDONS.require_valid(options, lambda entry: lacking if entry.get("config") is None and not has_config else [])


def parse_entries(options: Options) -> list[AddonEntry]:
    """Returns the entries of the task. Raises FaultyListError."""
    require_valid_addons(options)
    entries, faults = [], []
    for number, item in enumerate(ADDONS.gather(options), 1):
        try:
            query = AddonQuery(item["id"], item["addon_type"], item["instance_id"], item["instance_name"])
        except SettingsError as error:
            faults.append(f"entry {number}: {error}")
        else:
            config = options["config"] if item["config"] is None else item["config"]
            entries.append(AddonEntry(number, query, config))
    if faults:
        raise FaultyListError(faults, ADDONS.noun)
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
    faults: list[tuple[int, object]] = []
    index = AddonIndex(addons)
    for position, (entry, candidates) in enumerate(zip(entries, found, strict=True)):
        try:
            matches.append(require_one(candidates, index, entry.query))
        except RefusedError as error:
            matches.append(None)
            faults.append((position, error))
    faults += [(position, f"the {fault}") for position, fault in find_duplicates(entries, matches, label)]
    ADDONS.raise_faults(entries, faults)
    by_id = {str(addon["id"]): addon for addon in addons}
    return [Match(by_id[str(known["id"])], known) for known in matches if known is not None]


def plan_update(job: AddonJob) -> PlannedUpdate | None:
    """Returns the change of an add-on, with its secrets hidden; None if it does not change."""
    if job.error is not None or not job.changes:
        return None
    wanted = map_texts(redact(job.changes, job.write_only), replace_controls)
    name = parse_owner(job.known).name
    return PlannedUpdate(job.addon["id"], name, "update", job.attributes()[0], wanted)


def build_outcomes(entries: list[AddonEntry], jobs: list[AddonJob], *, refused: bool = False) -> list[Outcome]:
    """Returns what became of each entry. ``refused``: nothing was begun because of the limits."""
    outcomes = []
    for entry, job in zip(entries, jobs, strict=True):
        owner = parse_owner(job.known)
        facts = {
            "id": job.addon["id"],
            "addon_type": job.known.get("addon_type"),
            "instance_id": parse_id(owner.id),
            "instance_name": owner.name,
        }
        if job.batch is not None:
            facts["batch"] = job.batch
        error = job.error or (BEYOND_LIMITS if refused and job.changes else None)
        message, is_begun = None if error is None else str(error), job.is_begun or not job.changes
        note = "" if is_begun else BEYOND_FAILURES
        outcomes.append(Outcome(entry.label, job.label, facts, *job.attributes(), job.changed, message, is_begun, note))
    return outcomes


def build_diff(outcomes: list[Outcome]) -> dict[str, t.Any]:
    """Returns the diff of the task."""
    return {"before": {one.name: one.before for one in outcomes}, "after": {one.name: one.after for one in outcomes}}


def redact_addon_options(params: Options) -> Redacted:
    """Redacts the secrets in ``config`` and in entries. Takes unvalidated options too.

    An attribute may stand in an entry by mistake, instead of in its ``config``.
    """
    names, entries = params.get("write_only"), params.get("addons")
    write_only = [str(name) for name in names] if isinstance(names, list) else []
    secrets: set[str] = set()

    def redact_objects(options: Options) -> Options:
        objects = {name: value for name, value in options.items() if isinstance(value, dict)}
        secrets.update(*(find_secrets(value, write_only) for value in objects.values()))
        return options | {name: redact(value, write_only) for name, value in objects.items()}

    redacted = redact_objects(params)
    if isinstance(entries, list):
        redacted["addons"] = [redact_objects(_mask_strays(one)) if isinstance(one, dict) else one for one in entries]
    return Redacted(redacted, secrets)


def _mask_strays(entry: Options) -> Options:
    """Returns an entry without the texts under names that are no option of entries: each may be a secret."""
    return {name: MASK if name not in ADDONS.keys and isinstance(one, str) else one for name, one in entry.items()}
