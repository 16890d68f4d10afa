# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_fleet_report: reads the account, writes the files of the role ``fleet_report``, and returns
what needs attention."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from pathlib import Path

from ..module_utils._errors import ClawHostersError, SettingsError
from ..module_utils._model.backup import find_unread, is_usable
from ..module_utils._model.resource import Result
from ..module_utils._module.arguments import API, ArgumentSpec
from ..module_utils._module.open_journal import open_journal
from ..module_utils._module.runner import ModuleContext
from ..module_utils._service.backups import list_backups
from ..module_utils._service.billing import fetch_billing
from ..module_utils._service.instance_list import list_instances
from ..module_utils._service.restore.proven_backups import find_failed_drills, find_proofs
from ..module_utils._state.journal import JournalError, OperationKey
from ..module_utils._text import one_line
from ..module_utils._time_options import parse_duration
from ..plugin_utils._controller.role_action import FAILURE_OPTION, RoleAction
from ..plugin_utils._extra_variables import Problems, parse_list
from ..plugin_utils._reports.fleet_facts import ReportSource, build_facts
from ..plugin_utils._reports.fleet_findings import (
    CHECKS,
    build_keys,
    find_findings,
    find_last_keys,
    format_headline,
    list_lines,
)
from ..plugin_utils._reports.fleet_formats import build_page, build_stats, format_data, format_metrics
from ..plugin_utils._reports.report_folder import read_report, render, write_report

ROLE = Path(__file__).resolve().parents[2] / "roles/fleet_report"

SPEC = ArgumentSpec(
    {
        "path": {"type": "path"},
        "data_path": {"type": "path"},
        "metrics_path": {"type": "path"},
        "backup_max_age": {"type": "str", "default": "36h"},
        "title": {"type": "str", "default": ""},
        "fail_on": {"type": "raw"},
        "min_days": {"type": "int", "default": 7},
        "proof_max_age": {"type": "str", "default": "30d"},
        "written": {"type": "dict"},
    }
).merge(FAILURE_OPTION, API.with_default("priority", "low"))

METRICS_MODE = 0o644
"""node_exporter runs as another user."""

T = t.TypeVar("T")


def run(context: ModuleContext) -> Result:
    """Writes the files, except in check mode. What can't be read, apart from the instances, is a notice in them.

    With ``written``, the result of an earlier task, it only fails if that has findings to fail for.
    """
    params, client = context.params, context.client
    if params["written"] is not None:
        failure = params["written"]["failure"]
        lines = {"lines": params["written"]["report"], "failed": bool(failure)}
        return {**lines, "_ansible_verbose_always": bool(failure), **failure}
    problems = Problems()
    paths = problems.collect(_find_paths, params) or {}
    fail_on = problems.collect(_parse_checks, params["fail_on"]) or []
    max_age = problems.collect(parse_duration, "fleet_report_backup_max_age", params["backup_max_age"])
    proof_max_age = problems.collect(parse_duration, "fleet_report_proof_max_age", params["proof_max_age"])
    problems.raise_if_any()
    scope = context.account.describe()
    try:
        source = _read_source(context)
    except ClawHostersError as error:
        # It may be all that is posted of a check that nobody watches.
        error.add(scope)
        raise
    facts = build_facts(source, max_age or timedelta(), params["title"], client.stats.now())
    last_keys = find_last_keys(read_report(str(paths["Page"])))
    findings = find_findings(facts, params["min_days"], proof_max_age or timedelta(), last_keys)
    page, changed = _write(facts, build_keys(findings, last_keys), paths, check_mode=client.check_mode)
    written = [f"{'Not written in check mode' if client.check_mode else what}: {path}" for what, path in paths.items()]
    stats = {"data": {"clawhosters_fleet": build_stats(facts)}, "per_host": False, "aggregate": False}
    more = "." if client.check_mode else f", on the page {paths['Page']}."
    found = [finding for finding in findings if finding.check in fail_on]
    told = {finding.line for finding in found}
    # Without a rehearsal, nothing is proven: that is told only where it is asked for.
    others = [one for one in findings if one.check != "unproven_restore" and one.line not in told]
    return {
        "changed": changed,
        "path": str(paths["Page"]),
        "report": [scope, page["headline"], *list_lines(others, more), *facts["notices"], *written],
        "failure": {"msg": format_headline(found, scope), "findings": list_lines(found, more)} if found else {},
        "ansible_stats": stats,
    }


