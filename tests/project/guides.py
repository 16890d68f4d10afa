# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the code blocks of the guides, runs their commands, and compares what they print with what the guides show.

``python -m project.guides --update`` writes what the commands print now into the guides (`make guides`).

A block of the kind ``text`` shows what the ``shell`` block above it prints. A comment above it chooses the part:

- ``<!-- output -->``: everything.
- ``<!-- output: "PLAY RECAP" -->``: from the first line with this text to the next empty line.
- ``<!-- output: "Batch 1" to "Estimated" "RECAP" -->``: to the first line with the second text; then another part.

A comment above a ``shell`` block says how it is run:

- ``<!-- types: web-bot -->``: at a terminal, where this is typed when the command waits for an answer.
- ``<!-- fails -->``: its last command must fail.

What differs from run to run, such as times, is in ``VARIABLE``. A line that ends in … is longer in reality.
"""

from __future__ import annotations

import difflib
import re
import shutil
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from simulator.handle import Simulator
from support import KEY, warm
from support.controller import Controller

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
EXAMPLES = [path for path in sorted((ROOT / "examples").rglob("*")) if path.suffix in (".yml", ".json")]

ELSEWHERE = ("event-driven", "ssh")
"""Guides whose blocks have a test of their own, such as tests/integration/eda/test_rulebooks.py."""

NOT_RUN = ("ansible-galaxy", "pip", "curl", "ansible-builder", "ansible-rulebook", "PYTHONPATH=")
NOT_RUN += ("export", "make", "psql", "python3", "rm", "sh ", ". ", "sudo apt install", "uv tool install")
"""Commands that tests can't run: they need the network, a container engine or a second terminal. They are in blocks of
the kind ``bash``; tests run those of the kind ``shell``."""

_BLOCK = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NOTE = re.compile(r"<!-- (output|types|fails)(?:: (.*?))? -->\n *\Z")
_PART = re.compile(r'"([^"]+)"(?: to "([^"]+)")?')


@dataclass(frozen=True)
class Block:
    """A code block: its kind, its text without the indentation of a list, the comment above it, and its place."""

    kind: str
    text: str
    note: str
    value: str
    above: str
    indent: str
    start: int
    end: int


def find_blocks(page: str) -> t.Iterator[Block]:
    for found in _BLOCK.finditer(page):
        above = page[: found.start()]
        note = _NOTE.search(above)
        text = "".join(line.removeprefix(found[1]) for line in found[3].splitlines(keepends=True))
        paragraph = " ".join(above.rstrip().split("\n\n")[-1].split())
        place = (found[1], found.start(3), found.end(3))
        yield Block(found[2], text, note[1] if note else "", (note and note[2]) or "", paragraph, *place)


def all_blocks(guide: Path) -> t.Iterator[tuple[str, str]]:
    """Yields each code block as (kind, text)."""
    for block in find_blocks(guide.read_text(encoding="utf-8")):
        yield block.kind, block.text


def blocks_below(guide: Path, wanted: str) -> t.Iterator[tuple[str, str]]:
    """Yields each block of one kind, as (paragraph above it, text)."""
    for block in find_blocks(guide.read_text(encoding="utf-8")):
        if block.kind == wanted:
            yield block.above, block.text


def blocks(guide: Path, wanted: str) -> list[str]:
    """Returns the blocks of one kind."""
    return [text for kind, text in all_blocks(guide) if kind == wanted]


# Running the commands

STAGING_KEY = "oc_live_STAGING_KEY"
"""A key of a second account, with an instance of the same name as in the first."""
FOREIGN = {"instances": [{"id": 901, "name": "web-bot", "health_status": "unhealthy"}]}
ACCOUNT = {"instances": 60, "keys": {STAGING_KEY: "foreign"}, "foreign": FOREIGN}
STATE_FILES = {"accounts": "accounts_simulator.yml"}
"""The file in examples/ that a guide starts the simulator with."""
SEPARATOR = "\x1e"
TYPIST = ROOT / "tests/support/typist.py"
ADDRESS = "http://127.0.0.1:8800"
"""The simulator in the guides."""
FOLDER = "/home/you/fleet"
"""The folder in which the guides' reader works."""


