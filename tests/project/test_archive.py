# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive for Galaxy: what is in it, what its importer says of it, and that a release can be made."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from project import archive, repository
from support.controller import BIN, REPOSITORY

pytestmark = pytest.mark.xdist_group("archive")

ALLOWED = [
    r"(CHANGELOG\.rst|[A-Z_]+\.md|LICENSE|MANIFEST\.json|FILES\.json)",
    r"changelogs/changelog\.yaml",
    r"docs/[a-z-]+\.md",
    r"docs/docsite/([a-z-]+\.yml|rst/[a-z-]+\.rst)",
    r"examples/((accounts|chat|controller|fleet-in-git|prometheus)/([a-z]+/){0,2})?[a-z_.-]+\.(yml|json|cfg)",
    r"extensions/eda/(plugins/event_source|rulebooks)/[a-z_]+\.(py|yml)",
    r"extensions/eda/plugins/event_source/schemas/instances\.json",
    r"extensions/audit/event_query\.yml",
    r"meta/ee-requirements\.txt",
    r"meta/(execution-environment|extensions|runtime)\.yml",
    r"playbooks/[a-z_]+\.yml",
    r"plugins/__init__\.py",
    r"plugins/(action|doc_fragments|filter|inventory|lookup|modules)/[a-z_]+\.py",
    r"plugins/(module_utils|plugin_utils)/_[a-z_]+(/[a-z_]+){0,2}\.py",
    r"roles/[a-z_]+/(README\.md|meta/argument_specs|(defaults|meta|tasks|vars)/[a-z_]+\.yml|(files|templates)/[a-z0-9_.]+)",
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
    names = [member.name for member in members if member.isfile()]
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in ALLOWED)] == []
    assert all(member.isfile() or member.isdir() for member in members)
    assert built.stat().st_size < 600_000
    for needed in (
        "plugins/modules/claw_fleet.py",
        "docs/index.md",
        "extensions/eda/plugins/event_source/instances.py",
        "extensions/eda/plugins/event_source/schemas/instances.json",
        "extensions/eda/rulebooks/restore_unhealthy.yml",
        "extensions/eda/rulebooks/restore_unhealthy_job.yml",
        "extensions/eda/rulebooks/watch.yml",
        "tests/simulator/__main__.py",
        "LICENSE",
    ):
        assert needed in names


def test_its_readme_and_metadata_lead_to_the_repository(built: Path) -> None:
    address = repository.read_address()
    with tarfile.open(built) as tar:
        readme, manifest = (tar.extractfile(name) for name in ("README.md", "MANIFEST.json"))
        assert readme is not None
        assert manifest is not None
        assert f"]({address}/blob/" in readme.read().decode()
        collection = json.load(manifest)["collection_info"]
    assert collection["repository"] == address
    assert collection["issues"].startswith(address)
    assert collection["documentation"].startswith(address)


def test_its_texts_show_no_picture_that_is_not_in_it(built: Path) -> None:
    with tarfile.open(built) as tar:
        for member in tar.getmembers():
            if member.name.endswith(".md"):
                file = tar.extractfile(member)
                assert file is not None
                assert "![" not in file.read().decode(), member.name
    assert "![" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.rest
def test_the_importer_has_nothing_to_say_against_it(built: Path) -> None:
    # `make build` has it run flake8, ansible-doc and ansible-lint too. `make lint` runs ruff, antsibull-docs and
    # ansible-lint in stricter ways.
    good, said = archive.check_archive(built, only_metadata=True)
    assert good, said


@pytest.mark.rest
def test_a_release_lists_all_that_is_new(tmp_path: Path) -> None:
    """`make changelog`, as for a first release of everything, in a copy."""
    copy = tmp_path / "ansible_collections/clawhosters/cloud"
    archive.copy_sources(copy)
    changelog = copy / "changelogs"
    for path in [*copy.glob("plugins/**/*.py"), *copy.glob("roles/*/meta/argument_specs.yml")]:
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"version_added: \S+", "version_added: 99.0.0", text), encoding="utf-8")
    galaxy = (copy / "galaxy.yml").read_text(encoding="utf-8")
    (copy / "galaxy.yml").write_text(re.sub(r"^version: .*", "version: 99.0.0", galaxy, flags=re.M), encoding="utf-8")
    (changelog / "changelog.yaml").write_text("---\nancestor:\nreleases: {}\n", encoding="utf-8")
    (changelog / "fragments").mkdir(exist_ok=True)
    (changelog / "fragments/one-more.yml").write_text("---\nbugfixes: [One less.]\n", encoding="utf-8")
    shutil.rmtree(copy / "tests", ignore_errors=True)
    for command in (["lint"], ["release"], ["lint"]):
        done = subprocess.run(
            [str(BIN / "antsibull-changelog"), *command],
            cwd=copy,
            env={"PATH": str(BIN), "HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (release,) = yaml.safe_load((changelog / "changelog.yaml").read_text(encoding="utf-8"))["releases"].values()
    text = (copy / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert "One less." in text
    modules = {path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py")}
    assert {entry["name"] for entry in release["modules"]} == modules
    roles = {path.parents[1].name for path in (REPOSITORY / "roles").glob("*/meta/argument_specs.yml")}
    assert {entry["name"] for entry in release["objects"]["role"]} == roles
    assert [entry["name"] for entry in release["plugins"]["inventory"]] == ["instances"]
