# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guides say what is so: their examples are files that are run, their messages are those of the source, and their
links lead somewhere. What the commands in them do is seen in tests/integration/test_guides.py."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest

from support import guides

ROOT = guides.ROOT
PAGES = [path for path in sorted(ROOT.rglob("*.md")) if not {"build", ".venv", "collections"} & set(path.parts)]
IDS = [str(path.relative_to(ROOT)) for path in PAGES]


@pytest.mark.parametrize("guide", guides.GUIDES, ids=lambda path: path.stem)
def test_every_yaml_in_a_guide_stands_in_an_example_that_is_run(guide: Path) -> None:
    examples = {path: path.read_text(encoding="utf-8") for path in guides.EXAMPLES}
    for block in guides.blocks(guide, "yaml") if guide.stem not in guides.ELSEWHERE else ():
        assert any(block in text for text in examples.values()), (
            f"{guide.name}: this stands in no file of examples/. Put it there, where tests run it:\n{block}"
        )


@pytest.mark.parametrize("guide", guides.GUIDES, ids=lambda path: path.stem)
def test_a_block_is_yaml_or_a_command_that_is_run_or_one_that_cannot_be(guide: Path) -> None:
    for kind, text in guides.all_blocks(guide):
        assert kind in ("yaml", "shell", "console"), f"{guide.name} has a block of the kind {kind!r}"
        if kind == "console":
            command = text.removeprefix("$ ").split()[0]
            assert command in guides.NOT_RUN, f"{guide.name}: make this a shell block, which is run: {text}"


@pytest.mark.parametrize("front_page", ["README.md", "docs/index.md"])
def test_the_front_pages_lead_to_every_guide(front_page: str) -> None:
    text = (ROOT / front_page).read_text(encoding="utf-8")
    for guide in guides.GUIDES:
        assert guide.name == "index.md" or f"{guide.name})" in text, f"{front_page} does not link to {guide.name}"


def template(node: ast.AST) -> str:
    """A string of the source, with … for what is put into it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    raise TypeError(node)


def texts_of_the_source() -> t.Iterator[str]:
    for path in [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("extensions/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                yield " ".join(template(node).split())
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        yield " ".join(path.read_text(encoding="utf-8").split())


def pieces(message: str) -> list[str]:
    """What of a quoted message is the same each time; a trailing blank or full stop belongs to no piece."""
    return [piece.strip() for piece in message.split("…") if len(piece.strip()) > 3]


def test_every_message_in_the_troubleshooting_is_one_of_the_source() -> None:
    terms = re.findall(r"^(.+)\n: ", (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    messages = [message for term in terms for message in re.findall(r"`([^`]+)`", term)]
    assert len(messages) > 50
    sources = list(texts_of_the_source())
    for message in messages:
        pattern = re.compile(".*".join(map(re.escape, pieces(message))))
        assert pieces(message) == [] or any(map(pattern.search, sources)), f"nobody says: {message}"


def slugify(heading: str) -> str:
    """The anchor of a heading, as code hosts and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slugify(heading) for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere_for_those_who_read_the_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _hash, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_lines_are_short_but_for_tables_and_what_cannot_be_broken(page: Path) -> None:
    for line in page.read_text(encoding="utf-8").splitlines():
        assert len(line) <= 120 or line.startswith(("|", "`", "![")), line


def cited_sections() -> set[tuple[str, str]]:
    """What comments of the code cite, as (document, section)."""
    cited = set()
    for path in [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"\b([Cc]ontract|[Ii]nterface),? (?:section )?(\d+(?:\.\d+)?a?|U\d+)\b", text)
        cited |= {(name.lower(), number) for name, number in found}
    return cited


def test_every_section_that_the_code_cites_exists() -> None:
    cited = cited_sections()
    assert len(cited) > 20
    for name, number in cited:
        text = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
        if number.startswith("U"):
            pattern = rf"^\| .*\b{number}\b.* \|"
            first, last = 15, 20  # one row of the table
            known = re.search(pattern, text, re.MULTILINE) or first <= int(number[1:]) <= last
        elif re.fullmatch(r"0\.\d+", number):
            known = re.search(rf"^{number[2:]}\. ", text, re.MULTILINE)
        else:
            known = re.search(rf"^#+ {re.escape(number)}\.? ", text, re.MULTILINE)
        assert known, f"docs/{name}.md has no section {number}"
