# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the documentation site: python docs/build.py FOLDER. Fails on a warning, such as that of a broken link.

antsibull-docs generates the reference of the plugins from their documentation. The guides come from this folder. Needs
no network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
REPOSITORY = DOCS.parent
LINKED_FOLDERS = ("examples", "playbooks", "roles", "tests/simulator")
"""Folders outside docs/ that guides link to."""


def prepare_source(source: Path) -> None:
    """Copies the guides and the files they link to into one folder for Sphinx, and generates the plugin reference."""
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("__pycache__", "docsite"))
    shutil.copy(REPOSITORY / "galaxy.yml", source)
    for name in LINKED_FOLDERS:
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "reference").mkdir(mode=0o700)
    command = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--dest-dir", "reference"]
    subprocess.run([*command, "clawhosters.cloud"], cwd=source, check=True)
    tidy_reference(source / "reference")


def tidy_reference(folder: Path) -> None:
    """Removes what is internal or repeated from the generated reference, and shortens titles to what users type."""
    shutil.rmtree(folder / "docsite", ignore_errors=True)
    path = folder / "index.rst"
    index = path.read_text(encoding="utf-8").replace("Clawhosters.Cloud", "clawhosters.cloud")
    index = re.sub(r"^Guides\n-+\n.*?(?=^\.\. _)", "", index, flags=re.MULTILINE | re.DOTALL)
    item = re.compile(r"^\* :ansplugin:`(\w+) (\w+) <.*\(internal to the .*\)\n", re.MULTILINE)
    for name, kind in item.findall(index):
        (folder / f"{name}_{kind}.rst").unlink()
        index = index.replace(f"    {name}_{kind}\n", "")
    index = item.sub("", index)
    # A kind of plugins that has none left.
    index = re.sub(r"^\.\. _\w+:\n\n.*\n~+\n\s*\.\. toctree::\n(?: +:.*\n)*\s*(?=^\S)", "", index, flags=re.MULTILINE)
    index = re.sub(r"^    (\w+)_(module|role)$", r"    \1 <\1_\2>", index, flags=re.MULTILINE)
    index = re.sub(r"^    (\w+)_(inventory|filter)$", r"    \1 (\2) <\1_\2>", index, flags=re.MULTILINE)
    path.write_text(index, encoding="utf-8")
    for page in folder.glob("*.rst"):
        text = page.read_text(encoding="utf-8")
        # The theme shows its own table of contents beside each page.
        text = re.sub(r"^\.\. contents::\n(?: +:.*\n)*", "", text, flags=re.MULTILINE)
        text = re.sub(r"^clawhosters\.cloud\.(\w+ \w+ -- .*\n\++)$", r"\1", text, flags=re.MULTILINE)
        # antsibull-docs takes the links in plugins/action for aliases of claw_instance.
        text = re.sub(r"^Aliases: .*\n", "", text, flags=re.MULTILINE)
        page.write_text(text, encoding="utf-8")


def main(folder: Path) -> int:
    """Builds the site and returns the exit code."""
    shutil.rmtree(folder, ignore_errors=True)
    prepare_source(folder / "source")
    site = folder / "html"
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run([*sphinx, "-d", folder / "doctrees", folder / "source", site], check=False)
    print(f"The site is at {site}/index.html")
    return built.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
