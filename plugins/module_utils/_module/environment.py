# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment variables of the collection: nothing would read misspelt ones."""

from __future__ import annotations

import typing as t

from .._text import one_line
from .arguments import API, PROTECTED_VARIABLE

_BEGINNING = "CLAW"
"""Only such names are compared, since each task does so."""

NAME_LIMIT = 80
"""Characters of a name in a warning."""

KNOWN = (*(option["fallback"][1][0] for option in API.options.values()), "CLAWHOSTERS_PROGRESS", PROTECTED_VARIABLE)
"""The environment variables of the collection."""


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
