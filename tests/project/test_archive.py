# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive for Galaxy: what is in it. `make build` runs Galaxy's importer on it."""

from __future__ import annotations

import json
import posixpath
import random
import re
import shutil
import string
import subprocess
import tarfile
import textwrap
from pathlib import Path

import pytest

from project import archive
from support.controller import BIN, REPOSITORY

pytestmark = pytest.mark.xdist_group("archive")

ALLOWED = [
    r"(CHANGELOG\.rst|[A-Z_]+\.md|LICENSE)",
    r"changelogs/changelog\.yaml",
    r"docs/[a-z-]+\.md",
    r"docs/docsite/([a-z-]+\.yml|rst/[a-z-]+\.rst)",
    r"examples/((accounts|chat|fleet-in-git|prometheus)/([a-z]+/){0,2})?[a-z_.-]+\.(yml|cfg)",
    r"examples/controller/(configuration/)?[a-z_.-]+\.(yml|json)",
    r"examples/testing/([a-z_]+/){0,3}[a-z_]+\.(py|yml)",
    r"extensions/eda/(plugins/event_source|rulebooks)/[a-z_]+\.(py|yml)",
    r"extensions/eda/plugins/event_source/schemas/instances\.json",
    r"extensions/audit/event_query\.yml",
    r"meta/ee-requirements\.txt",
    r"meta/(execution-environment|extensions|runtime)\.yml",
    r"playbooks/[a-z_]+\.yml",
    r"plugins/__init__\.py",
    r"plugins/(action|doc_fragments|filter|inventory|lookup|modules)/[a-z_]+\.py",
    r"plugins/(module_utils|plugin_utils)/_[a-z_]+(/[a-z_]+){0,2}\.py",
    r"roles/[a-z_]+/(README\.md|(defaults|meta|tasks|vars)/[a-z_]+\.yml|(files|templates)/[a-z0-9_.]+)",
    r"tests/simulator/(README\.md|[a-z_]+\.py)",
]
"""The files that users need. Any other one in a release is to be named in build_ignore of galaxy.yml, or here."""
UNSHIPPED = {"Makefile", "galaxy.yml", "pyproject.toml", "requirements"}
"""Names at the top that git tracks and no archive holds, besides those that begin with a dot."""


def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return {*filter(None, listed.stdout.split("\0"))}


def everything_but(names: set[str]) -> list[str]:
    """Returns patterns that match each name but these, and nothing below these.

    The first ones match names that depart from all of ``names`` at some character, the rest names that end too early;
    of these, the ones of the same length that differ in their first character are one pattern.
    """
    prefixes = sorted({name[:end] for name in names for end in range(len(name) + 1)})
    following = {one: {f"{name}/"[len(one)] for name in names if name.startswith(one)} for one in prefixes}
    patterns = [f"{one}[!{''.join(sorted(following[one]))}]*" for one in prefixes]
    for length in range(1, max(map(len, names))):
        longer = [one for one in prefixes if all(len(name) > length for name in names if name.startswith(one))]
        heads = [one for one in longer if 0 < len(one) <= length and (len(one) == 1 or one[:-1] not in longer)]
        for rest in sorted({head[1:] for head in heads}):
            first = "".join(head[0] for head in heads if head[1:] == rest)
            patterns.append((f"[{first}]" if first[1:] else first) + rest + "?" * (length - 1 - len(rest)))
    return patterns


def build_plainly(clone: Path, folder: Path) -> Path:
    command = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(folder)]
    subprocess.run(command, cwd=clone, capture_output=True, check=True)
    (built,) = folder.iterdir()
    return built


def names_in(built: Path) -> set[str]:
    with tarfile.open(built) as tar:
        return {member.name for member in tar.getmembers() if not member.isdir()}


def read_texts(built: Path) -> dict[str, str]:
    with tarfile.open(built) as tar:
        files = [(member.name, tar.extractfile(member)) for member in tar.getmembers()]
        return {name: file.read().decode() for name, file in files if file and name.endswith((".md", ".json"))}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)
    shutil.copy(REPOSITORY / "galaxy.yml", folder)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive.build(tmp_path_factory.mktemp("built"))


