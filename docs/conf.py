# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx makes the site (`make docs`). The guides are plain Markdown that reads on a code host, too: what only the
site needs, its table of contents and its links to the pages of plugins, is added here."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

HERE = Path(__file__).parent
GUIDES = ("getting-started", "fleet", "restore", "event-driven", "rate-limits", "controller", "troubleshooting")
"""The order for those who read from the first to the last; a guide that is not named here comes after them."""
REFERENCE = ("endpoints", "contract", "interface", "tests/simulator/README")

galaxy = yaml.safe_load((HERE / "galaxy.yml").read_text(encoding="utf-8"))

project = "clawhosters.cloud"
author = copyright = galaxy["authors"][0]
version = release = galaxy["version"]
language = "en"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
highlight_language = "yaml+jinja"

# Whoever builds this needs no network: names of other projects' documents stay text. They, and only they, may lead
# nowhere.
nitpicky = True
nitpick_ignore_regex = [
    ("std:ref", "action_plugins|common_return_values|ansible_configuration_settings"),
    ("std:ref", r"ansible_collections\.ansible\..*"),
    ("std:envvar", "ANSIBLE_.*"),
]

html_theme = "furo"
html_title = f"clawhosters.cloud {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def guides() -> list[str]:
    """All guides, in their order."""
    found = {path.stem for path in HERE.glob("*.md")} - {"index", *REFERENCE}
    return [name for name in GUIDES if name in found] + sorted(found - set(GUIDES))


def add_contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """The front page lists the guides for people; this lists them for the side bar.

    build.py lays what stands beside this folder into it, so links lead there without the step up.
    """
    if name.startswith("reference/"):
        # The theme has a table of contents of its own beside each page.
        source[0] = re.sub(r"^\.\. contents::\n(?: +:.*\n)*", "", source[0], flags=re.MULTILINE)
    if name == "reference/index":
        # antsibull-docs writes the name as a title; it is what users type.
        source[0] = source[0].replace("Clawhosters.Cloud", project)
    source[0] = source[0].replace("](../", "](")
    if name != "index":
        return
    reference = ["Modules, plugins and roles <reference/index>", *REFERENCE]
    roles = sorted(f"{path.parent.relative_to(HERE)}/README" for path in HERE.glob("roles/*/README.md"))
    for caption, pages in (("Guides", guides()), ("Reference", reference), ("Roles", roles)):
        lines = "\n".join(pages)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n:maxdepth: 1\n\n{lines}\n```\n"


class LinkModules(SphinxTransform):
    """The name of a module, set as code in a guide, becomes a link to its page."""

    default_priority = 5

    def apply(self, **_options: t.Any) -> None:
        if self.env.docname.startswith("reference/"):
            return  # antsibull-docs makes links of its own
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext()
            if isinstance(literal.parent, (nodes.reference, nodes.title)) or not re.fullmatch(r"claw_\w+", name):
                continue
            if not (HERE / f"reference/{name}_module.rst").exists():
                continue
            link = pending_xref(
                "",
                literal.deepcopy(),
                refdomain="std",
                reftype="ref",
                refexplicit=True,
                refwarn=True,
                refdoc=self.env.docname,
                reftarget=f"ansible_collections.clawhosters.cloud.{name}_module",
            )
            literal.replace_self(link)


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", add_contents)
    app.add_transform(LinkModules)
