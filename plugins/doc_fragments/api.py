# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options that say which service, which key, how patient: once for modules, once for the inventory."""

    DOCUMENTATION = r"""
options:
  api_key:
    description:
      - The API key. Keys are made in the dashboard under Settings, API Keys.
      - White space around it is stripped. A key that does not start with C(oc_live_) gives a warning.
      - If not set, the environment variable E(CLAWHOSTERS_API_KEY) is used.
    type: str
  api_key_file:
    description:
      - A file that holds the API key, and nothing else. One that others can read gives a warning.
      - O(api_key) wins over it.
      - If not set, the environment variable E(CLAWHOSTERS_API_KEY_FILE) is used.
    type: path
  api_url:
    description:
      - The address of the API.
      - C(http) is only for a service on this machine (127.0.0.0/8, ::1, localhost), such as the simulator.
      - If not set, the environment variable E(CLAWHOSTERS_API_URL) is used.
    type: str
    default: https://clawhosters.com/api/v1
  ca_path:
    description:
      - A CA bundle in PEM form, for a proxy with a private certificate. Certificates are always verified.
      - If not set, the environment variable E(CLAWHOSTERS_CA_PATH) is used.
    type: path
  timeout:
    description:
      - Seconds for one HTTP request, to connect and to get the whole answer.
      - If not set, the environment variable E(CLAWHOSTERS_TIMEOUT) is used.
    type: float
    default: 30.0
  retry_timeout:
    description:
      - Seconds that one call of the API may take in all when it waits out rate limits and faults that pass.
      - If not set, the environment variable E(CLAWHOSTERS_RETRY_TIMEOUT) is used.
    type: float
    default: 180.0
  page_size:
    description:
      - How many entries to ask for in one page of a list. Unset leaves it to the service, which sends 25.
      - Larger pages mean fewer requests, if the service goes along; what it answers is believed.
      - If not set, the environment variable E(CLAWHOSTERS_PAGE_SIZE) is used.
    type: int
  state_dir:
    description:
      - A folder on the controller, readable by its owner alone, in which runs share the rate budget and the journal.
      - It holds the rate budget, by which all forks, loops and inventories of a key take turns. Where it can't be
        used, a warning says so, and each waits out the service's refusals alone.
      - It holds the journal of M(clawhosters.cloud.claw_backup_restore) and M(clawhosters.cloud.claw_purchase),
        which send nothing without it.
      - It is not used if another user owns it, may write to it, or could replace it. In a volume that root owns and a
        group may write, such as one that is mounted for a container, the files are in a folder of the user's own,
        C(clawhosters-UID).
      - It is made where it is missing, but not in check mode.
      - If not set, the environment variable E(CLAWHOSTERS_STATE_DIR) is used.
    type: path
    default: ~/.ansible/clawhosters
requirements:
  - requests >= 2.28 (with urllib3 1.26 or 2), on the controller
"""

    PLUGIN = r"""
options:
  api_key:
    description:
      - The API key, or a template that gives it. Keys are made in the dashboard under Settings, API Keys.
      - White space around it is stripped. A key that does not start with C(oc_live_) gives a warning.
    type: str
    env:
      - name: CLAWHOSTERS_API_KEY
  api_key_file:
    description:
      - A file that holds the API key, and nothing else. One that others can read gives a warning.
      - O(api_key) wins over it.
    type: path
    env:
      - name: CLAWHOSTERS_API_KEY_FILE
  api_url:
    description:
      - The address of the API.
      - C(http) is only for a service on this machine (127.0.0.0/8, ::1, localhost), such as the simulator.
    type: str
    default: https://clawhosters.com/api/v1
    env:
      - name: CLAWHOSTERS_API_URL
  ca_path:
    description:
      - A CA bundle in PEM form, for a proxy with a private certificate. Certificates are always verified.
    type: path
    env:
      - name: CLAWHOSTERS_CA_PATH
  timeout:
    description:
      - Seconds for one HTTP request, to connect and to get the whole answer.
    type: float
    default: 30.0
    env:
      - name: CLAWHOSTERS_TIMEOUT
  retry_timeout:
    description:
      - Seconds that one call of the API may take in all when it waits out rate limits and faults that pass.
    type: float
    default: 180.0
    env:
      - name: CLAWHOSTERS_RETRY_TIMEOUT
  page_size:
    description:
      - How many entries to ask for in one page of a list. Unset leaves it to the service, which sends 25.
      - Larger pages mean fewer requests, if the service goes along; what it answers is believed.
    type: int
    env:
      - name: CLAWHOSTERS_PAGE_SIZE
  state_dir:
    description:
      - A folder on the controller, readable by its owner alone, in which runs share the rate budget and the journal.
      - It holds the rate budget, by which all forks, loops and inventories of a key take turns. Where it can't be
        used, a warning says so, and each waits out the service's refusals alone.
      - It holds the journal of M(clawhosters.cloud.claw_backup_restore) and M(clawhosters.cloud.claw_purchase),
        which send nothing without it.
      - It is not used if another user owns it, may write to it, or could replace it. In a volume that root owns and a
        group may write, such as one that is mounted for a container, the files are in a folder of the user's own,
        C(clawhosters-UID).
      - It is made where it is missing, but not in check mode.
    type: path
    default: ~/.ansible/clawhosters
    env:
      - name: CLAWHOSTERS_STATE_DIR
requirements:
  - requests >= 2.28 (with urllib3 1.26 or 2)
"""
