# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the advice and the next command that the role ``restore`` prints after a failure. Pure."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import yaml

from ...module_utils._model.backup import taken_at
from ...module_utils._model.instance import get_status
from ...module_utils._service.restore.messages import advise_on_status
from ...module_utils._service.restore.plan import ObstacleKind
from ...module_utils._service.restore.restore import PLANNED
from .._formatting import UNFOLDED, encode_yaml, format_clock, format_plain_variable, format_value
from .failures import FAILURES, FailureKind, Kind
from .run import Data, RolePlan

PLAYBOOK = "clawhosters.cloud.restore"
_COMMAND = f"ansible-playbook {PLAYBOOK}"

_DEFAULTS_FILE = Path(__file__).resolve().parents[3] / "roles/restore/defaults/main.yml"
DEFAULTS: Data = {
    name: value
    for name, value in yaml.safe_load(_DEFAULTS_FILE.read_text(encoding="utf-8")).items()
    if name != "restore_confirm"
}
"""Defaults of the role; each run is confirmed for itself. A command leaves out variables that have these values."""
_TARGETS = ("restore_instances", "restore_instance_ids")
"""Variables that name the instances."""
_OF_SEVERAL = ("restore_serial", "restore_max_failures")
"""Variables that mean nothing for one instance."""


_NAMED = ("restore_backup", "restore_before", "restore_max_age", "restore_min_interval", "restore_force")
"""Variables that choose the backup, or lift a guard: they are named beside a command that keeps them."""


@dataclass(frozen=True)
class Command:
    """A command that runs the role with these variables. Its forms can be pasted as the screen shows them.

    The variables are the last word of each. If a paste is cut, its quote stays open or its file does not exist, so no
    shortened command runs.
    """

    variables: Data
    is_check: bool = False

    def format_inline(self) -> str | None:
        """Returns the command with its variables; None if a line can't hold them unchanged and unfolded."""
        words = [format_plain_variable(name, value) for name, value in self.variables.items()]
        shown = sorted(filter(None, words), key=len)
        lines = [
            f"{_COMMAND}{check} -e '{' '.join(shown)}'" for check in ((" --check", " -C") if self.is_check else ("",))
        ]
        unfolded = [line for line in lines if line.rindex(" ") <= UNFOLDED]
        return unfolded[0] if unfolded and len(shown) == len(words) else None

    def format_with_file(self, path: str) -> str:
        """Returns the command with its variables in a file."""
        return f"{_COMMAND}{' --check' if self.is_check else ''} -e @{path}"

    def format_file(self) -> str:
        """Returns the content of that file."""
        lines = [f"{name}: {encode_yaml(value)}\n" for name, value in self.variables.items()]
        return f"# Variables for a command that was advised: {self.format_with_file('FILE')}\n{''.join(lines)}"

    def format_words(self) -> str:
        """Returns a sentence in place of the command."""
        values = {
            name: value if isinstance(value, (list, tuple)) else [value] for name, value in self.variables.items()
        }
        shown = "; ".join(f"{name} = {', '.join(map(_format_word, each))}" for name, each in values.items())
        return f"Run the playbook {PLAYBOOK}{' in check mode' if self.is_check else ''} with {shown}"


def _format_word(value: t.Any) -> str:
    return format_value(str(value).lower() if isinstance(value, bool) else value)


def format_without_file(command: Command) -> str:
    """Returns the command, or a sentence where its variables do not fit into a line."""
    return command.format_inline() or command.format_words()


class Advice(t.NamedTuple):
    """``variables`` are those that the next command sets; with ``check`` it is run in check mode."""

    text: str
    variables: Data
    check: bool = False


_OLDEST = "It was the oldest usable backup. "
_FORCED = (ObstacleKind.UNKNOWN, ObstacleKind.FAILED, ObstacleKind.WRONG_STATUS)


def build_advice(kind: Kind, plan: RolePlan, variables: Data) -> Advice:
    """Returns what to do after a failure of this kind."""
    failure = FAILURES[kind]
    usual = Advice(f"{failure.advice}:", {"restore_force": True} if kind in _FORCED else {}, failure.checks)
    return _advise_specially(kind, plan, variables) or usual


