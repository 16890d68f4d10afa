# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin report_file. Runs in the controller, where the templates and the earlier records are."""

from __future__ import annotations

import contextlib
import json
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import one_line
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import API
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.postgres_store import Outage, PostgresStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import StoreError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._outage import OUTAGE_PATH
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._reports.files import (
    ReportError,
    prepare_folder,
    record_run,
    write_page,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore.record import parse_record
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import mark_result_unsafe

OPTIONS = {
    "path": {"type": "path", "required": True},
    "template": {"type": "path"},
    "vars": {"type": "dict"},
    "fingerprint": {"type": "str"},
    "run": {"type": "dict"},
    "state_database": API.options["state_database"],
}


class ActionModule(ActionBase):
    """Writes a page of a role, or a run into the record of its incident."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Returns the result of the task. If a run can't be recorded, the task succeeds with a ``problem``."""
        result = super().run(tmp, task_vars)
        # Removes the tags that ansible-core 2.19 adds to values.
        _validation, given = self.validate_argument_spec(OPTIONS)
        args = json.loads(json.dumps({name: value for name, value in given.items() if value is not None}, default=str))
        result.update(changed=False, problem="", run=args.get("run"), path=str(Path(args["path"]).absolute()))
        try:
            shared = _share_run(args) if args.get("run") and not self._task.check_mode else []
            result["changed"] = _write(args, shared, check_mode=bool(self._task.check_mode))
        except ReportError as error:
            result["problem"] = str(error)
        except Exception as error:  # A record must never prevent a restore.
            result["problem"] = f"Bug in the collection, please report it: {type(error).__name__}: {one_line(error)}."
        if result["problem"] and args.get("run"):
            result["warnings"] = [result["problem"]]
        elif result["problem"]:
            result.update(failed=True, msg=result["problem"])
        return mark_result_unsafe(result)


def _share_run(args: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Puts the run into the database, if there is one, and returns all runs of its incident, of any machine."""
    database, run = args.get("state_database"), args["run"]
    if not database:
        return []
    with contextlib.closing(PostgresStore(database, Outage(OUTAGE_PATH))) as store:
        try:
            texts = store.put_run(str(run["incident"]), str(run["id"]), json.dumps(run))
        except StoreError as error:
            Display().warning(f"{error}, so the record of this run is only in its own file. {error.advice}.")
            return []
    record = json.dumps({"incident": run["incident"], "runs": [json.loads(text) for text in texts]})
    return parse_record(record.encode(), run["incident"]) or []


def _write(args: dict[str, t.Any], shared_runs: list[dict[str, t.Any]], *, check_mode: bool) -> bool:
    """Prepares the folder, writes a page or records a run. Returns True if something changed."""
    if "template" not in args:
        if not check_mode:
            prepare_folder(args["path"])
        return False
    if "run" not in args:
        return write_page(args["path"], args["template"], args["vars"], args["fingerprint"], check_mode=check_mode)
    if check_mode:
        return False
    record_run(args["path"], args["template"], args["vars"], args["run"], shared_runs)
    return True
