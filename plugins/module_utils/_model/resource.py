# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type of everything that the API returns by id: instances, backups, add-ons."""

from __future__ import annotations

import typing as t

Resource = dict[str, t.Any]
"""One object of the API, as parsed from JSON."""
