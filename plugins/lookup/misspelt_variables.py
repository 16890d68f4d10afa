# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup misspelt_variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Find misspelt and cut variables (internal to the roles and playbooks)
description:
  - Internal to the roles and playbooks of this collection.
  - Finds variables whose names are similar to those of a role or playbook. Ansible would ignore them.
  - Warns of other variables that C(-e) sets, and that begin with the name of the playbook. Ansible ignores them, too.
  - Finds values that C(-e) has cut at a space, lists given as text that ends in a comma or looks like JSON but is no
    list, values of another type than the argument spec says, and numbers that YAML reads as others.
  - Finds C(--tags), by which a playbook of this collection would do nothing.
options:
  _terms:
    description:
      - Roles of this collection. Their variables are the options of their argument specs.
    type: list
    elements: str
  playbook:
    description:
      - A playbook of this collection. With it, any value that C(-e) has cut is found. Without it, a role runs in the
        user's own playbook, and only its own variables are checked.
    type: str
  names:
    description:
      - The playbook's own variables. A dictionary of names and options, as in an argument spec.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Check the names of the variables
  ansible.builtin.assert:
    that: misspelt | length == 0
    fail_msg: "{{ misspelt }}"
  vars:
    misspelt: "{{ lookup('clawhosters.cloud.misspelt_variables', 'restore') }}"
"""

RETURN = r"""
_raw:
  description: One message, empty if nothing is wrong.
  type: list
  elements: str
"""

import contextlib
import functools
import typing as t
from pathlib import Path

import yaml
from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv
from ansible.plugins.lookup import LookupBase

from ..module_utils._model.similar_names import is_misspelling, with_suggestion
from ..plugin_utils._controller.unsafe import protect_value
from ..plugin_utils._extra_variables import KnownVariable, format_problems
from ..plugin_utils._variable_values import find_misread_numbers, find_value_problem, read_keys

ROLES = Path(__file__).resolve().parents[2] / "roles"


class LookupModule(LookupBase):
    """The lookup ``misspelt_variables``."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Returns one item, the error message for the variables in scope."""
        self.set_options(var_options=variables, direct=kwargs)
        playbook, names = self.get_option("playbook"), self.get_option("names")
        specs = [(f"playbook {playbook}", names), *((f"role {role}", _read_options(role)) for role in terms)]
        known = {
            str(name): KnownVariable(owner, option) for owner, options in specs for name, option in options.items()
        }
        values = {name: self._render((variables or {}).get(name)) for name in known}
        options = context.CLIARGS.get("extra_vars") or ()
        lists = {name: values[name] for name, one in known.items() if one.is_list}
        misread = {
            name: text for option in options for name, text in find_misread_numbers(_read_yaml(option), known).items()
        }
        others = [misread.get(name) or find_value_problem(name, values[name], known[name].option) for name in known]
        if playbook:
            self._warn_of_unknown(playbook, options, known)
        if playbook and not {"all", "untagged"} & {*context.CLIARGS.get("tags", ("all",))}:
            others.append(f"The playbook {playbook} runs as a whole, and --tags selects none of it. Leave it out.")
        return [
            protect_value(format_problems(variables or (), known, options, lists, others, is_strict=bool(playbook)))
        ]

    def _warn_of_unknown(self, playbook: str, options: t.Iterable[str], known: t.Collection[str]) -> None:
        """Warns of what ``-e`` sets for the playbook that nothing of it reads. It may be for the user's inventory."""
        given = {name for option in options for name in _read_names(option)}
        for name in sorted(given.difference(known)):
            if name.startswith(f"{playbook}_") and not any(is_misspelling(name, one) for one in known):
                text = with_suggestion(name, known)
                self._display.warning(f"-e sets {text}, which is not a variable of the playbook {playbook}.")

    def _render(self, value: t.Any) -> t.Any:
        """Returns a variable with its templates filled in; None if that fails, as the task that uses it will say."""
        try:
            return self._templar.template(value) if isinstance(value, (str, list)) else value
        except AnsibleError:
            return None


def _read_yaml(option: str) -> str:
    """Returns the YAML of a value of ``-e``: its own, or that of its file; empty for another form or a failure."""
    if not option.startswith("@"):
        return option if option.startswith("{") else ""
    path = Path(option[1:]).expanduser()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        # Ansible has read a pipe to its end, and who opens it again waits for ever.
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    return ""


def _read_names(option: str) -> t.Collection[str]:
    """Returns the names that a value of ``-e`` sets; none if it can't be read."""
    return read_keys(_read_yaml(option)) if option.startswith(("@", "{")) else parse_kv(option)


@functools.cache
def _read_options(role: str) -> dict[str, dict[str, t.Any]]:
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return dict(spec["argument_specs"]["main"]["options"])
