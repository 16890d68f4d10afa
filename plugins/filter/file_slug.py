# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin file_slug."""

from __future__ import annotations

DOCUMENTATION = r"""
name: file_slug
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Convert text to a file name (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), which is its only user.
  - The name has no path separator and no white space, and is unique for the text.
  - Text that is a plain file name is returned unchanged.
options:
  _input:
    description:
      - The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write a report about an incident
  ansible.builtin.copy:
    content: "..."
    dest: "reports/{{ incident | clawhosters.cloud.file_slug }}.txt"
"""

RETURN = r"""
_value:
  description: The file name.
  type: str
"""

import typing as t

from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import slugify
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import protect_value


def file_slug(text: t.Any) -> t.Any:
    """Returns a file name for ``text``."""
    return protect_value(slugify(str(text)))


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Returns the filters by name."""
        return {"file_slug": file_slug}