def _advise_specially(kind: Kind, plan: RolePlan, variables: Data) -> Advice | None:
    """Returns the advice that depends on the instance and the backup, None if the usual one fits."""
    instance, usual, obstacle = plan.instance or {}, FAILURES[kind].advice, plan.obstacle
    if kind in (*_FORCED, FailureKind.NOT_HEALTHY) and (status := advise_on_status(instance)):
        return Advice(f"{status} To see what has changed, run the same command again:", {})
    if kind is ObstacleKind.WRONG_STATUS and get_status(instance) == "pending_configuration":
        return Advice("Give it an LLM key in the dashboard, then run the same command again:", {})
    if kind in (ObstacleKind.FAILED, FailureKind.INSTANCE_REFUSED):
        # The instance may be the cause. An older backup would lose more, and be refused as well.
        same = {"restore_backup": plan.backup_id, "restore_before": ""} if plan.backup_id else {}
        older = plan.older or {}
        before = f" (the one before it is {older.get('id')} of {format_clock(taken_at(older))})" if older else ""
        oldest = _OLDEST if _is_oldest(plan, variables) else ""
        return Advice(f"{oldest}{usual}{before}:", {"restore_force": True, **same})
    if kind in (FailureKind.BACKUP_REFUSED, FailureKind.NOT_HEALTHY):
        use_older = _use_older(plan, variables)
        return _advise_older(kind, plan, use_older) if use_older else Advice(f"{_OLDEST}{usual}:", {})
    if kind is ObstacleKind.UNKNOWN and (taken := plan.taken_at):
        return Advice(
            f"Check the instance. If it still has data from after {format_clock(taken)}, it was not restored. "
            "Then send the restore again:",
            {"restore_force": True},
        )
    if kind is ObstacleKind.TOO_OLD and plan.age is None:
        return Advice("To accept a backup of unknown age:", {"restore_max_age": ""})
    if kind is ObstacleKind.TOO_OLD:
        hours = math.ceil((plan.age or timedelta(0)) / timedelta(hours=1)) + 1
        return Advice(f"{usual}:", {"restore_max_age": f"{hours}h"})
    if kind in (ObstacleKind.OTHER_BACKUP, ObstacleKind.BACKUP_TWICE) or (
        kind is ObstacleKind.NO_BACKUP and variables["restore_backup"] != "latest"
    ):
        return Advice("Check the plan with the newest backup:", {"restore_backup": "latest"}, check=True)
    if kind is ObstacleKind.NO_BACKUP and str(variables.get("restore_before") or "").strip():
        return Advice("Newer backups may hold the damage. Check the plan:", {"restore_before": ""}, check=True)
    if kind is ObstacleKind.NO_INSTANCE and obstacle and obstacle.similar:
        text = f"If {format_value(obstacle.similar)} was meant, check its plan:"
        return Advice(text, {"restore_instances": [obstacle.similar]}, check=True)
    if kind is ObstacleKind.AMBIGUOUS:
        return Advice(f"{usual}:", {"restore_instance_ids": list(obstacle.ids[:1]) if obstacle else []}, check=True)
    if kind is ObstacleKind.RENAMED:
        return Advice(f"{usual}:", {"restore_instance_ids": [instance.get("id")]}, check=True)
    if kind is ObstacleKind.TOO_SOON:
        return Advice(f"{usual}:", {"restore_min_interval": ""})
    return None


def _advise_older(kind: Kind, plan: RolePlan, use_older: Data) -> Advice:
    """Returns the advice to restore an older backup; for another incident, where this one has completed."""
    older, backup_time = plan.older, format_clock(plan.taken_at)
    which = f"the newest backup before {backup_time}"
    if older:
        which = f"the one before it: backup {older.get('id')} of {format_clock(taken_at(older))}"
    if kind is FailureKind.BACKUP_REFUSED:
        return Advice(f"To try {which}:", use_older)
    return Advice(
        f"{FAILURES[kind].advice}. For an older backup, set restore_before={_before(plan)['restore_before']} and "
        "another restore_incident. To wait again:",
        {},
    )


def _use_older(plan: RolePlan, variables: Data) -> Data:
    """Returns the variables that select the next older backup; nothing if there is none."""
    if plan.older:
        return {"restore_backup": plan.older.get("id"), "restore_before": "", "restore_max_age": ""}
    return {} if _is_oldest(plan, variables) else _before(plan)


def _is_oldest(plan: RolePlan, variables: Data) -> bool:
    """Returns True if no usable backup is older. A plan that chose the backup has read the others."""
    return plan.older is None and plan.outcome == PLANNED and variables["restore_backup"] == "latest"


def _before(plan: RolePlan) -> Data:
    """Returns the variables that select the newest usable backup before that of the plan."""
    taken = plan.taken_at
    before = f"{taken.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if taken else ""
    return {"restore_backup": "latest", "restore_before": before, "restore_max_age": ""} if taken else {}


def select_plans(plans: list[RolePlan]) -> Data:
    """Returns the variable that names the instances as the user did, or their ids if a name has unusual characters."""
    if any(plan.given_id is not None for plan in plans):
        return {"restore_instance_ids": [plan.given_id for plan in plans]}
    names, ids = [plan.name for plan in plans], [(plan.instance or {}).get("id") for plan in plans]
    if format_plain_variable("restore_instances", names) or None in ids:
        return {"restore_instances": names}
    return {"restore_instance_ids": ids}


def build_command(target: Data, variables: Data, advice: Advice | None = None) -> Command:
    """Returns the command with each variable that differs from the defaults.

    It never holds ``restore_confirm``: each run is confirmed for itself, after its plan.
    """
    advised = advice.variables if advice else {}
    is_one = sum(map(len, target.values())) == 1
    target = {name: advised[name] for name in _TARGETS if name in advised} or target
    given: Data = {**target, "restore_incident": variables["restore_incident"]}
    for variable, default in DEFAULTS.items():
        value = advised.get(variable, variables.get(variable, default))
        if value not in (default, None) and str(value) != str(default) and not (is_one and variable in _OF_SEVERAL):
            given[variable] = value
    return Command(given, is_check=bool(advice and advice.check))


def format_named(command: Command, variables: Data) -> str:
    """Returns which variables that choose the backup or lift a guard the command sets, and which of ``variables`` it
    leaves out: it may have them in a file."""
    given = {name: variables.get(name) for name in _NAMED}
    named = {
        "sets": {name: command.variables[name] for name in _NAMED if name in command.variables},
        "leaves out": {
            name: value
            for name, value in given.items()
            if name not in command.variables and str(value or "").strip() not in ("", str(DEFAULTS[name]))
        },
    }
    parts = [
        f"{verb} {', '.join(f'{name}={_format_word(value)}' for name, value in each.items())}"
        for verb, each in named.items()
        if each
    ]
    return f"The command {' and '.join(parts)}. " if parts else ""
