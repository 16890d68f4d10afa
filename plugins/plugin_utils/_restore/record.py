# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an incident: a JSON file with all runs of the role ``restore`` for it. Pure."""

from __future__ import annotations

import json
import typing as t

from ...module_utils._model.resource import as_objects
from .failure_kinds import FailureKind
from .model import Data
from .report import format_restored

_UNSENT = {kind.value for kind in FailureKind if kind.failure.is_unsent}


def parse_record(content: bytes, incident: str) -> list[Data] | None:
    """Returns the runs in the record; None if it can't be parsed or belongs to another incident."""
    try:
        record = json.loads(content)
        runs = record["runs"]
        if record["incident"] != incident or not all(map(_is_run, runs)):
            return None
        # Deeply nested data can't be written again.
        format_record(incident, runs)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return list(runs)


def _is_run(run: t.Any) -> bool:
    return (
        isinstance(run, dict)
        and all(isinstance(run.get(field), str) for field in ("began_at", "outcome"))
        and isinstance(run.get("steps"), list)
        and all(isinstance(one, dict) for one in run["steps"])
    )


def put_run(runs: list[Data], run: Data) -> list[Data]:
    """Returns the runs with ``run`` added, or in place of an earlier version of itself."""
    if any(one.get("id") == run["id"] for one in runs):
        return [run if one.get("id") == run["id"] else one for one in runs]
    return [*runs, run]


def format_record(incident: str, runs: list[Data]) -> str:
    """Returns the content of the file."""
    return json.dumps({"incident": incident, "runs": runs}, indent=4, sort_keys=True) + "\n"


def merge_changes(runs: list[Data]) -> list[Data]:
    """Returns the changes that the runs have recorded, each once, oldest first."""
    changes = {json.dumps(one, sort_keys=True): one for run in runs for one in as_objects(run.get("changes"))}
    return sorted(changes.values(), key=lambda change: str(change.get("at")))


def build_head(runs: list[Data], latest: Data) -> Data:
    """Returns the head of the page, as the latest run has it, over all runs of the incident.

    Each instance has its latest result. A run that sent nothing says nothing new of an instance that was restored.
    """
    results: dict[str, Data] = {}
    for run in runs:
        if run.get("check_mode"):
            continue
        for result in as_objects(run.get("instances")):
            key = _find_key(results, result)
            earlier = results.get(key)
            if earlier is None or earlier.get("outcome") != "ok" or result.get("kind") not in _UNSENT:
                results[key] = result
    if list(results.values()) == as_objects(latest.get("instances")):
        return latest
    instances = list(results.values())
    kinds = ["" if result.get("outcome") == "ok" else str(result.get("kind")) for result in instances]
    return {**latest, "headline": format_restored(kinds), "instances": instances}


def _find_key(results: dict[str, Data], result: Data) -> str:
    """Returns the key of an instance: its id, or its name where a run failed before it knew the id."""
    if result.get("id") is not None:
        results.pop(f"name {result.get('name')}", None)
        return str(result["id"])
    named = [key for key, earlier in results.items() if earlier.get("name") == result.get("name")]
    return named[0] if len(named) == 1 else f"name {result.get('name')}"
