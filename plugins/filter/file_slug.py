# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter file_slug."""

from __future__ import annotations

DOCUMENTATION = r"""
name: file_slug
author: ClawHosters Ansible collection contributors (@clawhosters)
version_added: 1.0.0
short_description: Make a file name of any text (internal to the role restore)
description:
  - Internal to the role P(clawhosters.cloud.restore#role), for whose tasks alone it is made.
  - The name stays in its folder, holds no white space, and is another one for another text.
  - Plain names stay as they are.
options:
  _input:
    description:
      - The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write about an incident
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
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._unsafe import mark_unsafe


def file_slug(text: t.Any) -> t.Any:
    """A file name for ``text``."""
    return mark_unsafe(slugify(str(text)))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"file_slug": file_slug}
