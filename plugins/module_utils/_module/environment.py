# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment variables of the collection: empty ones are not set, and nothing would read misspelt ones."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._text import one_line
from .arguments import API, PROTECTED_VARIABLE

_BEGINNING = "CLAW"
"""Only such names are compared, since each task does so."""

NAME_LIMIT = 80
"""Characters of a name in a warning."""

KNOWN = (*(option["fallback"][1][0] for option in API.options.values()), "CLAWHOSTERS_PROGRESS", PROTECTED_VARIABLE)
"""The environment variables of the collection."""


@contextlib.contextmanager
def empty_variables_unset() -> t.Iterator[None]:
    """Removes the empty ones for a block that reads options by Ansible's own means, which would take them as values."""
    empty = [name for name in KNOWN if os.environ.get(name) == ""]
    for name in empty:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(dict.fromkeys(empty, ""))


def warn_of_misspelt_variables(environment: t.Mapping[str, str], warn: t.Callable[[str], None]) -> None:
    """Warns of each variable that is probably a misspelling of a known one that is not set. Shows no value."""
    unknown = {name for name in environment if name.upper().startswith(_BEGINNING)}.difference(KNOWN)
    if not unknown:
        return
    from .._model.similar_names import is_misspelling

    missing = [known for known in KNOWN if not environment.get(known)]
    for name in sorted(unknown):
        if meant := next((known for known in missing if is_misspelling(name, known)), None):
            warn(f"The environment variable {one_line(name, NAME_LIMIT)} is not used. Did you mean {meant}?")
