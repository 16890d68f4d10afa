# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx configuration of the site (`make docs`). The guides are plain Markdown, readable on a code host too. It
adds the parts that only the site needs: the table of contents and the links to the plugin reference."""

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

galaxy = yaml.safe_load((HERE / "galaxy.yml").read_text(encoding="utf-8"))

project = "clawhosters.cloud"
author = copyright = galaxy["authors"][0]
version = release = galaxy["version"]
language = "en"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 3
highlight_language = "yaml+jinja"

# The build needs no network, so references to other projects stay plain text. Only those may be unresolved.
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
html_js_files = ["site.js"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def groups() -> dict[str, list[str]]:
    """Returns the groups of the front page, each with its pages in order."""
    sections = (HERE / "index.md").read_text(encoding="utf-8").split("\n## ")[1:]
    link = re.compile(r"^- \[.*?\]\((?:\.\./)?(.+?)\.md\)", re.MULTILINE)
    return {section.split("\n")[0]: link.findall(section) for section in sections}


def add_contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """Adds the side bar's table of contents to the front page, and adapts links.

    build.py copies the folders beside docs/ into it, so links to ``../`` lose that prefix.
    """
    source[0] = source[0].replace("](../", "](")
    if name != "index":
        return
    pages_of = groups()
    pages_of["Reference"].insert(0, "Modules, plugins and roles <reference/index>")
    pages_of["Roles"] = sorted(f"{path.parent.relative_to(HERE)}/README" for path in HERE.glob("roles/*/README.md"))
    for caption, pages in pages_of.items():
        lines = "\n".join(pages)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n:maxdepth: 1\n\n{lines}\n```\n"


class LinkModules(SphinxTransform):
    """Turns a module name in code style into a link to the module's page."""

    default_priority = 5

    def apply(self, **_options: t.Any) -> None:
        if self.env.docname.startswith("reference/"):
            return  # antsibull-docs adds its own links
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
    """Registers the hooks above; called by Sphinx."""
    app.connect("source-read", add_contents)
    app.add_transform(LinkModules)
