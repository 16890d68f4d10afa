# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

_ENVIRONMENT = re.compile(r" \(or E\((\w+)\)\)\.\n((?:    \w.*\n)+)")


def _build_plugin_options(documentation: str) -> str:
    """Returns the options as plugins document them: with the environment variable as ``env``, not in the sentence."""
    return _ENVIRONMENT.sub(r".\n\2    env:\n      - name: \1\n", documentation).replace(", on the controller", "")


class ModuleDocFragment:
    """Connection options: DOCUMENTATION for modules, PLUGIN for the inventory. WAIT: options for waiting."""

    DOCUMENTATION = r"""
options:
  api_key:
    description: The API key, from the dashboard under Settings, API Keys (or E(CLAWHOSTERS_API_KEY)).
    type: str
  api_key_file:
    description: A file with the API key alone; O(api_key) wins (or E(CLAWHOSTERS_API_KEY_FILE)).
    type: path
  api_url:
    description: The URL of the API; C(http) only on this machine (or E(CLAWHOSTERS_API_URL)).
    type: str
    default: https://clawhosters.com/api/v1
  ca_path:
    description: A CA bundle, for a proxy with a private certificate (or E(CLAWHOSTERS_CA_PATH)).
    type: path
  timeout:
    description: Seconds for one HTTP request (or E(CLAWHOSTERS_TIMEOUT)).
    type: float
    default: 30.0
  retry_timeout:
    description: Seconds for one API call with its retries and waits (or E(CLAWHOSTERS_RETRY_TIMEOUT)).
    type: float
    default: 180.0
  page_size:
    description: Entries per page of a list, if the service supports it (or E(CLAWHOSTERS_PAGE_SIZE)).
    type: int
  state_dir:
    description: The folder of journal and rate limit (or E(CLAWHOSTERS_STATE_DIR)).
    type: path
    default: ~/.ansible/clawhosters
  state_database:
    description: A PostgreSQL connection, instead of the folder (or E(CLAWHOSTERS_STATE_DATABASE)).
    type: str
  priority:
    description: Whose requests go first when several wait (or E(CLAWHOSTERS_PRIORITY)).
    type: str
    choices: [low, normal, high]
    default: normal
  account:
    description: Id or e-mail address of the account; with another, nothing is changed (or E(CLAWHOSTERS_ACCOUNT)).
    type: str
notes:
  - The guide C(docs/connection.md) explains the options that have an environment variable.
requirements:
  - requests >= 2.28 (with urllib3 1.26 or 2), on the controller
  - psycopg >= 3.1, on the controller, if O(state_database) is used
"""

    WAIT = r"""
options:
  wait:
    description:
      - Wait until the state is reached. The service responds earlier.
      - A line on standard error shows the progress every ten seconds; E(CLAWHOSTERS_PROGRESS=0) disables it.
    type: bool
    default: true
  wait_timeout:
    description:
      - Maximum seconds to wait. The time in which requests wait for the rate limit counts.
    type: int
    default: 300
  wait_healthy:
    description:
      - Wait also until the service reports the instance as healthy, if it runs in this state.
      - If the service shows no health, the wait ends when it runs, with a warning.
    type: bool
    default: false
"""

    PLUGIN: str


# Outside of the class, where ansible-test expects literal text only.
ModuleDocFragment.PLUGIN = _build_plugin_options(ModuleDocFragment.DOCUMENTATION)
