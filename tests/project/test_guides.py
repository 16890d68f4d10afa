# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the guides against the code: examples are tested files, messages are those of the source, links resolve.

tests/project/test_guide_commands.py runs the commands of the guides.
"""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest

from project import guides
from simulator.models import Instance, ListedInstance

ROOT = guides.ROOT
# Tools write pages of their own into these folders and hidden ones, at any moment.
OF_TOOLS = ("build", "collections", "dist")
FOLDERS = [ROOT / ".github", *(path for path in ROOT.glob("[a-z]*/") if path.name not in OF_TOOLS)]
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))])
IDS = [str(path.relative_to(ROOT)) for path in PAGES]


@pytest.mark.parametrize("guide", guides.GUIDES, ids=lambda path: path.stem)
def test_every_yaml_block_is_part_of_a_tested_example(guide: Path) -> None:
    examples = {path: path.read_text(encoding="utf-8") for path in guides.EXAMPLES}
    for above, block in guides.blocks_below(guide, "yaml") if guide.stem not in guides.ELSEWHERE else ():
        found = [str(path.relative_to(ROOT)) for path, text in examples.items() if block in text]
        assert found, (
            f"{guide.name}: no file in examples/ contains this block. Add it there, so that tests run it:\n{block}"
        )
        assert any(f"`{name}`" in above for name in found), (
            f"{guide.name}: say above this block that it is from {' or '.join(found)}:\n{block}"
        )


def test_every_file_that_the_other_guides_show_bears_its_name() -> None:
    for name in guides.ELSEWHERE:
        for above, block in guides.blocks_below(ROOT / f"docs/{name}.md", "yaml"):
            is_file = not block.startswith("clawhosters:\n  event:")
            assert re.search(r"`[\w./-]+\.yml`", above) or not is_file, f"{name}.md: name this file:\n{block}"


@pytest.mark.parametrize("guide", guides.GUIDES, ids=lambda path: path.stem)
def test_every_block_is_yaml_shell_bash_or_an_output(guide: Path) -> None:
    for block in guides.find_blocks(guide.read_text(encoding="utf-8")):
        assert block.kind in ("yaml", "shell", "bash", "text"), f"{guide.name} has a block of kind {block.kind!r}"
        if block.kind == "bash":
            known = block.text.startswith(guides.NOT_RUN)
            assert known, f"{guide.name}: use a shell block, so that a test runs it: {block.text}"
        assert (block.kind == "text") == (block.note == "output"), (
            f"{guide.name}: say with a comment which part of the output this is:\n{block.text}"
        )


PAGE = """\
```shell
show
```

<!-- output: "PLAN" "Batch 1" to "Batch 2" -->
```text
PLAN ***
web-bot: backup 11, 5 h 20 min old, of 2026-02-03 03:00 UTC
…
    Batch 1 of 3: web-bot
    Batch 2 of 3: support-bot
…
```
"""
OUTPUT = """\
PLAN *****************************
web-bot: backup 11, 12 h old,         of 2026-11-03 14:20 UTC

more
    Batch 1 of 3: web-bot
    Batch 2 of 3: support-bot
    Batch 3 of 3: 34 instances
