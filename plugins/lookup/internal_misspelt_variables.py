# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup internal_misspelt_variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: internal_misspelt_variables
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
    misspelt: "{{ lookup('clawhosters.cloud.internal_misspelt_variables', 'restore') }}"
"""

RETURN = r"""
_raw:
  description: One message, empty if nothing is wrong.
  type: list
  elements: str
"""

import functools
import re
import typing as t
from pathlib import Path

import yaml
from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv, split_args
from ansible.plugins.lookup import LookupBase

from ..module_utils._text import one_line
from ..plugin_utils._extra_variables import parse_json

COLLECTION = Path(__file__).resolve().parents[2]
OWNERS = {path.stem for folder in ("roles", "playbooks") for path in (COLLECTION / folder).iterdir()}
"""The roles and playbooks: each has the variables that begin with its name."""

MAY_BE_SECRET = re.compile(
    r"oc_live_|://|=|pass|pwd?\b|_pw|auth|secret|token|key|bearer|database|credential", re.IGNORECASE
)
_NEEDS_MORE_QUOTES = re.compile(r"[\"'\\\n]")


class LookupModule(LookupBase):
    """The lookup ``internal_misspelt_variables``."""

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
        return [f"{found} Nothing was sent." if found else ""]

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


def find_lost(option: str) -> list[tuple[str, list[str]]]:
    """Returns each variable of a value of ``-e`` that Ansible cuts: it splits ``NAME=VALUE NAME=VALUE`` at spaces.

    With the name come the words of the value, of which Ansible keeps the first. The name is empty before the first one.
    Ansible reads files, and text in JSON or YAML, as a whole.
    """
    meant: list[tuple[str, list[str]]] = [("", [""])]
    for token in split_args(option) if not option.startswith(("@", "{")) else ():
        given = parse_kv(token)
        lost = given.pop("_raw_params", None)
        meant += [(str(name), [str(value)]) for name, value in given.items()]
        meant[-1][1].extend([str(lost)] if lost else [])
    return [(name, words) for name, words in meant if len(words) > 1]


def format_lost(name: str, words: list[str]) -> str:
    """Returns a message that says what was lost, and how to write it."""
    value, lost = " ".join(words).strip(), one_line(" ".join(words[1:]))
    hint = "Put it into a file: -e @FILE."
    if MAY_BE_SECRET.search(f"{name} {value}"):
        lost = "the rest"
    elif not _NEEDS_MORE_QUOTES.search(value):
        lost, hint = f"'{lost}'", f"Quote it twice: -e '{name}=\"{value}\"'."
    if not name:
        return f"-e has {lost} without a name. Write NAME=VALUE, or @FILE."
    return f"-e cut {name} at a space, and {lost} was lost. {hint}"


def find_list_problem(name: str, value: object) -> str:
    """Returns what is wrong with a list that is given as text; empty if nothing is."""
    text = value.strip() if isinstance(value, str) else ""
    is_cut = text.endswith(",")
    if not is_cut and (not text.startswith(("[", "{")) or isinstance(parse_json(text), list)):
        return ""
    fault = "ends in a comma" if is_cut else "looks like JSON but is not a list"
    hint = "Separate the entries by commas, or give the list in a file: -e @FILE."
    return f"{name} {fault}: '{one_line(text)}'. {hint}"