def _write(
    facts: dict[str, t.Any], keys: dict[str, list[str]], paths: dict[str, Path], *, check_mode: bool
) -> tuple[dict[str, t.Any], bool]:
    """Writes the files. Returns the variables of the page, and True if more than the time of the files has changed."""
    css, script = ((ROLE / "files" / name).read_text(encoding="utf-8") for name in ("page.css", "sort.js"))
    page = build_page(facts, script)
    mark = page["fingerprint"]
    variables = {"page": page, "css": css, "script": script, "finding_keys": " ".join(keys["finding_keys"])}
    texts = {
        "Page": (render(str(ROLE / "templates/fleet.html.j2"), variables), 0o600),
        "Data": (format_data(facts, mark, keys), 0o600),
        "Metrics": (format_metrics(facts, mark), METRICS_MODE),
    }
    # Written in every run, since they show its time.
    changes = [
        write_report(str(path), texts[what][0], mark, check_mode=check_mode, mode=texts[what][1])
        for what, path in paths.items()
    ]
    return page, any(changes)


def _parse_checks(given: t.Any) -> list[str]:
    """Returns the names of checks. Raises SettingsError for another word."""
    checks = parse_list(given)
    if unknown := [one_line(check) for check in checks if check not in CHECKS]:
        raise SettingsError(f"fleet_report_fail_on has {', '.join(unknown)}, which is none of {', '.join(CHECKS)}.")
    return checks


def _find_paths(params: t.Mapping[str, t.Any]) -> dict[str, Path]:
    """Returns the absolute path of each file to write. Raises SettingsError if two are the same."""
    given = {"Page": params["path"], "Data": params["data_path"], "Metrics": params["metrics_path"]}
    paths = {what: Path(path).absolute() for what, path in given.items() if path}
    if len(set(paths.values())) < len(paths):
        raise SettingsError(
            "fleet_report_path, fleet_report_data_path and fleet_report_metrics_path must name different files."
        )
    return paths


def _read_source(context: ModuleContext) -> ReportSource:
    """Reads the account and the journal."""
    client = context.client
    source = ReportSource(list_instances(client, ("status", "health_status")), service=client.settings.host)
    source.billing = _read("Billing", lambda: fetch_billing(client, ["summary", "usage"], 1), source.notices) or {}
    backups = _read("Backups", lambda: list_backups(client), source.notices)
    source.backups = backups and [one for one in backups if is_usable(one) or find_unread(one)]
    journal = open_journal(context)
    try:
        held = journal.read_holders()
        states, damaged = journal.read_intact_states(with_refused=True)
        now = client.stats.service_time() or journal.now()
        source.operations = states
        service = client.settings.api_url
        source.proofs = find_proofs(states, service, now)
        source.failed_drills = find_failed_drills(states, service, now, held).keys()
        subjects = {one["id"]: OperationKey("restore", service, "", str(one["id"])).subject for one in source.instances}
        source.unread = [number for number, subject in subjects.items() if subject in damaged]
        source.journal_problem = _format_damage(damaged) if damaged else ""
    except JournalError as error:
        source.journal_problem = str(error)
    if source.journal_problem:
        context.warn(source.journal_problem)
    return source


def _format_damage(damaged: t.Mapping[str, JournalError]) -> str:
    """Returns what is wrong with the first of the damaged subjects, and how many others there are."""
    first, *others = map(str, damaged.values())
    return f"{first} {len(others)} more {'is' if len(others) == 1 else 'are'} damaged." if others else first


def _read(what: str, fetch: t.Callable[[], T], notices: list[str]) -> T | None:
    """Returns what was fetched; None, and adds a notice, if it can't be read."""
    try:
        return fetch()
    except ClawHostersError as error:
        notices.append(f"{what} could not be read. {error}")
        return None


class ActionModule(RoleAction):
    """Writes the files, or shows what was found."""

    PREFIX = "fleet_report_"
