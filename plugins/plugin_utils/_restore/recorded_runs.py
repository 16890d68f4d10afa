# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorded runs of an incident: a JSON file beside the page, of which nothing is lost."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ...module_utils._model.resource import as_objects
from ...module_utils._service.restore.history import RestoreRecord
from .._reports.report_folder import ReportError, open_folder_of

if t.TYPE_CHECKING:
    from .._reports.report_folder import ReportFolder
    from .run import Data


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
        and all(isinstance(run.get(field), str) for field in ("id", "began_at", "outcome", "service"))
        and isinstance(run.get("revision"), int)
        and isinstance(run.get("steps"), list)
        and all(isinstance(one, dict) for one in run["steps"])
    )


def put_run(runs: list[Data], run: Data) -> list[Data]:
    """Returns the runs with ``run`` added, or in place of a version of itself that knows less."""
    known = next((one for one in runs if one["id"] == run["id"]), None)
    if known is None:
        return [*runs, run]
    return [run if one is known and knows_more(run, known) else one for one in runs]


def knows_more(run: Data, other: Data) -> bool:
    """Returns True if of two versions of a run's record the first one is the later. Clocks don't matter."""
    return bool(run["revision"] > other["revision"])


def format_record(incident: str, runs: list[Data]) -> str:
    """Returns the content of the file."""
    return json.dumps({"incident": incident, "runs": runs}, indent=4, sort_keys=True) + "\n"


def read_recorded(path: str, incident: str, service: str, journal: str) -> RestoreRecord:
    """Returns what the record next to the page at ``path`` says was sent for the incident. Changes and locks nothing.

    ``service`` is its host and port; ``journal`` is the place of the journal. One that was set aside can't be read
    either, until somebody has moved it away.
    """
    record = Path(name_record(path))
    runs: list[Data] | None = []
    aside: list[str] = []
    if record.parent.is_dir():
        try:
            with open_folder_of(path, locks=False) as (folder, _page_name):
                runs, aside = _parse_runs(folder, record.name, incident), folder.find_set_aside(record.name)
        except ReportError:
            runs = None
    unreadable = record if runs is None else record.with_name(aside[0]) if aside else ""
    # A run that failed before its first request has recorded no service.
    own = [run for run in runs or () if run["service"] in ("", service)]
    sent = [one for run in own for one in as_objects(run.get("instances")) if isinstance(one.get("sent_at"), str)]
    return RestoreRecord(str(record), journal, {str(one.get("id")): one["sent_at"] for one in sent}, str(unreadable))


def read_runs(folder: ReportFolder, page_name: str, incident: str) -> list[Data]:
    """Returns the recorded runs. A record that can't be read is renamed, with its page; then there are none."""
    name = name_record(page_name)
    runs = _parse_runs(folder, name, incident)
    if runs is None:
        folder.set_aside(name, page_name)
    return runs or []


def _parse_runs(folder: ReportFolder, name: str, incident: str) -> list[Data] | None:
    """Returns the recorded runs; None if the record can't be read."""
    try:
        content = folder.read(name)
    except OSError:
        return None
    return [] if content is None else parse_record(content, incident)


def name_record(page: str) -> str:
    """Returns the name or path of the record next to a page."""
    return str(Path(page).with_suffix(".json"))
