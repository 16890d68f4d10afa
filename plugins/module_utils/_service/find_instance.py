# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches one instance by its id."""

from __future__ import annotations

import typing as t

from .._errors import NotFoundError
from .._http.responses import require_id, resource_path
from .._model.instance_fields import is_gone

if t.TYPE_CHECKING:
    from .._http.client import Client
    from .._model.resource import Resource


def instance_path(instance_id: object) -> str:
    """Returns the path of an instance."""
    return resource_path("instances", instance_id)


def find_instance(client: Client, instance_id: object, time_left: float | None = None) -> Resource | None:
    """Returns the instance with its detail fields, None if it does not exist or is gone."""
    try:
        instance = fetch_instance(client, instance_id, time_left)
    except NotFoundError:
        return None
    return None if is_gone(instance) else instance


def fetch_instance(client: Client, instance_id: object, time_left: float | None = None) -> Resource:
    """Returns the instance with its detail fields. Raises NotFoundError."""
    return require_id(client.fetch(instance_path(instance_id), time_left=time_left), instance_id, "Instance")
