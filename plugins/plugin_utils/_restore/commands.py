# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the advice and the next command that the role ``restore`` prints after a failure. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from .._formatting import UNFOLDED, encode_yaml, format_plain_variable, format_value
from .failures import FAILURES

if t.TYPE_CHECKING:
    from .failures import Advice, Kind
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


def build_advice(kind: Kind, plan: RolePlan, variables: Data) -> Advice:
    """Returns what to do after a failure of this kind. Imports what finds an advice that is not always the same."""
    failure = FAILURES[kind]
    if failure.varies:
        from .advice import find_advice

        return find_advice(kind, plan, variables)
    return failure.advise()


def select_plans(plans: list[RolePlan]) -> Data:
    """Returns the variable that names the instances as the user did, or their ids if a name has unusual characters."""
    if any(plan.given_id is not None for plan in plans):
        return {"restore_instance_ids": [plan.given_id for plan in plans]}
    names, ids = [plan.name for plan in plans], [(plan.instance or {}).get("id") for plan in plans]
    if format_plain_variable("restore_instances", names) or None in ids:
        return {"restore_instances": names}
    return {"restore_instance_ids": ids}


def build_command(target: Data, variables: Data, advice: Advice | None = None, *, is_check: bool = False) -> Command:
    """Returns the command with each variable that differs from the defaults.

    ``is_check``: the run was in check mode. So is the same command again, to which no variable is advised. It never
    holds ``restore_confirm``: each run is confirmed for itself, after its plan.
    """
    advised = advice.variables if advice else {}
    is_one = sum(map(len, target.values())) == 1
    target = {name: advised[name] for name in _TARGETS if name in advised} or target
    given: Data = {**target, "restore_incident": variables["restore_incident"]}
    for variable, default in DEFAULTS.items():
        value = advised.get(variable, variables.get(variable, default))
        if value not in (default, None) and str(value) != str(default) and not (is_one and variable in _OF_SEVERAL):
            given[variable] = value
    return Command(given, is_check=bool(advice and advice.check) or (is_check and not advised))


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
    return f" (the command {' and '.join(parts)})" if parts else ""
