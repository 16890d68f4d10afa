# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
short_description: Tell what changes in a fleet of ClawHosters instances
version_added: 1.0.0
description:
  - Looks at the instances of an account again and again, and sends an event for each transition, once. An instance
    appeared or disappeared, or its status or its health changed.
  - The first look is what later ones are compared with, and sends nothing. So an instance that is unhealthy already
    when a rulebook is started for the first time is no event.
  - An event is C(clawhosters), with C(event), which is C(status_changed), C(health_changed), C(appeared) or
    C(disappeared), with C(instance) and C(previous), the instance as it is and as it was, and with C(at), the time in
    UTC at which the change was seen first. C(previous) is null for an instance that appeared. For one that disappeared,
    both are what was seen last. When status and health have changed in one look, there are two events.
  - A look that fails is no transition, whether by a fault of the service, a rate limit or a list that is not complete.
    It is warned of once, and looking goes on. A key that is refused, and arguments that can't be used, end the source.
  - Names and other text of the service are somebody's input. Hand ids to playbooks, never names.
author:
  - ClawHosters Ansible collection contributors (@clawhosters)
options:
  api_key:
    description:
      - The API key. Keys are made in the dashboard under Settings, API Keys.
      - Better given by E(CLAWHOSTERS_API_KEY) or O(api_key_file), since C(ansible-rulebook -vv) prints the arguments of
        its sources.
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
      - Seconds that one request of a look may take in all when it waits out rate limits and faults that pass.
      - If not set, the environment variable E(CLAWHOSTERS_RETRY_TIMEOUT) is used.
    type: float
    default: 180.0
  page_size:
    description:
      - How many entries to ask for in one page of the list. Unset leaves it to the service, which sends 25.
      - If not set, the environment variable E(CLAWHOSTERS_PAGE_SIZE) is used.
    type: int
  state_dir:
    description:
      - A folder for the rate budget, by which everything that uses the key takes turns, playbooks and sources alike.
      - What this source remembers is in O(state_file).
      - If not set, the environment variable E(CLAWHOSTERS_STATE_DIR) is used.
    type: path
    default: ~/.ansible/clawhosters
  interval:
    description:
      - Seconds between two looks. A look costs one request for each page of the list.
    type: float
    default: 30.0
  health_stays_for:
    description:
      - Seconds for which a new health must have been seen, look after look, before its change is told.
      - A health that comes and goes within that time is never told. The time begins anew after a pause in which nobody
        looked, such as an outage that lasted longer than this.
    type: float
    default: 0.0
  state_file:
    description:
      - A file in which the source remembers what it has told. With it, a rulebook that is started again goes on where
        it was. What changed meanwhile is told then, and nothing is told twice.
      - Should the process be killed in the very moment in which events are handed over, they are told again with the
        same C(at), rather than lost.
      - It belongs to one source, one O(api_url) and one API key. One that is damaged, or belongs to another, ends the
        source with a message. So does a file that another user owns or could write or replace.
      - Without it, every start begins with a first look.
    type: path
requirements:
  - ansible-core
  - requests
"""

EXAMPLES = r"""
- name: Every 30 seconds, with the key in CLAWHOSTERS_API_KEY
  clawhosters.cloud.instances:

- name: A health is told once it has stayed for five minutes, and nothing is lost or repeated by a restart
  clawhosters.cloud.instances:
    api_key_file: ~/.clawhosters_key
    interval: 60
    health_stays_for: 300
    state_file: ~/.ansible/clawhosters/watch.json
"""

import importlib
import logging
import sys
import typing as t
from pathlib import Path

# ansible-rulebook runs this file without making collections importable. The folder that they are in is found by the
# path that was taken to this file: the collection's own folder may be a link to somewhere else.
COLLECTIONS = str(Path(__file__).absolute().parents[7])
if COLLECTIONS not in sys.path:
    sys.path.insert(0, COLLECTIONS)
# Where the community's collections are installed, their package is an ordinary one, which looks nowhere else by itself.
package_path: t.Any = importlib.import_module("ansible_collections").__path__
if f"{COLLECTIONS}/ansible_collections" not in package_path:
    package_path.append(f"{COLLECTIONS}/ansible_collections")

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import ClawHostersError
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._watch.watch import Queue, parse_arguments, watch

log = logging.getLogger("clawhosters.cloud.instances")


async def main(queue: Queue, args: dict[str, t.Any]) -> None:
    """What ansible-rulebook runs, until it is cancelled or there is nothing to go on with."""
    try:
        await watch(queue, parse_arguments(args, log.warning), log)
    except ClawHostersError as error:
        # To raise it would bury the line under the frames that ansible-rulebook prints of every exception.
        log.error("%s This source ends.", error)
