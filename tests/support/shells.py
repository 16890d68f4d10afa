# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shells other than bash, for tests that compare them."""

from __future__ import annotations

import shutil

from .debian import require_package


def require_shell(name: str) -> None:
    """Installs the shell if it is missing."""
    require_package(name, lambda: shutil.which(name), f"what {name} makes of commands")
