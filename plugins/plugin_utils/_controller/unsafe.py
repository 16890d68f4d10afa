# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks text of the service as unsafe, so that no ansible-core evaluates it as a template."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible.utils.unsafe_proxy import wrap_var

try:
    from ansible.template import trust_as_template
except ImportError:
    # Up to ansible-core 2.18 all text is evaluated unless it is marked as unsafe.
    _trust: t.Callable[[str], str] | None = None
else:
    # From 2.19 only text that is marked as trusted is evaluated.
    _trust = trust_as_template

TEMPLATE_SYNTAX = re.compile(r"[{}()\[\]|*%~\\]|^#jinja2:")
"""Text without any of these is harmless even in a condition, which is evaluated without braces."""


def trust_template(text: str) -> str:
    """Returns ``text``, which the user wrote, as a template that Ansible evaluates."""
    return _trust(text) if _trust else text


def protect_name(name: str) -> str:
    """Returns the name of a host so that it is not evaluated. From ansible-core 2.19 on, names never are."""
    return name if _trust else _mark_text(name)


def protect_value(value: t.Any) -> t.Any:
    """Returns a value so that none of its text is evaluated. For host variables and the values of filters and lookups.

    Text without template syntax stays plain on old cores and is trusted on new ones, so that
    ``ansible-inventory --list`` prints it plainly. Other text is printed as ``{"__ansible_unsafe": ...}``, which keeps
    a reader of that output from evaluating it.
    """
    if isinstance(value, str):
        return _mark_text(value)
    if isinstance(value, dict):
        return {protect_value(name): protect_value(item) for name, item in value.items()}
    return [protect_value(item) for item in value] if isinstance(value, list) else value


@functools.lru_cache(maxsize=1024)
def _mark_text(text: str) -> str:
    # Cached: a fleet repeats the same few words.
    if text.isprintable() and not TEMPLATE_SYNTAX.search(text):
        return trust_template(text)
    return text if _trust else wrap_var(text)
