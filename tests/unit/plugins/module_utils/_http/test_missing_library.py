# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Without ``requests`` everything can be imported, and whatever would send a request says what to install."""

from __future__ import annotations

import os
import subprocess
import sys

from ansible_collections.clawhosters.cloud.plugins.module_utils._installation import install_command

PLUGINS = "ansible_collections.clawhosters.cloud.plugins"
SCRIPT = f"""
import sys

from ansible_collections.clawhosters.cloud.plugins.module_utils._installation import install_command
sys.modules.update(dict.fromkeys(["requests", "urllib3"]))  # None: importing them raises ImportError
from {PLUGINS}.module_utils._errors import ClawHostersError
from {PLUGINS}.module_utils._http.request import Request
from {PLUGINS}.module_utils._http.settings import Settings
from {PLUGINS}.module_utils._http.transport import send_request
from {PLUGINS}.module_utils._module.runner import ModuleRunner
from {PLUGINS}.plugin_utils._watch.watch import parse_arguments

URL = "http://127.0.0.1:9"
for use in (
    lambda: print(ModuleRunner({{}}, False).run(lambda context: {{}})["msg"]),
    lambda: send_request(Settings(URL, "oc_live_0123456789"), Request("GET", "/health"), lambda: None),
    lambda: parse_arguments({{}}, print),
):
    try:
        use()
    except ClawHostersError as error:
        print(error)
"""


def test_everything_that_needs_the_library_says_so_in_one_line() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("The Python library requests 2.28 or newer, with urllib3 1.26 or 2, is needed where")
        assert line.endswith(f"Install or upgrade it: {install_command('requests')}")
