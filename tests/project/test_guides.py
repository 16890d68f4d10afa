# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the guides against the code: examples are tested files, messages are those of the source, links resolve.

tests/project/test_guide_commands.py runs the commands of the guides.
"""

from __future__ import annotations

import ast
import re
import subprocess
import typing as t
from pathlib import Path

import pytest

from project import guides
from simulator.instances import DETAILED, FLAGS, LISTED, Instance
from support.controller import REPOSITORY

# Tools write pages of their own into these folders and hidden ones, at any moment.
OF_TOOLS = ("build", "collections", "dist")
FOLDERS = [REPOSITORY / ".github", *(path for path in REPOSITORY.glob("[a-z]*/") if path.name not in OF_TOOLS)]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))])
IDS = [str(path.relative_to(REPOSITORY)) for path in PAGES]


@pytest.mark.parametrize("guide", guides.GUIDES, ids=lambda path: path.stem)
def test_every_yaml_block_is_part_of_a_tested_example(guide: Path) -> None:
    examples = {path: path.read_text(encoding="utf-8") for path in guides.EXAMPLES}
    for block in guides.find_blocks(guide) if guide.stem not in guides.ELSEWHERE else ():
        if block.kind == "yaml":
            found = [str(path.relative_to(REPOSITORY)) for path, text in examples.items() if block.text in text]
            assert any(f"`{name}`" in block.above for name in found), (
                f"{guide.name}: copy this block from a file in examples/, and name the file above it:\n{block.text}"
            )


MISSPELT = {"fleet_max_change", "restore_max_ag"}
"""Names that a guide shows as an example of a typo."""


def test_every_variable_that_a_guide_gives_or_names_exists() -> None:
    """Ansible ignores an unknown variable, so that the command works, and does something else than the guide says."""
    folders = ("roles/*/meta", "playbooks", "extensions", "examples")
    files = [path for folder in folders for path in REPOSITORY.glob(f"{folder}/**/*.yml")]
    variables = {word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    given = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        names = set(re.findall(r"(?:-e|--extra-vars)[ =]['\"]?(\w+)=", text))
        if page in guides.GUIDES:
            names |= set(re.findall(r"`((?:restore|balance_guard|fleet|fleet_report|doctor)_\w+)(?:=.*?)?`", text))
        names -= MISSPELT
        assert names <= variables, f"{page.name}: {names - variables}"
        given |= names
    assert len(given) > 20


def format_template(node: ast.AST, texts: dict[str, ast.AST]) -> str:
    """Returns a string of the source, with … for each replacement field but the names in ``texts``."""
    if isinstance(node, ast.Constant):
        # The table of reasons has its verbs in both tenses.
        return re.sub(r"\{(is|are|has|does)\}", r"\1", str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(format_template(part, texts) for part in node.values)
    name = node.value.id if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name) else ""
    return format_template(texts[name], {}) if name in texts else "…"


def find_texts(tree: ast.AST) -> dict[str, ast.AST]:
    """Returns the names that a file gives to strings, such as the end that many messages share."""
    texts = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            for name, text in zip(target.elts, value.elts, strict=True) if several else [(target, value)]:
                if isinstance(name, ast.Name) and is_text(text):
                    texts[name.id] = text
    return texts


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def find_source_strings() -> t.Iterator[str]:
    for path in [*REPOSITORY.glob("plugins/**/*.py"), *REPOSITORY.glob("extensions/**/*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = find_texts(tree)
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in filter(is_text, ast.walk(tree)):
            if id(node) in docstrings:
                continue
            yield " ".join(format_template(node, texts).split())
    for path in [*REPOSITORY.glob("roles/*/[tv]a*/*.yml"), *REPOSITORY.glob("playbooks/*.yml")]:
        yield " ".join(path.read_text(encoding="utf-8").split())


def test_every_message_in_the_troubleshooting_exists_in_the_source() -> None:
    guide = (REPOSITORY / "docs/troubleshooting.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| (.+?) \|", guide, re.MULTILINE)
    # Messages of other programs and what is typed stand in sentences.
    quoted = [term for term in terms if re.match(r"`|\d+, `", term)]
    messages = [message for term in quoted for message in re.findall(r"`([^`]+)`", term)]
    assert len(messages) > 50
    sources = list(find_source_strings())
    for message in messages:
        # Errors end with that if it is so: it is a fact of theirs, and no part of the text in the source.
        parts = [part.strip() for part in message.removesuffix("Nothing was sent.").split("…")]
        pattern = re.compile(".*".join(re.escape(part) for part in parts if len(part) > 3))
        assert any(map(pattern.search, sources)), f"not in the source: {message}"


def test_the_host_variables_are_documented_with_type_and_example() -> None:
    """In the guide and in the plugin's documentation, with all fields of the service's list and detail."""
    types = {int: "int", str: "str", bool: "bool", str | None: "str or null"}
    hints = {**t.get_type_hints(Instance), **dict.fromkeys(FLAGS, bool)}
    fields = {f"claw_{name}": (types[hints[name]], name not in LISTED) for name in DETAILED}
    guide = (REPOSITORY / "docs/inventory.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(claw_\w+)` \| (.+?) \| `(.+?)` \| (yes )?\|$", guide, re.MULTILINE)
    assert {name: (kind, bool(detail)) for name, kind, _example, detail in rows} == fields
    plugin = (REPOSITORY / "plugins/inventory/instances.py").read_text(encoding="utf-8")
    notes = re.findall(r"C\((claw_\w+)\) \(([a-z ]+?)(, with O\(details\))?\): V\((.+?)\)\.'$", plugin, re.MULTILINE)
    assert [(name, kind, example, bool(detail)) for name, kind, detail, example in notes] == [
        (name, kind, example, bool(detail)) for name, kind, example, detail in rows
    ]


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as code hosts and the site build them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_shell_of_posix_can_read_the_commands(page: Path) -> None:
    for block in guides.find_blocks(page):
        if block.kind in ("shell", "bash"):
            subprocess.run(["sh", "-n"], input=block.text, text=True, check=True)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_between_the_files_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _hash, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("front_page", ["docs/index.md", "README.md"])
def test_a_front_page_links_to_every_guide(front_page: str) -> None:
    linked = set(re.findall(r"([\w-]+\.md)\)", (REPOSITORY / front_page).read_text(encoding="utf-8")))
    assert {guide.name for guide in guides.GUIDES} - {"index.md"} <= linked