def set_up(controller: Controller, simulator: Simulator, guide: str = "") -> None:
    """Puts the examples where a reader has them, the collection where ansible-galaxy installs it, and an account."""
    state: t.Any = ACCOUNT
    if guide in STATE_FILES:
        state = yaml.safe_load((ROOT / "examples" / STATE_FILES[guide]).read_text(encoding="utf-8"))
    simulator.reset(state=state, switches={"transition_reads": 1})
    shutil.copytree(ROOT / "examples", controller.folder / "examples")
    (controller.home / ".ansible").mkdir()
    (controller.home / ".ansible/collections").symlink_to(controller.environment["ANSIBLE_COLLECTIONS_PATH"])
    # As the copy in the reader's folder, which would be read by new processes only.
    controller.environment["ANSIBLE_CONFIG"] = warm.EXAMPLE
    # With one fork, hosts are shown in the same order each time.
    controller.environment["ANSIBLE_FORKS"] = "1"
    controller.environment["PATH"] = f"{warm.stand_ins()}:{controller.environment['PATH']}"


def as_script(block: Block) -> str:
    """Returns the lines that run a block."""
    text = block.text
    if block.note == "types":
        quoted = text.replace("'", "'\\''")
        text = f"{sys.executable} {TYPIST} '{block.value}' bash -euc '{quoted}'\n"
    if block.note == "fails":
        text = f"if (set -e\n{text}); then echo 'This did not fail.'; exit 1; fi\n"
    return f"printf '\\036'\n{text}"


def follow(guide: Path, controller: Controller, simulator: Simulator) -> tuple[int, list[str]]:
    """Runs the shell blocks of a guide in one shell. Returns its exit code, and what each block printed."""
    shell = [block for block in find_blocks(guide.read_text(encoding="utf-8")) if block.kind == "shell"]
    script = "exec 2>&1\nset -aeu\n" + "".join(map(as_script, shell))
    run = controller.run("bash", "-c", script.replace(ADDRESS, simulator.origin))
    host, shown_host = (origin.removeprefix("http://") for origin in (simulator.origin, ADDRESS))
    for real, shown in ((host, shown_host), (str(controller.home), "~"), (str(controller.folder), FOLDER)):
        run.stdout = run.stdout.replace(real, shown)
    # The simulator of the tests allows more requests.
    run.stdout = re.sub(r"\b999\d{3}\b", "99", run.stdout)
    return run.rc, run.stdout.split(SEPARATOR)[1:] or [run.screen]


# Comparing

WIDTH = 100
"""Longer lines are cut, and end in ``…``."""
_UNIT = r"(?:d|h|min|s|days?|hours?|minutes?|seconds?)"
VARIABLE = (
    (r"(?m)^.*, \d+ s of at most \d+ s$", ""),
    (r"\s+", " "),
    (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z| UTC)?)?", "DATE"),
    (r"\b\d\d:\d\d:\d\d(?:\.\d+)?", "TIME"),
    (rf"\b\d+ {_UNIT}(?: \d+ {_UNIT})*(?= old| ago|,? between)", "AGE"),
    (r'\b((?:remaining|waited|latency)"?): [\d.]+', r"\1: N"),
    (r"/tmp/tmp[\w.]+", "TEMPORARY"),
    (r"\bby [\w-]+@[\w.-]+", "by WHO"),
)
"""Patterns of what differs from run to run, with their stand-ins: first the lines that a wait of ten seconds prints.
Columns and line breaks move with it."""


class MissingError(Exception):
    """The command does not print a line that a comment names."""


