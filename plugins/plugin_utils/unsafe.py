# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which text may be run as a template: the user's may, the service's never, on every ansible-core."""

from __future__ import annotations

import typing as t

from ansible.utils.unsafe_proxy import wrap_var

try:
    # From ansible-core 2.19 on only what is marked as trusted is run: text from elsewhere is safe as it is.
    from ansible.template import trust_as_template
except ImportError:
    TEXT_IS_RUN_UNLESS_MARKED = True
else:
    TEXT_IS_RUN_UNLESS_MARKED = False


def as_template(text: str) -> str:
    """``text``, made from what the user wrote, as a template that may be run."""
    return text if TEXT_IS_RUN_UNLESS_MARKED else trust_as_template(text)


def without_templates(value: t.Any) -> t.Any:
    """``value`` with every text that could be a template marked as unsafe, where that is needed.

    Only text with braces: the mark shows in what ``ansible-inventory --list`` prints.
    """
    if not TEXT_IS_RUN_UNLESS_MARKED:
        return value
    if isinstance(value, str):
        return wrap_var(value) if "{" in value else value
    if isinstance(value, dict):
        return {without_templates(name): without_templates(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_templates(item) for item in value]
    return value
