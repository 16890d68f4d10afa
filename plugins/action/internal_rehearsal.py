# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugin of internal_rehearsal: copies the fleet into a state file for the simulator, by reads alone."""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path

import yaml

from ..module_utils._errors import SettingsError
from ..module_utils._http.lists import fetch_all
from ..module_utils._model.backup import taken_at
from ..module_utils._model.instance_index import InstanceIndex
from ..module_utils._model.ownership import find_owner
from ..module_utils._model.resource import Resource, Result, parse_id
from ..module_utils._module.arguments import API, KNOWN_VARIABLES, ArgumentSpec
from ..module_utils._module.runner import ModuleContext
from ..module_utils._service.backups import list_backups
from ..module_utils._text import KEY_PREFIX, format_count
from ..module_utils._times import parse_time
from ..plugin_utils._controller.action import ControllerAction
from ..plugin_utils._formatting import format_path
from ..plugin_utils._reports.report_folder import prepare_folder, write_report

Data = dict[str, t.Any]

SIMULATOR_HOME = Path(__file__).resolve().parents[2] / "tests"

SPEC = ArgumentSpec({"dir": {"type": "path", "required": True}, "port": {"type": "int", "required": True}}).merge(
    API.with_default("priority", "low")
)

_COPIED = ("name", "status", "tier", "billing_mode", "health_status")
"""Texts of an instance that a rehearsal needs. Addresses are left out: the simulator invents harmless ones."""
_FLEET_HEADING = "# The fleet as the playbook clawhosters.cloud.rehearsal read it, for the simulator.\n"


def run(context: ModuleContext) -> Result:
    """Writes the files, except in check mode."""
    _require_simulator()
    params, client = context.params, context.client
    folder = Path(params["dir"]).absolute()
    fleet_path, environment_path, script_path = map(folder.joinpath, ("fleet.yml", "rehearsal.env", "simulator.sh"))
    if not client.check_mode:
        prepare_folder(str(fleet_path))
    scope = context.account.describe()
    instances, backups = fetch_all(client, "/instances"), list_backups(client)
    state = build_state(instances, backups)
    dumped = yaml.safe_dump(state, sort_keys=False, allow_unicode=True, width=120)
    texts = {
        fleet_path: _FLEET_HEADING + dumped,
        environment_path: format_environment(params["port"], folder / "state"),
        script_path: format_script(params["port"], fleet_path),
    }
    exists = folder.is_dir()
    changes = [
        not exists or write_report(str(path), text, text, check_mode=client.check_mode) for path, text in texts.items()
    ]
    left_out = len(instances) + len(backups) - sum(map(len, state.values()))
    counts = [format_count(len(state[name]), name[:-1]) for name in ("instances", "backups")]
    report = [
        scope,
        f"{'Not written in check mode' if client.check_mode else 'Written'}: {' and '.join(counts)}, in {folder}",
        *([f"{format_count(left_out, 'entry')} left out: without id, name, time or instance."] if left_out else []),
        *_explain_start(format_path(script_path, Path.cwd()), format_path(environment_path, Path.cwd())),
    ]
    return {"changed": any(changes), "path": str(folder), "report": report}


def _require_simulator() -> None:
    """Raises an error if the collection was installed without the simulator, so that a copy would be of no use."""
    folder = SIMULATOR_HOME / "simulator"
    if not folder.is_dir():
        raise SettingsError(
            f"The simulator is missing: this installation has no folder {folder}. "
            "Install the collection from Galaxy, or copy tests/simulator of its repository to there.",
            is_unsent=True,
        )


def _explain_start(script: str | None, environment: str | None) -> list[str]:
    """Returns how to rehearse. Without paths, which would have to be quoted, in words."""
    if script is None or environment is None:
        return [
            "In one terminal, run simulator.sh of that folder with sh.",
            "In another one, source its rehearsal.env.",
        ]
    return [
        "Start the simulator in one terminal:",
        f"sh {script}",
        "In another one, point the shell at it:",
        f". {environment}",
    ]


def build_state(instances: list[Resource], backups: list[Resource]) -> Data:
    """Returns the state for the simulator. It lacks what the simulator can't hold: see README.md there."""
    index = InstanceIndex(instances)
    kept = {one["id"]: one for one in filter(None, map(_copy_instance, instances))}
    copies = (_copy_backup(backup, find_owner(backup, index)) for backup in backups)
    return {"instances": list(kept.values()), "backups": [one for one in copies if one and one["instance_id"] in kept]}


def _copy_instance(instance: Resource) -> Data | None:
    texts = {name: instance[name] for name in _COPIED if isinstance(instance.get(name), str)}
    identity = parse_id(str(instance["id"]))
    if not isinstance(identity, int) or not texts.get("name"):
        return None
    return {"id": identity, **texts, **_copy_time(instance.get("created_at"))}


def _copy_backup(backup: Resource, owner: Resource | None) -> Data | None:
    identity, time = parse_id(str(backup["id"])), _copy_time(taken_at(backup))
    if not isinstance(identity, int) or owner is None or not time:
        return None
    status = {"status": backup["status"]} if isinstance(backup.get("status"), str) else {}
    return {"id": identity, "instance_id": parse_id(str(owner["id"])), **status, **time}


def _copy_time(value: object) -> Data:
    time = parse_time(value)
    return {"created_at": f"{time:%Y-%m-%dT%H:%M:%SZ}"} if time else {}


def format_environment(port: int, state_dir: Path) -> str:
    """Returns what a shell sources, so that its commands can reach only the simulator, with a journal of their own."""
    return (
        "# Points a shell at the simulator of a rehearsal. It forgets the key, the database and all other settings.\n"
        # fish has no unset. An empty variable is one that is not set.
        f"export {' '.join(f'{name}=' for name in KNOWN_VARIABLES)}\n"
        f"command -v unset >/dev/null && unset {' '.join(KNOWN_VARIABLES)}\n"
        f"export CLAWHOSTERS_API_URL=http://127.0.0.1:{port}/api/v1\n"
        f"export CLAWHOSTERS_API_KEY={KEY_PREFIX}rehearsal_0000\n"
        f"export CLAWHOSTERS_STATE_DIR={shlex.quote(str(state_dir))}\n"
    )


def format_script(port: int, fleet_path: Path) -> str:
    """Returns a shell script that starts the simulator. It passes its arguments on, such as ``--verbose``."""
    return (
        "# Starts the simulator with the fleet that was copied. -P: not a simulator.py of the current folder.\n"
        f"export PYTHONPATH={shlex.quote(str(SIMULATOR_HOME))}\n"
        f'exec "${{PYTHON:-python3}}" -P -m simulator --port {port} --state {shlex.quote(str(fleet_path))} "$@"\n'
    )


class ActionModule(ControllerAction):
    """Writes the files of the playbook rehearsal."""
