# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of an incident, and the JSON beside it: what the journal holds, for people.

Nothing is read back from them, with one exception: see ``witness.py``.
"""

from __future__ import annotations

import contextlib
import json
import re
import typing as t
from pathlib import Path

from ...module_utils._service.restore.incident_state import IN_PROGRESS
from .._formatting import format_recorded
from .._reports.report_folder import open_folder_of, render
from .confirmation import GIVEN, NOT_ASKED, TYPED
from .failures import FAILURES, UNCONFIRMED
from .results import OK, build_recorded, format_headline, format_restored
from .witness import find_sent, name_json, parse_report

if t.TYPE_CHECKING:
    from datetime import datetime

    from ...module_utils._service.restore.incident_state import IncidentState
    from .results import Result
    from .run import Data, Run

ROLES = Path(__file__).resolve().parents[3] / "roles"
TEMPLATE = ROLES / "restore/templates/incident.html.j2"
STYLE_SHEET = ROLES / "fleet_report/files/page.css"
"""All pages of the collection share it."""

_HOW = {
    TYPED: "by an answer that was typed at the terminal",
    GIVEN: "by restore_confirm",
    NOT_ASKED: "not asked, since nothing was to be overwritten",
}
"""How runs were confirmed, for people. Others were by the playbook that is named."""

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def build_report(run: Run, results: t.Sequence[Result], state: IncidentState, now: datetime) -> Data:
    """Returns the content of page and JSON: all instances and runs of the incident, and how ``run`` has ended.

    ``results`` are those of the run. One that sent nothing says nothing new of an instance that was restored.
    """
    recorded = {one.identity: one for one in build_recorded(state, run, now)}
    for one in results:
        known = recorded.get(one.identity)
        is_unsent = one.kind is not None and FAILURES[one.kind].is_unsent
        if known is None or known.outcome != OK or not is_unsent:
            recorded[one.identity] = one
    shown = [*recorded.values()]
    # That an earlier run has restored an instance is no news about the incident.
    is_of_run = shown == [*results] and any(one.kind for one in results)
    # The page of a run that is killed stays as it was written.
    going_on = "; a run was in progress" if any(one.state == IN_PROGRESS for one in state.runs) else ""
    headline = format_headline(run, shown) if is_of_run else format_restored(shown)
    return {
        "incident": run.incident,
        "service": run.service,
        "account": run.account,
        "began_at": run.began_at,
        "written_at": now.isoformat(timespec="milliseconds"),
        "headline": f"{headline}{going_on}",
        "instances": [{**one.to_dict(), "is_unconfirmed": one.kind in UNCONFIRMED} for one in shown],
        "runs": [{**vars(one), "state": one.state} for one in state.runs],
    }


def write_report(path: str, report: Data) -> None:
    """Writes the page and the JSON. Raises ReportError.

    What an earlier JSON says was sent, and the journal does not know, is kept: the next run must be refused, too.
    """
    title = _CONTROL_CHARACTERS.sub(" ", report["incident"]).strip()
    variables = {
        "title": title if len(title) <= 80 else f"{title[:77]}...",
        "css": STYLE_SHEET.read_text(encoding="utf-8"),
        "clock": format_recorded,
        "confirmed": lambda how: _HOW.get(how, f"by the playbook {how}"),
    }
    with open_folder_of(path, creates=True) as (folder, page_name):
        json_name = name_json(page_name)
        known = {str(one["id"]) for one in report["instances"] if one["sent_at"]}
        earlier: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            earlier = find_sent(parse_report(folder.read(json_name)), report["incident"], report["service"])
        unknown = {key: at for key, at in earlier.items() if key not in known}
        content = {**report, "not_in_journal": unknown} if unknown else report
        folder.write(json_name, json.dumps(content, indent=4, sort_keys=True) + "\n")
        folder.write(page_name, render(str(TEMPLATE), {**variables, **report}))