"""


def test_an_output_block_may_differ_in_times_stars_and_columns() -> None:
    assert list(guides.find_drift(PAGE, [OUTPUT])) == []


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("backup 11", "backup 12"),
        ("PLAN", "PLAN of the restore"),
        ("Batch 1 of 3: web-bot", "Batch 1 of 3: web-bot (canary)"),
        ("Batch 2", "a line more\n    Batch 2"),
        ("more\n", ""),
    ],
)
def test_an_output_block_that_drifted_is_found_and_refreshed(shown: str, printed: str) -> None:
    output = OUTPUT.replace(shown, printed)
    assert "-" in guides.describe(guides.find_drift(PAGE, [output]))
    assert list(guides.find_drift(guides.refresh(PAGE, [output]), [output])) == []


def test_a_line_that_is_not_printed_any_more_is_named() -> None:
    with pytest.raises(guides.MissingError, match="Batch 1"):
        list(guides.find_drift(PAGE, ["PLAN\n"]))


@pytest.mark.parametrize("guide", guides.GUIDES, ids=lambda path: path.stem)
def test_a_guide_that_uses_the_examples_says_where_they_are(guide: Path) -> None:
    commands = [text for kind, text in guides.all_blocks(guide) if kind in ("shell", "bash")]
    if "examples/" in "".join(commands):
        link = "(getting-started.md#copy-the-examples)"
        assert link in guide.read_text(encoding="utf-8") or guide.stem == "getting-started"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_can_be_pasted(page: Path) -> None:
    """No prompt signs, no ellipses, and no command that waits in front of another."""
    for kind, text in guides.all_blocks(page):
        assert kind != "console", f"{page.name}: the prompt signs of a console block can't be pasted"
        for line in text.splitlines() if kind in ("shell", "bash") else ():
            found = re.search(r"^\s*[$>] |\.\.\.|…|another terminal", line)
            assert not found, f"{page.name}: {line}"


MISSPELT = {"fleet_max_change", "restore_max_ag"}
"""Names that a guide shows as an example of a typo."""


def find_variables() -> set[str]:
    """Returns the words of the files in which the variables of roles, playbooks, rulebooks and examples are."""
    folders = ("roles/*/meta", "playbooks", "extensions", "examples")
    files = [path for folder in folders for path in ROOT.glob(f"{folder}/**/*.yml")]
    return {word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}


def test_every_variable_that_a_guide_gives_or_names_exists() -> None:
    """Ansible ignores an unknown variable, so that the command works, and does something else than the guide says."""
    variables = find_variables()
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


REFERENCE = ("endpoints.md", "contract.md", "interface.md")
"""Pages in docs/ that the front pages name apart from the guides."""


def list_guides(front_page: str) -> list[str]:
    """Returns the files that the section "Guides" of a page links to, in its order."""
    text = (ROOT / front_page).read_text(encoding="utf-8")
    section = re.split(r"^(?:## Guides|Guides\n=+)$", text, flags=re.MULTILINE)[1].split("\n## ")[0]
    return [name for name in re.findall(r"([\w-]+\.md)[)>]", section) if name not in REFERENCE]


def test_the_front_pages_link_to_every_guide_in_the_same_order() -> None:
    index = list_guides("docs/index.md")
    assert sorted(index) == sorted({guide.name for guide in guides.GUIDES} - {"index.md", *REFERENCE})
    assert list_guides("README.md") == index
    assert list_guides("docs/docsite/rst/guides.rst") == index
    for front_page in ("docs/index.md", "README.md", "docs/docsite/rst/guides.rst"):
        text = (ROOT / front_page).read_text(encoding="utf-8")
        assert all(f"{name})" in text or f"{name}>" in text for name in REFERENCE)


def format_template(node: ast.AST, texts: dict[str, ast.AST]) -> str:
    """Returns a string of the source, with … for each replacement field but the names in ``texts``."""
    if isinstance(node, ast.Constant):
        return str(node.value)
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
    for path in [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("extensions/**/*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = find_texts(tree)
        for node in filter(is_text, ast.walk(tree)):
            yield " ".join(format_template(node, texts).split())
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")]:
        yield " ".join(path.read_text(encoding="utf-8").split())


def fixed_parts(message: str) -> list[str]:
    """Returns the parts of a quoted message between its placeholders."""
    return [part.strip() for part in message.split("…") if len(part.strip()) > 3]


def test_every_message_in_the_troubleshooting_exists_in_the_source() -> None:
    guide = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    terms = re.findall(r"^- (.+(?:\n  \S.*)*)\n\n  ", guide, re.MULTILINE)
    messages = [message for term in terms for message in re.findall(r"`([^`]+)`", term)]
    assert len(messages) > 50
    sources = list(find_source_strings())
    for message in messages:
        # Errors end with that if it is so: it is a fact of theirs, and no part of the text in the source.
        parts = fixed_parts(message.removesuffix("Nothing was sent."))
        pattern = re.compile(".*".join(map(re.escape, parts)))
        assert parts == [] or any(map(pattern.search, sources)), f"not in the source: {message}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_fit_into_a_terminal(page: Path) -> None:
    blocks = re.findall(r"```(?:shell|bash)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    wide = [line for block in blocks for line in block.splitlines() if len(line) > 80]
    # A path, a URL or a JSON text can't be broken.
    parts = {line: re.findall(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+", line) for line in wide}
    assert [line for line in wide if max(map(len, parts[line])) < 70] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_page_has_definition_lists(page: Path) -> None:
    """Code hosts and Galaxy show them as running text."""
    assert not re.search(r"^: ", page.read_text(encoding="utf-8"), re.MULTILINE), "use a list, as troubleshooting.md"


def test_the_host_variables_are_documented_with_type_and_example() -> None:
    """In the guide and in the plugin's documentation, with all fields of the service's list and detail."""
    types = {int: "int", str: "str", bool: "bool", str | None: "str or null"}
    hints = t.get_type_hints(Instance)
    fields = {f"claw_{name}": (types[hints[name]], name not in ListedInstance.model_fields) for name in hints}
    fields.pop("claw_model_config", None)
    guide = (ROOT / "docs/inventory.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(claw_\w+)` \| (.+?) \| `(.+?)` \| (yes )?\|$", guide, re.MULTILINE)
    assert {name: (kind, bool(detail)) for name, kind, _example, detail in rows} == fields
    plugin = (ROOT / "plugins/inventory/instances.py").read_text(encoding="utf-8")
    notes = re.findall(r"C\((claw_\w+)\) \(([a-z ]+?)(, with O\(details\))?\): V\((.+?)\)\.'$", plugin, re.MULTILINE)
    assert [(name, kind, example, bool(detail)) for name, kind, detail, example in notes] == [
        (name, kind, example, bool(detail)) for name, kind, example, detail in rows
    ]


def slugify(heading: str) -> str:
    """Returns the anchor of a heading, as code hosts and the site build it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slugify(heading) for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_between_the_files_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _hash, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_lines_are_short_except_tables_and_unbreakable_ones(page: Path) -> None:
    for line in page.read_text(encoding="utf-8").splitlines():
        assert len(line) <= 120 or line.startswith(("|", "`", "- `", "![")), line


def cited_sections() -> set[tuple[str, str]]:
    """Returns the sections that comments cite, as (document, section)."""
    cited = set()
    for path in [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"\b([Cc]ontract|[Ii]nterface),? (?:section )?(\d+(?:\.\d+)?[ab]?|U\d+)\b", text)
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
