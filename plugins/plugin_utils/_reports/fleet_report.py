# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of the role ``fleet_report``: reads the account, writes the page, and returns what needs attention."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime
from pathlib import Path

from ...module_utils._errors import ClawHostersError
from ...module_utils._model.backup import format_left_out, select
from ...module_utils._model.resource import Resource
from ...module_utils._model.results import Result
from ...module_utils._module.arguments import API, ArgumentSpec
from ...module_utils._module.runner import ModuleContext
from ...module_utils._service.backups import list_backups
from ...module_utils._service.billing import fetch_billing
from ...module_utils._state.journal import JournalError
from ...module_utils._times import parse_duration
from .attention import format_attention
from .files import write_page
from .fleet_page import build_page

ROLE = Path(__file__).resolve().parents[3] / "roles/fleet_report"

SPEC = ArgumentSpec(
    {
        "path": {"type": "path", "required": True},
        "backup_max_age": {"type": "str", "required": True},
        "title": {"type": "str", "required": True},
    }
).merge(API.with_default("priority", "low"))

T = t.TypeVar("T")


def run(context: ModuleContext) -> Result:
    """Writes the page, except in check mode. What can't be read, apart from the instances, is a notice on it."""
    params, client = context.params, context.client
    max_age = parse_duration("fleet_report_backup_max_age", params["backup_max_age"])
    instances = client.fetch_all("/instances")
    notices: list[str] = []
    billing = _read("Billing", lambda: fetch_billing(client, ["summary", "usage"], 1), notices)
    backups = _read("Backups", lambda: _fetch_newest_backups(context), notices)
    journal, journal_problem = _read_journal(context)
    css, script = ((ROLE / "files" / name).read_text(encoding="utf-8") for name in ("page.css", "sort.js"))
    options = {
        "max_age": max_age,
        "title": params["title"],
        "script": script,
        "notices": notices,
        "journal_problem": journal_problem,
    }
    page = build_page(instances, billing or {}, backups, journal, options, datetime.now(UTC))
    # Written in every run, since the page shows its time. Changed only if the rest of the page differs.
    changed = write_page(
        params["path"],
        str(ROLE / "templates/fleet.html.j2"),
        {"page": page, "css": css, "script": script},
        page["fingerprint"],
        check_mode=client.check_mode,
    )
    path = Path(params["path"]).absolute()
    written = f"Not written in check mode: {path}" if client.check_mode else f"Page: {path}"
    report = [_format_headline(page), *format_attention(page), *page["notices"], written]
    return {"changed": changed, "path": str(path), "report": report}


def _format_headline(page: dict[str, t.Any]) -> str:
    """Returns the headline of the page. Its numbers add up to the rows of the table."""
    stale = sum(row["backup"]["late"] and not row["trouble"] for row in page["rows"])
    if not (page["counts"]["trouble"] and stale):
        return page["headline"]
    return f"{page['headline']} {stale} more {'has' if stale == 1 else 'have'} no fresh backup."


def _read(what: str, fetch: t.Callable[[], T], notices: list[str]) -> T | None:
    """Returns what was fetched; None, and adds a notice, if it can't be read."""
    try:
        return fetch()
    except ClawHostersError as error:
        notices.append(f"{what} could not be read. {error}")
        return None


def _fetch_newest_backups(context: ModuleContext) -> list[Resource]:
    """Returns the newest usable backup of each instance."""
    chosen, left_out = select(list_backups(context.client), None, usable=True, newest=True)
    if left_out:
        context.warn(format_left_out(left_out, usable=True, with_owner=True))
    return chosen


def _read_journal(context: ModuleContext) -> tuple[str, str]:
    """Returns the text of the journal, and why it is not reliable; empty if it is."""
    journal, text = context.journal(), ""
    try:
        text = journal.read_text()
        journal.read_entries()
    except JournalError as error:
        context.warn(str(error))
        return text, str(error)
    return text, ""
