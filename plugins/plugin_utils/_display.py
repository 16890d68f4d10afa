# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows on the controller's screen what a task waits for."""

from __future__ import annotations

import os

from ansible.utils.display import Display

from ..module_utils._progress import Progress


def display_progress(display: Display) -> Progress:
    """Returns a Progress that writes to standard error: standard output may be the JSON of a callback.

    ``CLAWHOSTERS_PROGRESS=0`` turns it off.
    """
    if os.environ.get("CLAWHOSTERS_PROGRESS") == "0":
        return Progress()
    return Progress(lambda line: display.display(line, stderr=True))
