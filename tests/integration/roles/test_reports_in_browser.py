# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two pages in a real Chromium: nothing is wrong on the console, the table is whole and sorts, names are text.

Screenshots go to the folder that SCREENSHOTS names, else to build/screenshots. A Chromium is taken where there is one,
and installed where that may be done. Else what was left out is said; in CI that is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from pathlib import Path

import pytest

from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller
from support.debian import left_out, require_package

pytestmark = [pytest.mark.rest, pytest.mark.slow, pytest.mark.xdist_group("reports_in_browser")]

WHAT = "reports in a browser"
HOSTILE = "<script>document.title = 'owned'</script><b>bold</b>"
LONG = "a-very-long-name-" * 2000
WIDTHS = {"phone": 390, "tablet": 1024, "desktop": 1280}
BROKEN_DATES = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const broken = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const date of node.parentElement.closest("td, th, time") ? node.data.matchAll(/\\d{4}-\\d\\d-\\d\\d/g) : []) {
      range.setStart(node, date.index);
      range.setEnd(node, date.index + date[0].length);
      if (range.getClientRects().length > 1) broken.push(date[0]);
    }
  }
  return broken;
}"""
"""Dates of tables and times that continue in the next line."""
FITS = """document.documentElement.scrollWidth <= window.innerWidth
&& [...document.querySelectorAll("table")].every((table) => table.offsetWidth <= table.parentElement.offsetWidth)"""
"""Nothing is wider than the screen, and no table wider than the text around it."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
FLAGS += ["--disable-component-update", "--disable-sync"]


def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return require_package("chromium", lambda: next(filter(None, map(shutil.which, names)), None), WHAT)


