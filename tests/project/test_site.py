# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at the pages of the site finds what a reader would stumble over. `make docs` looks at all of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from support.debian import require_package

SPEC = importlib.util.spec_from_file_location("look", Path(__file__).parents[2] / "docs/look.py")
assert SPEC
assert SPEC.loader
look = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(look)

HEAD = "<!doctype html><meta name=viewport content='width=device-width'><style>body{margin:9px;background:#fff}</style>"
PAGES = {
    "fine": "<article><h1>claw_instance</h1><p>Some words that fit.</p><pre>short</pre></article>",
    "heading": "<article><h1 style='width:9em;overflow-wrap:anywhere'>clawhosters.cloud.claw_instance</h1></article>",
    "word": "<article><p style='width:9em;word-break:break-all'>one two three subscription four</p></article>",
    "code": "<article><pre style='overflow:auto;width:300px'>wait: true  # "
    + "a comment that is long " * 4
    + "</pre></article>",
    "wide": "<article><p style='width:1500px'>A page that is wider than the window.</p></article>",
    "pale": "<article><p style='color:#ddd'>Pale on white.</p></article>",
}
FOUND = {
    "heading": "broken inside",
    "word": "broken inside",
    "code": "cut off at the right",
    "wide": "wider than the window",
    "pale": "hard to read",
}


@pytest.mark.rest
def test_faults_of_a_page_are_found(tmp_path: Path) -> None:
    for name, body in PAGES.items():
        (tmp_path / f"{name}.html").write_text(HEAD + body, encoding="utf-8")
    chromium = require_package("chromium", look.find_chromium, "whether faults of the site are found")
    faults = list(look.find_faults(tmp_path, chromium))
    for name, fault in FOUND.items():
        assert any(one.startswith(name) and fault in one for one in faults), (name, faults)
    assert not any(one.startswith("fine") for one in faults), faults
