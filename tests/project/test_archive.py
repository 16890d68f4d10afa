# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive for Galaxy: what is in it. `make build` runs Galaxy's importer on it."""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from project import archive
from support.controller import BIN, REPOSITORY

pytestmark = pytest.mark.xdist_group("archive")

ALLOWED = [
    r"(CHANGELOG\.rst|[A-Z_]+\.md|LICENSE|MANIFEST\.json|FILES\.json)",
    r"changelogs/changelog\.yaml",
    r"docs/[a-z-]+\.md",
    r"docs/docsite/([a-z-]+\.yml|rst/[a-z-]+\.rst)",
    r"examples/((accounts|chat|controller|fleet-in-git|prometheus)/([a-z]+/){0,2})?[a-z_.-]+\.(yml|json|cfg)",
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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive.build(tmp_path_factory.mktemp("built"))


@pytest.mark.rest
def test_it_holds_what_users_need_and_nothing_else(built: Path) -> None:
    with tarfile.open(built) as tar:
        members = tar.getmembers()
    names = [member.name for member in members if not member.isdir()]
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in ALLOWED)] == []
    assert built.stat().st_size < 600_000
    links = {posixpath.join(posixpath.dirname(one.name), one.linkname) for one in members if one.issym()}
    needed = ("plugins/modules/claw_fleet.py", "docs/index.md", "extensions/eda/rulebooks/watch.yml", "LICENSE")
    needed += ("extensions/eda/plugins/event_source/instances.py", "tests/simulator/__main__.py")
    assert {*needed, *links} <= {*names}


@pytest.mark.rest
def test_what_git_does_not_track_is_in_no_archive(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    shutil.copy(REPOSITORY / "galaxy.yml", clone)
    planted = (
        ".env",
        ".vault_pass",
        "id_rsa",
        "venv/bin/activate",
        ".mypy_cache/x.json",
        "roles/restore/files/key.pem",
    )
    planted += ("plugins/modules/claw_fleet.py.orig", "plugins/modules/claw_new.py", "playbooks/secrets.yml")
    for name in planted:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("secret")
    with tarfile.open(archive.build(tmp_path / "built", clone)) as tar:
        assert {*planted}.isdisjoint(tar.getnames())
    plain = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path / "plain")]
    refused = subprocess.run(plain, cwd=clone, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert '"build_ignore" and "manifest" are mutually exclusive' in refused.stderr
    assert [*tmp_path.rglob("*.tar.gz")] == [*(tmp_path / "built").iterdir()]


def test_its_readme_and_metadata_lead_to_the_repository(built: Path) -> None:
    address = archive.GALAXY["repository"]
    with tarfile.open(built) as tar:
        readme, manifest = (tar.extractfile(name) for name in ("README.md", "MANIFEST.json"))
        assert readme is not None
        assert manifest is not None
        assert f"]({address}/blob/" in readme.read().decode()
        collection = json.load(manifest)["collection_info"]
    assert all(collection[name].startswith(address) for name in ("repository", "issues", "documentation"))


def test_its_texts_show_no_picture_that_is_not_in_it(built: Path) -> None:
    with tarfile.open(built) as tar:
        for member in tar.getmembers():
            if member.name.endswith(".md"):
                file = tar.extractfile(member)
                assert file is not None
                assert "![" not in file.read().decode(), member.name
    assert "![" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
