# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that Ansible would ignore or cut: misspelt names, text that it lost at a space, and lists that are given as
text. Pure."""

from __future__ import annotations

import difflib
import json
import re
import typing as t

from ansible.parsing.splitter import parse_kv, split_args

from ..module_utils._errors import RefusedError
from ..module_utils._model.similar_names import is_misspelling
from ..module_utils._secret_fields import redact
from ..module_utils._text import is_number, one_line
from ._formatting import NAME_LIMIT

MAY_BE_SECRET = re.compile(
    r"oc_live_|://|=|pass|pwd?\b|_pw|auth|secret|token|key|bearer|database|credential", re.IGNORECASE
)
_NEEDS_MORE_QUOTES = re.compile(r"[\"'\\\n]")


class KnownVariable(t.NamedTuple):
    """A variable of the collection: the role or playbook it belongs to, and its option, as in an argument spec."""

    owner: str
    option: t.Mapping[str, t.Any] = {}

    @property
    def is_list(self) -> bool:
        """True if it takes a list."""
        return self.option.get("type") == "list"


class LostText(t.NamedTuple):
    """Text that an option ``-e`` lost: Ansible splits ``NAME=VALUE NAME=VALUE`` at spaces."""

    name: str | None
    """The variable whose value was cut; None if the option sets none before it."""
    kept: str
    lost: str

    @property
    def value(self) -> str:
        """The value as it was meant."""
        return f"{self.kept} {self.lost}"


def find_lost(options: t.Iterable[str]) -> list[LostText]:
    """Returns each text that Ansible lost of these values of ``-e``."""
    found: list[LostText] = []
    for option in options:
        # Ansible reads files, and text in JSON or YAML, as a whole.
        if option.startswith(("@", "{", "[")):
            continue
        name, kept, is_cut = None, "", False
        for token in split_args(option):
            given = parse_kv(token)
            lost = str(given.pop("_raw_params", "")).strip()
            if given:
                ((name, kept),) = ((str(key), str(value)) for key, value in given.items())
                is_cut = False
            elif is_cut:
                found[-1] = found[-1]._replace(lost=f"{found[-1].lost} {lost}".strip())
            elif lost:
                found.append(LostText(name, kept, lost))
                is_cut = True
    return found


def format_lost(cut: LostText, *, is_known: bool = True) -> str:
    """Returns a message that says what was lost, and how to write it.

    Of a variable that is not ``is_known``, a value is shown only if neither it nor the name looks like a secret.
    """
    if cut.name is None:
        if cut.lost.endswith((".yml", ".yaml", ".json")) and " " not in cut.lost:
            return f"-e '{one_line(cut.lost, NAME_LIMIT)}' sets no variable. A file is -e @{cut.lost}."
        shown = "..." if MAY_BE_SECRET.search(cut.lost) else one_line(cut.lost, NAME_LIMIT)
        return f"-e '{shown}' sets no variable. Write NAME=VALUE."
    is_secret = redact({cut.name: cut.value})[cut.name] != cut.value
    if is_secret or (not is_known and MAY_BE_SECRET.search(f"{cut.name} {cut.value}")):
        return f"-e cut {cut.name} at a space, and the rest was lost. Quote it twice, or put it into a file: -e @FILE."
    quoted = f"Quote it twice: -e '{cut.name}=\"{cut.value}\"'."
    hint = "Put it into a file: -e @FILE." if _NEEDS_MORE_QUOTES.search(cut.value) else quoted
    return f"-e cut {cut.name} at a space, and '{one_line(cut.lost)}' was lost. {hint}"


def parse_list(value: t.Any) -> list[t.Any]:
    """Returns the entries of a list unchanged, or of text without white space around: JSON, or separated by commas or
    line breaks, as surveys hand over one name a line."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if value is None or not isinstance(value, str):
        return [] if value is None else [value]
    parsed = _parse_json(value)
    if isinstance(parsed, list):
        return parsed
    return [text for part in re.split("[,\n]", value) if (text := part.strip())]


def parse_ids(variable: str, ids: t.Any) -> list[int]:
    """Returns the ids of a list or of comma-separated text. Raises RefusedError if one is not a number."""
    texts = [text for one in parse_list(ids) if (text := str(one).strip())]
    if not all(map(is_number, texts)):
        raise RefusedError(f"{variable} must be numbers: {one_line(', '.join(texts))}.")
    return list(map(int, texts))


def find_list_problem(name: str, value: object) -> str:
    """Returns what is wrong with a list that is given as text; empty if nothing is."""
    text = value.strip() if isinstance(value, str) else ""
    is_cut = text.endswith(",")
    if not is_cut and (not text.startswith(("[", "{")) or isinstance(_parse_json(text), list)):
        return ""
    fault = "ends in a comma" if is_cut else "looks like JSON but is not a list"
    hint = "Separate the entries by commas, or give the list in a file: -e @FILE."
    return f"{name} {fault}: '{one_line(text)}'. {hint}"


def _parse_json(text: str) -> t.Any:
    """Returns the list or object that ``text`` is in JSON, or else None."""
    try:
        return json.loads(text) if text.lstrip().startswith(("[", "{")) else None
    except (ValueError, RecursionError):
        return None


def find_misspelt(given: t.Iterable[object], known_names: t.Collection[str]) -> dict[str, str]:
    """Returns the names in ``given`` that are similar to a known one, sorted, each with the known name.

    Names that are not text are skipped.
    """
    found = {}
    names = {str(name) for name in given if isinstance(name, str)}
    for name in sorted(names - set(known_names)):
        near = [
            known for known in known_names if is_misspelling(name, known) and not _is_loop_variable(name, known, names)
        ]
        if near:
            found[name] = difflib.get_close_matches(name.lower(), near, n=1, cutoff=0)[0]
    return found


def format_problems(
    given: t.Iterable[object],
    known: t.Mapping[str, KnownVariable],
    options: t.Iterable[str] = (),
    lists: t.Mapping[str, t.Any] | None = None,
    others: t.Iterable[str] = (),
    *,
    is_strict: bool = False,
) -> str:
    """Returns one error message for all problems, empty if there are none.

    ``given`` are the names of all variables, ``options`` the values of ``-e``, ``lists`` the values of lists,
    ``others`` sentences about other problems. Of misspelt names no values are shown. What ``-e`` cut of other variables
    counts with ``is_strict`` only.
    """
    cuts = [cut for cut in find_lost(options) if is_strict or cut.name in known]
    sentences = [format_lost(cut, is_known=cut.name in known) for cut in cuts]
    cut_names = {cut.name for cut in cuts}
    sentences += [find_list_problem(name, value) for name, value in (lists or {}).items() if name not in cut_names]
    sentences += [
        f"{one_line(name, NAME_LIMIT)} is not a variable of the {known[meant].owner}. Did you mean {meant}?"
        for name, meant in find_misspelt(given, known).items()
    ]
    sentences += others
    sentences = [sentence for sentence in sentences if sentence]
    return " ".join([*sentences, "Nothing was sent."]) if sentences else ""


def _is_loop_variable(name: str, known: str, names: t.Container[str]) -> bool:
    """Returns True for ``restore_instance`` if ``restore_instances`` is set too: then it is a loop variable."""
    return known == f"{name}s" and known in names and known.endswith(("_instances", "_instance_ids"))
