# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the site: python docs/build.py FOLDER. A warning, or a link within the site that leads nowhere, is an error.

The pages of plugins come from their own documentation, by antsibull-docs; the guides from this folder, as they are. It
needs no network.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import typing as t
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).resolve().parent
REPOSITORY = DOCS.parent
BESIDE = ("examples", "playbooks", "roles", "tests/simulator")
"""What guides link to outside of their folder."""


def lay_out(source: Path) -> None:
    """The guides, what they link to, and the pages of the plugins, as one folder for Sphinx."""
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "galaxy.yml", source)
    for name in BESIDE:
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "reference").mkdir(mode=0o700)
    command = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--dest-dir", "reference"]
    subprocess.run([*command, "clawhosters.cloud"], cwd=source, check=True)


class Page(HTMLParser):
    """Where a page can be jumped to, and where its links and pictures lead."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.links += [given[name] for name in ("href", "src") if name in given and tag != "use"]


def dead_links(site: Path) -> t.Iterator[str]:
    """Each link within the site that leads nowhere."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            known = target in pages and (not anchor or anchor in pages[target].anchors)
            if not known and (target in pages or not target.is_file()):
                yield f"{path.relative_to(site.resolve())}: {link} leads nowhere"


def main(folder: Path) -> int:
    """Returns the exit code."""
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(folder / "source")
    site = folder / "html"
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run([*sphinx, "-d", folder / "doctrees", folder / "source", site], check=False)
    if built.returncode:
        return built.returncode
    dead = sorted(dead_links(site))
    print("\n".join(dead) or f"The site is at {site}/index.html")
    return bool(dead)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
