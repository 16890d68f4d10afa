# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup misspelt_variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Find wrong names and cut values of variables (internal to the roles and playbooks)
description:
  - Internal to the roles and playbooks of this collection.
  - Finds variables that begin with the name of a role or playbook, and are none of its own. Ansible would ignore them.
    Names with two underscores are its own, and those of the other roles and playbooks of this collection are left
    alone.
  - Finds values that C(-e) has cut at a space, and lists given as text that ends in a comma, or looks like JSON but is
    no list.
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

import functools
import typing as t
from pathlib import Path

import yaml
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils._controller.unsafe import protect_value
from ..plugin_utils._extra_variables import find_list_problem, find_lost, format_lost

COLLECTION = Path(__file__).resolve().parents[2]
OWNERS = {path.stem for folder in ("roles", "playbooks") for path in (COLLECTION / folder).iterdir()}
"""The roles and playbooks: each has the variables that begin with its name."""


class LookupModule(LookupBase):
    """The lookup ``misspelt_variables``."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Returns one item, the error message for the variables in scope."""
        self.set_options(var_options=variables, direct=kwargs)
        given, playbook = variables or {}, self.get_option("playbook")
        owned = {role: _read_options(role) for role in terms}
        if playbook:
            owned.setdefault(playbook, self.get_option("names"))
        known = {name: option for options in owned.values() for name, option in options.items()}
        options = context.CLIARGS.get("extra_vars") or ()
        cuts = [cut for option in options for cut in find_lost(option) if playbook or cut[0] in known]
        lists = [name for name, option in known.items() if option.get("type") == "list" and name not in dict(cuts)]
        sentences = [
            *(format_lost(*cut) for cut in cuts),
            *(find_list_problem(name, self._render(given.get(name))) for name in lists),
            *(_find_unknown(owner, given, owned[owner]) for owner in owned),
        ]
        found = " ".join(filter(None, sentences))
        return [protect_value(f"{found} Nothing was sent." if found else "")]

    def _render(self, value: t.Any) -> t.Any:
        """Returns a variable with its templates filled in; None if that fails, as the task that uses it will say."""
        try:
            return self._templar.template(value)
        except AnsibleError:
            return None


def _find_unknown(owner: str, given: t.Iterable[object], known: t.Collection[str]) -> str:
    """Returns a sentence with the given variables that begin with the name of the owner, and are none of its own."""
    others = (f"{owner}__", *(f"{other}_" for other in OWNERS if other.startswith(f"{owner}_")))
    names = [str(name) for name in given if str(name).startswith(f"{owner}_") and name not in known]
    unknown = sorted(name for name in names if not name.startswith(others))
    if not unknown:
        return ""
    return f"{owner} has no variable {', '.join(unknown)}. Its variables are: {', '.join(known) or 'none'}."


@functools.cache
def _read_options(role: str) -> dict[str, dict[str, t.Any]]:
    spec = yaml.safe_load((COLLECTION / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return dict(spec["argument_specs"]["main"]["options"])
