# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command whose own calls of Ansible's commands fork a warm process: ``python -m support.stand_ins COMMAND``."""

from __future__ import annotations

import os
import subprocess
import sys

from . import warm

if __name__ == "__main__":
    environment = {**os.environ, "PATH": f"{warm.stand_ins()}:{os.environ['PATH']}"}
    sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