@pytest.fixture(scope="module")
def browser() -> t.Iterator[t.Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        left_out(WHAT, "playwright is not installed (pip install playwright)")
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield chrome
        chrome.close()


class Opened:
    """A page, and what its console said."""

    def __init__(self, browser: t.Any, path: Path, width: int, scheme: str) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def is_clean(self) -> bool:
        """Nothing said, nothing asked for but the file, nothing too wide, and no date broken."""
        fits = self.page.evaluate(FITS)
        return self.said == [] and len(self.asked) == 1 and fits and self.page.evaluate(BROKEN_DATES) == []


def screenshots() -> Path:
    """The folder for pictures."""
    folder = Path(os.environ.get("SCREENSHOTS") or REPOSITORY / "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def photograph(browser: t.Any, path: Path, name: str) -> None:
    """Phone and desktop, light and dark, each clean."""
    for device, width in WIDTHS.items():
        for scheme in ("light", "dark"):
            opened = Opened(browser, path, width, scheme)
            opened.page.screenshot(path=screenshots() / f"{name}-{device}-{scheme}.png", full_page=True)
            assert opened.is_clean(), (opened.said, opened.asked)
            opened.page.close()


def count_pages_of_paper(browser: t.Any, path: Path, name: str, **paper: t.Any) -> int:
    """The number of pages, printed with margins of 10 mm."""
    opened = Opened(browser, path, WIDTHS["desktop"], "light")
    margin = dict.fromkeys(("top", "right", "bottom", "left"), "10mm")
    printed = opened.page.pdf(path=screenshots() / f"{name}.pdf", margin=margin, **paper)
    opened.page.close()
    return len(re.findall(rb"/Type */Page\b", printed))


@pytest.mark.parametrize(("paper", "landscape"), [("A4", False), ("A4", True), ("Letter", False)])
def test_pages_fit_on_paper(
    browser: t.Any, simulator: Simulator, controller: Controller, paper: str, landscape: bool
) -> None:
    simulator.fault("status", method="POST", status=422, message="Backups are moved now.")
    ids = ",".join(map(str, range(1, 41)))
    variables = f"restore_instance_ids={ids} restore_incident=INC-40 restore_confirm='29 INC-40'"
    controller.run("ansible-playbook", "clawhosters.cloud.restore", "-e", variables)
    assert controller.run("ansible-playbook", "clawhosters.cloud.fleet_report").rc == 0
    for page in ("clawhosters-fleet-report.html", "clawhosters-restore/INC-40.html"):
        name = f"{Path(page).stem}-{paper}{'-landscape' if landscape else ''}"
        path = controller.folder / page
        assert count_pages_of_paper(browser, path, name, format=paper, landscape=landscape) <= 4, name


def test_the_fleet_report(browser: t.Any, simulator: Simulator, controller: Controller) -> None:
    simulator.set_instance(1, name=HOSTILE)
    simulator.set_instance(2, name=LONG, tier="balanced with much memory")
    run = controller.run("ansible-playbook", "clawhosters.cloud.fleet_report")
    assert run.rc == 0, run.screen
    path = controller.folder / "clawhosters-fleet-report.html"
    photograph(browser, path, "fleet-report")

    opened = Opened(browser, path, WIDTHS["desktop"], "light")
    page = opened.page
    rows = page.locator("table[data-sortable] tbody tr")
    assert rows.count() == 60
    assert "owned" not in page.title()
    assert page.locator("tbody b").count() == 0
    assert page.locator("tr[data-id='1'] th").inner_text().startswith("<script>")

    def column(number: int) -> list[str]:
        return page.locator(f"table[data-sortable] tbody tr > :nth-child({number})").evaluate_all(
            "cells => cells.map((cell) => cell.dataset.sort ?? cell.textContent.trim())"
        )

    heads = page.locator("table[data-sortable] thead th")
    heads.nth(4).get_by_role("button").click()
    costs = [int(cost) for cost in column(5)]
    assert costs == sorted(costs)
    assert heads.nth(4).get_attribute("aria-sort") == "ascending"
    heads.nth(4).get_by_role("button").press("Enter")
    assert [int(cost) for cost in column(5)] == sorted(costs, reverse=True)
    assert page.locator("#sorted").inner_text() == "Sorted by Claws a day, descending."
    heads.nth(5).get_by_role("button").click()
    ages = [int(age) for age in column(6)]
    assert ages == sorted(ages)
    assert rows.count() == 60
    assert opened.is_clean()

    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(path.as_uri())
    assert plain.locator("table[data-sortable] tbody tr").count() == 60
    assert plain.locator("thead button").count() == 0


def test_the_incident_report(browser: t.Any, simulator: Simulator, controller: Controller) -> None:
    simulator.switch(transition_reads=1)
    simulator.set_instance(2, name=HOSTILE)
    variables = "restore_instances=web-bot,mail-bot restore_confirm=web-bot,mail-bot restore_incident=INC-1"
    run = controller.run("ansible-playbook", "clawhosters.cloud.restore", "-e", variables)
    assert run.rc != 0  # the second one has no backup
    folder = controller.folder / "clawhosters-restore"
    photograph(browser, folder / "INC-1.html", "incident-report")
    opened = Opened(browser, folder / "INC-1.html", WIDTHS["desktop"], "light")
    assert opened.page.locator("article").count() == 2
    assert opened.page.locator("article", has_text="The restore overwrote all later changes.").count() == 1
    marks = opened.page.locator("ol.marks li").all_inner_texts()
    expected = ["sent", "accepted", "seen begun", "seen restored", "healthy"]
    assert [re.sub(r" \d\d:\d\d:\d\d .*", "", mark) for mark in marks] == expected
    assert opened.page.locator("td", has_text=re.compile(r"ended \d")).count() == 1
    assert opened.page.locator("article", has_text="only a rebuild in the dashboard remains.").count() == 1

    simulator.fault("status", method="POST", status=422, message=HOSTILE)
    variables = f"restore_instance_ids={','.join(map(str, range(2, 16)))} restore_incident=INC-2"
    controller.run("ansible-playbook", "clawhosters.cloud.restore", "-e", variables)
    hostile = Opened(browser, folder / "INC-2.html", WIDTHS["phone"], "dark")
    assert "owned" not in hostile.page.title()
    assert hostile.page.locator("article h3").first.inner_text().startswith("<script>")
    assert hostile.page.locator("tbody tr").count() == 14
    assert hostile.page.locator("main b", has_text="bold").count() == 0
    assert hostile.page.locator("article", has_text="overwrote").count() == 0
    assert hostile.is_clean()
