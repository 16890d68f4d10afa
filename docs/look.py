# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at each page of the site in Chromium, wide and narrow, light and dark: python docs/look.py SITE

Fails if something is wider than its place, if what scrolls sideways has no hint, if a block has no button that copies
it, if a word that fits into a line is broken inside, or if text can hardly be read on its background. Installs nothing.
Without Chromium it says that this was left out.
"""

from __future__ import annotations

import shutil
import sys
import typing as t
from pathlib import Path

CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
FLAGS += ["--disable-component-update", "--disable-sync"]
WIDTHS = (1280, 390)
SCHEMES: tuple[t.Literal["light", "dark"], ...] = ("light", "dark")

FAULTS_OF_LAYOUT = """async () => {
  await new Promise(requestAnimationFrame);  // the page has adapted itself to its width
  const faults = [];
  const name = (e) => `${e.tagName.toLowerCase()} "${e.textContent.trim().replace(/\\s+/g, ' ').slice(0, 60)}"`;
  if (document.documentElement.scrollWidth > innerWidth) faults.push('the page is wider than the window');
  for (const e of document.querySelectorAll('article *')) {
    const scrolls = ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
    const mayScroll = e.closest('table, .table-wrapper, .highlight-text');
    if (!mayScroll && scrolls && e.scrollWidth > e.clientWidth + 1) faults.push(`cut off at the right: ${name(e)}`);
    const image = e.tagName === 'IMG' || e.tagName === 'svg';
    if (image && e.getBoundingClientRect().width > innerWidth) faults.push('a picture is wider than the window');
  }
  for (const e of document.querySelectorAll('article table.docutils, article .highlight-text pre')) {
    const hint = e.previousElementSibling;
    const shown = hint?.matches('.scroll-hint:not([hidden])') ?? false;
    const options = e.matches('.ansible-option-table');
    if (!options && shown !== e.scrollWidth > e.clientWidth + 1) faults.push(`a hint to scroll is wrong: ${name(e)}`);
  }
  const places = 'article :is(h1,h2,h3,h4,h5,p,li,dt,td,th), .sidebar-tree a, .toc-tree a';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const rows = (node, start, length) => {
    range.setStart(node, start);
    range.setEnd(node, start + length);
    return [...range.getClientRects()].filter((one) => one.width > 0);
  };
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    const place = parent.closest(places);
    if (!place || parent.closest('pre') || !parent.getClientRects().length) continue;
    for (const token of node.data.matchAll(/\\S+/g)) {
      const tokenRows = rows(node, token.index, token[0].length);
      if (tokenRows.length < 2) continue;
      // What is longer than a line must be broken somewhere, except where it would look odd.
      const padding = parent.closest('code') ? 12 : 0;
      const fits = tokenRows.reduce((sum, one) => sum + one.width, padding) < place.clientWidth;
      if (!fits && !place.matches('h1, a')) continue;
      for (const word of token[0].matchAll(/[^\\-\u2013\u2014\u200b\u00ad\\/?|&=,;:!(){}\\[\\]…]+/gu)) {
        const broken = new Set(rows(node, token.index + word.index, word[0].length).map((one) => Math.round(one.top)));
        if (broken.size > 1) faults.push(`broken inside: ${word[0]} in ${name(place)}`);
      }
    }
  }
  return [...new Set(faults)];
}"""

FAULTS_OF_COPYING = """async () => {
  const copied = [];
  navigator.clipboard.writeText = async (text) => copied.push(text);
  const blocks = document.querySelectorAll('article :not(.highlight-text) > div.highlight > pre');
  for (const e of blocks) e.parentElement.querySelector('button.copy')?.click();
  const same = (e, number) => copied[number]?.trim() === e.textContent.trim();
  return [...blocks].every(same) ? [] : ['a block has no button that copies it'];
}"""

FAULTS_OF_COLOUR = """() => {
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return parse(getComputedStyle(document.body).getPropertyValue('background-color')).slice(0, 3);
  };
  const faults = new Set();
  for (const e of document.querySelectorAll('article :is(p, li, td, dt, a, code, span, h1, h2)')) {
    const own = [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !e.getClientRects().length) continue;
    const [one, other] = [luminance(parse(getComputedStyle(e).color).slice(0, 3)), luminance(behind(e))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 3) faults.add(`hard to read (${contrast.toFixed(1)}): ${e.textContent.trim().slice(0, 40)}`);
  }
  return [...faults];
}"""


def find_chromium() -> str | None:
    """Returns the path of Chromium, None if it isn't installed."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def find_faults(site: Path, chromium: str) -> t.Iterator[str]:
    """Yields a message for each fault of a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        opened = browser.new_page()
        for page in sorted(site.rglob("*.html")):
            if page.name in ("genindex.html", "search.html"):
                continue
            name = page.relative_to(site)
            opened.goto(page.resolve().as_uri(), wait_until="domcontentloaded")
            for width in WIDTHS:
                opened.set_viewport_size({"width": width, "height": 900})
                for fault in opened.evaluate(FAULTS_OF_LAYOUT):
                    yield f"{name} at {width} px: {fault}"
            for fault in opened.evaluate(FAULTS_OF_COPYING):
                yield f"{name}: {fault}"
            for scheme in SCHEMES:
                opened.emulate_media(color_scheme=scheme)
                for fault in opened.evaluate(FAULTS_OF_COLOUR):
                    yield f"{name}, {scheme}: {fault}"
        browser.close()


def main(site: Path) -> int:
    """Prints the faults of all pages, and returns the exit code."""
    chromium = find_chromium()
    if chromium is None:
        print("Left out: looking at the pages. Chromium is not installed (Debian: chromium).")
        return 0
    faults = list(find_faults(site, chromium))
    print("\n".join(faults) or "Looked at each page in Chromium, wide and narrow, light and dark: nothing is cut off.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
