# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The needs of a public repository: one address, from which all others follow, and the files that users look for."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import yaml

from project import repository

ROOT = repository.ROOT
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
ADDRESS = repository.read_address()
PAGES = [
    *ROOT.glob("*.md"),
    *(path for path in (ROOT / ".github").rglob("*") if path.is_file()),
    *(path for path in (ROOT / "docs/docsite").rglob("*") if path.is_file()),
    ROOT / "docs/support.md",
    ROOT / "galaxy.yml",
    *ROOT.glob("meta/*"),
]
OTHERS = {"clawhosters.com", "127.0.0.1", "semver.org", "github.com"}
OTHERS |= {"docs.ansible.com", "forum.ansible.com", "galaxy.ansible.com"}
"""Hosts of other projects. HOST and … are placeholders."""


def test_every_address_of_the_project_begins_with_the_repository() -> None:
    """If this fails after a change of ``repository`` in galaxy.yml, run ``make repository``."""
    assert GALAXY["issues"] == f"{ADDRESS}/issues"
    assert GALAXY["documentation"] == f"{ADDRESS}/blob/main/docs/index.md"
    links = yaml.safe_load((ROOT / "docs/docsite/links.yml").read_text(encoding="utf-8"))
    assert links["edit_on_github"]["repository"] == urlsplit(ADDRESS).path[1:]
    assert all(link["url"].startswith(f"{ADDRESS}/") for link in links["extra_links"])
    for path in PAGES:
        for address in re.findall(r"https?://[^\s)>'\"`]+", path.read_text(encoding="utf-8")):
            host = urlsplit(address).hostname
            assert host in OTHERS | {"host", "…"} or f"{address}/".startswith(f"{ADDRESS}/"), f"{path.name}: {address}"


def test_the_pages_of_the_documentation_site_link_to_files_that_exist() -> None:
    for path in (ROOT / "docs/docsite").rglob("*.*"):
        for name in re.findall(rf"{re.escape(ADDRESS)}/blob/main/(\S+?)[>\s]", path.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


def test_places_of_the_stand_in_are_shown_until_there_is_a_repository() -> None:
    places = repository.find_stand_ins()
    assert bool(places) == ADDRESS.startswith(repository.STAND_IN)
    if places:
        files = ", ".join(sorted({place.rpartition(":")[0] for place in places}))
        warnings.warn(f"{ADDRESS} stands in for the public repository, in {files}", stacklevel=1)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Returns a repository with the files that contain the address."""
    for path, text in repository.texts().items():
        if ADDRESS in text:
            (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / path.relative_to(ROOT))
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


@pytest.mark.parametrize("is_edited_by_hand", [False, True])
def test_one_value_leads_to_all_addresses(copy: Path, *, is_edited_by_hand: bool) -> None:
    new = "https://code.example.org/team/claws"
    if is_edited_by_hand:
        galaxy = (copy / "galaxy.yml").read_text(encoding="utf-8")
        (copy / "galaxy.yml").write_text(
            galaxy.replace(f"repository: {ADDRESS}\n", f"repository: {new}\n"), encoding="utf-8"
        )
    changed = repository.set_address(new, copy)
    assert {path.name for path in changed} >= {"galaxy.yml", "links.yml", "guides.rst"}
    assert repository.read_address(copy) == new
    assert repository.find_stand_ins(copy) == []
    text = "".join(repository.texts(copy).values())
    assert ADDRESS not in text
    assert f"issues: {new}/issues\n" in text
    assert "  repository: team/claws\n" in text


@pytest.mark.parametrize("address", ["http://code.example.org/team/claws", "https://code.example.org/team/claws.git"])
def test_an_address_of_another_form_changes_nothing(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert repository.main([address]) == 2
    assert "is not an address such as" in capsys.readouterr().out
    assert repository.read_address() == ADDRESS


def test_links_of_the_readme_work_on_a_page_elsewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    published = repository.make_links_absolute(text, ADDRESS, GALAXY["version"])
    links = re.findall(r"\]\(([^)\s]+)\)", published)
    assert all(link.startswith("https://") for link in links)
    for link in links:
        if link.startswith(ADDRESS):
            assert (ROOT / link.removeprefix(f"{ADDRESS}/blob/{GALAXY['version']}/").partition("#")[0]).exists(), link


@pytest.mark.parametrize("name", ["bug", "service"])
def test_a_report_of_an_issue_asks_for_the_file_of_the_doctor(name: str) -> None:
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text(encoding="utf-8"))
    (doctor,) = [field for field in form["body"] if field.get("id") == "doctor"]
    assert doctor["validations"] == {"required": True}
    assert "clawhosters.cloud.doctor" in doctor["attributes"]["description"]


def test_readme_support_page_and_weekly_run_name_the_same_versions() -> None:
    page = (ROOT / "docs/support.md").read_text(encoding="utf-8")
    pairs = {
        (core, python)
        for core, pythons in re.findall(r"^\| (2\.\d+) \| ([\d., ]+) \|$", page, re.MULTILINE)
        for python in pythons.split(", ")
    }
    workflow = yaml.safe_load((ROOT / ".github/workflows/full.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["pair"]["strategy"]["matrix"]["include"]
    assert {(pair["core"], pair["python"]) for pair in matrix} == pairs
    rows = re.findall(r"^\| ((?:2\.\d+(?:, )?)+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", readme(), re.MULTILINE)
    shown = {
        (core, python)
        for cores, *cells in rows
        for core in cores.split(", ")
        for python, cell in zip(("3.11", "3.12", "3.13", "3.14"), cells, strict=True)
        if cell == "yes"
    }
    assert shown == pairs


CERTIFIED = (
    "Description",
    "Requirements",
    "Installation",
    "Use Cases",
    "Testing",
    "Contributing",
    "Support",
    "Release Notes and Roadmap",
    "Related Information",
    "License Information",
)
"""The headings that Red Hat asks the README of a certified collection for, in their order."""


def test_readme_has_the_headings_of_a_certified_collection() -> None:
    headings = re.findall(r"^## (.+)$", readme(), re.MULTILINE)
    assert [heading for heading in headings if heading in CERTIFIED] == list(CERTIFIED)


def test_the_demo_shows_its_last_screen_where_nothing_animates() -> None:
    """Without animations, as in a preview, a frame has the opacity of its attribute, else 1."""
    picture = ElementTree.parse(ROOT / "docs/images/demo.svg").getroot()
    frames = picture.findall("./{*}g[@class='frame']")
    assert [frame.get("opacity", "1") for frame in frames] == ["0"] * (len(frames) - 1) + ["1"]
    style = picture.findtext("./{*}style") or ""
    assert not re.search(r"^\.frame[^}]*[{;] *opacity", style, re.MULTILINE)


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")
