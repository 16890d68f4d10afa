# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders the pictures of the README: python docs/pictures.py

Runs the demo in a pseudo-terminal and draws its output as an SVG, with dots for omitted lines. Takes a screenshot of
the demo's report in Chromium.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

IMAGES = Path(__file__).resolve().parent / "images"
REPOSITORY = IMAGES.parents[1]
COLUMNS = 60
"""Narrow enough to be legible on a phone."""
SCREEN = (1280, 860)

EXCERPTS: list[tuple[str, int]] = [
    (r"^A simulated ClawHosters account", 1),
    (r"^List the running instances", 7),
    (r"^Plan the changes", 2),
    (r"^--- before", 14),
    (r"^TASK .*Show the plan", 9),
    (r"^Apply the plan", 2),
    (r"^TASK .*Show each entry", 9),
    (r"^Break web-bot", 1),
    (r"^Run the restore runbook", 2),
    (r"^TASK \[.*Show the restore plan", 7),
    (r"^TASK \[.*: Restore ", 6),
]
"""Lines to draw: (pattern, number of lines, from the next line that matches the pattern)."""

NORMAL = [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255)]
NORMAL += [(57, 197, 207), (177, 186, 196)]
BRIGHT = [(110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255)]
BRIGHT += [(86, 212, 221), (240, 246, 252)]

THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    NORMAL,
    BRIGHT,
)

# Uses the reader's own fonts instead of a web font. textLength keeps the width of each text. Without a width, a page
# would stretch the picture, and its text would be larger than that of the page.
SVG = """<svg viewBox="0 0 {width} {height}" width="600" xmlns="http://www.w3.org/2000/svg" role="img">
<title>make demo</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#161b22" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def run_demo() -> list[str]:
    """Returns the lines that the demo prints to a terminal, with colour codes."""
    primary, secondary = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    with subprocess.Popen(
        ["examples/demo.sh"],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=secondary,
        stderr=secondary,
    ) as process:
        os.close(secondary)
        pieces = []
        while True:
            try:
                piece = os.read(primary, 65536)
            except OSError:  # Linux raises EIO when the other side is closed.
                break
            if not piece:
                break
            pieces.append(piece)
    os.close(primary)
    output = b"".join(pieces).decode()
    if process.returncode:
        raise SystemExit(output)
    return output.replace("\r\n", "\n").split("\n")


def select_lines(lines: t.Sequence[str]) -> t.Iterator[Text]:
    """Yields the lines to draw, and dots for omitted lines."""
    texts = [Text.from_ansi(line) for line in lines]
    position = 0
    for pattern, count in EXCERPTS:
        matches = [n for n in range(position, len(texts)) if re.search(pattern, texts[n].plain)]
        assert matches, f"the demo prints no further line that matches {pattern}"
        start = matches[0]
        if any(text.plain.strip() for text in texts[position:start]):
            yield Text("  ⋮", style="bright_black")
        if position and re.match(r"\^[A-Z][a-z]", pattern):  # a heading of the demo
            yield Text("")
        yield from texts[start : start + count]
        position = start + count


def fit_line(text: Text) -> Text:
    """Cuts the stars after Ansible's headings to the width of the picture. Rich wraps other long lines."""
    stars = re.search(r" \*+$", text.plain)
    return text[: max(stars.start(), min(len(text), COLUMNS))] if stars else text


def draw_terminal(lines: t.Sequence[str]) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for text in select_lines(lines):
        console.print(fit_line(text), overflow="fold", highlight=False)
    svg = console.export_svg(title="", theme=THEME, code_format=SVG, unique_id="demo")
    for path in (str(REPOSITORY), os.path.expanduser("~")):
        assert path not in svg, "the picture contains a path of this machine"
    (IMAGES / "demo.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def take_screenshot(page: Path, picture: Path) -> None:
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": SCREEN[0], "height": SCREEN[1]}, color_scheme="light")
        opened.goto(page.as_uri())
        bottoms = opened.locator("main > section").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().bottom)"
        )
        height = max(bottom for bottom in bottoms if bottom <= SCREEN[1])
        opened.screenshot(path=picture, clip={"x": 0, "y": 0, "width": SCREEN[0], "height": height})
        browser.close()


def main() -> int:
    """Returns the exit code."""
    IMAGES.mkdir(exist_ok=True)
    draw_terminal(run_demo())
    take_screenshot(REPOSITORY / "build/demo/fleet.html", IMAGES / "fleet-report.png")
    for picture in sorted(IMAGES.iterdir()):
        print(f"{picture.relative_to(REPOSITORY)}: {picture.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
