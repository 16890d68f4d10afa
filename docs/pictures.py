# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws the pictures of the README: .venv/bin/python docs/pictures.py

Runs commands at a terminal of 80 columns, with the settings of examples/ansible.cfg, and draws a screen of each as a
frame of one SVG. Takes a screenshot of the fleet report in Chromium.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY / "docs/images"
sys.path.insert(0, str(REPOSITORY / "tests"))

from simulator.handle import Simulator  # noqa: E402

COLUMNS, ROWS = 80, 24
SECONDS = 6
"""How long a frame is shown."""
REPORT = "1280,1090"
"""Width and height of the picture of the fleet report."""
TYPIST = REPOSITORY / "tests/support/typist.py"


@dataclass(frozen=True)
class Frame:
    """A screen: the command as it is shown, and which of its lines: from one that matches to another one."""

    command: str
    parts: tuple[tuple[str, str], ...]


FLEET = "ansible-playbook clawhosters.cloud.fleet \\\n    -e @examples/fleet_vars.yml"
RESTORE = "ansible-playbook clawhosters.cloud.restore \\\n    -e restore_instances=web-bot -e restore_incident=INC-2041"
FRAMES = (
    Frame(
        "ansible-inventory -i examples/fleet.clawhosters.yml --graph",
        ((r"^@all", r"mail-bot"), (r"@unhealthy", r"library-agent")),
    ),
    Frame(f"{FLEET} --check --diff", ((r"^TASK .*Bring each", r"^Plan "), (r"^@@", r"web-bot"))),
    Frame(RESTORE, ((r"^TASK .*Restore for incident", r"DATA LOSS"), (r"^An empty answer", r"type exactly"))),
    Frame("", ((r"restored and healthy", r"^$"), (r"^PLAY RECAP", r"localhost"))),
)
"""The last frame continues with what the command before it printed."""

# Where nothing animates, the last frame stands: the others have no opacity of their own. So that it does not stand over
# the first ones, all animations have begun in the past.
# Uses the reader's own fonts instead of a web font. textLength keeps the width of each text. Without a width, a page
# would stretch the picture, and its text would be larger than that of the page.
SVG = """<svg viewBox="0 0 {width} {height}" width="800" xmlns="http://www.w3.org/2000/svg" role="img">
<title>Four screens: an inventory, the plan of a change, the prompt before a restore, and its result</title>
<style>
text {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 20px; }}
.frame {{ animation: show {total}s step-end infinite; }}
@keyframes show {{ 0% {{ opacity: 1; }} {share}% {{ opacity: 0; }} }}
@media (prefers-reduced-motion: reduce) {{ .frame {{ animation: none; }} }}
{styles}
</style>
<rect fill="#292929" width="{width}" height="{height}" rx="8"/>
{frames}
</svg>
"""
FRAME = """{styles}
<!-- -->
<defs>{lines}</defs>
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
<!-- {width} {height} -->
"""


def run(command: str, folder: Path, url: str) -> list[str]:
    """Returns the lines that a command prints at a terminal, with colour codes."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "build/live"),
        "TERM": "xterm-256color",
        "ANSIBLE_FORCE_COLOR": "1",
        "ANSIBLE_CONFIG": str(REPOSITORY / "examples/ansible.cfg"),
        "CLAWHOSTERS_API_URL": url,
        "CLAWHOSTERS_API_KEY": "oc_live_rehearsal_0000",
        "CLAWHOSTERS_STATE_DIR": str(folder / "state"),
    }
    done = subprocess.run(
        [sys.executable, TYPIST, "web-bot", "bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    shown = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8800", done.stdout.replace(str(folder), "/home/you/fleet"))
    shown = re.sub(r"\S+@\S+; seen", "you@laptop; seen", shown)
    return re.sub(r"\x1b\[(?:\d*K|(?=[\r\x1b]))|\r", "", shown).split("\n")


def select_lines(frame: Frame, lines: t.Sequence[str]) -> t.Iterator[Text]:
    """Yields the command and the lines to draw, and dots for omitted lines."""
    for number, line in enumerate(frame.command.splitlines()):
        yield Text(f"{'' if number else '$ '}{line}", style="bold")
    texts = [Text.from_ansi(line) for line in lines]
    position = 0
    for first, last in frame.parts:
        start = find_line(first, texts, position)
        end = find_line(last, texts, start + 1)
        if position or (frame.command and any(text.plain.strip() for text in texts[:start])):
            yield Text("  ⋮", style="bright_black")
        yield from texts[start : end + 1]
        position = end + 1


def find_line(pattern: str, texts: t.Sequence[Text], start: int) -> int:
    """Returns the number of the first line from ``start`` on that matches."""
    found = [number for number in range(start, len(texts)) if re.search(pattern, texts[number].plain)]
    if not found:
        raise SystemExit(f"no line matches {pattern!r} any more")
    return found[0]


def fit_line(text: Text) -> Text:
    """Cuts the stars after Ansible's headings to the width of the picture. Rich wraps other long lines."""
    stars = re.search(r" \*+$", text.plain)
    return text[: max(stars.start(), min(len(text), COLUMNS))] if stars else text


def draw_frame(number: int, texts: t.Iterable[Text]) -> str:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    rows = 0
    for text in map(fit_line, texts):
        for line in text.wrap(console, COLUMNS, overflow="fold"):
            console.print(line, highlight=False, no_wrap=True)
            rows += 1
    assert rows <= ROWS, f"frame {number} has {rows} rows, more than a screen of {ROWS}"
    for _row in range(rows, ROWS):
        console.print("")
    return console.export_svg(title="", theme=SVG_EXPORT_THEME, code_format=FRAME, unique_id=f"f{number}")


def draw_terminal(outputs: t.Sequence[list[str]]) -> None:
    styles, frames = [], []
    for number, (frame, lines) in enumerate(zip(FRAMES, outputs, strict=True)):
        style, drawn = draw_frame(number, select_lines(frame, lines)).split("\n<!-- -->\n")
        styles.append(style)
        hidden = ' opacity="0"' if number < len(FRAMES) - 1 else ""
        delay = (number - len(FRAMES)) * SECONDS
        frames.append(f'<g class="frame"{hidden} style="animation-delay: {delay}s">\n{drawn}</g>')
    width, height = re.findall(r"<!-- ([\d.]+) ([\d.]+) -->", frames[0])[0]
    values = {"width": width, "height": height, "total": SECONDS * len(FRAMES), "share": 100 // len(FRAMES)}
    svg = SVG.format(styles="\n".join(styles), frames="\n".join(frames), **values)
    for path in (str(REPOSITORY), os.path.expanduser("~")):
        assert path not in svg, "the picture contains a path of this machine"
    (IMAGES / "demo.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def take_screenshot(page: Path, picture: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Left out: the picture of the fleet report. Chromium is not installed (Debian: chromium).")
        return
    flags = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={REPORT}", f"--screenshot={picture}")
    subprocess.run([chromium, *flags, page.as_uri()], check=True, capture_output=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as place, Simulator(instances=60) as simulator:
        folder = Path(place)
        shutil.copytree(REPOSITORY / "examples", folder / "examples")
        simulator.set_instance(1, health_status="unhealthy")
        outputs = [run(frame.command, folder, simulator.url) for frame in FRAMES if frame.command]
        draw_terminal([*outputs, outputs[-1]])
        run("ansible-playbook clawhosters.cloud.fleet_report -e fleet_report_path=fleet.html", folder, simulator.url)
        take_screenshot(folder / "fleet.html", IMAGES / "fleet-report.png")


if __name__ == "__main__":
    main()
