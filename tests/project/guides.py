# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the code blocks of the guides."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
EXAMPLES = [path for path in sorted((ROOT / "examples").rglob("*")) if path.suffix in (".yml", ".json")]

ELSEWHERE = ("event-driven",)
"""Guides whose blocks have a test of their own, such as tests/integration/eda/test_rulebooks.py."""

NOT_RUN = ("ansible-galaxy", "pip", "curl", "ansible-builder", "ansible-rulebook", "PYTHONPATH=")
NOT_RUN += ("export", "make", "psql", "python3", "rm", ". ")
"""Commands that tests can't run: they need the network, a container engine or a second terminal. They are in blocks of
the kind ``bash``; tests run those of the kind ``shell``."""

_BLOCK = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def all_blocks(guide: Path) -> t.Iterator[tuple[str, str]]:
    """Yields each code block as (kind, text), without the indentation of a list."""
    for indent, kind, text in _BLOCK.findall(guide.read_text(encoding="utf-8")):
        yield kind, "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def blocks_below(guide: Path, wanted: str) -> t.Iterator[tuple[str, str]]:
    """Yields each block of one kind, as (paragraph above it, text)."""
    page = guide.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(page):
        if block[2] == wanted:
            above = " ".join(page[: block.start()].rstrip().split("\n\n")[-1].split())
            yield above, "".join(line.removeprefix(block[1]) for line in block[3].splitlines(keepends=True))


def blocks(guide: Path, wanted: str) -> list[str]:
    """Returns the blocks of one kind."""
    return [text for kind, text in all_blocks(guide) if kind == wanted]
