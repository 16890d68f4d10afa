# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of modules, and options without their secrets. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resource import Resource

Result = dict[str, t.Any]
"""The dictionary that a task returns."""
Options = dict[str, t.Any]


class Redacted(t.NamedTuple):
    """Options without their secrets, and these secrets."""

    params: Options
    secrets: set[str]


@dataclass(frozen=True)
class ResourceChange:
    """Change of one resource. ``resource`` is the last one seen; ``before`` and ``after`` are the diff."""

    changed: bool
    resource: Resource | None
    before: Resource
    after: Resource

    def as_result(self, name: str) -> Result:
        """Returns the result of the task, with the resource under ``name``."""
        return {"changed": self.changed, name: self.resource, "diff": {"before": self.before, "after": self.after}}
