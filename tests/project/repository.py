# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address of the public repository: the value of ``repository`` in galaxy.yml.

``make repository`` copies it into the few files that can't derive their addresses from it, and fails while it is a
stand-in; with ``URL=…`` it sets the value first. Links of the README are relative; the archive gets absolute ones,
since Galaxy shows the README alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = "https://example.com/"
"""Begins the address while there is no public repository."""
LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)\s]+)(?=\))")


def read_address(root: Path = ROOT) -> str:
    """Returns the address of the repository."""
    return str(yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["repository"])


def texts(root: Path = ROOT) -> dict[Path, str]:
    """Returns the text files that git would commit."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    found = {}
    for path in (root / name for name in filter(None, listed)):
        if path.is_file() and path.suffix not in (".png", ".svg"):
            found[path] = path.read_text(encoding="utf-8")
    return found


def find_stand_ins(root: Path = ROOT) -> list[str]:
    """Returns the places (``FILE:LINE``) where the stand-in is used as an address of the repository."""
    address = read_address(root)
    if not address.startswith(STAND_IN):
        return []
    places = []
    for path, text in texts(root).items():
        lines = enumerate(text.splitlines(), 1)
        places += [f"{path.relative_to(root)}:{number}" for number, line in lines if address in line]
    return sorted(places)


def set_address(new: str, root: Path = ROOT) -> list[Path]:
    """Replaces the address of the repository in all files, and returns the changed ones.

    The old address is that of the issue tracker, since ``repository`` may have been edited already.
    """
    galaxy = yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))
    old = galaxy["issues"].removesuffix("/issues")
    changed = []
    for path, text in texts(root).items():
        replaced = text.replace(old, new)
        if path == root / "galaxy.yml":
            replaced = replaced.replace(f"repository: {galaxy['repository']}\n", f"repository: {new}\n")
        if path == root / "docs/docsite/links.yml":
            # The owner and name alone.
            replaced = replaced.replace(
                f"repository: {urlsplit(old).path[1:]}\n", f"repository: {urlsplit(new).path[1:]}\n"
            )
        if replaced != text:
            path.write_text(replaced, encoding="utf-8")
            changed.append(path)
    return changed


def make_links_absolute(text: str, address: str, version: str) -> str:
    """Returns a page of the repository's root with absolute links to the files of this version."""
    return LINK.sub(rf"{address}/blob/{version}/\1", text)


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    new = next(filter(None, arguments), read_address())
    if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+(?<!\.git)", new):
        print(f"{new} is not an address such as https://HOST/OWNER/NAME, without .git or a slash at the end.")
        return 2
    for path in set_address(new):
        print(f"changed {path.relative_to(ROOT)}")
    if places := find_stand_ins():
        print(f"{new} stands in for the public repository, in:", *places, sep="\n  ")
        print("Set its address before you publish: make repository URL=https://HOST/OWNER/NAME")
    return bool(places)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
