# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of the ``claw_fleet`` modules, their outcomes, and limits. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_list
from ansible.module_utils.errors import AnsibleValidationError, UnsupportedError

from .._errors import ClawHostersError, PartialError, SettingsError
from .._text import MESSAGE_LIMIT, format_first, format_list, one_line
from .instance import NAME_LIMIT, has_name, label
from .resource import Resource, Result

if t.TYPE_CHECKING:
    from .instance_job import InstanceJob

UNREAD = "Not begun: the task failed before its first change."
FAULTY = "Not begun: the list of instances has faults."
BEYOND_LIMITS = "Not begun: the plan exceeds the limits of the task."
OUTDATED = "Not begun: the plan does not hold any more."
BEYOND_FAILURES = "Not begun: too many entries of earlier batches failed."
NAMED, _LISTED = 10, 3
"""Most instances that a message names, and most failures that it explains; the result has all."""


def entry_options(**own_key: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Returns the options that hold the entries of a module; ``own_key`` is the option that only its entries have."""
    keys = {"id": {"type": "int"}, "name": {"type": "str"}, **own_key}
    return {
        "instances": {"type": "list", "elements": "dict", "options": keys, "required_one_of": [("id", "name")]},
        "ids": {"type": "list", "elements": "int"},
        "names": {"type": "list", "elements": "str"},
    }


class FleetEntry(t.NamedTuple):
    """One entry of the option ``instances``; ``number`` is its position, from 1.

    ``wanted`` is its state, in ``claw_fleet``. ``backup_id`` is for ``claw_fleet_restore``; None for the newest usable
    backup.
    """

    number: int
    instance_id: int | None
    name: str | None
    wanted: str = ""
    backup_id: int | None = None

    @property
    def label(self) -> str:
        """``entry 3, support-bot``, for messages."""
        return format_entry(self.number, self.instance_id, self.name)

    def name_with(self, found: Resource | None) -> str:
        """Returns the label, with name and id of the instance that was found."""
        return f"entry {self.number}, {label(found)}" if found and has_name(found) else self.label


class FaultyListError(PartialError):
    """The list of entries is wrong, so nothing was changed. The ``report`` of the result has a line for each fault.

    ``jobs``: those of all entries, if the instances were read.
    """

    def __init__(self, faults: list[str], jobs: t.Sequence[InstanceJob] = ()) -> None:
        number = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(
            f"The list of instances has {number}, and nothing was changed: {'; '.join(faults)}",
            {"report": [one_line(fault, MESSAGE_LIMIT) for fault in faults]},
        )
        self.jobs = list(jobs)


def gather_entries(params: t.Mapping[str, t.Any], own_key: str) -> list[dict[str, t.Any]]:
    """Returns the entries of a task in the order of its options; ``own_key`` is the option that only its entries have.

    Raises FaultyListError for entries that have neither id nor name, or a blank name.
    """
    entries = [dict.fromkeys(("id", "name", own_key)) | entry for entry in _list_entries(params)]
    faults = [
        f"{format_entry(number, entry['id'], None)}: {fault}"
        for number, entry in enumerate(entries, 1)
        if (fault := _find_fault(entry))
    ]
    if faults:
        raise FaultyListError(faults)
    return entries


def _list_entries(params: t.Mapping[str, t.Any]) -> list[t.Any]:
    """Returns the entries as they were given, in the order of the options."""
    instances, ids, names = (_as_list(params.get(name)) for name in ("instances", "ids", "names"))
    return [*instances, *({"id": value} for value in ids), *({"name": value} for value in names)]


def _as_list(value: object) -> list[t.Any]:
    """Returns the list that Ansible makes of the value of an option; one entry of a value that it refuses."""
    if value is None:
        return []
    try:
        entries: list[t.Any] = check_type_list(value)
    except TypeError:
        return [value]
    return entries


def _find_fault(entry: t.Mapping[str, t.Any]) -> str:
    """Returns why an entry names no instance; empty if it names one."""
    if entry.get("name") is None:
        return "it has neither id nor name" if entry.get("id") is None else ""
    return "" if str(entry["name"]).strip() else "name is empty"


def _format_error(error: AnsibleValidationError) -> str:
    return f"unsupported: {error.msg}" if isinstance(error, UnsupportedError) else error.msg


def build_unread(
    params: t.Mapping[str, t.Any],
    keys: dict[str, dict[str, t.Any]],
    find_facts: t.Callable[[dict[str, t.Any], str], dict[str, t.Any]],
    *,
    has_failed: bool = False,
    has_batches: bool = True,
) -> Result:
    """Returns what the result of a task has that failed before it read the instances: all entries, none of them begun.

    ``params`` need not be valid, nor the entries in them; ``keys`` are the options of an entry. ``find_facts`` gets an
    entry and its fault. ``has_failed``: an entry without a fault has failed too, else it counts as not begun.
    """
    outcomes = []
    for entry in _list_entries(params):
        given = entry if isinstance(entry, dict) else {"name": str(entry)}
        validation = ArgumentSpecValidator(keys).validate({k: v for k, v in given.items() if v is not None})
        given = validation.validated_parameters
        fault = "; ".join(map(_format_error, validation.errors.errors)) or _find_fault(given)
        facts = {"id": given.get("id"), "name": given.get("name"), **find_facts(given, fault)}
        error = one_line(fault, MESSAGE_LIMIT) or (UNREAD if has_failed else None)
        outcomes.append(Outcome("", "", facts, error=error, is_begun=False))
    return build_result(outcomes, {"before": {}, "after": {}}, has_batches=has_batches)


def format_entry(number: int, identity: object, name: object) -> str:
    """Returns ``entry 3, support-bot``, or ``entry 3, id 7``."""
    given = str(name or "").strip() or ("" if identity is None else f"id {identity}")
    return f"entry {number}, {one_line(given, NAME_LIMIT)}" if given else f"entry {number}"


class Outcome(t.NamedTuple):
    """The outcome of an entry."""

    entry: str
    """The label of the entry."""
    name: str
    """The label of its instance."""
    facts: dict[str, t.Any]
    """The keys of its item in the result besides those that all have."""
    before: t.Any = None
    after: t.Any = None
    changed: bool = False
    error: str | None = None
    is_begun: bool = True
    note: str = ""
    """The message of its item if it has not failed."""
    verb: str = "Changed"
    """Under which word a message names it, if it has changed."""

    @property
    def kind(self) -> str:
        """The part of the summary in which the entry counts."""
        if self.error is not None:
            return "failed"
        return "changed" if self.changed else "ok" if self.is_begun else "not_begun"

    def as_item(self) -> Result:
        """Returns its item in the result."""
        return {
            **self.facts,
            "before": self.before,
            "after": self.after,
            "changed": self.changed,
            "failed": self.error is not None,
            "msg": self.error or self.note,
        }


def build_result(outcomes: t.Sequence[Outcome], diff: dict[str, t.Any], *, has_batches: bool) -> Result:
    """Returns the result of the task."""
    kinds = [outcome.kind for outcome in outcomes]
    counted = ("ok", "changed", "failed", "not_begun") if has_batches else ("ok", "changed", "failed")
    return {
        "changed": any(outcome.changed for outcome in outcomes),
        "instances": [outcome.as_item() for outcome in outcomes],
        "summary": {kind: kinds.count(kind) for kind in counted},
        "diff": diff,
    }


def format_failures(
    outcomes: t.Sequence[Outcome],
    allowed: int | None = None,
    *,
    what: str = "failed",
    is_begun: bool = True,
    prefix: str = "",
) -> str:
    """Returns the message of a task with failed entries; empty if there are none. ``is_begun``: a batch was begun.

    ``allowed``: how many may fail before no further batch begins; None if the caller tells what was not begun.
    ``prefix``: that of the option.
    """
    failed = [f"{one.entry}: {one.error}" for one in outcomes if one.error is not None]
    if not failed:
        return ""
    parts = [f"{len(failed)} of {len(outcomes)} entries {what}: {format_first(failed, _LISTED)}"]
    if not is_begun:
        return parts[0]
    skipped = sum(one.kind == "not_begun" for one in outcomes)
    if skipped and allowed is not None:
        parts.append(f"Not begun: {skipped}, since more than {prefix}max_failures ({allowed}) failed.")
    changed: dict[str, list[str]] = {}
    for one in outcomes:
        if one.kind == "changed":
            changed.setdefault(one.verb, []).append(one.name)
    return " ".join([*parts, *(f"{verb}: {format_list(names, NAMED)}." for verb, names in changed.items())])


@dataclass(frozen=True)
class ChangeLimits:
    """Most changes, and most deletions among them, that a task may make; None for any number."""

    changes: int | None = None
    deletions: int | None = None
    # Begins the names of the options in messages.
    prefix: str = ""

    def __post_init__(self) -> None:
        """Raises SettingsError for a negative number, which could be meant as no limit."""
        for name, limit in (("changes", self.changes), ("deletions", self.deletions)):
            if limit is not None and limit < 0:
                raise SettingsError(f"{self.prefix}max_{name} is {limit}, but must be 0 or more. Nothing was sent.")


def raise_failures(message: str, result: Result, errors: t.Iterable[ClawHostersError | None]) -> t.NoReturn:
    """Raises PartialError with the result. Its response is that of the first error that has one."""
    raise PartialError(message, result, next((error for error in errors if error and error.response), None))
