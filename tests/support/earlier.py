# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a journal as earlier versions did, which kept spellings of URLs and names that are refused today."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent, build_line
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.store import Store


def append_as_earlier(
    store: Store, service: str, name: str, *events: OperationEvent, instance_id: str | None = "7", **notes: t.Any
) -> str:
    """Appends the steps of one operation, and returns the digest under which the store has them."""
    key = {"kind": "restore", "service": service, "name": name, "instance_id": instance_id}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    checksum = ""
    for step, event in enumerate(events, start=1):
        entry = {"at": f"2026-02-01T10:0{step}:00.000+00:00", **key, "event": event.value, **notes}
        line = build_line(entry, step, checksum)
        store.append(digest, step, json.dumps(line))
        checksum = line["checksum"]
    return digest
