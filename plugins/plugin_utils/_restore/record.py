# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an incident: a JSON file with all runs of the role ``restore`` for it. Pure."""

from __future__ import annotations

import json
import typing as t

from .model import Data


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
