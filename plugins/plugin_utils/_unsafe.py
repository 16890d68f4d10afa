# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which text may be run as a template: the user's may, the service's never, on every ansible-core."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible.utils.unsafe_proxy import wrap_var

try:
    from ansible.template import trust_as_template
except ImportError:
    # Up to ansible-core 2.18 every text is run unless it is marked as unsafe.
    _trust: t.Callable[[str], str] | None = None
else:
    # From 2.19 on only text that is marked as trusted is run.
    _trust = trust_as_template


CALLING = re.compile(r"[{}()\[\]|*%~\\]|^#jinja2:")
"""Text without any of these calls nothing and computes nothing large. Conditions evaluate text without braces, too."""


def as_template(text: str) -> str:
    """``text``, made from what the user wrote, as a template that may be run."""
    return _trust(text) if _trust else text


def make_unsafe(value: t.Any) -> t.Any:
    """A result that holds text of the service, in a form in which no text of it is ever run."""
    return value if _trust else wrap_var(value)


def mark_unsafe(value: t.Any) -> t.Any:
    """A host variable from the service, in a form in which no text of it is ever run.

    Text that is neither a template nor an expression is left plain on old cores and marked as trusted on new ones:
    everything else is printed as ``{"__ansible_unsafe": ...}`` by ``ansible-inventory --list``, which is right where
    it matters (who reads that output must not run it either) and noise where it doesn't.
    """
    if isinstance(value, str):
        return _inert_text(value)
    if isinstance(value, dict):
        return {mark_unsafe(name): mark_unsafe(item) for name, item in value.items()}
    if isinstance(value, list):
        return [mark_unsafe(item) for item in value]
    return value


@functools.lru_cache(maxsize=1024)
def _inert_text(text: str) -> str:
    """Most of the text in a fleet is the same few words, over and over."""
    if text.isprintable() and not CALLING.search(text):
        return as_template(text)
    return text if _trust else wrap_var(text)
