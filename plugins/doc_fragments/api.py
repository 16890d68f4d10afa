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
    """Connection options: DOCUMENTATION for modules, PLUGIN for the inventory. WAIT: options for waiting."""

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
      - An Ansible command reads it once, so a key that is replaced meanwhile is used by the next command.
      - O(api_key) takes precedence, but not a key from E(CLAWHOSTERS_API_KEY).
      - If not set, the environment variable E(CLAWHOSTERS_API_KEY_FILE) is used.
    type: path
  api_url:
    description:
      - The URL of the API.
      - C(http) is only allowed for a service on this machine (127.0.0.0/8, ::1, localhost), such as the simulator.
      - Journal and rate limit belong to one URL. The case of the host, a default port, zeros before a port and a slash
        at the end make no difference. User information, percent signs, dot segments or empty segments in the path, a
        dot after the host, and an empty port are refused.
      - A blank value is refused, since it may be a variable that was not resolved. An empty environment variable counts
        as not set.
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
      - Seconds that one API call may take in total, including retries and waits for the rate limit, but not its wait
        behind requests of a higher priority.
      - If not set, the environment variable E(CLAWHOSTERS_RETRY_TIMEOUT) is used.
    type: float
    default: 180.0
  page_size:
    description:
      - The number of entries to request per page of a list. By default, the service decides, and sends 25.
      - Larger pages mean fewer requests, if the service supports them, which is not documented. If it rejects the size
        with 400 or 422, or returns exactly that many entries without C(pagination), a task that reads a list fails and
        says to unset this option.
      - If not set, the environment variable E(CLAWHOSTERS_PAGE_SIZE) is used.
    type: int
  state_dir:
    description:
      - A folder on the controller, readable only by its owner, with the shared rate budget and the journal.
      - The rate budget coordinates all forks, loops and inventories that use the same key. If the folder can't be used,
        the task warns, and each process handles 429 responses on its own.
      - The journal belongs to M(clawhosters.cloud.claw_backup_restore), M(clawhosters.cloud.claw_fleet_restore) and
        M(clawhosters.cloud.claw_purchase), which send nothing without it.
      - The folder is not used if another user owns it, can write to it, or can replace it. In a volume that root owns
        and a group can write to, such as one mounted into a container, the files are in the user's own folder,
        C(clawhosters-UID).
      - It is created if it is missing, but not in check mode.
      - A path that is not absolute once C(~) is expanded is not used, since each current folder would have its own.
      - If not set, the environment variable E(CLAWHOSTERS_STATE_DIR) is used.
    type: path
    default: ~/.ansible/clawhosters
  state_database:
    description:
      - A PostgreSQL connection, as URI or keyword string of libpq. All machines that name it share its rate budget,
        journal and cursors; O(state_dir) is then not needed.
      - Anything it omits comes from the variables and files of libpq, such as E(PGPASSWORD) or a service file.
      - Over a network, the certificate and the name of the server are verified. C(sslmode) may relax this to
        C(verify-ca) or C(require), but no further.
      - A blank text is an error, since it may be an unresolved variable or secret. An empty environment variable counts
        as not set.
      - Restores and purchases that are in the journal in O(state_dir), but not in the database, are refused. The folder
        also records that a database is used, so that tasks without it warn.
      - M(clawhosters.cloud.claw_state_database) creates the schema. The guide about state explains the details.
      - Needs C(psycopg) 3.1 or newer.
      - If not set, the environment variable E(CLAWHOSTERS_STATE_DATABASE) is used.
    type: str
  priority:
    description:
      - The priority of the requests when several processes wait for the rate limit of the key. V(high) is sent first,
        and V(low) last, but at least one V(low) request in each window.
      - While a run with V(high) is active, the others leave it a tenth of each window.
      - Time spent behind requests of a higher priority does not count towards O(retry_timeout).
      - If not set, the environment variable E(CLAWHOSTERS_PRIORITY) is used.
    type: str
    choices: [low, normal, high]
    default: normal
  account:
    description:
      - The id or the e-mail address of the account that is meant, as C(GET /account) shows it. Case and white space in
        an e-mail address make no difference.
      - If the key is for another account, or the service does not show its account, each task that would change
        something fails before its first change, in check mode too. A role fails before it asks, and an inventory before
        its first list. One C(GET /account) is sent to find out.
      - Modules that only read are not refused, and modules that need no key ignore it.
      - A blank value is refused, since it may be a variable that was not resolved. An empty environment variable counts
        as not set.
      - If not set, the environment variable E(CLAWHOSTERS_ACCOUNT) is used.
    type: str
requirements:
  - requests >= 2.28 (with urllib3 1.26 or 2), on the controller
  - psycopg >= 3.1, on the controller, if O(state_database) is used
"""

    WAIT = r"""
options:
  wait:
    description:
      - Wait until the state is reached. The service responds earlier.
      - Every ten seconds a line on standard error shows the progress; E(CLAWHOSTERS_PROGRESS=0) disables it. If the
        service does not answer, the line says since when, and why.
    type: bool
    default: true
  wait_timeout:
    description:
      - Maximum seconds to wait.
    type: int
    default: 300
  wait_healthy:
    description:
      - Wait also until the service reports the instance as healthy, which can take a minute longer.
      - Has an effect only with O(wait=true) and a state in which the instance runs.
    type: bool
    default: false
"""

    PLUGIN: str


# Outside of the class, where ansible-test expects literal text only.
ModuleDocFragment.PLUGIN = _build_plugin_options(ModuleDocFragment.DOCUMENTATION)
