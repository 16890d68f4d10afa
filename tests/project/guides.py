# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the code blocks of the guides, and runs their commands against the simulator.

Blocks of the kind ``shell`` are run, those of the kind ``bash`` are not: they need the network or a second terminal. A
comment above a ``shell`` block says how it is run:

- ``<!-- types: web-bot -->``: at a terminal, where this is typed when the command waits for an answer.
- ``<!-- fails -->``: its last command must fail.
"""

from __future__ import annotations

import re
import shutil
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from simulator.handle import Simulator
from support import warm
from support.controller import REPOSITORY, Controller, Run

GUIDES = sorted((REPOSITORY / "docs").glob("*.md"))
EXAMPLES = [path for path in sorted((REPOSITORY / "examples").rglob("*")) if path.suffix in (".yml", ".json")]

ELSEWHERE = ("event-driven",)
"""Guides whose blocks have a test of their own, such as tests/integration/eda/test_rulebooks.py."""

STAGING_KEY = "oc_live_STAGING_KEY"
"""A key of a second account, with an instance of the same name as in the first."""
FOREIGN = {"instances": [{"id": 901, "name": "web-bot", "health_status": "unhealthy"}]}
ACCOUNT = {"instances": 60, "keys": {STAGING_KEY: "foreign"}, "foreign": FOREIGN}
STATE_FILES = {"connection": "accounts_simulator.yml"}
"""The file in examples/ that a guide starts the simulator with."""
ADDRESS = re.compile(r"http://127\.0\.0\.1:880\d")
"""The simulators in the guides."""

_BLOCK = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NOTE = re.compile(r"<!-- (types|fails)(?:: (.*?))? -->\n *\Z")


@dataclass(frozen=True)
class Block:
    """A code block: its kind, its text without the indentation of a list, the paragraph and the comment above it."""

    kind: str
    text: str
    above: str
    note: str
    value: str


def find_blocks(page: Path) -> t.Iterator[Block]:
    content = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(content):
        before = content[: found.start()]
        note = _NOTE.search(before)
        text = "".join(line.removeprefix(found[1]) for line in found[3].splitlines(keepends=True))
        paragraph = " ".join(before.rstrip().split("\n\n")[-1].split())
        yield Block(found[2], text, paragraph, note[1] if note else "", (note and note[2]) or "")


def blocks(page: Path, *kinds: str) -> list[str]:
    return [block.text for block in find_blocks(page) if block.kind in kinds]


WITH_COMMANDS = [guide for guide in GUIDES if blocks(guide, "shell") and guide.stem not in ELSEWHERE]


def set_up(controller: Controller, simulator: Simulator, guide: str = "") -> None:
    """Puts the examples where a reader has them, the collection where ansible-galaxy installs it, and an account."""
    state: t.Any = ACCOUNT
    if guide in STATE_FILES:
        state = yaml.safe_load((REPOSITORY / "examples" / STATE_FILES[guide]).read_text(encoding="utf-8"))
    simulator.reset(state=state, switches={"transition_reads": 1})
    shutil.copytree(REPOSITORY / "examples", controller.folder / "examples")
    (controller.home / ".ansible").mkdir()
    (controller.home / ".ansible/collections").symlink_to(controller.environment["ANSIBLE_COLLECTIONS_PATH"])
    # As the copy in the reader's folder, which would be read by new processes only.
    controller.environment["ANSIBLE_CONFIG"] = warm.EXAMPLE
    controller.environment["PATH"] = f"{warm.stand_ins()}:{controller.environment['PATH']}"


def as_script(block: Block) -> str:
    text = block.text
    if block.note == "types":
        quoted = text.replace("'", "'\\''")
        typist = REPOSITORY / "tests/support/typist.py"
        text = f"{sys.executable} {typist} '{block.value}' bash -euc '{quoted}'\n"
    if block.note == "fails":
        text = f"if (set -e\n{text}); then echo 'This did not fail.'; exit 1; fi\n"
    return text


def follow(guide: Path, controller: Controller, simulator: Simulator, kind: str = "shell") -> Run:
    """Runs the blocks of this kind of a guide in one shell, which ends at the first command that fails."""
    shell = [block for block in find_blocks(guide) if block.kind == kind]
    script = "exec 2>&1\nset -aeu\n" + "".join(map(as_script, shell))
    return controller.run("bash", "-c", ADDRESS.sub(simulator.origin, script))
