# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the JSON beside the page of an incident. ``result_words.py`` writes both, for people.

The JSON is a witness as well: if it says that a restore was sent, and the journal does not know the instance, the
journal may be another one.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ...module_utils._model.resource import as_objects
from ...module_utils._service.restore.history import Witness
from .._reports.report_folder import ReportError, open_folder_of


def read_witness(path: str, incident: str, service: str, journal: str) -> Witness:
    """Returns what the JSON next to the page at ``path`` says was sent for the incident.

    ``service`` is its host and port; ``journal`` is the place of the journal.
    """
    file = Path(name_json(path))
    try:
        if not file.parent.is_dir():
            return Witness(str(file), journal)
        with open_folder_of(path) as (folder, _page_name):
            content = folder.read(file.name)
        return Witness(str(file), journal, find_sent(parse_report(content), incident, service))
    except (ReportError, ValueError):
        return Witness(str(file), journal, unreadable=str(file))


def parse_report(content: bytes | None) -> t.Any:
    """Returns the JSON, None if there is none. Raises ValueError."""
    try:
        return None if content is None else json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def find_sent(report: t.Any, incident: str, service: str) -> dict[str, str]:
    """Returns when a restore was sent, by the id of its instance; nothing if the JSON is of something else."""
    if not isinstance(report, dict) or (report.get("incident"), report.get("service")) != (incident, service):
        return {}
    sent = {str(one.get("id")): one.get("sent_at") for one in as_objects(report.get("instances"))}
    more = report.get("not_in_journal")
    sent |= more if isinstance(more, dict) else {}
    return {key: at for key, at in sent.items() if isinstance(at, str)}


def name_json(page: str) -> str:
    """Returns the name or path of the JSON next to a page."""
    return str(Path(page).with_suffix(".json"))