@pytest.mark.rest
def test_it_holds_what_users_need_and_nothing_else(built: Path) -> None:
    with tarfile.open(built) as tar:
        members = tar.getmembers()
    names = {member.name for member in members if not member.isdir()}
    wanted = {name for name in tracked() if any(re.fullmatch(pattern, name) for pattern in ALLOWED)}
    assert names == {*wanted, "MANIFEST.json", "FILES.json"}
    assert built.stat().st_size < 600_000
    links = {posixpath.join(posixpath.dirname(one.name), one.linkname) for one in members if one.issym()}
    needed = ("plugins/modules/claw_fleet.py", "docs/index.md", "extensions/eda/rulebooks/watch.yml", "LICENSE")
    needed += ("extensions/eda/plugins/event_source/instances.py", "tests/simulator/__main__.py")
    assert {*needed, *links} <= names


def test_build_ignore_matches_all_names_at_the_top_but_the_shipped_ones() -> None:
    tops = {name.split("/")[0] for name in tracked()}
    wanted = everything_but({name for name in tops - UNSHIPPED if not name.startswith(".")})
    listed = textwrap.fill(json.dumps(wanted)[1:-1], 116, break_long_words=False, break_on_hyphens=False)
    assert archive.GALAXY["build_ignore"][: len(wanted)] == wanted, f"galaxy.yml should begin its list with\n{listed}"


@pytest.mark.rest
def test_a_plain_build_of_a_clean_clone_holds_the_same_files(built: Path, clone: Path, tmp_path: Path) -> None:
    assert names_in(build_plainly(clone, tmp_path / "plain")) == names_in(built)


@pytest.mark.rest
def test_no_build_of_an_untidy_clone_packs_what_git_does_not_track(built: Path, clone: Path, tmp_path: Path) -> None:
    shipped = names_in(built)
    tops = sorted({name.split("/")[0] for name in shipped} - {"MANIFEST.json", "FILES.json"})
    planted = [".env", ".vault_pass", "id_rsa", "venv/x.py", ".mypy_cache/x.json", "a.orig", "secrets.yml", "plug"]
    planted += ["pluginsx/a.py", "README.md.bak", "inventory.yml", "dist/x.tar.gz", "build/live/x.py", "tests/output/x"]
    inside = ["key.pem", "id_rsa", ".env", "a.py.orig", "a.yml~", "x.rej", "x.bak", ".x.swp", "a.log", "x.retry"]
    inside += ["x.key", "vault_pass", "__pycache__/a.cpython-311.pyc", "venv/x.py", "x.tfstate", "x.sqlite", "x.p12"]
    inside += ["x.zip"]
    planted += [f"{folder}/{name}" for name in inside for folder in ("roles/restore/tasks", "plugins/modules", "docs")]
    planted += ["tests/unit/new.py", "tests/new/x.py", "changelogs/x.yml", "docs/images/new.md", "docs/_build/x.md"]
    chance = random.Random(66)
    for top in tops:
        planted += [top[: chance.randrange(1, len(top))], top + chance.choice(string.printable[:62] + "-_.~ ")]
        at = chance.randrange(len(top))
        planted.append(top[:at] + chance.choice(sorted({*string.ascii_letters} - {top[at]})) + top[at + 1 :])
    for name in planted:
        if not (clone / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_text("secret")
    assert names_in(build_plainly(clone, tmp_path / "plain")) == shipped
    for name in ("plugins/modules/claw_new.py", "playbooks/secrets.yml"):
        (clone / name).write_text("secret")
    assert names_in(archive.build(tmp_path / "made", clone)) == shipped


def test_its_readme_and_metadata_lead_to_the_repository(built: Path) -> None:
    address = archive.GALAXY["repository"]
    texts = read_texts(built)
    assert f"]({address}/blob/" in texts["README.md"]
    collection = json.loads(texts["MANIFEST.json"])["collection_info"]
    assert all(collection[name].startswith(address) for name in ("repository", "issues", "documentation"))


def test_its_texts_show_no_picture_that_is_not_in_it(built: Path) -> None:
    assert [name for name, text in read_texts(built).items() if name.endswith(".md") and "![" in text] == []
    assert "![" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