def clean(output: str) -> list[str]:
    """Returns the lines of a command as a guide shows them: without stars after headings, none too long."""
    lines = []
    for line in re.sub(r"\x1b\[[0-9;]*(?:[A-Za-z]|(?=[\r\x1b]))|\r", "", output).splitlines():
        short = re.sub(r" \*{4,}$", " ***", line.rstrip())
        lines.append(short if len(short) <= WIDTH else f"{short[: WIDTH - 2].rstrip()} …")
    return lines


def generalize(text: str) -> str:
    for pattern, stand_in in VARIABLE:
        text = re.sub(pattern, stand_in, text)
    return text.strip()


def select(block: Block, output: str) -> str:
    """Returns the part of an output that a block is about, with … for what is left out."""
    lines = clean(output)
    if not block.value:
        return "\n".join(lines).strip("\n")
    shown: list[str] = []
    end = 0
    for first, last in _PART.findall(block.value):
        start = next((n for n in range(end, len(lines)) if first in lines[n]), None)
        if start is None:
            raise MissingError(f"no line has {first!r} any more:\n" + "\n".join(lines))
        stop = next((n for n in range(start, len(lines)) if (last in lines[n] if last else not lines[n])), len(lines))
        if shown and any(lines[end:start]):
            shown.append("…")
        end = stop + bool(last)
        shown += lines[start:end]
    if end < len(lines) and lines[end] and last:
        shown.append("…")
    return "\n".join(shown)


def find_drift(page: str, outputs: t.Sequence[str]) -> t.Iterator[tuple[Block, str]]:
    """Yields each output block that shows something else than its command printed, and what that was."""
    commands = 0
    for block in find_blocks(page):
        commands += block.kind == "shell"
        if block.kind == "text":
            printed = select(block, outputs[commands - 1])
            if generalize(printed) != generalize(block.text):
                yield block, printed


def describe(drift: t.Iterable[tuple[Block, str]]) -> str:
    """Returns the differences as lines to read."""
    lines: list[str] = []
    for block, printed in drift:
        shown, real = ([generalize(line) for line in text.splitlines()] for text in (block.text, printed))
        lines += difflib.unified_diff(shown, real, "the guide", "the command", lineterm="")
    return "\n".join(lines)


def refresh(page: str, outputs: t.Sequence[str]) -> str:
    """Returns the page with the blocks as their commands print them."""
    for block, printed in reversed(list(find_drift(page, outputs))):
        text = "".join(f"{block.indent}{line}".rstrip() + "\n" for line in printed.splitlines())
        page = page[: block.start] + text + page[block.end :]
    return page


WITH_COMMANDS = [guide for guide in GUIDES if blocks(guide, "shell") and guide.stem not in ELSEWHERE]


def update(guide: Path, simulator: Simulator, folder: Path) -> None:
    home = folder / "home"
    folder.mkdir()
    environment = {"CLAWHOSTERS_API_URL": simulator.url, "CLAWHOSTERS_API_KEY": KEY}
    controller = Controller(folder, ROOT / "build/live", environment, home)
    set_up(controller, simulator, guide.stem)
    code, outputs = follow(guide, controller, simulator)
    if code:
        raise SystemExit(f"{guide.name}: exit code {code}\n{outputs[-1]}")
    page = guide.read_text(encoding="utf-8")
    try:
        new = refresh(page, outputs)
    except MissingError as problem:
        raise SystemExit(f"{guide.name}: {problem}") from None
    guide.write_text(new, encoding="utf-8")
    print(f"{guide.relative_to(ROOT)}: {'updated' if new != page else 'as it was'}")


def main(arguments: t.Sequence[str]) -> int:
    """Updates the guides that are named, or all. Returns the exit code."""
    if arguments[:1] != ["--update"]:
        print("python -m project.guides --update [NAME ...]", file=sys.stderr)
        return 2
    wanted = arguments[1:]
    with tempfile.TemporaryDirectory() as place, Simulator(rate_limit=1_000_000, transition_seconds=0) as simulator:
        for guide in WITH_COMMANDS:
            has_output = bool(blocks(guide, "text"))
            if has_output and (not wanted or guide.stem in wanted):
                update(guide, simulator, Path(place) / guide.stem)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
