# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal is read again for an instance that can't be restored: it was read before the account."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._http.stats import RequestStats
from ansible_collections.clawhosters.cloud.plugins.module_utils._model.instance_index import InstanceIndex
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.incident import Incident
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.incident_plan import plan_incident
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.plan import (
    RestoreAction,
    Rules,
    Target,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.planner import AccountView
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.folder_journal import FolderStore
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import Journal, OperationEvent
from support.accounts import SERVICE


def test_a_run_that_has_ended_between_the_readings_holds_nothing(tmp_path: Path) -> None:
    journal, other = (Journal(FolderStore(str(tmp_path))) for _run in range(2))
    client = t.cast("t.Any", SimpleNamespace(settings=SimpleNamespace(api_url=SERVICE), stats=RequestStats()))
    incident = Incident(client, journal, "INC-1", Rules(), pytest.fail)
    key, target = incident.key(1), Target(1, None)
    with other.lock(key):
        history = incident.read_history([target], with_holders=True)
        assert history.find_holder(1)
        other.append(key, OperationEvent.INTENDED, backup_id=12)
        other.append(key, OperationEvent.COMPLETED)
    busy = AccountView(InstanceIndex([{"id": 1, "name": "web-bot", "status": "deploying"}]))
    (plan,) = plan_incident(incident, [target], busy, history)
    assert (plan.action, plan.backup_id) == (RestoreAction.NONE, 12)
    assert history.find_holder(1) is None
