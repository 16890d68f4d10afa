# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
short_description: Emit events for changes in a fleet of ClawHosters instances
version_added: 1.0.0
description:
  - Polls the instances of an account, and emits one event for each transition. A transition means that an instance
    appeared or disappeared, or that its status or health changed.
  - The first poll emits no events. So an instance that is already unhealthy when a rulebook is started for the first
    time causes no event.
  - An event has the key C(clawhosters). In it, C(event) is C(status_changed), C(health_changed), C(appeared) or
    C(disappeared), C(instance) and C(previous) are the instance after and before the change, and C(at) is the UTC time
    at which the change was first seen. C(previous) is null for an instance that appeared. For one that disappeared,
    both are its last known state. If status and health change in one poll, there are two events.
  - A failed poll does not count as a transition. It may fail with an error of the service, a rate limit or an
    incomplete list. The source warns once and continues. A rejected key and invalid arguments end the source.
  - Names and other text from the service are untrusted input. Pass ids to playbooks, never names.
  - C(ansible-rulebook -vv) prints the arguments of sources, so set key and database in the environment. The guide
    C(docs/connection.md) explains the options that have a variable there.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
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
    default: low
  account:
    description: Id or e-mail address of the account; with another, the source ends (or E(CLAWHOSTERS_ACCOUNT)).
    type: str
  name:
    description:
      - The name under which O(state_database) or O(state_dir) keeps what the source saw last, for each service and
        account. A restarted source with this name emits the changes since then; with a database, on any machine.
      - If the process is killed while it hands over events, the events of that poll are emitted again.
      - Two sources that run at the same time need two names.
      - Without it, every start begins with a first poll, which emits no events.
    type: str
  interval:
    description:
      - Seconds between two polls. A poll costs one request per page of the list.
    type: float
    default: 30.0
  health_stays_for:
    description:
      - Seconds for which a new health must last, in consecutive polls, before its event is emitted.
      - A shorter change of health is never reported. The time starts again after a gap between polls, such as an outage
        longer than this.
    type: float
    default: 0.0
requirements:
  - ansible-core
  - requests
  - psycopg, if O(state_database) is used
"""

EXAMPLES = r"""
- name: Poll every 30 seconds, with the key in CLAWHOSTERS_API_KEY
  clawhosters.cloud.instances:

- name: Report a health that has lasted for five minutes, and continue after a restart
  clawhosters.cloud.instances:
    api_key_file: ~/.clawhosters_key
    interval: 60
    health_stays_for: 300
    name: watch
"""

import importlib
import logging
import sys
import typing as t
from pathlib import Path

# ansible-rulebook does not make collections importable. Take their folder from the path of this file, unresolved: the
# collection's own folder may be a symbolic link.
COLLECTIONS = str(Path(__file__).absolute().parents[7])
if COLLECTIONS not in sys.path:
    sys.path.insert(0, COLLECTIONS)
# With the package "ansible" installed, ansible_collections is a regular package, whose path needs the folder too.
package_path: t.Any = importlib.import_module("ansible_collections").__path__
if f"{COLLECTIONS}/ansible_collections" not in package_path:
    package_path.append(f"{COLLECTIONS}/ansible_collections")

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import Queue, Watcher, parse_arguments

log = logging.getLogger("clawhosters.cloud.instances")


async def main(queue: Queue, args: dict[str, t.Any]) -> None:
    """Runs the source until ansible-rulebook cancels it, or an error ends it."""
    try:
        await Watcher(queue, parse_arguments(args, log.warning), log).run()
    except ClawHostersError as error:
        # ansible-rulebook would print a traceback around the message of an exception.
        log.error("%s This source ends.", error)
