# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes the attributes of one or many add-ons concurrently, and reads them again to see what came of it.

``claw_fleet_addon`` reads them by the list, ``claw_addon`` its one by itself.
"""

from __future__ import annotations

import copy
import functools
import typing as t
from dataclasses import dataclass

from .._concurrency import map_ordered
from .._errors import ApiError, ClawHostersError, PartialError, RefusedError, ResponseError, TransportError
from .._http.client import Client
from .._http.lists import fetch_all
from .._model.addon import Config, needs_wrapping, require_same_owner
from .._model.addon_fleet import AddonEntry, AddonJob, Match, build_diff, build_outcomes, match_entries, plan_update
from .._model.batches import AT_ONCE, Batches
from .._model.fleet_entries import ADDONS, ChangeLimits, build_result, format_failures, raise_excess, raise_failures
from .._model.resource import Resource, ResourceChange, Result
from .._model.saved_plan import find_difference
from .addons import AddonMatcher, addon_path, fetch_addon
from .saved_plans import PlanMaker

_Listed: t.TypeAlias = "dict[str, Resource] | ClawHostersError | None"
_INTERRUPTED = "Updates that were sent may have been made. Run the same command again: it sends what still differs."


def ensure_config(client: Client, addon: Resource, config: Config, write_only: t.Collection[str]) -> ResourceChange:
    """Sets the attributes of ``addon`` to ``config``; in check mode predicts it.

    At most one request is executed. Raises RefusedError for an attribute that is not shown, and PartialError if not all
    attributes were taken.
    """
    job = AddonJob(addon, config, write_only, addon, reads_detail=True)
    carry_out(client, [job])
    before, after = (
        {name: addon[name] for name in ("id", "addon_type") if name in addon} | shown for shown in job.attributes()
    )
    change = ResourceChange(job.changed, job.latest, before, after)
    if job.error is not None:
        result = change.as_result("addon") if job.is_accepted else {"changed": job.changed}
        raise PartialError(str(job.error), result, job.error)
    return change


@dataclass
class AddonFleet:
    """Sets the attributes of many add-ons; in check mode it only reads."""

    client: Client
    write_only: t.Collection[str]
    batches: Batches = AT_ONCE
    plan_maker: PlanMaker | None = None

    def ensure(self, entries: list[AddonEntry], limits: ChangeLimits) -> Result:
        """Sets the attributes of every entry, and returns the result of the task.

        Raises PartialError with the result if an entry failed, which does not stop the others; FaultyListError,
        PartialError if the plan exceeds the limits, and what the client raises for the lists, before the first change.
        """
        addons = fetch_all(self.client, "/addons")
        found = AddonMatcher(self.client, [entry.query for entry in entries]).select_each(addons) if entries else []
        matches = match_entries(entries, found, addons)
        jobs = self._plan(entries, matches)
        excess = limits.find_excess((sum(bool(job.changes) for job in jobs), ""))
        planned = filter(None, map(plan_update, jobs))
        made = {"plan": self.plan_maker.make(planned).as_result()} if self.plan_maker else {}
        batches = self.batches.split(jobs)
        if excess:
            if self.client.check_mode:  # the plan is shown all the same
                carry_out(self.client, jobs)
        else:
            self._carry_out(batches, limits)
        outcomes = build_outcomes(entries, jobs, refused=bool(excess) and not self.client.check_mode)
        result = build_result("addons", outcomes, build_diff(outcomes), has_batches=bool(self.batches.sizes)) | made
        if excess:
            raise_excess(excess, "add-on", result)
        if failures := format_failures(outcomes, self.batches.max_failures):
            raise_failures(failures, result, (job.error for job in jobs))
        return result

    def _carry_out(self, batches: list[list[AddonJob]], limits: ChangeLimits) -> None:
        """Changes one batch after the other. Each is compared anew with the list that was read after the one before."""
        jobs = [job for batch in batches for job in batch]
        listed: _Listed = None
        for batch, _prefix in self.batches.begin(batches, self.client.progress):
            if batch is not batches[0] and not self.client.check_mode:
                self._look_again(batch, listed)
                _hold_back_excess(jobs, batch, limits)
            listed = carry_out(self.client, [job for job in batch if job.error is None]) or listed

    def _look_again(self, jobs: list[AddonJob], listed: _Listed) -> None:
        saved = self.plan_maker.saved if self.plan_maker else None
        for job in jobs:
            try:
                if job.reads_detail:
                    job.look_again(fetch_addon(self.client, job.id))
                elif listed is not None:
                    job.look_again(_find(listed, job.id))
                now = plan_update(job)
                if saved and now and (difference := find_difference(saved.changes.get(job.id), now)):
                    raise RefusedError(f"{difference}.")
            except ClawHostersError as error:
                job.error = RefusedError(f"{error} This task sent nothing for it.", error)

    def _plan(self, entries: list[AddonEntry], matches: list[Match]) -> list[AddonJob]:
        """Returns a job for each entry. Raises FaultyListError for attributes that an add-on does not show."""
        details = self._read_details(entries, matches)
        jobs: list[AddonJob] = []
        faults: list[tuple[int, object]] = []
        for position, (entry, match) in enumerate(zip(entries, matches, strict=True)):
            addon = details.get(position, match.listed)
            try:
                require_same_owner(addon, match.known, entry.query)
                job = AddonJob(addon, entry.config, self.write_only, match.known, position in details, entry.query)
                jobs.append(job)
            except RefusedError as error:
                faults.append((position, error))
        ADDONS.raise_faults(entries, faults)
        return jobs

    def _read_details(self, entries: list[AddonEntry], matches: list[Match]) -> dict[int, Resource]:
        """Reads the add-ons of which the list does not show all attributes, by their position in the list of entries.

        The list may show fewer attributes than an add-on's own page. Those of one type show the same attributes: if the
        first one shows no more there, the others are not read.
        """
        lacking: dict[object, list[int]] = {}
        for position, (entry, match) in enumerate(zip(entries, matches, strict=True)):
            if entry.config.keys() - match.listed.keys() - set(self.write_only):
                lacking.setdefault(match.known.get("addon_type"), []).append(position)
        details: dict[int, Resource] = {}
        for positions in lacking.values():
            ids = [matches[position].listed["id"] for position in positions]
            first = fetch_addon(self.client, ids[0])
            if first.keys() - matches[positions[0]].listed.keys():
                rest = map_ordered(lambda one: fetch_addon(self.client, one), ids[1:])
                details |= zip(positions, [first, *rest], strict=True)
        return details


def _hold_back_excess(jobs: list[AddonJob], batch: list[AddonJob], limits: ChangeLimits) -> None:
    """Fails the last of the changes of a batch, if they are more than ``max_changes`` allows since it was compared."""
    if limits.changes is not None:
        excess = sum(bool(job.changes) for job in jobs) - limits.changes
        ready = [job for job in batch if job.changes and job.error is None]
        for job in ready[-excess:] if excess > 0 else []:
            job.error = RefusedError(f"Not begun: the other changes take all of max_changes ({limits.changes}).")


def carry_out(client: Client, jobs: list[AddonJob]) -> _Listed:
    """Sends the changes of all jobs, and reads their add-ons again. In check mode, predicts the changes.

    Returns the add-ons as listed then, by id, or the error of that; None if the list was not read.
    """
    changing = [job for job in jobs if job.changes]
    if client.check_mode:
        for job in changing:
            job.predict()
    elif changing:
        with client.progress.if_interrupted(_INTERRUPTED):
            list(map_ordered(lambda job: _change(client, job), changing))
            return _read_again(client, [job for job in changing if job.error is None])
    return None


def _change(client: Client, job: AddonJob) -> None:
    """Sends the changes of a job. It has an error then if they were surely not made."""
    try:
        job.rejection = _send(client, job.addon, job.changes)
        job.is_accepted = True
    except (TransportError, ResponseError, ApiError) as error:
        if error.may_have_been_executed:
            job.lost = error
        else:
            error.add(f"The {job.label} was not changed.")
            job.error = error
    except ClawHostersError as error:
        job.error = error


def _send(client: Client, addon: Resource, changes: Config) -> ApiError | None:
    """Sends the changes. Returns the rejection of the plain body if they were sent wrapped after it."""
    path = addon_path(addon["id"])
    try:
        client.request("PATCH", path, body=changes)
    except ApiError as rejection:
        if not needs_wrapping(rejection, changes):
            raise
        # A rejected request did nothing, and this one says what it misses: the attributes inside of `addon`.
        try:
            client.request("PATCH", path, body={"addon": changes})
        except ApiError as second:
            if second.status in (400, 422):
                raise rejection from None
            raise
        return rejection
    return None


def _read_again(client: Client, jobs: list[AddonJob]) -> _Listed:
    """Ends the jobs with their add-ons as they are now. The list serves all whose attributes it shows."""
    alone = [job for job in jobs if job.reads_detail]
    for job, seen in zip(alone, map_ordered(lambda one: _try(lambda: fetch_addon(client, one.id)), alone), strict=True):
        job.see(seen)
    if len(alone) == len(jobs):
        return None
    listed = _try(lambda: {str(addon["id"]): addon for addon in fetch_all(client, "/addons")})
    for job in jobs:
        if not job.reads_detail:
            job.see(_try(functools.partial(_find, listed, job.id)))
    return listed


def _find(listed: dict[str, Resource] | ClawHostersError, identity: str) -> Resource:
    """Returns an add-on from a list. Raises the error that kept the list from being read."""
    if isinstance(listed, ClawHostersError):
        raise copy.copy(listed)
    if identity not in listed:
        raise RefusedError("It is not in the list of add-ons any more.")
    return listed[identity]


T = t.TypeVar("T")


def _try(read: t.Callable[[], T]) -> T | ClawHostersError:
    try:
        return read()
    except ClawHostersError as error:
        return error
