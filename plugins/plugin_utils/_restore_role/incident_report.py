# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the page of an incident, and the JSON of its facts beside it, which the next run reads.

If the JSON says that a restore was sent, and the journal does not know the instance, the journal may be another one.
"""

from __future__ import annotations

import contextlib
import json
import typing as t
from pathlib import Path

from ...module_utils._model.resource import as_objects
from ...module_utils._service.restore.history import EarlierReport
from ...module_utils._text import one_line
from ...module_utils._times import format_time, parse_time
from .._formatting import format_value
from .._reports.report_folder import ReportError, open_folder_of, render
from .incident_results import build_report
from .result_texts import tell_page

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.recorded_incident import RecordedIncident
    from .incident_results import InstanceResult
    from .role_run import RoleRun

ROLES = Path(__file__).resolve().parents[3] / "roles"
TEMPLATE = ROLES / "restore/templates/incident.html.j2"
STYLE_SHEET = ROLES / "fleet_report/files/page.css"
"""All pages of the collection share it."""


def read_earlier_report(path: str, incident: str, service: str, journal: str) -> EarlierReport:
    """Returns what the JSON next to the page at ``path`` says was sent for the incident.

    ``service`` is its host and port; ``journal`` is the place of the journal.
    """
    file = Path(name_json(path))
    try:
        if not file.parent.is_dir():
            return EarlierReport(str(file), journal)
        with open_folder_of(path) as (folder, _page_name):
            content = folder.read(file.name)
        return EarlierReport(str(file), journal, parse_sent(content, incident, service))
    except (ReportError, ValueError):
        return EarlierReport(str(file), journal, unreadable=str(file))


def parse_sent(content: bytes | None, incident: str, service: str) -> dict[str, str]:
    """Returns when restores were sent, by instance id; nothing without a JSON of this incident. Raises ValueError."""
    try:
        report = None if content is None else json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(report, dict) or (report.get("incident"), report.get("service")) != (incident, service):
        return {}
    sent = {str(one.get("id")): one.get("sent_at") for one in as_objects(report.get("instances"))}
    more = report.get("not_in_journal")
    sent |= more if isinstance(more, dict) else {}
    return {key: at for key, at in sent.items() if isinstance(at, str)}


def name_json(page: str) -> str:
    """Returns the name or path of the JSON next to a page."""
    return str(Path(page).with_suffix(".json"))


def write_page(
    run: RoleRun,
    recorded: RecordedIncident,
    results: t.Sequence[InstanceResult],
    now: datetime,
    redact: t.Callable[[t.Any], t.Any] = lambda value: value,
) -> list[str]:
    """Writes the JSON of the facts of an incident, and the page that tells them. Returns where they are, or why not.

    What an earlier JSON says was sent, and the journal does not know, is kept: the next run must be refused, too. So is
    that JSON itself, beside the new one.
    """
    report, told = redact(build_report(run, recorded, results, now)), redact(tell_page(run, recorded, results, now))
    variables = {
        "title": one_line(report["incident"], 80),
        "css": STYLE_SHEET.read_text(encoding="utf-8"),
        "clock": _format_recorded,
    }
    try:
        with open_folder_of(run.report_path, creates=True) as (folder, page_name):
            json_name = name_json(page_name)
            known = {str(one["id"]) for one in report["instances"] if one["sent_at"]}
            earlier: dict[str, str] = {}
            with contextlib.suppress(OSError, ValueError):
                earlier = parse_sent(former := folder.read(json_name), report["incident"], report["service"])
            unknown = {key: at for key, at in earlier.items() if key not in known}
            content = {**report, "not_in_journal": unknown} if unknown else report
            kept = str(Path(json_name).with_suffix(".other-journal.json"))
            if unknown and former and folder.read(kept) is None:
                folder.write(kept, former.decode(errors="replace"))
            folder.write(json_name, json.dumps(content, indent=4, sort_keys=True) + "\n")
            folder.write(page_name, render(str(TEMPLATE), {**variables, **report, **told}))
    except ReportError as error:
        return [str(error)]
    return [f"Report: {run.report_path}", f"JSON: {name_json(run.report_path)}"]


def _format_recorded(text: object, day: object = None) -> str:
    """Returns a time of a record, to the second; the text itself if it is none. Without the date if ``day`` has it."""
    moment = parse_time(text)
    return format_time(moment, parse_time(day), seconds=True) if moment else format_value(text)
