# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects the fragments into the changelog of the version in galaxy.yml, and dates it: ``make changelog``.

May run again: it adds what is new to the release, and sets its date. antsibull-changelog lists all modules that are new
in a release; those that are internal to the roles are no news to users.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

INTERNAL = re.compile(
    r"""
    ^\ {4}-\ description:.*\n    # an item of the list of modules,
    (?:\ {8}.*\n)*               # whose description may have more lines
    \ {6}name:\ internal_.*\n
    \ {6}namespace:.*\n
    """,
    re.MULTILINE | re.VERBOSE,
)


def drop_internal(text: str) -> str:
    """Returns the text of changelog.yaml without internal modules."""
    return INTERNAL.sub("", text)


def main(arguments: list[str]) -> None:
    """Passes the arguments on to ``antsibull-changelog release``."""
    subprocess.run(["antsibull-changelog", "release", "--update-existing", *arguments], check=True)
    path = Path("changelogs/changelog.yaml")
    path.write_text(drop_internal(path.read_text(encoding="utf-8")), encoding="utf-8")
    subprocess.run(["antsibull-changelog", "generate"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
