# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

_ENVIRONMENT_NOTE = re.compile(
    r"^      - If not set, the environment variable E\((\w+)\) is used\.\n((?:    \w.*\n)+)", re.MULTILINE
)


def _build_plugin_options(documentation: str) -> str:
    """Returns the options as plugins document them: with the environment variable as ``env``, not as a sentence."""
    return _ENVIRONMENT_NOTE.sub(r"\2    env:\n      - name: \1\n", documentation).replace(", on the controller", "")


class ModuleDocFragment:
    """Connection options: DOCUMENTATION for modules, PLUGIN for the inventory."""

    DOCUMENTATION = r"""
options:
  api_key:
    description:
      - The API key. Create keys in the dashboard under Settings, API Keys.
      - White space around it is stripped. A key that does not start with C(oc_live_) gives a warning.
      - If not set, the environment variable E(CLAWHOSTERS_API_KEY) is used.
    type: str
  api_key_file:
    description:
      - A file that holds only the API key. A file that others can read gives a warning.
      - O(api_key) takes precedence, but not a key from E(CLAWHOSTERS_API_KEY).
      - If not set, the environment variable E(CLAWHOSTERS_API_KEY_FILE) is used.
    type: path
  api_url:
    description:
      - The URL of the API.
      - C(http) is only allowed for a service on this machine (127.0.0.0/8, ::1, localhost), such as the simulator.
      - The same service has one spelling, by which journal and rate limit are kept. Case of the host, a default port,
        zeros before a port and a slash at the end make no difference. User information, percent signs, dot segments or
        empty segments in the path, a dot after the host, and an empty port are refused.
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
      - Seconds for one HTTP request, from connecting to the complete response.
      - If not set, the environment variable E(CLAWHOSTERS_TIMEOUT) is used.
    type: float
    default: 30.0
  retry_timeout:
    description:
      - Seconds that one API call may take in all, including waits for the rate limit and retries, but not what it waits
        behind requests of a higher priority.
      - If not set, the environment variable E(CLAWHOSTERS_RETRY_TIMEOUT) is used.
    type: float
    default: 180.0
  page_size:
    description:
      - Requested number of entries in a page of a list. By default the service decides, and sends 25.
      - Larger pages mean fewer requests, if the service supports them; undocumented.
      - If not set, the environment variable E(CLAWHOSTERS_PAGE_SIZE) is used.
    type: int
  state_dir:
    description:
      - A folder on the controller, readable only by its owner, with the shared rate budget and the journal.
      - The rate budget coordinates all forks, loops and inventories that use the same key. If the folder can't be used,
        a warning is shown, and each process handles responses with status 429 alone.
      - The journal belongs to M(clawhosters.cloud.claw_backup_restore), M(clawhosters.cloud.claw_fleet_restore) and
        M(clawhosters.cloud.claw_purchase), which send nothing without it.
      - The folder is not used if another user owns it, can write to it, or can replace it. In a volume that root owns
        and a group can write to, such as one mounted into a container, the files are in a folder of the user's own,
        C(clawhosters-UID).
      - It is created if it is missing, but not in check mode.
      - If not set, the environment variable E(CLAWHOSTERS_STATE_DIR) is used.
    type: path
    default: ~/.ansible/clawhosters
  state_database:
    description:
      - A PostgreSQL connection, as URI or keyword string of libpq. Then rate budget, journal and cursors are in this
        database, for all machines that name it, and O(state_dir) is not needed.
      - What it leaves out comes from the variables and files of libpq, such as E(PGPASSWORD) or a service file.
      - Over a network, the certificate and the name of the server are verified. C(sslmode) may relax this to
        C(verify-ca) or C(require), no further.
      - A blank text, as a variable or secret that was not resolved leaves it, is an error. An empty environment
        variable is one that isn't set.
      - Restores and purchases that the journal in O(state_dir) knows and the database does not are refused. The folder
        also remembers that a database is used, so that tasks without it warn.
      - M(clawhosters.cloud.claw_state_database) makes the schema. The guide about state explains the details.
      - Needs C(psycopg) 3.1 or newer.
      - If not set, the environment variable E(CLAWHOSTERS_STATE_DATABASE) is used.
    type: str
  server_filters:
    description:
      - Ask for lists with a query that would shorten them, such as C(instance_id) for backups. Then a task for one
        instance costs a few requests in an account of any size, if the service supports it; undocumented.
      - What is found costs nothing more, also if the service ignores the query. A query that it rejects with 400, 404
        or 422 is sent once in a task, and the list is read again without it.
      - Nothing is missing before the whole list was read without the query, once. What a response does show is used. So
        a service that returns only some of what matches, such as one of two instances of a name, is not noticed.
      - If not set, the environment variable E(CLAWHOSTERS_SERVER_FILTERS) is used.
    type: bool
    default: false
  priority:
    description:
      - The priority of the requests when several processes wait for the rate limit of the key. V(high) is sent first,
        and V(low) last, but at least one V(low) request in each window.
      - While a run with V(high) is active, the others leave it a tenth of each window.
      - Time spent behind requests of a higher priority does not count for O(retry_timeout).
      - If not set, the environment variable E(CLAWHOSTERS_PRIORITY) is used.
    type: str
    choices: [low, normal, high]
    default: normal
requirements:
  - requests >= 2.28 (with urllib3 1.26 or 2), on the controller
  - psycopg >= 3.1, on the controller, if O(state_database) is used
"""

    PLUGIN: str


# Outside of the class, where ansible-test expects literal text only.
ModuleDocFragment.PLUGIN = _build_plugin_options(ModuleDocFragment.DOCUMENTATION)
