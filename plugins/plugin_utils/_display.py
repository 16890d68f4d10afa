# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells the person at the controller what is waited for."""

from __future__ import annotations

import os

from ansible.utils.display import Display

from ..module_utils._progress import Progress


def display_progress(display: Display) -> Progress:
    """Progress that is told on standard error, since standard output may be a callback's JSON.

    ``CLAWHOSTERS_PROGRESS=0`` silences it (interface 1a).
    """
    if os.environ.get("CLAWHOSTERS_PROGRESS") == "0":
        return Progress()
    return Progress(lambda line: display.display(line, stderr=True))
